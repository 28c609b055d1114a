package offload

import (
	"encoding/binary"
	"errors"
)

// ErrHeader says that a virtio_net_hdr does not fit the packet behind it.
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

// dontFragment is the flag of IPv4 that, alone in its field, says that a packet is no fragment and will be none.
const dontFragment = 0x4000

// Flags of TCP.
const flagFIN, flagPSH, flagACK, flagECE, flagCWR = 0x01, 0x08, 0x10, 0x40, 0x80

// Splitter hands out one packet from the kernel as the segments that it stands for. The zero value is empty. It keeps
// the packet until the last segment is out and allocates nothing.
type Splitter struct {
	pkt      []byte
	next     int // where in pkt the payload of the next segment begins
	size     int // payload bytes in each segment but the last
	n        int // segments handed out
	headers  int // bytes of all headers
	l4       int // where the header of TCP or UDP begins
	protocol uint8
	v6       bool
	gso      bool   // pkt is a super-packet
	id       uint16 // IPv4 identification of the first segment
	ipSum    uint16 // sum of the IPv4 header without length, identification and checksum
	seq      uint32 // TCP sequence number of the first segment
	pseudo   uint16 // sum of the pseudo header without its length
	sumAt    int    // not a super-packet: where a checksum is to be completed; 0: nowhere
	sumFrom  int    // and where its bytes begin
}

// Start makes s hand out pkt, which must not be changed before s is empty. h is the header that the kernel put before it.
// Nothing in h is trusted further than pkt's own headers bear it out: where the transport header ends is read from the
// packet, for the kernel's hint counts payload too when it forwards. The error is ErrHeader, and s is empty then.
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

// parse finds the headers of a super-packet.
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
	// The kernel's own sum of the pseudo header counts the length of the whole. It is preferred to one made here: with
	// a routing header the destination that counts is not the one in the IPv6 header (RFC 8200 section 8.1).
	s.pseudo = pseudoSum(addresses, s.protocol)
	if h.Flags&FlagNeedsChecksum != 0 {
		s.pseudo = minus(binary.BigEndian.Uint16(pkt[sumAt:]), uint16(len(pkt)-s.l4))
	}
	return true
}

// transport4 returns where the transport header of an IPv4 super-packet begins, or 0 when pkt is none.
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

// transport6 does the same for IPv6, past the extension headers that may come before a transport header.
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

// Empty reports whether all segments are out.
func (s *Splitter) Empty() bool { return s.pkt == nil }

// Size returns the length of the next segment; 0: there is none.
func (s *Splitter) Size() int {
	switch {
	case s.pkt == nil:
		return 0
	case !s.gso:
		return len(s.pkt)
	}
	return s.headers + min(s.size, len(s.pkt)-s.next)
}

// Reset makes s empty, whatever was left.
func (s *Splitter) Reset() { *s = Splitter{} }

// Next writes the next segment to dst and returns its length. When dst is shorter than Size, or s is empty, it returns 0
// and does nothing.
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

// completeSum adds to a checksum field, which holds the sum of the pseudo header, that of all that follows from.
func completeSum(pkt []byte, from, at int) {
	sum := ^Sum(pkt[from:], 0)
	// A UDP checksum of zero means that there is none (RFC 768). To all other protocols both zeros are the same.
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(pkt[at:], sum)
}

// finishIP sets what differs in the IP headers of the segments.
func (s *Splitter) finishIP(seg []byte) {
	if s.v6 {
		binary.BigEndian.PutUint16(seg[ip6PayloadLen:], uint16(len(seg)-ip6Len))
		return
	}
	length, id := uint16(len(seg)), s.id+uint16(s.n)
	binary.BigEndian.PutUint16(seg[ip4TotalLen:], length)
	binary.BigEndian.PutUint16(seg[ip4ID:], id)
	binary.BigEndian.PutUint16(seg[ip4Sum:], ^add(add(s.ipSum, id), length)) // of two zeros never the one of no header
}

// finishTCP does so for TCP. Flags of the end, FIN and PSH, are the last segment's; CWR, which answers one mark of
// congestion, is the first one's (RFC 3168 section 6.1.2).
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

func (s *Splitter) finishUDP(seg []byte) {
	h := seg[s.l4:]
	binary.BigEndian.PutUint16(h[udpLength:], uint16(len(h)))
	binary.BigEndian.PutUint16(h[udpSum:], add(s.pseudo, uint16(len(h))))
	completeSum(seg, s.l4, s.l4+udpSum)
}
