package datapath

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"sstp/src/ppp"
	"sstp/src/sstp"
)

// Stream is the connection to the server after the HTTP opening: a TLS connection, or a socket with kernel TLS.
type Stream interface {
	io.Reader
	io.Writer
	SetWriteDeadline(t time.Time) error
}

// Device is a TUN device; *tun.Device is one. One with a method Dropped() uint64 has what it lost itself counted too.
type Device interface {
	// ReadPackets blocks until a packet is there, then takes what is readable without waiting. Packet i is
	// buf[ends[i-1]+room : ends[i]]; n may be 0.
	ReadPackets(buf []byte, room int, ends []int) (n int, err error)
	// WritePackets writes in order and may change the packets' bytes. A packet that the kernel refuses is skipped;
	// err is only set when the device is gone.
	WritePackets(pkts [][]byte) (written int, err error)
	// SetReadDeadline ends a ReadPackets that waits, and later ones, with os.ErrDeadlineExceeded.
	SetReadDeadline(t time.Time) error
}

// Batcher is a Stream for which several writes, or several reads, at once cost less than one by one.
type Batcher interface {
	// Hold says that the next Write is followed by another at once, or with false that it is not: what is held goes
	// out with it.
	Hold(more bool)
	// Flush sends what is held, when there is no other write after all.
	Flush() error
	// Ready reports whether Read has much to give without waiting.
	Ready() bool
}

// Lookahead is a Device that knows whether the next ReadPackets has something without waiting.
type Lookahead interface{ Pending() bool }

// EventKind says what an Event is.
type EventKind uint8

const (
	// ControlPacket carries a packet that is not for the device: SSTP control, or data with a PPP frame other than IP.
	ControlPacket EventKind = iota
	// Ended is the last event of a Pumps: the stream or the device has failed.
	Ended
)

// Event is what the pumps tell their owner.
type Event struct {
	Kind   EventKind
	Packet []byte // ControlPacket: a whole SSTP packet; the receiver owns it
	Err    error  // Ended: a *fault.Error
}

// Pumps are the two goroutines of one call. They are made for one stream, which their owner closes before he calls
// Stop. The device is the owner's too and may serve the next call; until Stop has returned nobody else may use it.
type Pumps struct {
	stream   Stream
	batch    Batcher // stream, or nobody
	flowSeed uint32  // of the fair queue's hash
	deliver  func(Event)
	counts   counts
	gate     atomic.Pointer[gate]
	queue    queue
	wake     chan struct{} // the uplink has something to look at; for when it is not in ReadPackets
	stop     chan struct{} // closed by Stop
	over     chan struct{} // closed when a pump has failed
	wg       sync.WaitGroup

	events   sync.Mutex // held while deliver runs
	ended    bool       // Ended was delivered, or Stop has begun: nothing more is
	stopOnce sync.Once
}

// gate is what IP may pass through. It is never changed, only replaced.
type gate struct {
	dev    Device
	mtu    int
	v4, v6 bool
	lost   uint64 // dev's own Dropped when it came into use
}

// New returns pumps that stand still. flowSeed salts the hash by which the fair queue tells flows apart: random, and fixed in
// tests. deliver takes the events: calls come from the pumps' goroutines, one at a time. It
// may block, but has to return once the owner is about to call Stop.
func New(stream Stream, flowSeed uint32, deliver func(Event)) *Pumps {
	batch, ok := stream.(Batcher)
	if !ok {
		batch = single{}
	}
	return &Pumps{
		stream:   stream,
		flowSeed: flowSeed,
		batch:    batch,
		deliver:  deliver,
		wake:     make(chan struct{}, 1),
		stop:     make(chan struct{}),
		over:     make(chan struct{}),
	}
}

// single is the Batcher of a stream that is none.
type single struct{}

func (single) Hold(bool)    {}
func (single) Flush() error { return nil }
func (single) Ready() bool  { return false }

// Start starts the uplink and the downlink. Control packets flow from now on, IP after Open.
func (p *Pumps) Start() {
	p.wg.Go(func() { p.fail(p.uplink()) })
	p.wg.Go(func() { p.fail(p.downlink()) })
}

// Open lets IP flow both ways: v4 and v6 say which versions. It may be called again, with the same device or another
// one. mtu is the largest packet that is sent; larger ones are dropped.
func (p *Pumps) Open(dev Device, mtu int, v4, v6 bool) {
	g := &gate{dev: dev, mtu: min(mtu, sstp.MaxPayloadLen-ppp.HeaderLen), v4: v4, v6: v6, lost: lost(dev)}
	p.swapGate(g)
}

// CloseGate stops the flow of IP both ways; packets that arrive are dropped and counted. Control packets go on.
func (p *Pumps) CloseGate() { p.swapGate(nil) }

func (p *Pumps) swapGate(g *gate) {
	old := p.gate.Swap(g)
	if old != nil {
		p.counts.txDropped.Add(lost(old.dev) - old.lost)
		if g == nil || g.dev != old.dev {
			old.dev.SetReadDeadline(longAgo)
		}
	}
	p.wakeUplink()
}

// Send queues one whole SSTP packet of control, which goes out ahead of data. The packet is copied. It reports false when
// the packet is lost because 64 are waiting, which only a flooding peer can bring about: the call has to end then. Answers
// to echo requests are never refused; of too many that wait, the latest go out. Once the pumps have ended, which the owner
// hears of by an event, packets go nowhere.
func (p *Pumps) Send(pkt []byte) bool {
	if !p.queue.push(pkt) {
		return false
	}
	p.wakeUplink()
	return true
}

// Drain waits until everything that Send took has been written to the stream, at most for timeout, and reports whether
// it was.
func (p *Pumps) Drain(timeout time.Duration) bool {
	empty := p.queue.drained()
	if empty == nil {
		return true
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-empty:
		return true
	case <-timer.C:
	case <-p.over:
	case <-p.stop:
	}
	return p.queue.drained() == nil
}

// Stopping is closed when Stop begins, for a deliver that has nothing else to give up on.
func (p *Pumps) Stopping() <-chan struct{} { return p.stop }

// Stop ends both goroutines and waits for them. The stream must have been closed before, which is what ends the
// downlink. No event is delivered after Stop has returned; the device stays open. Stop may be called again.
func (p *Pumps) Stop() {
	p.stopOnce.Do(func() {
		close(p.stop)
		p.wakeUplink()
	})
	p.wg.Wait()
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// wakeUplink makes the uplink look at the queue, the gate and stop again, wherever it waits. It does so with nothing lost
// because the uplink takes back a device's deadline first and looks afterwards.
func (p *Pumps) wakeUplink() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
	if g := p.gate.Load(); g != nil {
		g.dev.SetReadDeadline(longAgo)
	}
}

// done reports whether the pumps are to end.
func (p *Pumps) done() bool {
	select {
	case <-p.stop:
	case <-p.over:
	default:
		return false
	}
	return true
}

// tell delivers a control packet.
func (p *Pumps) tell(pkt []byte) {
	p.events.Lock()
	defer p.events.Unlock()
	if !p.ended && !p.done() {
		p.deliver(Event{Kind: ControlPacket, Packet: append([]byte(nil), pkt...)})
	}
}

// fail delivers the end and makes the other pump end too. Only the first error counts; nil is an end that was asked for.
func (p *Pumps) fail(err error) {
	if err == nil {
		return
	}
	p.events.Lock()
	defer p.events.Unlock()
	if p.ended || p.done() {
		return
	}
	p.ended = true
	close(p.over)
	p.queue.close()
	p.wakeUplink()
	p.deliver(Event{Kind: Ended, Err: err})
}
