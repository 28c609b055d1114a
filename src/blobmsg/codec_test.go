package blobmsg

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// everyType holds each type, as the reply_data_all_types of the captured messages does.
var everyType = Fields{
	F("s", String("hi")),
	F("empty", String("")),
	F("t", Bool(true)),
	F("f", Bool(false)),
	F("i16", Value{typ: TypeInt16, num: -2}),
	F("i32", Int(-3)),
	F("i64", Int(0x1122334455667788)),
	F("d", Double(1.5)),
	F("n", Value{}),
	F("a", Array(Int(1), String("x"))),
	F("t2", Tab(F("k", String("v")), F("e", Tab()))),
}

func TestEachTypeIsWrittenAsLibuboxWritesIt(t *testing.T) {
	want := "" +
		"8300000b 0001 73 00 6869 00 00" + // STRING "s": the length leaves out the padding
		"8300000d 0005 656d707479 00 00 000000" + // STRING "empty": "" is one NUL
		"87000009 0001 74 00 01 000000" + // INT8 "t"
		"87000009 0001 66 00 00 000000" + // INT8 "f"
		"8600000e 0003 693136 00 0000 fffe 0000" + // INT16 "i16" -2
		"85000010 0003 693332 00 0000 fffffffd" + // INT32 "i32" -3
		"84000014 0003 693634 00 0000 1122334455667788" + // INT64 "i64": it does not fit in 32 bits
		"88000010 0001 64 00 3ff8000000000000" + // DOUBLE "d" 1.5
		"80000008 0001 6e 00" + // UNSPEC "n"
		"81000020 0001 61 00" + // ARRAY "a" of two: elements have an empty name
		" 8500000c 0000 00 00 00000001" +
		" 8300000a 0000 00 00 78 00 0000" +
		"82000020 0002 7432 00 000000" + // TABLE "t2"
		" 8300000a 0001 6b 00 76 00 0000" +
		" 82000008 0001 65 00" // an empty TABLE
	got := AppendFields(nil, everyType)
	if text := hex.EncodeToString(got); text != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got\n%s, want\n%s", text, strings.ReplaceAll(want, " ", ""))
	}
	back, err := ParseFields(got)
	if err != nil || !reflect.DeepEqual(back, everyType) {
		t.Errorf("read back %+v, %v", back, err)
	}
}

func TestANumberIsReadWhateverItsWidth(t *testing.T) {
	for _, v := range []Value{Int(7), Int64(7), {typ: TypeInt16, num: 7}, {typ: TypeBool, num: 7}} {
		if n, ok := v.Num(); n != 7 || !ok {
			t.Errorf("type %d: %d, %v", v.Type(), n, ok)
		}
		if b, ok := v.Truth(); !b || !ok {
			t.Errorf("type %d: truth %v, %v", v.Type(), b, ok)
		}
		if f, ok := v.Float(); f != 7 || !ok {
			t.Errorf("type %d: as double %v, %v", v.Type(), f, ok)
		}
	}
	for _, v := range []Value{String("7"), Double(7), {}, Array(Int(7)), Tab(F("n", Int(7)))} {
		if _, ok := v.Num(); ok {
			t.Errorf("type %d passes for an integer", v.Type())
		}
	}
	for n, want := range map[int64]Type{
		math.MaxInt32: TypeInt32, math.MinInt32: TypeInt32,
		math.MaxInt32 + 1: TypeInt64, math.MinInt32 - 1: TypeInt64,
	} {
		if got := Int(n).Type(); got != want {
			t.Errorf("Int(%d) has type %d, want %d", n, got, want)
		}
	}
}

func TestFieldsAreFoundByName(t *testing.T) {
	f := Fields{
		F("name", String("vpn")), F("up", Bool(true)), F("mtu", Int(1400)), F("mtu", Int(9)),
		F("list", Array(Int(1))), F("data", Tab(F("x", Int(2)))),
	}
	n, isNumber := f.Number("mtu")
	up, isFlag := f.Flag("up")
	if f.Text("name") != "vpn" || n != 1400 || !isNumber || !up || !isFlag || len(f.List("list")) != 1 || len(f.Table("data")) != 1 {
		t.Errorf("of a name that stands twice the first counts, as for libubox: %d", n)
	}
	_, found := f.Get("none")
	_, isNumber = f.Number("name")
	_, isFlag = f.Flag("name")
	if found || isNumber || isFlag || f.Text("mtu") != "" || f.List("data") != nil || f.Table("list") != nil || f.Text("none") != "" {
		t.Error("a field that is missing or of another type must be empty")
	}
}

func TestTextEndsAtNULAsForEveryReaderInC(t *testing.T) {
	b := AppendFields(nil, Fields{F("a\x00b", String("x\x00y"))})
	back, err := ParseFields(b)
	if want := (Fields{F("a", String("x"))}); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("got %+v, %v", back, err)
	}
	if s, _ := String("x\x00y").Str(); s != "x" {
		t.Errorf("the value keeps %q, the bus would not", s)
	}
	long := strings.Repeat("n", 70000)
	back, err = ParseFields(AppendFields(nil, Fields{F(long, Int(1))}))
	if err != nil || back[0].Name != long[:65535] {
		t.Errorf("a name that is too long for its length: %v", err)
	}
}

func TestDamagedFieldsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"less than a head":                    "8500",
		"length below 4":                      "85000003 00000000",
		"length beyond the end":               "85000010 0001 61 00 000000",
		"padding cut off":                     "8300000b 0001 73 00 6869 00",
		"something behind the last field":     "80000008 0001 6e 00 00",
		"no name at all":                      "85000004",
		"a name longer than the field":        "8500000c 0040 61 00 00000001",
		"a name without NUL":                  "8500000c 0001 61 62 00000001",
		"a NUL inside of a name":              "85000010 0003 610062 00 0000 00000001",
		"a plain attribute":                   "0500000c 0001 61 00 00000001",
		"unknown type 9":                      "89000008 0001 61 00",
		"INT32 of 3 bytes":                    "8500000b 0001 61 00 000001 00",
		"INT32 of 5 bytes":                    "8500000d 0001 61 00 0000000100 000000",
		"INT64 of 4 bytes":                    "8400000c 0001 61 00 00000001",
		"INT16 without bytes":                 "86000008 0001 61 00",
		"INT8 of 2 bytes":                     "8700000a 0001 61 00 0101 0000",
		"DOUBLE of 4 bytes":                   "8800000c 0001 61 00 3ff80000",
		"STRING without bytes":                "83000008 0001 61 00",
		"STRING without NUL":                  "8300000c 0001 61 00 61626364",
		"ARRAY with a rest that is no field":  "8100000c 0001 61 00 00000001",
		"TABLE that holds a damaged INT32":    "82000013 0001 61 00 8500000b 0001 61 00 000001 00",
		"ARRAY element that is a plain field": "81000010 0001 61 00 05000008 00000001",
	} {
		b := unhex(t, strings.ReplaceAll(text, " ", ""))
		if f, err := ParseFields(b); err == nil {
			t.Errorf("%s: read as %s", name, AppendJSON(nil, Tab(f...)))
		}
	}
}

func TestNestingAndNumberOfValuesAreBounded(t *testing.T) {
	nested := func(n int) []byte {
		v := Array()
		for range n {
			v = Array(v)
		}
		return AppendFields(nil, Fields{F("", v)})
	}
	if _, err := ParseFields(nested(maxDepth - 2)); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
	if _, err := ParseFields(nested(maxDepth - 1)); err != errDepth {
		t.Errorf("%d levels: %v", maxDepth+1, err)
	}
	one := AppendFields(nil, Fields{{}})
	if _, err := ParseFields(bytes.Repeat(one, maxValues)); err != nil {
		t.Error(err)
	}
	if _, err := ParseFields(bytes.Repeat(one, maxValues+1)); err != errTooMany {
		t.Errorf("%d values: %v", maxValues+1, err)
	}
}

func TestNothingOfAResultPointsIntoTheMessage(t *testing.T) {
	b := AppendFields(nil, everyType)
	f, err := ParseFields(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 0xff
	}
	if !reflect.DeepEqual(f, everyType) {
		t.Error("the buffer of the next message changes this one")
	}
}

func TestATableBuiltFieldByFieldIsTheOneBuiltOfValues(t *testing.T) {
	var built Fields
	built.AddText("text", "a")
	built.AddSome("some", "b")
	built.AddSome("none", "")
	built.AddNumber("number", 7)
	built.AddCount("count", 7)
	built.AddFlag("flag", true)
	built.AddDouble("double", 1.5)
	built.AddTable("table", Fields{F("x", Int(1))})
	built.AddTexts("texts", []string{"c", "d"})
	built.AddTexts("no texts", nil)
	built.AddTables("tables", []Fields{{F("y", Int(2))}})
	want := Fields{
		F("text", String("a")), F("some", String("b")), F("number", Int(7)), F("count", Int64(7)), F("flag", Bool(true)),
		F("double", Double(1.5)), F("table", Tab(F("x", Int(1)))), F("texts", Array(String("c"), String("d"))),
		F("no texts", Array()), F("tables", Array(Tab(F("y", Int(2))))),
	}
	if !slices.Equal(AppendFields(nil, built), AppendFields(nil, want)) {
		t.Errorf("built %s, want %s", AppendJSON(nil, Tab(built...)), AppendJSON(nil, Tab(want...)))
	}
	if got := built.Texts("texts"); !slices.Equal(got, []string{"c", "d"}) {
		t.Errorf("the texts are %q", got)
	}
	if got := built.Texts("text"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("one text is the list %q, want of one", got)
	}
	if got := built.Tables("tables"); len(got) != 1 || len(got[0]) != 1 || built.Tables("texts") != nil {
		t.Errorf("the tables are %v", got)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
