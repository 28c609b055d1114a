//go:build amd64 || arm64 || ppc64 || ppc64le || s390x

package offload

import (
	"encoding/binary"
	"math/bits"
)

// sum adds the words of b. These machines read 64 bits from any address in one instruction and add with carry. The byte
// order does not matter to a one's complement sum: words are added in little-endian order, and the two bytes of the
// result are swapped at the end.
func sum(b []byte) uint16 {
	var s, carry uint64
	le := binary.LittleEndian
	for len(b) >= 64 {
		s, carry = bits.Add64(s, le.Uint64(b), carry)
		s, carry = bits.Add64(s, le.Uint64(b[8:]), carry)
		s, carry = bits.Add64(s, le.Uint64(b[16:]), carry)
		s, carry = bits.Add64(s, le.Uint64(b[24:]), carry)
		s, carry = bits.Add64(s, le.Uint64(b[32:]), carry)
		s, carry = bits.Add64(s, le.Uint64(b[40:]), carry)
		s, carry = bits.Add64(s, le.Uint64(b[48:]), carry)
		s, carry = bits.Add64(s, le.Uint64(b[56:]), carry)
		b = b[64:]
	}
	for len(b) >= 8 {
		s, carry = bits.Add64(s, le.Uint64(b), carry)
		b = b[8:]
	}
	var last uint64
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	s, carry = bits.Add64(s, last, carry)
	s, carry = bits.Add64(s, 0, carry)
	return bits.ReverseBytes16(fold(s + carry))
}
