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

// Device is a TUN device; *tun.Device is one. If it has a method Dropped() uint64, the counters include what the device
// itself dropped.
type Device interface {
	// ReadPackets blocks until a packet arrives, then takes what is readable without waiting. Packet i is
	// buf[ends[i-1]+room : ends[i]]; n may be 0.
	ReadPackets(buf []byte, room int, ends []int) (n int, err error)
	// WritePackets writes in order and may change the packets' bytes. A packet that the kernel refuses is skipped;
	// err is only set when the device is gone.
	WritePackets(pkts [][]byte) (written int, err error)
	// SetReadDeadline makes a waiting ReadPackets, and later ones, fail with os.ErrDeadlineExceeded once t has passed.
	SetReadDeadline(t time.Time) error
}

// Batcher is a Stream that does several writes, or several reads, at once for less than one by one.
type Batcher interface {
	// Hold(true) announces that another Write follows the next one at once, so that the stream may keep its data.
	// Hold(false) announces that none follows: the next Write sends all that is held.
	Hold(more bool)
	// Flush sends what is held, when no other Write follows after all.
	Flush() error
	// Ready reports whether Read would return much data without waiting.
	Ready() bool
}

// Lookahead is a Device that knows whether the next ReadPackets returns packets without waiting.
type Lookahead interface{ Pending() bool }

// EventKind says what an Event is.
type EventKind uint8

const (
	// ControlPacket carries a packet that is not for the device: SSTP control, or a PPP frame other than IP.
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

// Pumps are the two goroutines of one call. They serve one stream, which the owner must close before calling Stop. The
// device belongs to the owner too and may serve the next call, but nobody else may use it until Stop has returned.
type Pumps struct {
	stream   Stream
	batch    Batcher // the stream itself, or single
	flowSeed uint32  // seed of the fair queue's hash
	deliver  func(Event)
	counts   counts
	gate     atomic.Pointer[gate]
	queue    queue
	wake     chan struct{} // wakes the uplink when it is not blocked in ReadPackets
	stop     chan struct{} // closed by Stop
	over     chan struct{} // closed when a pump has failed
	wg       sync.WaitGroup

	events   sync.Mutex // held while deliver runs
	ended    bool       // Ended was delivered; nothing more will be
	stopOnce sync.Once
}

// gate decides which IP packets pass, and to which device. It is never changed, only replaced.
type gate struct {
	dev    Device
	mtu    int
	v4, v6 bool
	lost   uint64 // dev's own Dropped when it came into use
}

// New returns pumps that are not running yet. flowSeed salts the hash by which the fair queue tells flows apart. It must be
// random, except in tests. The pumps' goroutines call deliver with each event, one call at a time. deliver may block, but
// must return once the owner is about to call Stop.
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

// single is the Batcher of a stream that does not batch.
type single struct{}

func (single) Hold(bool)    {}
func (single) Flush() error { return nil }
func (single) Ready() bool  { return false }

// Start starts the uplink and the downlink. Control packets flow from then on, and IP packets after Open.
func (p *Pumps) Start() {
	p.wg.Go(func() { p.fail(p.uplink()) })
	p.wg.Go(func() { p.fail(p.downlink()) })
}

// Open lets IP packets flow both ways. v4 and v6 say which versions pass. mtu is the largest packet that is sent; larger
// ones are dropped. Open may be called again, with the same device or another one.
func (p *Pumps) Open(dev Device, mtu int, v4, v6 bool) {
	g := &gate{dev: dev, mtu: min(mtu, sstp.MaxPayloadLen-ppp.HeaderLen), v4: v4, v6: v6, lost: lost(dev)}
	p.swapGate(g)
}

// CloseGate stops the flow of IP packets both ways. Packets that arrive are dropped and counted. Control packets still
// flow.
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

// Send queues a copy of one whole SSTP control packet, which goes out ahead of data. It reports false when the packet is
// lost because 64 are already waiting. Only a flooding peer can cause that, and the caller must end the call. Send never
// refuses an answer to an echo request: if too many wait, the latest ones go out. After the Ended event packets are
// discarded.
func (p *Pumps) Send(pkt []byte) bool {
	if !p.queue.push(pkt) {
		return false
	}
	p.wakeUplink()
	return true
}

// Drain waits at most timeout until everything that Send took has been written to the stream. It reports whether it has.
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

// Stopping returns a channel that is closed when Stop begins. A deliver that blocks may use it to give up.
func (p *Pumps) Stopping() <-chan struct{} { return p.stop }

// Stop ends both goroutines and waits for them. The caller must close the stream first, which ends the downlink. No event
// is delivered after Stop has returned. The device stays open. Stop may be called again.
func (p *Pumps) Stop() {
	p.stopOnce.Do(func() {
		close(p.stop)
		p.wakeUplink()
	})
	p.wg.Wait()
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// wakeUplink makes the uplink look at the queue, the gate and stop again, wherever it waits. No wake-up is lost, because
// the uplink first clears the device's deadline and looks afterwards.
func (p *Pumps) wakeUplink() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
	if g := p.gate.Load(); g != nil {
		g.dev.SetReadDeadline(longAgo)
	}
}

// done reports whether the pumps must end.
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

// fail delivers Ended and makes the other pump end too. Only the first error counts. nil means that the owner asked for the
// end.
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
