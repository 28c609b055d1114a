package datapath

import (
	"bytes"
	"testing"
)

// heard is a device and an owner that note all they are given, in order.
type heard struct {
	nowhere
	log []byte
}

func (h *heard) WritePackets(pkts [][]byte) (int, error) {
	for _, p := range pkts {
		h.log = append(append(h.log, 'P'), p...)
	}
	return len(pkts), nil
}

// pour gives stream to a downlink in pieces of size bytes and returns what came out.
func pour(stream []byte, size int) (h *heard, c Counters, failed bool) {
	h = &heard{}
	p := New(nil, testSeed, func(e Event) { h.log = append(append(h.log, 'C'), e.Packet...) })
	p.gate.Store(&gate{dev: h, mtu: 1400, v4: true, v6: true})
	in := incoming{p: p, pkts: make([][]byte, 0, maxWritten)}
	var buf []byte
	for len(stream) > 0 && !failed {
		n := min(size, len(stream))
		buf = append(buf, stream[:n]...)
		stream = stream[n:]
		rest, err := in.take(buf)
		if !bytes.HasSuffix(buf, rest) {
			panic("what is left is not the end of what was given")
		}
		buf, failed = bytes.Clone(rest), err != nil
	}
	return h, p.Counters(), failed
}

// FuzzDownlink: how the stream is cut into reads changes nothing about what comes out of it.
func FuzzDownlink(f *testing.F) {
	f.Add(join(framedIP(ip4(20, 1)), echoRequest, framedIP(ip6(40, 2)), lcpEcho), 3)
	f.Add([]byte("HTTP/1.1 200 OK"), 1)
	f.Add([]byte{0x10, 0, 0, 4, 0x10, 0, 0, 6, 0x21, 0x45, 0x10, 0xff, 0xf0, 8, 0, 8, 0, 0}, 5)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		whole, c1, failed1 := pour(stream, len(stream))
		pieces, c2, failed2 := pour(stream, max(1, size))
		if !bytes.Equal(whole.log, pieces.log) || c1 != c2 || failed1 != failed2 {
			t.Errorf("in one piece: %x %+v %v\nin pieces of %d: %x %+v %v",
				whole.log, c1, failed1, size, pieces.log, c2, failed2)
		}
	})
}

// FuzzUplink: what frame makes of any packets is the good ones, in order, each a whole SSTP packet.
func FuzzUplink(f *testing.F) {
	f.Add([]byte{0x45, 1, 2, 3, 0x60, 4, 5, 0, 0x45}, []byte{4, 3, 1, 1}, 3)
	f.Fuzz(func(t *testing.T, contents, sizes []byte, mtu int) {
		var buf, want []byte
		var ends []int
		dropped := 0
		g := &gate{mtu: mtu, v4: true, v6: true}
		for _, size := range sizes {
			n := min(int(size), len(contents))
			pkt := contents[:n]
			contents = contents[n:]
			buf = append(append(buf, make([]byte, headroom)...), pkt...)
			ends = append(ends, len(buf))
			if n > 0 && n <= mtu && (pkt[0]>>4 == 4 || pkt[0]>>4 == 6) {
				want = append(want, framedIP(pkt)...)
			} else {
				dropped++
			}
		}
		got := g.frame(buf, ends)
		if !bytes.Equal(buf[:got.len], want) || got.dropped != dropped || got.packets != len(sizes)-dropped {
			t.Errorf("%+v %x, want %d dropped and %x", got, buf[:got.len], dropped, want)
		}
	})
}
