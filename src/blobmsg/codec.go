package blobmsg

import (
	"encoding/binary"
	"errors"
	"math"
)

// A blobmsg field (blobmsg.h) is an extended attribute whose id is the type. Its payload begins with the length of the
// name in 16 bits, the name, NUL, and zeros up to a multiple of 4; the value follows. Array elements have an empty name.

// Limits of what is decoded: the depth of nesting is that of json-c; each value costs many times its encoded size in memory.
const (
	maxDepth  = 32
	maxValues = 1 << 16
)

const maxNameLen = math.MaxUint16

var (
	errFieldHeader = errors.New("a field has no sound name")
	errFieldType   = errors.New("a field has an unknown type")
	errFieldValue  = errors.New("a field's value has the wrong length for its type")
	errDepth       = errors.New("values are nested too deeply")
	errTooMany     = errors.New("there are too many values")
)

// AppendFields appends the encoded fields without a table around them, as a message carries them. It cuts a name at its
// first NUL and after 65535 bytes.
func AppendFields(dst []byte, t Fields) []byte {
	for i := range t {
		dst = appendField(dst, t[i].Name, &t[i].Value)
	}
	return dst
}

func appendField(dst []byte, name string, v *Value) []byte {
	dst, start := BeginAttr(dst)
	if name = CutNUL(name); len(name) > maxNameLen {
		name = name[:maxNameLen]
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(name)))
	dst = append(dst, name...)
	dst = appendZeros(dst, nameHeaderLen(len(name))-2-len(name))
	switch v.typ {
	case TypeArray:
		for i := range v.items {
			dst = appendField(dst, "", &v.items[i])
		}
	case TypeTable:
		dst = AppendFields(dst, v.fields)
	case TypeString:
		dst = append(append(dst, v.text...), 0)
	case TypeInt64, TypeDouble:
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.num))
	case TypeInt32:
		dst = binary.BigEndian.AppendUint32(dst, uint32(v.num))
	case TypeInt16:
		dst = binary.BigEndian.AppendUint16(dst, uint16(v.num))
	case TypeBool:
		dst = append(dst, byte(v.num))
	}
	return endAttr(dst, start, extendedBit|uint32(v.typ)<<idShift)
}

// nameHeaderLen is the length of what precedes a field's value: length of the name, name, NUL and zeros.
func nameHeaderLen(name int) int { return Padded(2 + name + 1) }

// ParseFields decodes fields. One damaged field is an error of the whole, as it is for libubox's blobmsg_parse. The result
// does not alias b.
func ParseFields(b []byte) (Fields, error) {
	values := maxValues
	return parseFields(b, maxDepth, &values)
}

func parseFields(b []byte, depth int, values *int) (Fields, error) {
	n, err := countAttrs(b, depth, values)
	if n == 0 || err != nil {
		return nil, err
	}
	t := make(Fields, n)
	for i := range t {
		var a Attr
		a, b, _ = CutAttr(b)
		name, value, err := cutName(a)
		if err == nil {
			t[i].Name = name
			t[i].Value, err = parseValue(Type(a.ID), value, depth, values)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

func parseItems(b []byte, depth int, values *int) ([]Value, error) {
	n, err := countAttrs(b, depth, values)
	if n == 0 || err != nil {
		return nil, err
	}
	items := make([]Value, n)
	for i := range items {
		var a Attr
		a, b, _ = CutAttr(b)
		_, value, err := cutName(a)
		if err == nil {
			items[i], err = parseValue(Type(a.ID), value, depth, values)
		}
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}

// countAttrs counts the attributes in a container, so that their slice is allocated once, and checks their lengths.
func countAttrs(b []byte, depth int, values *int) (n int, err error) {
	if depth == 0 {
		return 0, errDepth
	}
	for ; len(b) > 0; n++ {
		if _, b, err = CutAttr(b); err != nil {
			return 0, err
		}
	}
	if *values -= n; *values < 0 {
		return 0, errTooMany
	}
	return n, nil
}

// cutName splits the payload of a field.
func cutName(a Attr) (name string, value []byte, err error) {
	if !a.Extended || len(a.Payload) < nameHeaderLen(0) {
		return "", nil, errFieldHeader
	}
	n := int(binary.BigEndian.Uint16(a.Payload))
	if nameHeaderLen(n) > len(a.Payload) {
		return "", nil, errFieldHeader
	}
	name, ok := Text(a.Payload[2 : 2+n+1])
	if !ok || len(name) != n {
		return "", nil, errFieldHeader
	}
	return name, a.Payload[nameHeaderLen(n):], nil
}

// width is the length of a value of each type that has a fixed one.
var width = [...]int{TypeInt64: 8, TypeInt32: 4, TypeInt16: 2, TypeBool: 1, TypeDouble: 8}

func parseValue(typ Type, b []byte, depth int, values *int) (v Value, err error) {
	if typ > TypeDouble {
		return Value{}, errFieldType
	}
	if width[typ] != 0 && len(b) != width[typ] {
		return Value{}, errFieldValue
	}
	v.typ = typ
	switch typ {
	case TypeArray:
		v.items, err = parseItems(b, depth-1, values)
	case TypeTable:
		v.fields, err = parseFields(b, depth-1, values)
	case TypeString:
		var ok bool
		if v.text, ok = Text(b); !ok {
			err = errFieldValue
		}
	case TypeInt64, TypeDouble:
		v.num = int64(binary.BigEndian.Uint64(b))
	case TypeInt32:
		v.num = int64(int32(binary.BigEndian.Uint32(b)))
	case TypeInt16:
		v.num = int64(int16(binary.BigEndian.Uint16(b)))
	case TypeBool:
		v.num = int64(b[0])
	}
	if err != nil {
		return Value{}, err
	}
	return v, nil
}
