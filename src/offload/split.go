package offload

import (
	"encoding/binary"
	"errors"
)

// ErrHeader means that a virtio_net_hdr does not fit the packet behind it.
var ErrHeader = errors.New("the virtio-net header does not fit its packet")

// Protocol numbers of IP (IANA).
const (
	hopByHop       = 0
	tcp            = 6
	udp            = 17
	routing        = 43
	fragment       = 44
	authentication = 51
	destOptions    = 60
)

// Offsets in the headers of IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293) and UDP (RFC 768).
const (
	ip4Len, ip4TotalLen, ip4ID, ip4Fragment, ip4TTL, ip4Protocol, ip4Sum, ip4Addresses = 20, 2, 4, 6, 8, 9, 10, 12
	ip6Len, ip6PayloadLen, ip6NextHeader, ip6HopLimit, ip6Addresses                    = 40, 4, 6, 7, 8
	tcpLen, tcpSeq, tcpAck, tcpDataOffset, tcpFlags, tcpWindow, tcpSum, tcpUrgent      = 20, 4, 8, 12, 13, 14, 16, 18
	udpLen, udpLength, udpSum                                                          = 8, 4, 6
)

// dontFragment is an IPv4 flag. If no other bit of its field is set, the packet is not a fragment.
const dontFragment = 0x4000

// Flags of TCP.
const flagFIN, flagPSH, flagACK, flagECE, flagCWR = 0x01, 0x08, 0x10, 0x40, 0x80

// Splitter splits one packet from the kernel into its segments. The zero value is empty. A Splitter keeps the packet until
// it has returned the last segment, and allocates nothing.
type Splitter struct {
	pkt      []byte
	next     int // offset in pkt of the next segment's payload
	size     int // payload bytes in each segment but the last
	n        int // segments returned so far
	headers  int // bytes of all headers
	l4       int // offset of the TCP or UDP header
	protocol uint8
	v6       bool
	gso      bool   // pkt is a super-packet
	id       uint16 // IPv4 identification of the first segment
	ipSum    uint16 // sum of the IPv4 header without length, identification and checksum
	seq      uint32 // TCP sequence number of the first segment
	pseudo   uint16 // sum of the pseudo header without its length
	sumAt    int    // of a plain packet: offset of the checksum to complete; 0 means none
	sumFrom  int    // offset of the first byte that this checksum covers
}

// Start makes pkt the packet that s splits. The caller must not change pkt until s is empty. h is the header that the
// kernel put before pkt. Start trusts h only as far as the headers in pkt confirm it. It reads the end of the transport
// header from pkt, because the kernel's hint includes payload when it forwards. On ErrHeader, the only error, s is empty.
func (s *Splitter) Start(h Header, pkt []byte) error {
	*s = Splitter{}
	if len(pkt) == 0 {
		return ErrHeader
	}
	if h.GSOType == GSONone {
		if h.Flags&FlagNeedsChecksum != 0 {
			s.sumFrom = int(h.ChecksumStart)
			s.sumAt = s.sumFrom + int(h.ChecksumOffset)
			if s.sumAt == 0 || s.sumAt+2 > len(pkt) {
				return ErrHeader
			}
		}
		s.pkt = pkt
		return nil
	}
	if !s.parse(h, pkt) {
		*s = Splitter{}
		return ErrHeader
	}
	s.pkt, s.gso, s.next, s.size = pkt, true, s.headers, int(h.GSOSize)
	return nil
}

// parse finds the headers of a super-packet. It reports false when they do not fit h.
func (s *Splitter) parse(h Header, pkt []byte) bool {
	var want uint8
	switch h.GSOType &^ GSOECN {
	case GSOTCPv4:
		s.protocol, want = tcp, 4
	case GSOTCPv6:
		s.protocol, want = tcp, 6
	case GSOUDP:
		s.protocol, want = udp, pkt[0]>>4
	default:
		return false
	}
	if pkt[0]>>4 != want || h.GSOSize == 0 {
		return false
	}
	var addresses []byte
	switch want {
	case 4:
		if s.l4 = transport4(pkt, s.protocol); s.l4 == 0 {
			return false
		}
		addresses = pkt[ip4Addresses:ip4Len]
		s.id = binary.BigEndian.Uint16(pkt[ip4ID:])
		differs := add(add(uint16(len(pkt)), s.id), binary.BigEndian.Uint16(pkt[ip4Sum:]))
		s.ipSum = minus(Sum(pkt[:s.l4], 0), differs)
	case 6:
		if s.l4 = transport6(pkt, s.protocol); s.l4 == 0 {
			return false
		}
		addresses = pkt[ip6Addresses:ip6Len]
		s.v6 = true
	default:
		return false
	}
	sumAt := s.l4 + udpSum
	if s.protocol == udp {
		s.headers = s.l4 + udpLen
	} else {
		if len(pkt) < s.l4+tcpLen {
			return false
		}
		dataOffset := int(pkt[s.l4+tcpDataOffset]>>4) * 4
		if dataOffset < tcpLen {
			return false
		}
		s.headers = s.l4 + dataOffset
		sumAt = s.l4 + tcpSum
	}
	if len(pkt) <= s.headers {
		return false
	}
	if s.protocol == tcp {
		s.seq = binary.BigEndian.Uint32(pkt[s.l4+tcpSeq:])
	}
	// The kernel's sum of the pseudo header includes the length of the whole packet. It is better than our own: with a
	// routing header the destination to sum is not the one in the IPv6 header (RFC 8200 section 8.1).
	s.pseudo = pseudoSum(addresses, s.protocol)
	if h.Flags&FlagNeedsChecksum != 0 {
		s.pseudo = minus(binary.BigEndian.Uint16(pkt[sumAt:]), uint16(len(pkt)-s.l4))
	}
	return true
}

// transport4 returns the offset of the transport header in an IPv4 super-packet, or 0 when pkt is not one.
func transport4(pkt []byte, protocol uint8) int {
	if len(pkt) < ip4Len || pkt[ip4Protocol] != protocol ||
		int(binary.BigEndian.Uint16(pkt[ip4TotalLen:])) != len(pkt) ||
		binary.BigEndian.Uint16(pkt[ip4Fragment:])&^dontFragment != 0 {
		return 0
	}
	ihl := int(pkt[0]&0x0f) * 4
	if ihl < ip4Len || len(pkt) < ihl {
		return 0
	}
	return ihl
}

// transport6 does the same for IPv6. It skips the extension headers that may come before the transport header.
func transport6(pkt []byte, protocol uint8) int {
	if len(pkt) < ip6Len || int(binary.BigEndian.Uint16(pkt[ip6PayloadLen:])) != len(pkt)-ip6Len {
		return 0
	}
	next, at := pkt[ip6NextHeader], ip6Len
	for next != protocol {
		if next != hopByHop && next != routing && next != destOptions || len(pkt) < at+8 {
			return 0
		}
		next, at = pkt[at], at+8+int(pkt[at+1])*8
	}
	return at
}

// Empty reports whether s has returned all segments.
func (s *Splitter) Empty() bool { return s.pkt == nil }

// Size returns the length of the next segment, or 0 when there is none.
func (s *Splitter) Size() int {
	switch {
	case s.pkt == nil:
		return 0
	case !s.gso:
		return len(s.pkt)
	}
	return s.headers + min(s.size, len(s.pkt)-s.next)
}

// Reset empties s and discards the remaining segments.
func (s *Splitter) Reset() { *s = Splitter{} }

// Next writes the next segment to dst and returns its length. When s is empty or dst is shorter than Size, it does nothing
// and returns 0.
func (s *Splitter) Next(dst []byte) int {
	n := s.Size()
	if n == 0 || n > len(dst) {
		return 0
	}
	dst = dst[:n]
	if !s.gso {
		copy(dst, s.pkt)
		if s.sumAt != 0 {
			completeSum(dst, s.sumFrom, s.sumAt)
		}
		s.pkt = nil
		return n
	}
	copy(dst, s.pkt[:s.headers])
	copy(dst[s.headers:], s.pkt[s.next:])
	s.next += n - s.headers
	s.finishIP(dst)
	if s.protocol == tcp {
		s.finishTCP(dst)
	} else {
		s.finishUDP(dst)
	}
	s.n++
	if s.next == len(s.pkt) {
		s.pkt = nil
	}
	return n
}

// completeSum completes the checksum at offset at, which holds the sum of the pseudo header. It sums pkt[from:].
func completeSum(pkt []byte, from, at int) {
	sum := ^Sum(pkt[from:], 0)
	// A UDP checksum of zero means "no checksum" (RFC 768). For all other protocols zero and 0xffff are the same.
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(pkt[at:], sum)
}

// finishIP sets the fields of the IP header that differ between segments.
func (s *Splitter) finishIP(seg []byte) {
	if s.v6 {
		binary.BigEndian.PutUint16(seg[ip6PayloadLen:], uint16(len(seg)-ip6Len))
		return
	}
	length, id := uint16(len(seg)), s.id+uint16(s.n)
	binary.BigEndian.PutUint16(seg[ip4TotalLen:], length)
	binary.BigEndian.PutUint16(seg[ip4ID:], id)
	binary.BigEndian.PutUint16(seg[ip4Sum:], ^add(add(s.ipSum, id), length)) // never 0xffff, since the header is never all zeros
}

// finishTCP sets those of the TCP header. Only the last segment keeps FIN and PSH. Only the first one keeps CWR, which
// answers one congestion mark (RFC 3168 section 6.1.2).
func (s *Splitter) finishTCP(seg []byte) {
	h := seg[s.l4:]
	binary.BigEndian.PutUint32(h[tcpSeq:], s.seq+uint32(s.n*s.size))
	if s.next < len(s.pkt) {
		h[tcpFlags] &^= flagFIN | flagPSH
	}
	if s.n > 0 {
		h[tcpFlags] &^= flagCWR
	}
	binary.BigEndian.PutUint16(h[tcpSum:], add(s.pseudo, uint16(len(h))))
	completeSum(seg, s.l4, s.l4+tcpSum)
}

// finishUDP sets those of the UDP header.
func (s *Splitter) finishUDP(seg []byte) {
	h := seg[s.l4:]
	binary.BigEndian.PutUint16(h[udpLength:], uint16(len(h)))
	binary.BigEndian.PutUint16(h[udpSum:], add(s.pseudo, uint16(len(h))))
	completeSum(seg, s.l4, s.l4+udpSum)
}
