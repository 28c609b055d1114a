package datapath

import (
	"bytes"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// fakeStream is the peer as the test plays it.
type fakeStream struct {
	in     chan []byte // each element is what one Read returns
	rest   []byte
	closed chan struct{}

	mu       sync.Mutex
	writes   [][]byte
	deadline time.Time
	stuck    chan struct{} // not nil: writes block until it is closed
	rate     int           // not 0: bytes that a write takes a second for
	writeErr error
	once     sync.Once
}

func newFakeStream() *fakeStream {
	return &fakeStream{in: make(chan []byte, 1000), closed: make(chan struct{})}
}

func (s *fakeStream) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		select {
		case chunk, ok := <-s.in:
			if !ok {
				return 0, errEOF
			}
			s.rest = chunk
		case <-s.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *fakeStream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck != nil {
		stuck, timeout := s.stuck, time.After(time.Until(s.deadline))
		s.mu.Unlock()
		select {
		case <-stuck:
		case <-s.closed:
		case <-timeout:
			s.mu.Lock()
			return 0, os.ErrDeadlineExceeded
		}
		s.mu.Lock()
	}
	if s.rate != 0 {
		s.mu.Unlock()
		time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(s.rate)) // the bubble's time
		s.mu.Lock()
	}
	if s.writeErr != nil {
		return 0, s.writeErr
	}
	s.writes = append(s.writes, bytes.Clone(b))
	return len(b), nil
}

func (s *fakeStream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	return nil
}

func (s *fakeStream) Close() { s.once.Do(func() { close(s.closed) }) }

// stick makes writes block until the returned function is called.
func (s *fakeStream) stick() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stuck := make(chan struct{})
	s.stuck = stuck
	return func() {
		s.mu.Lock()
		s.stuck = nil
		s.mu.Unlock()
		close(stuck)
	}
}

// fakeDevice is the kernel as the test plays it.
type fakeDevice struct {
	in     chan []byte // packets for ReadPackets
	closed chan struct{}

	mu       sync.Mutex
	expired  chan struct{} // closed while the deadline has passed
	written  [][][]byte    // batches
	refuse   int           // so many packets of each batch are refused
	writeErr error
}

func newFakeDevice() *fakeDevice {
	return &fakeDevice{in: make(chan []byte, 4000), closed: make(chan struct{}), expired: make(chan struct{})}
}

func (d *fakeDevice) SetReadDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.expired:
		d.expired = make(chan struct{})
	default:
	}
	if !t.IsZero() {
		close(d.expired)
	}
	return nil
}

func (d *fakeDevice) ReadPackets(buf []byte, room int, ends []int) (n int, err error) {
	d.mu.Lock()
	expired := d.expired
	d.mu.Unlock()
	select {
	case <-expired:
		return 0, os.ErrDeadlineExceeded
	default:
	}
	pos := 0
	add := func(pkt []byte) {
		pos += room + copy(buf[pos+room:], pkt)
		ends[n] = pos
		n++
	}
	select {
	case <-expired:
		return 0, os.ErrDeadlineExceeded
	case <-d.closed:
		return 0, os.ErrClosed
	case pkt := <-d.in:
		add(pkt)
	}
	for n < len(ends) && len(buf)-pos >= room+1501 {
		select {
		case pkt := <-d.in:
			add(pkt)
		default:
			return n, nil
		}
	}
	return n, nil
}

func (d *fakeDevice) WritePackets(pkts [][]byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writeErr != nil {
		return 0, d.writeErr
	}
	var batch [][]byte
	for _, p := range pkts {
		batch = append(batch, bytes.Clone(p))
	}
	d.written = append(d.written, batch)
	return max(0, len(pkts)-d.refuse), nil
}

// rig is a Pumps between the two.
type rig struct {
	*Pumps
	t      *testing.T
	stream *fakeStream
	dev    *fakeDevice
	events chan Event
}

// pumped runs a test in a bubble of its own, with pumps that are running and no device yet.
func pumped(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, stream: newFakeStream(), dev: newFakeDevice(), events: make(chan Event, 1000)}
		r.Pumps = New(r.stream, testSeed, func(e Event) {
			select {
			case r.events <- e:
			case <-r.Stopping():
			}
		})
		r.Start()
		f(r)
		r.stream.Close()
		r.Stop()
	})
}

// open opens the gate for both versions.
func (r *rig) open() { r.Open(r.dev, 1400, true, true) }

// receive lets the stream give each chunk to one Read.
func (r *rig) receive(chunks ...[]byte) {
	for _, c := range chunks {
		r.stream.in <- c
	}
}

// sent returns the IP packets written since the last call, and the sizes of the writes.
func (r *rig) sent() (pkts [][]byte, sizes []int) {
	r.t.Helper()
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	for _, w := range r.stream.writes {
		sizes = append(sizes, len(w))
		for len(w) > 0 {
			pkt, rest, err := sstp.Cut(w)
			if err != nil || pkt == nil {
				r.t.Fatalf("a write is not made of whole packets: %.40x, %v", w, err)
			}
			if !sstp.IsControl(pkt) {
				pkts = append(pkts, pkt[headroom:])
			}
			w = rest
		}
	}
	r.stream.writes = nil
	return pkts, sizes
}

// wantSent compares the writes since the last call.
func (r *rig) wantSent(why string, want ...[]byte) {
	r.t.Helper()
	synctest.Wait()
	r.stream.mu.Lock()
	got := r.stream.writes
	r.stream.writes = nil
	r.stream.mu.Unlock()
	if !slices.EqualFunc(got, want, bytes.Equal) {
		r.t.Errorf("%s:\nwrites %.80x\nwant   %.80x", why, got, want)
	}
}

// wantDelivered compares the batches that the device was given since the last call.
func (r *rig) wantDelivered(why string, want ...[][]byte) {
	r.t.Helper()
	synctest.Wait()
	r.dev.mu.Lock()
	got := r.dev.written
	r.dev.written = nil
	r.dev.mu.Unlock()
	same := func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
	if !slices.EqualFunc(got, want, same) {
		r.t.Errorf("%s:\nbatches %.80x\nwant    %.80x", why, got, want)
	}
}

// wantEvents compares the packets delivered since the last call.
func (r *rig) wantEvents(why string, want ...[]byte) {
	r.t.Helper()
	synctest.Wait()
	for _, w := range want {
		select {
		case e := <-r.events:
			if e.Kind != ControlPacket || !bytes.Equal(e.Packet, w) {
				r.t.Errorf("%s: event %d %x %v, want the packet %x", why, e.Kind, e.Packet, e.Err, w)
			}
		default:
			r.t.Errorf("%s: no event, want the packet %x", why, w)
		}
	}
	select {
	case e := <-r.events:
		r.t.Errorf("%s: unexpected event %d %x %v", why, e.Kind, e.Packet, e.Err)
	default:
	}
}

// wantEnded wants the one event that says why it is over, and nothing after it.
func (r *rig) wantEnded(why string, code fault.Code, cause error) {
	r.t.Helper()
	synctest.Wait()
	select {
	case e := <-r.events:
		var f *fault.Error
		if e.Kind != Ended || !errors.As(e.Err, &f) || f.Code != code || !errors.Is(e.Err, cause) {
			r.t.Errorf("%s: event %d with %#v, want the end with %s because of %v", why, e.Kind, e.Err, code, cause)
		}
	default:
		r.t.Errorf("%s: nothing happened, want the end with %s", why, code)
	}
	r.wantEvents("the end is the last event")
}

func (r *rig) wantCounters(why string, want Counters) {
	r.t.Helper()
	synctest.Wait()
	if got := r.Counters(); got != want {
		r.t.Errorf("%s:\ncounters %+v\nwant     %+v", why, got, want)
	}
}

// ip4 and ip6 are packets of n bytes as far as the data path looks into them.
func ip4(n int, fill byte) []byte { return append([]byte{0x45}, bytes.Repeat([]byte{fill}, n-1)...) }
func ip6(n int, fill byte) []byte { return append([]byte{0x60}, bytes.Repeat([]byte{fill}, n-1)...) }

// data is an SSTP data packet with a PPP frame in its usual form.
func data(p ppp.Protocol, info []byte) []byte {
	return sstp.AppendData(nil, ppp.AppendFrame(nil, p, info))
}

// framedIP is data for an IP packet.
func framedIP(pkt []byte) []byte {
	if pkt[0]>>4 == 6 {
		return data(ppp.ProtoIPv6, pkt)
	}
	return data(ppp.ProtoIPv4, pkt)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

var (
	echoRequest = []byte{0x10, 0x01, 0, 8, 0, 8, 0, 0}
	echoAnswer  = []byte{0x10, 0x01, 0, 8, 0, 9, 0, 0}
	disconnect  = []byte{0x10, 0x01, 0, 8, 0, 6, 0, 0}
	lcpEcho     = data(ppp.ProtoLCP, []byte{9, 1, 0, 8, 0, 0, 0, 0})
)

// lcpEchoReply is an Echo-Reply of LCP.
func lcpEchoReply(id byte) []byte {
	return data(0xc021, []byte{10, id, 0, 8, 0, 0, 0, 0})
}
