package offload

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

func sameAll(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

func TestSplitGivesWhatASenderWouldHaveSent(t *testing.T) {
	for name, s := range kinds() {
		for _, c := range []struct {
			why         string
			total, size int
			change      func(*spec)
		}{
			{"two full segments", 2800, 1400, nil},
			{"a short last one", 3001, 1400, nil},
			{"one byte over", 1401, 1400, nil},
			{"only one segment", 1000, 1400, nil},
			{"odd sizes", 10001, 1347, nil},
			{"segments of one byte", 50, 1, nil},
			{"as large as it gets", 65535 - 100, 1348, nil},
			{"the end of the data", 4000, 1400, func(s *spec) { s.flags |= flagPSH | flagFIN }},
			{"congestion was answered", 4000, 1400, func(s *spec) { s.flags |= flagCWR; s.tos |= 2 }},
			{"congestion is echoed", 4000, 1400, func(s *spec) { s.flags |= flagECE; s.tos |= 3 }},
			{"accurate ECN's third bit", 4000, 1400, func(s *spec) { s.reserved = 1 }},
			{"no options", 4000, 1400, func(s *spec) { s.options = nil }},
			{"40 bytes of options", 4000, 1400, func(s *spec) { s.options = bytes.Repeat([]byte{1}, 40) }},
			{"options in IPv4, extensions in IPv6", 4000, 1400, func(s *spec) {
				if !s.v6 {
					s.ipOptions = []byte{148, 4, 0, 0}
				} else {
					s.firstExt = hopByHop
					s.extensions = append([]byte{destOptions, 0, 1, 4, 0, 0, 0, 0}, s.protocol(), 1)
					s.extensions = append(s.extensions, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
				}
			}},
		} {
			s := s
			s.payload = payload(c.total)
			if c.change != nil {
				c.change(&s)
			}
			h, pkt := s.super(c.size)
			want := s.segments(c.size)
			given := bytes.Clone(pkt)
			got, err := cut(h, pkt)
			if err != nil || !sameAll(got, want) {
				t.Errorf("%s, %s: %v, %d segments, want %d, or their bytes differ", name, c.why, err, len(got), len(want))
			}
			if !bytes.Equal(given, pkt) {
				t.Errorf("%s, %s: the kernel's packet was changed", name, c.why)
			}
			h.HeaderLen = uint16(len(pkt)) // as the kernel has it when it forwards
			if got, err = cut(h, pkt); err != nil || !sameAll(got, want) {
				t.Errorf("%s, %s: the kernel's hint of the length of the headers is trusted", name, c.why)
			}
			h.Flags = 0
			if got, err = cut(h, pkt); err != nil || !sameAll(got, want) {
				t.Errorf("%s, %s: without a sum from the kernel the segments differ", name, c.why)
			}
		}
	}
}

func TestARoutingHeaderKeepsTheKernelsPseudoHeader(t *testing.T) {
	s := kinds()["TCP6"]
	s.payload = payload(3000)
	s.firstExt = routing
	s.extensions = append([]byte{tcp, 2, 4, 1, 0, 0, 0, 0}, bytes.Repeat([]byte{0x77}, 16)...)
	h, pkt := s.super(1400)
	// The destination that counts is the last one of the route (RFC 8200 section 8.1), and only the kernel knows it.
	final := append(append(bytes.Clone(pkt[8:24]), bytes.Repeat([]byte{0x77}, 16)...), 0, 0, 0, 0, 0, 0, 0, tcp)
	length := uint16(len(pkt) - s.l4())
	binary.BigEndian.PutUint16(pkt[s.sumAt():], naiveSum(final, length))
	got, err := cut(h, pkt)
	if err != nil || len(got) != 3 {
		t.Fatal(err, len(got))
	}
	for i, seg := range got {
		l4 := seg[s.l4():]
		if sum := naiveSum(append(bytes.Clone(final), l4...), uint16(len(l4))); sum != 0xffff {
			t.Errorf("segment %d sums up to %04x, want ffff", i, sum)
		}
	}
}

func TestASingleChecksumIsCompleted(t *testing.T) {
	for name, s := range kinds() {
		s.payload = payload(999)
		h, pkt := s.super(1400)
		h.GSOType, h.GSOSize = GSONone, 0
		got, err := cut(h, pkt)
		if err != nil || !sameAll(got, [][]byte{s.packet()}) {
			t.Errorf("%s: %v, %x", name, err, got)
		}
		got, err = cut(Header{}, s.packet())
		if err != nil || !sameAll(got, [][]byte{s.packet()}) {
			t.Errorf("%s, nothing to do: %v, %x", name, err, got)
		}
	}
}

func TestAChecksumOfZeroIsSentAsOnes(t *testing.T) {
	s := kinds()["UDP4"]
	s.payload = make([]byte, 4)
	// Choose the payload so that the sum of the first segment becomes all ones, and its inversion zero.
	sum := binary.BigEndian.Uint16(s.packet()[s.sumAt():])
	binary.BigEndian.PutUint16(s.payload, sum)
	s.payload = append(s.payload, s.payload...)
	h, pkt := s.super(4)
	segs, err := cut(h, pkt)
	if err != nil || len(segs) != 2 {
		t.Fatal(err, len(segs))
	}
	for _, seg := range segs {
		if got := binary.BigEndian.Uint16(seg[s.sumAt():]); got != 0xffff {
			t.Errorf("checksum %04x, want ffff: 0 would say that there is none (RFC 768)", got)
		}
	}
}

func TestNextWaitsForRoom(t *testing.T) {
	s := kinds()["TCP4"]
	s.payload = payload(3000)
	h, pkt := s.super(1400)
	var sp Splitter
	if err := sp.Start(h, pkt); err != nil {
		t.Fatal(err)
	}
	want := s.segments(1400)
	buf := make([]byte, 2000)
	for i := 0; !sp.Empty(); i++ {
		if sp.Next(buf[:sp.Size()-1]) != 0 {
			t.Fatal("a segment was written where it does not fit")
		}
		if n := sp.Next(buf); !bytes.Equal(buf[:n], want[i]) {
			t.Errorf("segment %d differs", i)
		}
	}
	if sp.Next(buf) != 0 || sp.Size() != 0 {
		t.Error("an empty splitter gives segments")
	}
}

func TestHeadersThatLie(t *testing.T) {
	for name, s := range kinds() {
		s.payload = payload(3000)
		good, pkt := s.super(1400)
		for _, c := range []struct {
			why    string
			change func(h *Header, pkt []byte) []byte
		}{
			{"no packet", func(h *Header, p []byte) []byte { return nil }},
			{"no packet and no offload", func(h *Header, p []byte) []byte { *h = Header{}; return nil }},
			{"segments of nothing", func(h *Header, p []byte) []byte { h.GSOSize = 0; return p }},
			{"an unknown kind", func(h *Header, p []byte) []byte { h.GSOType = 9; return p }},
			{"UFO, which was not asked for", func(h *Header, p []byte) []byte { h.GSOType = 3; return p }},
			{"the other IP version", func(h *Header, p []byte) []byte {
				p[0] ^= 0x20
				return p
			}},
			{"the other protocol", func(h *Header, p []byte) []byte {
				if s.v6 {
					p[ip6NextHeader] ^= tcp ^ udp
				} else {
					p[ip4Protocol] ^= tcp ^ udp
				}
				return p
			}},
			{"longer than it says", func(h *Header, p []byte) []byte { return append(p, 0) }},
			{"cut off in the payload", func(h *Header, p []byte) []byte { return p[:len(p)-1] }},
			{"cut off in the headers", func(h *Header, p []byte) []byte { return p[:s.headers()-1] }},
			{"cut off in the IP header", func(h *Header, p []byte) []byte { return p[:7] }},
			{"nothing but headers", func(h *Header, p []byte) []byte {
				p = p[:s.headers()]
				if s.v6 {
					binary.BigEndian.PutUint16(p[ip6PayloadLen:], uint16(len(p)-ip6Len))
				} else {
					binary.BigEndian.PutUint16(p[ip4TotalLen:], uint16(len(p)))
				}
				return p
			}},
			{"a sum outside of the packet", func(h *Header, p []byte) []byte {
				h.GSOType, h.ChecksumStart = GSONone, uint16(len(p)-1)
				return p
			}},
			{"a sum far outside", func(h *Header, p []byte) []byte {
				h.GSOType, h.ChecksumStart, h.ChecksumOffset = GSONone, 0xffff, 0xffff
				return p
			}},
			{"a sum at the beginning", func(h *Header, p []byte) []byte {
				h.GSOType, h.ChecksumStart, h.ChecksumOffset = GSONone, 0, 0
				return p
			}},
		} {
			h := good
			bad := c.change(&h, bytes.Clone(pkt))
			var sp Splitter
			if err := sp.Start(h, bad); err != ErrHeader || !sp.Empty() {
				t.Errorf("%s, %s: %v, want ErrHeader", name, c.why, err)
			}
		}
	}
	tcp4 := kinds()["TCP4"]
	tcp4.payload = payload(3000)
	h, pkt := tcp4.super(1400)
	for _, c := range []struct {
		why   string
		at    int
		value byte
	}{
		{"a data offset of 16 bytes", ip4Len + tcpDataOffset, 0x40},
		{"an IPv4 header of 16 bytes", 0, 0x44},
		{"a fragment", ip4Fragment, 0x20},
	} {
		bad := bytes.Clone(pkt)
		bad[c.at] = c.value
		if segs, err := cut(h, bad); err != ErrHeader {
			t.Errorf("%s: %d segments, %v; want ErrHeader", c.why, len(segs), err)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	h := Header{1, 2, 0x0304, 0x0506, 0x0708, 0x090a}
	b := make([]byte, HeaderLen)
	h.Put(b)
	var got Header
	got.Get(b)
	if got != h {
		t.Errorf("Get(Put(%+v)) = %+v", h, got)
	}
	want := make([]byte, 0, HeaderLen) // the machine's byte order: virtio 1.2 section 5.1.6, legacy interface
	want = append(want, 1, 2)
	for _, v := range []uint16{0x0304, 0x0506, 0x0708, 0x090a} {
		want = binary.NativeEndian.AppendUint16(want, v)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("Put = %x, want %x", b, want)
	}
}

func TestSplitAllocatesNothing(t *testing.T) {
	s := kinds()["TCP6"]
	s.payload = payload(60000)
	h, pkt := s.super(1400)
	buf := make([]byte, 2000)
	var sp Splitter
	if n := testing.AllocsPerRun(100, func() {
		sp.Start(h, pkt)
		for !sp.Empty() {
			sp.Next(buf)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// FuzzSplit: whatever the kernel claims, the segments of a packet that is taken carry all of its payload, in order, each
// with right lengths and checksums.
func FuzzSplit(f *testing.F) {
	for _, s := range kinds() {
		s.payload = payload(100)
		h, pkt := s.super(33)
		f.Add(h.Flags, h.GSOType, h.GSOSize, h.ChecksumStart, h.ChecksumOffset, pkt)
	}
	f.Fuzz(func(t *testing.T, flags, kind uint8, size, start, offset uint16, pkt []byte) {
		h := Header{flags, kind, 0, size, start, offset}
		var sp Splitter
		if sp.Start(h, pkt) != nil {
			return
		}
		gso, headers, l4, partial := sp.gso, sp.headers, sp.l4, flags&FlagNeedsChecksum != 0
		segs, err := cut(h, pkt)
		if err != nil {
			t.Fatal(err)
		}
		if !gso {
			if len(segs) != 1 || len(segs[0]) != len(pkt) {
				t.Fatalf("%d segments of one packet", len(segs))
			}
			return
		}
		var all []byte
		for _, seg := range segs {
			if len(seg) > headers+int(size) {
				t.Errorf("a segment of %d bytes, want at most %d and %d", len(seg), headers, size)
			}
			all = append(all, seg[headers:]...)
			again := Splitter{}
			if err := again.Start(h, seg); err != nil {
				t.Errorf("a segment is no packet of its kind: %v", err)
			}
			if !partial && pkt[0]>>4 == 6 {
				if sum := naiveSum(seg[l4:], fold(uint64(naiveSum(seg[8:40], uint16(sp.protocol)))+uint64(len(seg)-l4))); sum != 0xffff {
					t.Errorf("a segment's bytes sum up to %04x", sum)
				}
			}
			if pkt[0]>>4 == 4 && naiveSum(seg[:l4], 0) != 0xffff {
				t.Error("an IPv4 header's checksum is wrong")
			}
		}
		if !bytes.Equal(all, pkt[headers:]) {
			t.Error("the payload has changed")
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	inShapes(b, func(b *testing.B, s spec, segment int) {
		h, pkt := s.super(segment)
		buf := make([]byte, 2000)
		var sp Splitter
		b.SetBytes(int64(len(pkt)))
		b.ReportAllocs()
		for b.Loop() {
			sp.Start(h, pkt)
			for !sp.Empty() {
				sp.Next(buf)
			}
		}
	})
}
