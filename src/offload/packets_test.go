package offload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
)

// spec is a TCP or UDP packet as a test thinks of it.
type spec struct {
	v6, udp    bool
	host       byte // the last byte of the source address
	port       uint16
	seq, ack   uint32
	flags      byte
	reserved   byte // the low half of the data offset's byte
	window     uint16
	urgent     uint16
	options    []byte // of TCP; padded to 4 bytes by the caller
	ipOptions  []byte // of IPv4
	extensions []byte // of IPv6: whole headers; the first one's kind is firstExt
	firstExt   byte
	tos, ttl   byte
	label      uint16 // the low half of the flow label
	id         uint16
	mayFrag    bool // DF is not set
	payload    []byte
}

// l4 is the length of the IP headers.
func (s spec) l4() int {
	if s.v6 {
		return ip6Len + len(s.extensions)
	}
	return ip4Len + len(s.ipOptions)
}

func (s spec) headers() int {
	if s.udp {
		return s.l4() + udpLen
	}
	return s.l4() + tcpLen + len(s.options)
}

func (s spec) protocol() byte {
	if s.udp {
		return udp
	}
	return tcp
}

// pseudo is the pseudo header, spelled out.
func (s spec) pseudo(ip []byte, length int) []byte {
	var p []byte
	if s.v6 {
		p = append(p, ip[8:40]...)
		p = append(p, byte(length>>24), byte(length>>16), byte(length>>8), byte(length), 0, 0, 0, s.protocol())
	} else {
		p = append(p, ip[12:20]...)
		p = append(p, 0, s.protocol(), byte(length>>8), byte(length))
	}
	return p
}

// build lays the packet out, with the checksum field of the transport header zero.
func (s spec) build() []byte {
	var b []byte
	be := binary.BigEndian
	transport := s.headers() - s.l4() + len(s.payload)
	if s.v6 {
		next := s.protocol()
		if len(s.extensions) > 0 {
			next = s.firstExt
		}
		b = append(b, 0x60|s.tos>>4, s.tos<<4, byte(s.label>>8), byte(s.label))
		b = be.AppendUint16(b, uint16(len(s.extensions)+transport))
		b = append(b, next, s.ttl)
		b = append(b, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, s.host)
		b = append(b, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1)
		b = append(b, s.extensions...)
	} else {
		b = append(b, 0x45+byte(len(s.ipOptions)/4), s.tos)
		b = be.AppendUint16(b, uint16(ip4Len+len(s.ipOptions)+transport))
		b = be.AppendUint16(b, s.id)
		if s.mayFrag {
			b = append(b, 0, 0)
		} else {
			b = append(b, 0x40, 0)
		}
		b = append(b, s.ttl, s.protocol(), 0, 0, 192, 0, 2, s.host, 198, 51, 100, 1)
		b = append(b, s.ipOptions...)
		be.PutUint16(b[10:], ^naiveSum(b, 0))
	}
	b = be.AppendUint16(b, s.port)
	b = be.AppendUint16(b, 443)
	if s.udp {
		b = be.AppendUint16(b, uint16(transport))
		b = append(b, 0, 0)
	} else {
		b = be.AppendUint32(b, s.seq)
		b = be.AppendUint32(b, s.ack)
		b = append(b, byte(5+len(s.options)/4)<<4|s.reserved, s.flags)
		b = be.AppendUint16(b, s.window)
		b = append(b, 0, 0)
		b = be.AppendUint16(b, s.urgent)
		b = append(b, s.options...)
	}
	return append(b, s.payload...)
}

// sumAt is where the checksum of the transport header is.
func (s spec) sumAt() int {
	if s.udp {
		return s.l4() + udpSum
	}
	return s.l4() + tcpSum
}

// packet is the packet as it travels: all checksums are there.
func (s spec) packet() []byte {
	b := s.build()
	segment := b[s.l4():]
	sum := ^naiveSum(append(s.pseudo(b, len(segment)), segment...), 0)
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b[s.sumAt():], sum)
	return b
}

// super is the packet as the kernel hands it over to be cut after each size bytes of payload.
func (s spec) super(size int) (Header, []byte) {
	b := s.build()
	binary.BigEndian.PutUint16(b[s.sumAt():], naiveSum(s.pseudo(b, len(b)-s.l4()), 0))
	h := Header{
		Flags:          FlagNeedsChecksum,
		GSOType:        GSOTCPv4,
		HeaderLen:      uint16(s.headers()),
		GSOSize:        uint16(size),
		ChecksumStart:  uint16(s.l4()),
		ChecksumOffset: uint16(s.sumAt() - s.l4()),
	}
	switch {
	case s.udp:
		h.GSOType = GSOUDP
	case s.v6:
		h.GSOType = GSOTCPv6
	}
	return h, b
}

// segments is what a super-packet stands for, made in the plainest way: each segment is built by itself.
func (s spec) segments(size int) [][]byte {
	var all [][]byte
	for i, part := range chunks(s.payload, size) {
		seg := s
		seg.payload = part
		seg.id += uint16(i)
		seg.seq += uint32(i * size)
		if i > 0 {
			seg.flags &^= flagCWR
		}
		if (i+1)*size < len(s.payload) {
			seg.flags &^= flagFIN | flagPSH
		}
		all = append(all, seg.packet())
	}
	return all
}

func chunks(b []byte, size int) [][]byte {
	var all [][]byte
	for len(b) > size {
		all = append(all, b[:size])
		b = b[size:]
	}
	return append(all, b)
}

// payload makes n bytes that no two segments have in common.
func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13)
	}
	return b
}

// kinds are packets of everyday life to start from.
func kinds() map[string]spec {
	timestamps := []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	base := spec{host: 7, port: 5000, seq: 0xfffffff0, ack: 99, flags: flagACK, window: 500, ttl: 64, id: 0xfffe}
	tcp4, tcp6, udp4, udp6 := base, base, base, base
	tcp4.options = timestamps
	tcp6.options, tcp6.v6, tcp6.label = timestamps, true, 0x1234
	udp4.udp, udp4.mayFrag = true, true
	udp6.udp, udp6.v6, udp6.tos = true, true, 0xb8
	return map[string]spec{"TCP4": tcp4, "TCP6": tcp6, "UDP4": udp4, "UDP6": udp6}
}

// inShapes benchmarks each kind of packet as super-packets of two shapes, named by how many segments of how many bytes they
// stand for: what a segment and a byte cost follows from them.
func inShapes(b *testing.B, f func(b *testing.B, s spec, segment int)) {
	for name, s := range kinds() {
		for _, shape := range []struct{ n, size int }{{11, 128}, {11, 1400}} {
			b.Run(fmt.Sprintf("%s/%dx%d", name, shape.n, shape.size), func(b *testing.B) {
				segment := shape.size - s.headers()
				s.payload = payload(shape.n * segment)
				f(b, s, segment)
			})
		}
	}
}

// cut runs a splitter to its end.
func cut(h Header, pkt []byte) ([][]byte, error) {
	var s Splitter
	if err := s.Start(h, pkt); err != nil {
		return nil, err
	}
	var all [][]byte
	buf := make([]byte, 1<<16)
	for !s.Empty() {
		size := s.Size()
		if n := s.Next(buf); n != size {
			panic("Size and Next differ")
		}
		all = append(all, bytes.Clone(buf[:size]))
	}
	return all, nil
}

// merged runs a merger and glues the pieces together.
func merged(m *Merger, pkts [][]byte) (headers []Header, whole [][]byte, counts []int) {
	for i := range m.Merge(pkts) {
		h, n, parts := m.Group(i, nil)
		headers, counts, whole = append(headers, h), append(counts, n), append(whole, bytes.Join(parts, nil))
	}
	return headers, whole, counts
}

func clones(pkts [][]byte) [][]byte {
	var all [][]byte
	for _, p := range pkts {
		all = append(all, bytes.Clone(p))
	}
	return all
}
