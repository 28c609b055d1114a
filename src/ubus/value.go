// Package ubus speaks OpenWrt's message bus as libubus does: the blobmsg encoding, and the conversation with ubusd over
// its socket, as caller and as owner of objects. It knows no object of the router; netifd's and ours are the business of
// other packages. The formats are those of libubox's blob.h and blobmsg.h and of ubus' ubusmsg.h, as of 2025.
package ubus

import "math"

// Type is the kind of a blobmsg value, with libubox's numbers.
type Type uint8

// The types of blobmsg. There is no type for truth of its own: a boolean is an INT8.
const (
	TypeUnspec Type = 0 // as a value: null; in a signature: any type
	TypeArray  Type = 1
	TypeTable  Type = 2
	TypeString Type = 3
	TypeInt64  Type = 4
	TypeInt32  Type = 5
	TypeInt16  Type = 6
	TypeBool   Type = 7
	TypeDouble Type = 8
)

// Value is one blobmsg value. The zero Value is null (UNSPEC). Values are not changed once made.
type Value struct {
	typ    Type
	num    int64 // integers and booleans; the bits of a double
	text   string
	items  []Value
	fields Fields
}

// String returns a STRING. It ends at the first NUL, as it does for everybody who reads it.
func String(s string) Value { return Value{typ: TypeString, text: upToNUL(s)} }

// Int returns an INT32 where n fits in one, else an INT64, as libblobmsg_json chooses.
func Int(n int64) Value {
	if n >= math.MinInt32 && n <= math.MaxInt32 {
		return Value{typ: TypeInt32, num: n}
	}
	return Int64(n)
}

// Int64 returns an INT64, whatever n is: for counters, whose type must not change while they grow.
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

// Array returns an ARRAY of the elements, which it keeps.
func Array(v ...Value) Value { return Value{typ: TypeArray, items: v} }

// Tab returns a TABLE of the fields, which it keeps.
func Tab(f ...Field) Value { return Value{typ: TypeTable, fields: f} }

// Type returns the type of the value.
func (v Value) Type() Type { return v.typ }

// Str returns the text of a STRING.
func (v Value) Str() (string, bool) { return v.text, v.typ == TypeString }

// Num returns an integer of any width; a boolean is 0 or 1. Senders choose the width by the size of the number, so no
// reader may insist on one.
func (v Value) Num() (int64, bool) {
	if !v.typ.integer() {
		return 0, false
	}
	return v.num, true
}

// Truth returns a boolean; an integer of another width is true where it is not 0.
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

// integer says whether the type holds an integer of some width.
func (t Type) integer() bool {
	return t == TypeInt64 || t == TypeInt32 || t == TypeInt16 || t == TypeBool
}

// accepts says whether an argument declared as t may be given as u. Null is none at all.
func (t Type) accepts(u Type) bool {
	return t == TypeUnspec || u == TypeUnspec || t == u || t.integer() && u.integer()
}
