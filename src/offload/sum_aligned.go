//go:build !(amd64 || arm64 || ppc64 || ppc64le || s390x)

package offload

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// sum adds the words of b. These machines can read 32 bits only from aligned addresses, so the few bytes before and after
// are added one by one. The byte order does not matter to a one's complement sum: words are added in the machine's order,
// and the result is converted to network order at the end.
func sum(b []byte) uint16 {
	var s uint64
	odd := len(b) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(b)))&1 == 1
	if odd { // all other bytes are shifted by one: swap the bytes of the sum at the end
		s = uint64(native([2]byte{0, b[0]}))
		b = b[1:]
	}
	if len(b) >= 2 && uintptr(unsafe.Pointer(unsafe.SliceData(b)))&2 == 2 {
		s += uint64(native([2]byte{b[0], b[1]}))
		b = b[2:]
	}
	words := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
	b = b[len(words)*4:]
	for len(words) >= 8 {
		w := (*[8]uint32)(words)
		s += uint64(w[0]) + uint64(w[1]) + uint64(w[2]) + uint64(w[3])
		s += uint64(w[4]) + uint64(w[5]) + uint64(w[6]) + uint64(w[7])
		words = words[8:]
	}
	for _, w := range words {
		s += uint64(w)
	}
	if len(b) >= 2 {
		s += uint64(native([2]byte{b[0], b[1]}))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(native([2]byte{b[0], 0}))
	}
	sum := fold(s)
	if odd {
		sum = bits.ReverseBytes16(sum)
	}
	return native([2]byte{byte(sum >> 8), byte(sum)})
}

// native reads a word in the machine's byte order. It also converts such a word back to network order.
func native(b [2]byte) uint16 { return binary.NativeEndian.Uint16(b[:]) }
