package blobmsg

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestJSONIsWrittenAsLibblobmsgJSONWritesIt(t *testing.T) {
	for _, tt := range []struct {
		why  string
		v    Value
		want string
	}{
		{"all types", Tab(everyType...), `{"s":"hi","empty":"","t":true,"f":false,"i16":-2,"i32":-3,"i64":1234605616436508552,"d":1.500000,"n":null,"a":[1,"x"],"t2":{"k":"v","e":{}}}`},
		{"an INT32 is signed, even if it is an id", Int(int64(int32(-0x4e46c402))), `-1313260546`},
		{"an INT8 is a truth", Value{typ: TypeBool, num: 97}, `true`},
		{"six decimals", Array(Double(1.0/3), Double(-1e9), Double(0)), `[0.333333,-1000000000.000000,0.000000]`},
		{"no JSON number", Array(Double(math.NaN()), Double(math.Inf(1))), `[null,null]`},
		{"the escapes that there must be, and no other", String("\"\\/\b\t\n\r\f\x01\x1f\x7fü\xff"), `"\"\\/\b\t\n\r\u000c\u0001\u001f` + "\x7fü\xff" + `"`},
		{"a field without a name", Tab(F("", Int(1))), `{"":1}`},
	} {
		if got := string(AppendJSON(nil, tt.v)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.why, got, tt.want)
		}
	}
}

func TestJSONIsReadAsLibblobmsgJSONReadsIt(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Value
	}{
		{` { "a" : [ 1 , -2 ] , "b" : { } } `, Tab(F("a", Array(Int(1), Int(-2))), F("b", Tab()))},
		{`2147483647`, Value{typ: TypeInt32, num: math.MaxInt32}},
		{`2147483648`, Int64(math.MaxInt32 + 1)},
		{`-2147483648`, Value{typ: TypeInt32, num: math.MinInt32}},
		{`-2147483649`, Int64(math.MinInt32 - 1)},
		{`99999999999999999999`, Int64(math.MaxInt64)},  // json-c saturates
		{`-99999999999999999999`, Int64(math.MinInt64)}, // json-c saturates
		{`-0`, Int(0)},
		{`1.5`, Double(1.5)},
		{`1e2`, Double(100)},
		{`-1.25E-1`, Double(-0.125)},
		{`1e999`, Double(math.MaxFloat64)},
		{`true`, Bool(true)},
		{`false`, Bool(false)},
		{`null`, Value{}},
		{`"\"\\\/\b\f\n\r\t\u00fc\u20AC"`, String("\"\\/\b\f\n\r\tü€")},
		{`"\ud83d\ude00"`, String("😀")},
		{`"\ud83dx"`, String("\ufffdx")},                             // half of a pair
		{`"\ude00\u0041"`, String("\ufffdA")},                        // the other half alone
		{`"\ud83d\u0041"`, String("\ufffdA")},                        // what follows it stays
		{`"` + "\xff" + `"`, String("\xff")},                         // not UTF-8
		{`{"a":1,"b":2,"a":3}`, Tab(F("a", Int(3)), F("b", Int(2)))}, // of two the last one counts
	} {
		got, err := ParseJSON([]byte(tt.text))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v", tt.text, got, err)
		}
	}
}

func TestWhatIsNoJSONIsRefusedWithItsPlace(t *testing.T) {
	for text, offset := range map[string]int{
		``: 0, ` `: 1, `{`: 1, `[1`: 2, `[1,]`: 3, `{"a"}`: 4, `{"a":}`: 5, `{a:1}`: 1, `{"a":1,}`: 7,
		`[1 2]`: 3, `tru`: 3, `trux`: 3, `nul`: 3, `01`: 2, `-`: 1, `1.`: 2, `1e`: 2, `+1`: 0, `.5`: 0, `1 2`: 2,
		`"a`: 2, "\"a\n\"": 2, `"\x"`: 2, `"\u12"`: 3, `"\u12g4"`: 3, `"\u+123"`: 3, `"\u0000"`: 7, `"\ud800\u00"`: 9,
		`'a'`: 0, `{}}`: 2, `[`: 1, `{"a":1`: 6, `"\`: 2, "\x00": 0,
	} {
		v, err := ParseJSON([]byte(text))
		var fault *JSONError
		if !errors.As(err, &fault) {
			t.Errorf("%q was read as %+v", text, v)
		} else if fault.Offset != offset {
			t.Errorf("%q: %v, want byte %d", text, fault, offset)
		}
	}
	if _, err := ParseJSON([]byte(`{"a" 1}`)); err == nil || err.Error() != "at byte 5: a colon is missing" {
		t.Error(err)
	}
}

func TestJSONIsBounded(t *testing.T) {
	if _, err := ParseJSON([]byte(strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth))); err != nil {
		t.Error(err)
	}
	if _, err := ParseJSON([]byte(strings.Repeat("[", 1e6))); err == nil {
		t.Error("a million levels were read")
	}
	if _, err := ParseJSON([]byte("[" + strings.Repeat("1,", maxValues) + "1]")); err == nil {
		t.Error("too many values were read")
	}
}

func TestWrittenJSONIsJSON(t *testing.T) {
	text := AppendJSON(nil, Tab(everyType...))
	if !json.Valid(text) {
		t.Errorf("%s", text)
	}
	back, err := ParseJSON(text)
	if err != nil || string(AppendJSON(nil, back)) != string(text) {
		t.Errorf("read back as %s, %v", AppendJSON(nil, back), err)
	}
}
