package offload

import "encoding/binary"

// Sum adds the 16-bit words of b to initial in one's complement arithmetic (RFC 1071). The result is not inverted. A last
// odd byte counts as the upper half of a word. To sum a packet in pieces, pass the sum of one piece as initial of the next;
// every piece but the last must have an even length.
func Sum(b []byte, initial uint16) uint16 {
	return add(sum(b), initial)
}

// add adds two words in one's complement arithmetic.
func add(a, b uint16) uint16 {
	s := uint32(a) + uint32(b)
	return uint16(s>>16 + s)
}

// fold reduces a sum of words to one word. It adds in 32 bits, because most routers have no 64-bit registers.
func fold(s uint64) uint16 {
	words := uint32(s>>48) + uint32(s>>32&0xffff) + uint32(s>>16&0xffff) + uint32(s&0xffff)
	words = words>>16 + words&0xffff
	return uint16(words>>16 + words)
}

// minus subtracts in one's complement arithmetic.
func minus(a, b uint16) uint16 { return add(a, ^b) }

// pseudoSum returns the sum of the TCP or UDP pseudo header without its length (RFC 9293 section 3.1, RFC 8200 section
// 8.1). addresses holds source and destination as in the IP header.
func pseudoSum(addresses []byte, protocol uint8) uint16 { return Sum(addresses, uint16(protocol)) }

// checksumIPv4 sets the checksum of an IPv4 header.
func checksumIPv4(header []byte) {
	binary.BigEndian.PutUint16(header[10:], 0)
	binary.BigEndian.PutUint16(header[10:], ^Sum(header, 0))
}
