package datapath

import (
	"slices"
	"testing"
	"time"
)

// batcher is a stream that notes what it is told and asked.
type batcher struct {
	held    []bool
	flushed int
	chunks  [][]byte
}

func (b *batcher) Hold(more bool)                   { b.held = append(b.held, more) }
func (b *batcher) Flush() error                     { b.flushed++; return nil }
func (b *batcher) Ready() bool                      { return len(b.chunks) > 0 }
func (b *batcher) Write(p []byte) (int, error)      { return len(p), nil }
func (b *batcher) SetWriteDeadline(time.Time) error { return nil }
func (b *batcher) Read(p []byte) (int, error) {
	if len(b.chunks) == 0 {
		return 0, errEOF
	}
	n := copy(p, b.chunks[0])
	b.chunks = b.chunks[1:]
	return n, nil
}

// ahead is a device that has more or not.
type ahead struct {
	*fakeDevice
	more bool
}

func (a *ahead) Pending() bool { return a.more }

func TestWritesAreHeldWhileMoreIsAtHandAndTheLinkPassesThemSoon(t *testing.T) {
	for _, c := range []struct {
		why            string
		rate           int
		backlog, more  bool
		device, relief bool
		want           bool
	}{
		{"a fast link and more at hand", fastLink, true, true, true, false, true},
		{"nothing is known of the link", 0, true, true, true, false, false},
		{"a processor that moves 50 Mbit/s and is its own limit", 7e6, true, true, true, false, true},
		{"a slow link", 4e6, true, true, true, false, false},
		{"all there was", fastLink, false, true, true, false, false},
		{"more may come, but has to be read", fastLink, true, false, true, false, false},
		{"a device that does not know", fastLink, true, true, false, false, false},
		{"the device is another's", fastLink, true, true, true, true, false},
	} {
		s := &batcher{}
		p := New(s, testSeed, func(Event) {})
		var dev Device = newFakeDevice()
		if c.device {
			dev = &ahead{newFakeDevice(), c.more}
		}
		p.gate.Store(&gate{dev: dev, mtu: 1400, v4: true})
		u := &uplink{p: p, dev: dev, relief: newRelief(p)}
		if c.relief {
			u.relief.owner.lend()
		}
		u.pace.rate, u.pace.since = c.rate, time.Now().Add(time.Hour) // nothing new is measured
		if err := u.write(make([]byte, maxWrite), c.backlog); err != nil {
			t.Fatal(err)
		}
		if len(s.held) != 1 || s.held[0] != c.want {
			t.Errorf("%s: held %v, want %v", c.why, s.held, c.want)
		}
	}
}

func TestNoMoreIsHeldThanTheLinkPassesSoon(t *testing.T) {
	for _, c := range []struct {
		rate int
		want []bool
	}{
		{2 * maxWrite * 250, []bool{true, true, false, true}}, // two records take paceHold
		{fastLink, []bool{true, true, true, true}},
	} {
		s := &batcher{}
		p := New(s, testSeed, func(Event) {})
		dev := &ahead{newFakeDevice(), true}
		p.gate.Store(&gate{dev: dev, mtu: 1400, v4: true})
		u := &uplink{p: p, dev: dev, relief: newRelief(p)}
		u.pace.rate, u.pace.since = c.rate, time.Now().Add(time.Hour) // nothing new is measured
		for range c.want {
			if err := u.write(make([]byte, maxWrite), true); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(s.held, c.want) {
			t.Errorf("at %d bytes per second: held %v, want %v", c.rate, s.held, c.want)
		}
	}
}

func TestWhatIsHeldIsFlushedWhenNoWriteFollows(t *testing.T) {
	for _, c := range []struct {
		why    string
		follow func(u *uplink) error
		want   int
	}{
		{"all packets that follow are dropped", func(u *uplink) error {
			u.p.CloseGate()
			return u.send(1, false)
		}, 1},
		{"somebody wakes the uplink, for what is no write", func(u *uplink) error {
			u.dev.SetReadDeadline(longAgo)
			return u.fromDevice()
		}, 1},
		{"the device is taken away", func(u *uplink) error {
			close(u.dev.(*ahead).closed)
			u.p.gate.Store(nil)
			return u.fromDevice()
		}, 1},
		{"a packet follows", func(u *uplink) error {
			copy(u.buf[headroom:], ip4(100, 1))
			u.ends[0] = headroom + 100
			return u.send(1, false)
		}, 0},
	} {
		s := &batcher{}
		p := New(s, testSeed, func(Event) {})
		dev := &ahead{newFakeDevice(), true}
		p.gate.Store(&gate{dev: dev, mtu: 1400, v4: true})
		u := &uplink{p: p, dev: dev, buf: make([]byte, maxWrite), ends: make([]int, maxBatch), relief: newRelief(p)}
		u.pace.rate, u.pace.since = fastLink, time.Now().Add(time.Hour) // nothing new is measured
		if err := u.write(make([]byte, maxWrite), true); err != nil || u.held != maxWrite {
			t.Fatal("nothing is held: ", err)
		}
		u.ends[0] = headroom + 100
		if err := c.follow(u); err != nil {
			t.Fatal(err)
		}
		if s.flushed != c.want || u.held > 0 {
			t.Errorf("%s: flushed %d times, held %d bytes; want %d", c.why, s.flushed, u.held, c.want)
		}
	}
}

func TestBulkDataIsReadUntilTheBufferIsFull(t *testing.T) {
	record := func(n int) (b []byte) {
		for range n {
			b = append(b, framedIP(ip4(1400, 1))...)
		}
		return b
	}
	for _, c := range []struct {
		why    string
		chunks [][]byte
		want   []int // packets of each batch
	}{
		{"four records fit into the buffer", [][]byte{record(11), record(11), record(11), record(11), record(11)}, []int{44, 11}},
		{"behind a small one nobody looks for more", [][]byte{record(1), record(11), record(11)}, []int{1, 22}},
		{"a small one ends it", [][]byte{record(11), record(1), record(11)}, []int{12, 11}},
	} {
		dev := newFakeDevice()
		p := New(&batcher{chunks: c.chunks}, testSeed, func(Event) {})
		p.gate.Store(&gate{dev: dev, mtu: 1400, v4: true})
		p.downlink()
		var got []int
		for _, batch := range dev.written {
			got = append(got, len(batch))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: batches of %v packets, want %v", c.why, got, c.want)
		}
	}
}
