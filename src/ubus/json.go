package ubus

import (
	"math"
	"strconv"
)

// AppendJSON appends v as libblobmsg_json writes it, without white space: numbers signed, doubles with six decimals. Where
// that is no JSON, this is: a field without a name keeps its colon, and a double that is no number is null.
func AppendJSON(dst []byte, v Value) []byte {
	switch v.typ {
	case TypeArray:
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, item)
		}
		return append(dst, ']')
	case TypeTable:
		dst = append(dst, '{')
		for i, f := range v.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSONString(dst, f.Name), ':')
			dst = AppendJSON(dst, f.Value)
		}
		return append(dst, '}')
	case TypeString:
		return appendJSONString(dst, v.text)
	case TypeInt64, TypeInt32, TypeInt16:
		return strconv.AppendInt(dst, v.num, 10)
	case TypeBool:
		return strconv.AppendBool(dst, v.num != 0)
	case TypeDouble:
		if f, _ := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.AppendFloat(dst, f, 'f', 6, 64)
		}
	}
	return append(dst, "null"...)
}

// appendJSONString escapes what RFC 8259 demands and nothing else; bytes that are no UTF-8 stay as they are.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '"', '\\':
			dst = append(dst, '\\', c)
		default:
			if c < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}
