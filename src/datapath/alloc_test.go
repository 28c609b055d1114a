package datapath

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

// source gives the same bytes, or the same packets, for each token it is sent.
type source struct {
	tokens, done chan struct{}
	stop         chan struct{}
	chunk        []byte // the stream's
	pkt          []byte // the device's
	n            int    // so many of them at once
}

func newSource() *source {
	return &source{tokens: make(chan struct{}), done: make(chan struct{}), stop: make(chan struct{})}
}

func (s *source) Read(b []byte) (int, error) {
	select {
	case <-s.tokens:
		return copy(b, s.chunk), nil
	case <-s.stop:
		return 0, net.ErrClosed
	}
}

func (s *source) ReadPackets(buf []byte, room int, ends []int) (int, error) {
	select {
	case <-s.tokens:
	case <-s.stop:
		return 0, os.ErrClosed
	}
	pos, n := 0, min(s.n, len(ends)) // on a busy machine relief reads too, as far as its queue has room
	for i := range n {
		pos += room + copy(buf[pos+room:], s.pkt)
		ends[i] = pos
	}
	return n, nil
}

func (s *source) WritePackets(pkts [][]byte) (int, error) { return len(pkts), s.wrote() }
func (s *source) Write(b []byte) (int, error)             { return len(b), s.wrote() }

func (s *source) wrote() error {
	select {
	case s.done <- struct{}{}:
		return nil
	case <-s.stop:
		return os.ErrClosed
	}
}

func (s *source) SetReadDeadline(time.Time) error  { return nil }
func (s *source) SetWriteDeadline(time.Time) error { return nil }

// once lets packets in until one write has come out. On an idle machine that is one token. On a busy one relief takes the
// device, and then a token may become several writes, or several tokens one write.
func (s *source) once() {
	for {
		select {
		case s.tokens <- struct{}{}:
		case <-s.done:
			return
		}
	}
}

// up returns a source of which each token sends n packets from the device to the stream, and down one for the other way.
func up(tb testing.TB, n, size int) *source {
	dev, stream := newSource(), newSource()
	dev.pkt, dev.n, dev.done = ip4(size, 1), n, stream.done
	return running(tb, dev, stream, dev)
}

func down(tb testing.TB, n, size int) *source {
	dev, stream := newSource(), newSource()
	for range n {
		stream.chunk = append(stream.chunk, framedIP(ip4(size, 1))...)
	}
	stream.done = dev.done
	return running(tb, dev, stream, stream)
}

func running(tb testing.TB, dev, stream, driven *source) *source {
	p := New(stream, testSeed, func(Event) {})
	p.Start()
	p.Open(dev, 1400, true, true)
	tb.Cleanup(func() {
		close(stream.stop)
		close(dev.stop)
		p.Stop()
	})
	return driven
}

func TestNothingIsAllocatedForAPacket(t *testing.T) {
	for _, c := range []struct {
		what string
		s    *source
	}{
		{"uplink, one packet", up(t, 1, 100)},
		{"uplink, a full record", up(t, 11, 1400)},
		{"downlink, one packet", down(t, 1, 100)},
		{"downlink, a full record", down(t, 11, 1400)},
	} {
		if n := testing.AllocsPerRun(1000, c.s.once); n != 0 {
			t.Errorf("%s: %v allocations, want 0", c.what, n)
		}
	}
}

func BenchmarkUplink(b *testing.B)   { benchmark(b, up) }
func BenchmarkDownlink(b *testing.B) { benchmark(b, down) }

func benchmark(b *testing.B, direction func(testing.TB, int, int) *source) {
	for _, c := range []struct {
		name    string
		n, size int
	}{{"1x64", 1, 64}, {"1x1400", 1, 1400}, {"11x1400", 11, 1400}, {"100x64", 100, 64}} {
		b.Run(c.name, func(b *testing.B) {
			s := direction(b, c.n, c.size)
			b.SetBytes(int64(c.n * c.size))
			b.ReportAllocs()
			for b.Loop() {
				s.once()
			}
		})
	}
}

// The work of the pumps without goroutines and channels between, on batches of small and of large packets.

func inBatches(b *testing.B, f func(b *testing.B, n, size int)) {
	for _, c := range []struct{ n, size int }{{1, 64}, {2, 1400}, {11, 1400}} {
		b.Run(fmt.Sprintf("%dx%d", c.n, c.size), func(b *testing.B) {
			b.SetBytes(int64(c.n * c.size))
			b.ReportAllocs()
			f(b, c.n, c.size)
		})
	}
}

// nowhere is a device and a stream that take all. It has no packets for relief, which reads it when the machine is busy.
type nowhere struct{ *source }

func (nowhere) ReadPackets([]byte, int, []int) (int, error) { return 0, os.ErrClosed }

func (nowhere) WritePackets(pkts [][]byte) (int, error) { return len(pkts), nil }
func (nowhere) Write(b []byte) (int, error)             { return len(b), nil }

func BenchmarkSend(b *testing.B) {
	inBatches(b, func(b *testing.B, n, size int) {
		p := New(nowhere{}, testSeed, nil)
		p.gate.Store(&gate{dev: nowhere{}, mtu: 1400, v4: true})
		u := &uplink{p: p, dev: nowhere{}, buf: make([]byte, maxWrite), ends: make([]int, n), relief: newRelief(p)}
		for i := range n {
			start := i * (headroom + size)
			u.ends[i] = start + headroom + copy(u.buf[start+headroom:], ip4(size, 1))
		}
		for b.Loop() {
			if err := u.send(n, false); err != nil {
				b.Fatal(err)
			}
		}
		if p.counts.txDropped.Load() != 0 {
			b.Fatal("packets were dropped")
		}
	})
}

func BenchmarkCut(b *testing.B) {
	inBatches(b, func(b *testing.B, n, size int) {
		p := New(nil, testSeed, nil)
		p.gate.Store(&gate{dev: nowhere{}, mtu: 1400, v4: true})
		in := incoming{p: p, pkts: make([][]byte, 0, maxWritten)}
		chunk := bytes.Repeat(framedIP(ip4(size, 1)), n)
		for b.Loop() {
			if rest, err := in.take(chunk); len(rest) != 0 || err != nil {
				b.Fatal(err)
			}
		}
	})
}
