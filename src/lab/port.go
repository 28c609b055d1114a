package lab

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// How much a client's queue holds; what comes on top is dropped, as a router does it.
const (
	queueBytes   = 256 << 10
	queuePackets = 1024
)

// batch is packets laid one behind the other, filled by one side and emptied by the other.
type batch struct {
	buf  []byte
	ends []int
	next int // the first packet not yet taken
}

func (b *batch) put(pkt []byte) bool {
	if len(b.buf)+len(pkt) > queueBytes || len(b.ends) == queuePackets {
		return false
	}
	b.buf = append(b.buf, pkt...)
	b.ends = append(b.ends, len(b.buf))
	return true
}

// take moves as many packets as fit into buf, in the layout of Device.ReadPackets. A packet that buf could not even hold
// alone is lost.
func (b *batch) take(buf []byte, room int, ends []int) (n int) {
	at := 0
	for b.next < len(b.ends) && n < len(ends) {
		start := 0
		if b.next > 0 {
			start = b.ends[b.next-1]
		}
		pkt := b.buf[start:b.ends[b.next]]
		if at+room+len(pkt) > len(buf) {
			if at > 0 {
				break
			}
			b.next++
			continue
		}
		at += room + copy(buf[at+room:], pkt)
		ends[n] = at
		n++
		b.next++
	}
	if b.next == len(b.ends) {
		b.buf, b.ends, b.next = b.buf[:0], b.ends[:0], 0
	}
	return n
}

func (b *batch) empty() bool { return len(b.ends) == 0 }

// port is one client's place at the shared device: the device of that client's pumps. What others have for the client
// waits in a queue of two halves, one being filled under the lock, the other being emptied by the one reader without it.
// Of a client that is alone only router advertisements pass through it.
type port struct {
	hub     *hub                             // nil: there is no device
	write   func(pkts [][]byte) (int, error) // into the shared device; nil: echoes are answered here
	advert  atomic.Pointer[[]byte]           // the router advertisement that answers a solicitation
	dropped atomic.Uint64

	out   batch         // the reader's alone
	ahead *routes       // the device had more without waiting, by these routes; the reader's alone
	wake  chan struct{} // one token: look again

	mu      sync.Mutex
	in      batch
	expired bool // the read deadline has passed
	timer   *time.Timer
}

func newPort(write func(pkts [][]byte) (int, error)) *port {
	return &port{write: write, wake: make(chan struct{}, 1)}
}

// ReadPackets implements Device.
func (p *port) ReadPackets(buf []byte, room int, ends []int) (n int, err error) {
	for {
		p.mu.Lock()
		if p.expired {
			p.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		if p.out.empty() && !p.in.empty() {
			p.in, p.out = p.out, p.in
		}
		p.mu.Unlock()
		if n = p.out.take(buf, room, ends); n > 0 {
			return n, nil
		}
		if p.ahead != nil && p.ahead != p.hub.routes.Load() {
			p.ahead = nil
			return 0, nil // what was announced is somebody else's now
		}
		select {
		case <-p.wake:
		case <-p.turn():
			if n, err = p.readDevice(buf, room, ends); n > 0 || err != nil {
				return n, err
			}
		}
	}
}

// turn is where the right to read the device comes from; nil: this port has to wait for its packets.
func (p *port) turn() chan struct{} {
	if !p.alone() {
		return nil
	}
	return p.hub.turn
}

func (p *port) alone() bool { return p.hub != nil && p.hub.routes.Load().lone == p }

// readDevice reads the device, whose turn the caller has taken, and leaves what is for this client. It returns nothing
// when there is something else to look at.
func (p *port) readDevice(buf []byte, room int, ends []int) (n int, err error) {
	read, err := p.hub.read(p, buf, room, ends)
	r, start, at := p.hub.routes.Load(), 0, 0
	for _, end := range ends[:read] {
		if r.find(buf[start+room:end]) == p {
			at += copy(buf[at:], buf[start:end])
			ends[n] = at
			n++
		}
		start = end
	}
	return n, err
}

// busy reports whether there is something to look at before the device, by these routes. A nil port, the hub, has nothing
// of the kind.
func (p *port) busy(r *routes) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expired || !p.in.empty() || p.ahead != nil && p.ahead != r
}

// Pending implements datapath.Lookahead.
func (p *port) Pending() bool { return p.ahead != nil || !p.out.empty() }

// SetReadDeadline implements Device.
func (p *port) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.expired = false
	if t.IsZero() {
		return nil
	}
	if wait := time.Until(t); wait > 0 {
		p.timer = time.AfterFunc(wait, p.expire)
		return nil
	}
	p.expired = true
	p.stir()
	return nil
}

// Dropped returns how many packets found the queue full; the pumps count them as lost on the way to the client.
func (p *port) Dropped() uint64 { return p.dropped.Load() }

func (p *port) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired = true
	p.stir()
}

// stir makes the reader look again, wherever it waits.
func (p *port) stir() {
	signal(p.wake)
	if p.alone() {
		p.hub.interrupt()
	}
}

// signal leaves a token, if there is none.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// offer queues packets for the client; those that the queue has no room for are dropped.
func (p *port) offer(pkts ...[]byte) {
	p.mu.Lock()
	for _, pkt := range pkts {
		if !p.in.put(pkt) {
			p.dropped.Add(1)
		}
	}
	p.mu.Unlock()
	p.stir()
}

// advertise sends the router advertisement, once there is one.
func (p *port) advertise() {
	if ra := p.advert.Load(); ra != nil {
		p.offer(*ra)
	}
}

// WritePackets implements Device.
func (p *port) WritePackets(pkts [][]byte) (written int, err error) {
	for _, pkt := range pkts {
		if isRouterSolicitation(pkt) {
			time.AfterFunc(advertiseDelay, p.advertise)
		}
	}
	if p.write != nil {
		return p.write(pkts)
	}
	p.mu.Lock()
	for _, pkt := range pkts {
		if bounce(pkt) && !p.in.put(pkt) {
			p.dropped.Add(1)
		}
	}
	p.mu.Unlock()
	signal(p.wake)
	return len(pkts), nil
}
