package offload

import (
	"bytes"
	"encoding/binary"
)

const (
	// maxSegments is the largest number of packets in a super-packet. The kernel takes at most 64 for UDP
	// (UDP_GRO_CNT_MAX).
	maxSegments = 64
	// maxTotal is the size of the largest IPv4 packet and of the largest IPv6 payload.
	maxTotal = 65535
	buckets  = 256
)

// Merger joins the packets of one flow in a batch into super-packets. It does so under the conditions of the kernel's own
// generic receive offload (Linux net/ipv4/tcp_offload.c, udp_offload.c), so that splitting a super-packet gives the same
// packets again. Packets of one flow keep their order. No payload is moved: a super-packet is a list of pieces. A Merger
// is reused for batch after batch and allocates only until it has seen its largest one. The zero value is ready to use.
type Merger struct {
	UDP    bool // merge UDP too, for a device that takes GSOUDP
	pkts   [][]byte
	next   []int32 // the next packet in the same group; 0 means none
	groups []group
	flows  [buckets]int32 // index plus 1 of the last group with this hash; 0 means none
}

// group is one packet, or several packets that become one super-packet.
type group struct {
	head, tail int32
	segments   int
	headers    int // bytes of all headers; 0 means that nothing can join
	l4         int
	total      int // bytes
	size       int // payload bytes of each segment but the last
	protocol   uint8
	open       bool   // the next packet of the flow may join
	sameID     bool   // all IPv4 identifications are the same and do not count up
	verified   bool   // the checksums of the first packet are correct
	pseudo     uint16 // sum of the flow's pseudo header without its length, once verified
}

// Merge takes a batch and returns how many packets it has become. The batch stays in use until the next call or Reset.
func (m *Merger) Merge(pkts [][]byte) int {
	m.pkts, m.groups, m.flows = pkts, m.groups[:0], [buckets]int32{}
	for len(m.next) < len(pkts) {
		m.next = append(m.next, 0)
	}
	for i := range pkts {
		m.next[i] = 0
		m.add(int32(i))
	}
	for i := range m.groups {
		if g := &m.groups[i]; g.segments > 1 {
			m.finish(g)
		}
	}
	return len(m.groups)
}

// Reset releases the batch.
func (m *Merger) Reset() { m.pkts, m.groups = nil, m.groups[:0] }

// Group returns packet i of the merged batch: its header, how many packets of the batch it contains, and parts with its
// pieces appended.
func (m *Merger) Group(i int, parts [][]byte) (h Header, packets int, _ [][]byte) {
	g := &m.groups[i]
	parts = append(parts, m.pkts[g.head])
	for p := m.next[g.head]; p != 0; p = m.next[p] {
		parts = append(parts, m.pkts[p][g.headers:])
	}
	if g.segments > 1 {
		h = g.header(m.pkts[g.head][0]>>4 == 6)
	}
	return h, g.segments, parts
}

// add puts packet i into the last group of its flow or into a new one.
func (m *Merger) add(i int32) {
	pkt := m.pkts[i]
	g := group{head: i, tail: i, segments: 1, total: len(pkt)}
	if kind := m.measure(&g, pkt); kind != flow {
		if kind == barrier {
			m.flows = [buckets]int32{}
		}
		m.groups = append(m.groups, g)
		return
	}
	bucket := &m.flows[hash(pkt, g.l4)]
	if *bucket != 0 {
		last := &m.groups[*bucket-1]
		head := m.pkts[last.head]
		if sameFlow(head, pkt, last, &g) && last.open {
			if m.join(last, head, &g, pkt) {
				m.next[last.tail] = i
				last.tail = i
				return
			}
			last.open = false
		}
	}
	m.groups = append(m.groups, g)
	*bucket = int32(len(m.groups))
}

// kind is what a packet means to the flows around it.
type kind uint8

const (
	bystander kind = iota // belongs to no flow that can be merged
	barrier               // may belong to any flow, so nothing may overtake it
	flow                  // belongs to a flow
)

// measure finds where the headers of pkt end and whether another packet may join it.
func (m *Merger) measure(g *group, pkt []byte) kind {
	switch {
	case len(pkt) >= ip4Len && pkt[0]>>4 == 4:
		if pkt[0] != 0x45 || // options, as in the kernel
			int(binary.BigEndian.Uint16(pkt[ip4TotalLen:])) != len(pkt) ||
			binary.BigEndian.Uint16(pkt[ip4Fragment:])&^dontFragment != 0 {
			return barrier
		}
		g.l4, g.protocol = ip4Len, pkt[ip4Protocol]
	case len(pkt) >= ip6Len && pkt[0]>>4 == 6:
		if int(binary.BigEndian.Uint16(pkt[ip6PayloadLen:])) != len(pkt)-ip6Len {
			return barrier
		}
		g.l4, g.protocol = ip6Len, pkt[ip6NextHeader]
	default:
		return bystander
	}
	h := pkt[g.l4:]
	switch g.protocol {
	case tcp:
		if len(h) < tcpLen {
			return barrier
		}
		dataOffset := int(h[tcpDataOffset]>>4) * 4
		if dataOffset < tcpLen || len(h) < dataOffset {
			return barrier
		}
		g.headers = g.l4 + dataOffset
		g.size = len(pkt) - g.headers
		// Only ECE may be set beside ACK, because all segments carry it alike. CWR marks a single segment with RFC 3168,
		// and is part of a counter with accurate ECN (RFC 9768), so such a packet stays alone.
		g.open = g.size > 0 && h[tcpFlags]&^flagECE == flagACK
		return flow
	case udp:
		if !m.UDP {
			return bystander
		}
		if len(h) < udpLen || int(binary.BigEndian.Uint16(h[udpLength:])) != len(h) {
			return barrier
		}
		g.headers = g.l4 + udpLen
		g.size = len(h) - udpLen
		// A packet without a checksum would get one when its super-packet is split.
		g.open = g.size > 0 && (h[udpSum] != 0 || h[udpSum+1] != 0)
		return flow
	case hopByHop, routing, fragment, authentication, destOptions: // TCP or UDP may follow
		return barrier
	}
	return bystander
}

// hash returns the bucket for the ports and the last bytes of both addresses.
func hash(pkt []byte, l4 int) int {
	const golden = 0x9e3779b1
	h := binary.BigEndian.Uint32(pkt[l4:]) * golden                        // the ports
	h = (h ^ binary.BigEndian.Uint32(pkt[l4-4:])) * golden                 // the destination
	return int((h ^ binary.BigEndian.Uint32(pkt[l4/2+2:])) * golden >> 24) // the source: bytes 12 to 15, or 22 to 25
}

// sameFlow reports whether two candidates have the same IP version, protocol, addresses and ports.
func sameFlow(a, b []byte, ga, gb *group) bool {
	if ga.l4 != gb.l4 || ga.protocol != gb.protocol {
		return false
	}
	from := ip6Addresses
	if ga.l4 == ip4Len {
		from = ip4Addresses
	}
	return bytes.Equal(a[from:ga.l4+4], b[from:ga.l4+4]) // the ports come first in TCP and in UDP
}

// join makes pkt the next segment of g if it may be one, and reports whether it did. alone is pkt as a group of its own.
func (m *Merger) join(g *group, head []byte, alone *group, pkt []byte) bool {
	switch {
	case alone.headers != g.headers,
		alone.size == 0 || alone.size > g.size, // only the last may be shorter, none longer
		g.segments == maxSegments,
		g.total+alone.size > maxTotal:
		return false
	}
	var more bool
	if g.protocol == tcp {
		if !followsTCP(head[g.l4:g.headers], pkt[g.l4:g.headers], g.total-g.headers) {
			return false
		}
		more = pkt[g.l4+tcpFlags]&(flagFIN|flagPSH) == 0
	} else {
		if pkt[g.l4+udpSum] == 0 && pkt[g.l4+udpSum+1] == 0 {
			return false
		}
		more = true
	}
	if g.l4 == ip6Len {
		if !sameIPv6(head, pkt) {
			return false
		}
	} else if !followsIPv4(g, head, pkt) {
		return false
	}
	// The packets' own checksums are replaced, so they must be correct. Otherwise a damaged packet would become a valid
	// one with wrong contents.
	if !g.verified {
		g.pseudo = pseudoSum(addresses(g, head), g.protocol)
		if g.verified = intact(g, head); !g.verified {
			return false
		}
	}
	if !intact(g, pkt) {
		return false
	}
	g.segments++
	g.total += alone.size
	g.open = more && alone.size == g.size
	return true
}

// sameIPv6 reports whether traffic class, flow label and hop limit are the same.
func sameIPv6(head, pkt []byte) bool {
	return binary.BigEndian.Uint32(head) == binary.BigEndian.Uint32(pkt) && head[ip6HopLimit] == pkt[ip6HopLimit]
}

// followsIPv4 reports whether type of service, time to live and fragmentation are the same and the identification counts
// up. Where the identification has no meaning (RFC 6864 section 4.1), it may also stay the same.
func followsIPv4(g *group, head, pkt []byte) bool {
	if head[1] != pkt[1] || head[ip4TTL] != pkt[ip4TTL] || head[ip4Fragment] != pkt[ip4Fragment] {
		return false
	}
	step := binary.BigEndian.Uint16(pkt[ip4ID:]) - binary.BigEndian.Uint16(head[ip4ID:])
	if g.segments == 1 && step == 0 && head[ip4Fragment] != 0 { // "don't fragment" is the only bit that a candidate can have there
		g.sameID = true
	}
	if g.sameID {
		return step == 0
	}
	return int(step) == g.segments
}

// addresses returns source and destination of a packet with the headers of g.
func addresses(g *group, pkt []byte) []byte {
	if g.l4 == ip4Len {
		return pkt[ip4Addresses:ip4Len]
	}
	return pkt[ip6Addresses:ip6Len]
}

// followsTCP reports whether the TCP header pkt continues head after sent bytes of payload. Both have the same length. All
// else must be the same, except the checksum and the flags FIN and PSH.
func followsTCP(head, pkt []byte, sent int) bool {
	return binary.BigEndian.Uint32(pkt[tcpSeq:]) == binary.BigEndian.Uint32(head[tcpSeq:])+uint32(sent) &&
		bytes.Equal(head[tcpAck:tcpFlags], pkt[tcpAck:tcpFlags]) &&
		head[tcpFlags] == pkt[tcpFlags]&^(flagFIN|flagPSH) &&
		bytes.Equal(head[tcpWindow:tcpSum], pkt[tcpWindow:tcpSum]) &&
		bytes.Equal(head[tcpUrgent:], pkt[tcpUrgent:])
}

// intact reports whether the checksums of a packet with the headers of g are correct.
func intact(g *group, pkt []byte) bool {
	if g.l4 == ip4Len && Sum(pkt[:ip4Len], 0) != 0xffff {
		return false
	}
	return Sum(pkt[g.l4:], add(g.pseudo, uint16(len(pkt)-g.l4))) == 0xffff
}

// finish turns the headers of the first packet into those of the super-packet. The checksum field then holds the sum of the
// pseudo header, as in a packet that the kernel leaves to hardware.
func (m *Merger) finish(g *group) {
	head, last := m.pkts[g.head], m.pkts[g.tail]
	if g.l4 == ip4Len {
		binary.BigEndian.PutUint16(head[ip4TotalLen:], uint16(g.total))
		checksumIPv4(head[:ip4Len])
	} else {
		binary.BigEndian.PutUint16(head[ip6PayloadLen:], uint16(g.total-ip6Len))
	}
	pseudo := add(g.pseudo, uint16(g.total-g.l4))
	if g.protocol == tcp {
		head[g.l4+tcpFlags] |= last[g.l4+tcpFlags]
		binary.BigEndian.PutUint16(head[g.l4+tcpSum:], pseudo)
	} else {
		binary.BigEndian.PutUint16(head[g.l4+udpLength:], uint16(g.total-g.l4))
		binary.BigEndian.PutUint16(head[g.l4+udpSum:], pseudo)
	}
}

// header returns the Header that describes the super-packet to the kernel.
func (g *group) header(v6 bool) Header {
	h := Header{
		Flags:          FlagNeedsChecksum,
		GSOType:        GSOUDP,
		HeaderLen:      uint16(g.headers),
		GSOSize:        uint16(g.size),
		ChecksumStart:  uint16(g.l4),
		ChecksumOffset: udpSum,
	}
	if g.protocol == tcp {
		h.ChecksumOffset = tcpSum
		h.GSOType = GSOTCPv4
		if v6 {
			h.GSOType = GSOTCPv6
		}
	}
	return h
}
