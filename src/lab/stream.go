package lab

import (
	"io"
	"net"
	"sync/atomic"
	"time"

	"sstp/src/datapath"
	"sstp/src/sstp"
)

// stream is the client's connection as the pumps see it: TLS behind the HTTP head. On its way out it can be spoiled, and
// it can fall silent.
type stream struct {
	conn   net.Conn
	batch  datapath.Batcher // the connection below TLS; nil: every write goes out at once
	rest   []byte           // came with the request
	muted  atomic.Bool
	spoil  bool // the slow way of writing is needed
	m      *Misbehaviour
	rand   io.Reader
	writes int
	turn   int

	left atomic.Int64 // bytes until the cut; 0: no cut is planned
	cut  func()
}

func newStream(conn, raw net.Conn, rest []byte, m *Misbehaviour, rand io.Reader, cut func()) *stream {
	s := &stream{conn: conn, rest: rest, m: m, rand: rand, cut: cut}
	s.spoil = m.SplitBytes || m.HeaderForms || m.GarbageFrames > 0
	if !s.spoil && m.CutAfterBytes == 0 { // else what goes out is counted or spoiled
		s.batch, _ = raw.(datapath.Batcher)
	}
	s.left.Store(int64(m.CutAfterBytes))
	return s
}

// Read implements datapath.Stream. A silent stream drops what it receives.
func (s *stream) Read(b []byte) (n int, err error) {
	if len(s.rest) > 0 {
		n = copy(b, s.rest)
		s.rest = s.rest[n:]
		return n, nil
	}
	for {
		n, err = s.conn.Read(b)
		s.count(n)
		if err != nil || !s.muted.Load() {
			return n, err
		}
	}
}

// Write implements datapath.Stream. b holds whole packets.
func (s *stream) Write(b []byte) (n int, err error) {
	if s.muted.Load() {
		return len(b), nil
	}
	defer s.count(len(b))
	if !s.spoil {
		return s.conn.Write(b)
	}
	if err := s.writeSpoiled(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// SetWriteDeadline implements datapath.Stream.
func (s *stream) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

// Hold, Flush and Ready implement datapath.Batcher.

func (s *stream) Hold(more bool) {
	if s.batch != nil {
		s.batch.Hold(more)
	}
}

func (s *stream) Flush() error {
	if s.batch == nil || s.muted.Load() {
		return nil
	}
	return s.batch.Flush()
}

func (s *stream) Ready() bool { return s.batch != nil && len(s.rest) == 0 && s.batch.Ready() }

func (s *stream) count(n int) {
	if s.m.CutAfterBytes > 0 && s.left.Add(-int64(n)) <= 0 {
		s.cut()
	}
}

func (s *stream) writeSpoiled(b []byte) error {
	if s.m.HeaderForms {
		b = s.compress(b)
	}
	if n := s.m.GarbageFrames; n > 0 {
		if s.writes++; s.writes%n == 0 {
			b = append(b[:len(b):len(b)], s.garbageFrame()...)
		}
	}
	step := len(b)
	if s.m.SplitBytes {
		step = 1
	}
	for len(b) > 0 {
		if _, err := s.conn.Write(b[:step]); err != nil {
			return err
		}
		b = b[step:]
	}
	return nil
}

// compress rewrites the headers of PPP frames into the three forms of [RFC 1661] 6.5 and 6.6 in turn: unchanged,
// without FF 03, and without FF 03 and with a protocol of one byte where it has one.
func (s *stream) compress(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		pkt, rest, err := sstp.Cut(b)
		if err != nil || pkt == nil {
			return append(out, b...)
		}
		b = rest
		payload := pkt[sstp.HeaderLen:]
		whole := len(payload) >= 4 && payload[0] == 0xff && payload[1] == 0x03 && payload[2]&1 == 0 && payload[3]&1 == 1
		if sstp.IsControl(pkt) || !whole {
			out = append(out, pkt...)
			continue
		}
		s.turn++
		switch {
		case s.turn%3 == 2 && payload[2] == 0 && payload[3] != 0xff: // 0x00ff is never compressed
			payload = payload[3:]
		case s.turn%3 > 0:
			payload = payload[2:]
		}
		out = sstp.AppendData(out, payload)
	}
	return out
}

// garbageFrame returns a data packet with random bytes instead of a PPP frame.
func (s *stream) garbageFrame() []byte {
	b := make([]byte, 64)
	io.ReadFull(s.rand, b)
	return sstp.AppendData(nil, b[:1+b[0]%60])
}
