package ubus

import (
	"encoding/binary"
	"errors"
	"strings"
)

// A blob attribute (blob.h) is a word of one extended bit, 7 bits of id and 24 bits of length, and a payload. The length
// counts the word and the payload, not the zeros that fill up the last 4 bytes; the container's length counts those too.
const (
	attrHeaderLen = 4
	extendedBit   = 1 << 31
	idShift       = 24
	lengthMask    = 1<<idShift - 1
)

var errAttrLength = errors.New("an attribute's length does not fit")

// attr is one blob attribute; payload aliases what it was cut from.
type attr struct {
	id       uint8
	extended bool
	payload  []byte
}

// cutAttr splits the first attribute and its padding off b. Padding that was cut away is an error: libubox ignores such
// an attribute.
func cutAttr(b []byte) (a attr, rest []byte, err error) {
	if len(b) < attrHeaderLen {
		return attr{}, b, errAttrLength
	}
	word := binary.BigEndian.Uint32(b)
	n := int(word & lengthMask)
	if n < attrHeaderLen || padded(n) > len(b) {
		return attr{}, b, errAttrLength
	}
	a = attr{id: uint8(word>>idShift) & 0x7f, extended: word&extendedBit != 0, payload: b[attrHeaderLen:n:n]}
	return a, b[padded(n):], nil
}

// beginAttr lays the word of an attribute, which endAttr fills in.
func beginAttr(dst []byte) (_ []byte, start int) {
	return append(dst, 0, 0, 0, 0), len(dst)
}

// endAttr closes the attribute that began at start: dst[start:] becomes its payload.
func endAttr(dst []byte, start int, word uint32) []byte {
	n := len(dst) - start
	binary.BigEndian.PutUint32(dst[start:], word|uint32(n)&lengthMask)
	return appendZeros(dst, padded(n)-n)
}

func padded(n int) int { return (n + 3) &^ 3 }

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, 0)
	}
	return dst
}

// text returns the payload of a string attribute, which must end in NUL.
func text(payload []byte) (string, bool) {
	if len(payload) == 0 || payload[len(payload)-1] != 0 {
		return "", false
	}
	return upToNUL(string(payload[:len(payload)-1])), true
}

func upToNUL(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}
