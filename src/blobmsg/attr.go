// Package blobmsg encodes and decodes the values that OpenWrt's programs exchange: libubox's blob attributes (blob.h), typed
// blobmsg values (blobmsg.h) and their JSON (blobmsg_json.h), as of 2025. It does no I/O.
package blobmsg

import (
	"encoding/binary"
	"errors"
	"strings"
)

// A blob attribute is a word of one extended bit, 7 bits of id and 24 bits of length, and a payload. The length counts the
// word and the payload, but not the zeros that fill up the last 4 bytes; a container's length counts those too.
const (
	HeaderLen = 4 // bytes of an attribute's word

	extendedBit = 1 << 31
	idShift     = 24
	lengthMask  = 1<<idShift - 1
)

var errAttrLength = errors.New("an attribute's length does not fit")

// Attr is one blob attribute. Payload aliases the bytes that the attribute was cut from.
type Attr struct {
	ID       uint8
	Extended bool
	Payload  []byte
}

// WordLen returns the length that the first word of b claims for its attribute. b must hold HeaderLen bytes.
func WordLen(b []byte) int { return int(binary.BigEndian.Uint32(b) & lengthMask) }

// CutAttr splits the first attribute and its padding off b. An attribute without its padding is an error, because libubox
// ignores it.
func CutAttr(b []byte) (a Attr, rest []byte, err error) {
	if len(b) < HeaderLen {
		return Attr{}, b, errAttrLength
	}
	n := WordLen(b)
	if n < HeaderLen || Padded(n) > len(b) {
		return Attr{}, b, errAttrLength
	}
	word := binary.BigEndian.Uint32(b)
	a = Attr{ID: uint8(word>>idShift) & 0x7f, Extended: word&extendedBit != 0, Payload: b[HeaderLen:n:n]}
	return a, b[Padded(n):], nil
}

// BeginAttr appends an attribute's word, which EndAttr fills in. start is where the attribute begins.
func BeginAttr(dst []byte) (_ []byte, start int) {
	return append(dst, 0, 0, 0, 0), len(dst)
}

// EndAttr ends the attribute that began at start and pads it: everything appended since BeginAttr is its payload.
func EndAttr(dst []byte, start int, id uint8) []byte { return endAttr(dst, start, uint32(id)<<idShift) }

func endAttr(dst []byte, start int, word uint32) []byte {
	n := len(dst) - start
	binary.BigEndian.PutUint32(dst[start:], word|uint32(n)&lengthMask)
	return appendZeros(dst, Padded(n)-n)
}

// Padded returns n rounded up to a multiple of 4.
func Padded(n int) int { return (n + 3) &^ 3 }

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, 0)
	}
	return dst
}

// Text returns the payload of a string attribute. ok is false unless the payload ends in NUL.
func Text(payload []byte) (_ string, ok bool) {
	if len(payload) == 0 || payload[len(payload)-1] != 0 {
		return "", false
	}
	return CutNUL(string(payload[:len(payload)-1])), true
}

// CutNUL returns s up to its first NUL, which is where every reader in C ends it.
func CutNUL(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}
