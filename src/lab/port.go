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

// port is one client's place at the shared device: the device of that client's pumps. What the device has for the
// client waits in a queue of two halves, one being filled under the lock, the other being emptied by the one reader
// without it.
type port struct {
	write   func(pkts [][]byte) (int, error) // into the shared device; nil: echoes are answered here
	advert  atomic.Pointer[[]byte]           // the router advertisement that answers a solicitation
	dropped atomic.Uint64

	out   batch         // the reader's alone
	wake  chan struct{} // one token: look again
	space chan struct{} // one token: the reader has taken what was there, or is gone

	mu      sync.Mutex
	in      batch
	expired bool // the read deadline has passed
	timer   *time.Timer
}

func newPort(write func(pkts [][]byte) (int, error)) *port {
	return &port{write: write, wake: make(chan struct{}, 1), space: make(chan struct{}, 1)}
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
			signal(p.space)
		}
		p.mu.Unlock()
		if n = p.out.take(buf, room, ends); n > 0 {
			return n, nil
		}
		<-p.wake
	}
}

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
	signal(p.wake)
	return nil
}

// Dropped returns how many packets found the queue full; the pumps count them as lost on the way to the client.
func (p *port) Dropped() uint64 { return p.dropped.Load() }

func (p *port) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired = true
	signal(p.wake)
}

// signal leaves a token, if there is none.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// crowded reports whether the queue may have no room for another hubBytes.
func (p *port) crowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.in.buf) > queueBytes-hubBytes || len(p.in.ends) > queuePackets-hubPackets
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
	signal(p.wake)
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
