// Package ubus speaks OpenWrt's message bus as libubus does: the blobmsg encoding, and the conversation with ubusd over
// its socket, as caller and as owner of objects. It knows no object of the router; netifd's and ours are the business of
// other packages. The format is that of libubox's blob.h and blobmsg.h and ubus' ubusmsg.h (2025).
package ubus

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

// Field is a named value of a table.
type Field struct {
	Name  string
	Value Value
}

// Fields are the contents of a table, in order. blobmsg allows a name to stand twice.
type Fields []Field
