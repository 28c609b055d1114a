package offload

import "encoding/binary"

// Sum adds the 16-bit words of b to initial in one's complement arithmetic and returns the result, which is not inverted
// (RFC 1071). A last odd byte counts as the upper half of a word. Sums of the pieces of a packet can be passed on as the
// next one's initial as long as each piece but the last has an even length.
func Sum(b []byte, initial uint16) uint16 {
	return fold(uint64(sum(b)) + uint64(initial))
}

// fold brings a sum of words down to one word.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}

// minus subtracts in one's complement arithmetic.
func minus(a, b uint16) uint16 { return fold(uint64(a) + uint64(^b)) }

// pseudoSum is the sum of the pseudo header of TCP and UDP without its length (RFC 9293 section 3.1, RFC 8200 section
// 8.1). addresses are source and destination as they stand in the IP header.
func pseudoSum(addresses []byte, protocol uint8) uint16 { return Sum(addresses, uint16(protocol)) }

// checksumIPv4 sets the checksum of an IPv4 header.
func checksumIPv4(header []byte) {
	binary.BigEndian.PutUint16(header[10:], 0)
	binary.BigEndian.PutUint16(header[10:], ^Sum(header, 0))
}
