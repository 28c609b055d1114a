package lab

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// How much a client's queue holds. Packets beyond it are dropped, as a router does.
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

// take moves as many packets as fit into buf, in the layout of Device.ReadPackets. A packet larger than buf is dropped.
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

// clientDevice is one client's share of the TUN device, and the device of that client's pumps. Packets for the client wait
// in a queue of two halves: one is filled under the lock, the other is emptied by the one reader without it. Where the
// client is alone, only router advertisements pass through the queue.
type clientDevice struct {
	hub     *hub                             // nil: there is no device
	write   func(pkts [][]byte) (int, error) // into the shared device; nil: echoes are answered here
	advert  atomic.Pointer[[]byte]           // the router advertisement that answers a solicitation
	dropped atomic.Uint64

	out   batch         // owned by the reader
	ahead *routes       // the TUN device had more packets ready under these routes; nil: it had none. Owned by the reader
	wake  chan struct{} // one token: check again

	mu      sync.Mutex
	in      batch
	expired bool // the read deadline has passed
	timer   *time.Timer
}

func newClientDevice(write func(pkts [][]byte) (int, error)) *clientDevice {
	return &clientDevice{write: write, wake: make(chan struct{}, 1)}
}

// ReadPackets implements Device.
func (d *clientDevice) ReadPackets(buf []byte, room int, ends []int) (n int, err error) {
	for {
		d.mu.Lock()
		if d.expired {
			d.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		if d.out.empty() && !d.in.empty() {
			d.in, d.out = d.out, d.in
		}
		d.mu.Unlock()
		if n = d.out.take(buf, room, ends); n > 0 {
			return n, nil
		}
		if d.ahead != nil && d.ahead != d.hub.routes.Load() {
			d.ahead = nil
			return 0, nil // the packets that were ready may be for somebody else now
		}
		select {
		case <-d.wake:
		case <-d.turn():
			if n, err = d.readDevice(buf, room, ends); n > 0 || err != nil {
				return n, err
			}
		}
	}
}

// turn returns the channel with the right to read the TUN device, or nil while other clients share it.
func (d *clientDevice) turn() chan struct{} {
	if !d.alone() {
		return nil
	}
	return d.hub.turn
}

func (d *clientDevice) alone() bool { return d.hub != nil && d.hub.routes.Load().lone == d }

// readDevice reads the TUN device and keeps the packets for this client. The caller has taken the turn. It returns no
// packets when something else must be checked first.
func (d *clientDevice) readDevice(buf []byte, room int, ends []int) (n int, err error) {
	read, err := d.hub.read(d, buf, room, ends)
	r, start, at := d.hub.routes.Load(), 0, 0
	for _, end := range ends[:read] {
		if r.find(buf[start+room:end]) == d {
			at += copy(buf[at:], buf[start:end])
			ends[n] = at
			n++
		}
		start = end
	}
	return n, err
}

// busy reports whether something must be checked before the TUN device is read under these routes. For the hub, a nil d,
// that is never so.
func (d *clientDevice) busy(r *routes) bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.expired || !d.in.empty() || d.ahead != nil && d.ahead != r
}

// Pending implements datapath.Lookahead.
func (d *clientDevice) Pending() bool { return d.ahead != nil || !d.out.empty() }

// SetReadDeadline implements Device.
func (d *clientDevice) SetReadDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.expired = false
	if t.IsZero() {
		return nil
	}
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, d.expire)
		return nil
	}
	d.expired = true
	d.wakeReader()
	return nil
}

// Dropped returns how many packets found the queue full. The pumps count them as dropped on the way to the client.
func (d *clientDevice) Dropped() uint64 { return d.dropped.Load() }

func (d *clientDevice) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expired = true
	d.wakeReader()
}

// wakeReader makes the reader check again, wherever it waits.
func (d *clientDevice) wakeReader() {
	signal(d.wake)
	if d.alone() {
		d.hub.interrupt()
	}
}

// signal leaves a token unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// offer queues packets for the client. Those that find the queue full are dropped.
func (d *clientDevice) offer(pkts ...[]byte) {
	d.mu.Lock()
	for _, pkt := range pkts {
		if !d.in.put(pkt) {
			d.dropped.Add(1)
		}
	}
	d.mu.Unlock()
	d.wakeReader()
}

// advertise sends the router advertisement, once there is one.
func (d *clientDevice) advertise() {
	if ra := d.advert.Load(); ra != nil {
		d.offer(*ra)
	}
}

// WritePackets implements Device.
func (d *clientDevice) WritePackets(pkts [][]byte) (written int, err error) {
	for _, pkt := range pkts {
		if isRouterSolicitation(pkt) {
			time.AfterFunc(advertiseDelay, d.advertise)
		}
	}
	if d.write != nil {
		return d.write(pkts)
	}
	d.mu.Lock()
	for _, pkt := range pkts {
		if bounce(pkt) && !d.in.put(pkt) {
			d.dropped.Add(1)
		}
	}
	d.mu.Unlock()
	signal(d.wake)
	return len(pkts), nil
}
