package blobmsg

import (
	"math"
	"strings"
)

// Type is the kind of a blobmsg value, with libubox's numbers.
type Type uint8

// The types of blobmsg. It has no boolean: an INT8 stands for one.
const (
	TypeUnspec Type = 0 // the value null; in a signature, any type
	TypeArray  Type = 1
	TypeTable  Type = 2
	TypeString Type = 3
	TypeInt64  Type = 4
	TypeInt32  Type = 5
	TypeInt16  Type = 6
	TypeBool   Type = 7
	TypeDouble Type = 8
)

// Value is one blobmsg value. The zero Value is null (UNSPEC). A Value is immutable.
type Value struct {
	typ    Type
	num    int64 // integers and booleans; the bits of a double
	text   string
	items  []Value
	fields Fields
}

// String returns a STRING, which ends at the first NUL of s.
func String(s string) Value { return Value{typ: TypeString, text: CutNUL(s)} }

// Int returns an INT32 where n fits in one, else an INT64, as libblobmsg_json chooses.
func Int(n int64) Value {
	if n >= math.MinInt32 && n <= math.MaxInt32 {
		return Value{typ: TypeInt32, num: n}
	}
	return Int64(n)
}

// Int64 returns an INT64. Use it for counters, whose type must not change as they grow.
func Int64(n int64) Value { return Value{typ: TypeInt64, num: n} }

// Bool returns a boolean.
func Bool(b bool) Value {
	if b {
		return Value{typ: TypeBool, num: 1}
	}
	return Value{typ: TypeBool}
}

// Double returns a DOUBLE.
func Double(f float64) Value { return Value{typ: TypeDouble, num: int64(math.Float64bits(f))} }

// Array returns an ARRAY of the elements, which it does not copy.
func Array(v ...Value) Value { return Value{typ: TypeArray, items: v} }

// Tab returns a TABLE of the fields, which it does not copy.
func Tab(f ...Field) Value { return Value{typ: TypeTable, fields: f} }

// Type returns the type of the value.
func (v Value) Type() Type { return v.typ }

// Str returns the text of a STRING.
func (v Value) Str() (string, bool) { return v.text, v.typ == TypeString }

// Texts returns the STRINGs of an ARRAY, or a single STRING as a list of one. Values of other types are left out.
func (v Value) Texts() (list []string) {
	items := v.items
	if v.typ == TypeString {
		items = []Value{v}
	}
	for _, item := range items {
		if item.typ == TypeString {
			list = append(list, item.text)
		}
	}
	return list
}

// Num returns an integer of any width, and a boolean as 0 or 1. Senders choose the width by the size of the number, so a
// reader must take them all.
func (v Value) Num() (int64, bool) {
	if !v.typ.integer() {
		return 0, false
	}
	return v.num, true
}

// Truth returns a boolean. An integer of another width is true unless it is 0.
func (v Value) Truth() (bool, bool) {
	n, ok := v.Num()
	return n != 0, ok
}

// Float returns a DOUBLE, or an integer as one.
func (v Value) Float() (float64, bool) {
	if v.typ == TypeDouble {
		return math.Float64frombits(uint64(v.num)), true
	}
	n, ok := v.Num()
	return float64(n), ok
}

// Items returns the elements of an ARRAY, nil for another type.
func (v Value) Items() []Value { return v.items }

// Fields returns the contents of a TABLE, nil for another type.
func (v Value) Fields() Fields { return v.fields }

// integer reports whether the type holds an integer of any width.
func (t Type) integer() bool {
	return t == TypeInt64 || t == TypeInt32 || t == TypeInt16 || t == TypeBool
}

// Accepts reports whether an argument declared as t may have type u. Null counts as no argument at all.
func (t Type) Accepts(u Type) bool {
	return t == TypeUnspec || u == TypeUnspec || t == u || t.integer() && u.integer()
}

// Field is a named value of a table.
type Field struct {
	Name  string
	Value Value
}

// Fields are the contents of a table, in order. A name may occur twice; like libubox, Get returns the first.
type Fields []Field

// F returns a field.
func F(name string, v Value) Field { return Field{name, v} }

// Get returns the value of the first field of that name.
func (t Fields) Get(name string) (Value, bool) {
	for i := range t {
		if t[i].Name == name {
			return t[i].Value, true
		}
	}
	return Value{}, false
}

// At returns the value at a path: names of fields separated by dots, all but the last of which are TABLEs. It returns null
// where there is none.
func (t Fields) At(path string) Value {
	name, rest, more := strings.Cut(path, ".")
	v, _ := t.Get(name)
	if more {
		return v.fields.At(rest)
	}
	return v
}

// Text returns a STRING field, "" where there is none.
func (t Fields) Text(name string) string {
	v, _ := t.Get(name)
	return v.text
}

// Number returns an integer field of any width.
func (t Fields) Number(name string) (int64, bool) {
	v, _ := t.Get(name)
	return v.Num()
}

// Flag returns a boolean field.
func (t Fields) Flag(name string) (value, ok bool) {
	v, _ := t.Get(name)
	return v.Truth()
}

// Table returns the contents of a TABLE field, nil where there is none.
func (t Fields) Table(name string) Fields {
	v, _ := t.Get(name)
	return v.fields
}

// List returns the elements of an ARRAY field, nil where there is none.
func (t Fields) List(name string) []Value {
	v, _ := t.Get(name)
	return v.items
}

// The Add methods append a field to a table. Code that builds a table with them takes a fraction of the flash that a
// composite literal of values does.

// AddText appends a STRING.
func (t *Fields) AddText(name, s string) { *t = append(*t, Field{name, String(s)}) }

// AddSome appends a STRING that is not empty.
func (t *Fields) AddSome(name, s string) {
	if s != "" {
		t.AddText(name, s)
	}
}

// AddNumber appends an INT32 or INT64, as Int chooses.
func (t *Fields) AddNumber(name string, n int64) { *t = append(*t, Field{name, Int(n)}) }

// AddCount appends an INT64.
func (t *Fields) AddCount(name string, n int64) { *t = append(*t, Field{name, Int64(n)}) }

// AddFlag appends a boolean.
func (t *Fields) AddFlag(name string, b bool) { *t = append(*t, Field{name, Bool(b)}) }

// AddDouble appends a DOUBLE.
func (t *Fields) AddDouble(name string, f float64) { *t = append(*t, Field{name, Double(f)}) }

// AddTable appends a TABLE.
func (t *Fields) AddTable(name string, inner Fields) { *t = append(*t, Field{name, Tab(inner...)}) }

// AddTexts appends an ARRAY of STRINGs, an empty one too.
func (t *Fields) AddTexts(name string, list []string) {
	items := make([]Value, len(list))
	for i, s := range list {
		items[i] = String(s)
	}
	*t = append(*t, Field{name, Array(items...)})
}

// AddTables appends an ARRAY of TABLEs, an empty one too.
func (t *Fields) AddTables(name string, list []Fields) {
	items := make([]Value, len(list))
	for i, f := range list {
		items[i] = Tab(f...)
	}
	*t = append(*t, Field{name, Array(items...)})
}

// Texts returns the texts of a field, as Value.Texts does.
func (t Fields) Texts(name string) []string {
	v, _ := t.Get(name)
	return v.Texts()
}

// Tables returns the TABLEs of an ARRAY field.
func (t Fields) Tables(name string) []Fields {
	var list []Fields
	for _, item := range t.List(name) {
		if item.typ == TypeTable {
			list = append(list, item.fields)
		}
	}
	return list
}
