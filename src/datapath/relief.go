package datapath

import (
	"errors"
	"os"
	"sync"
	"time"
)

const (
	// patience is how long a write may block before relief starts reading the device. Because one timer serves many
	// writes, it may take up to twice as long.
	patience = 10 * time.Millisecond
	// bulk is the size in bytes from which a write is watched. Watching smaller writes would cost more than it gains: if
	// they block the link, enough data for a larger write soon builds up.
	bulk = 2048
)

// relief reads the device while the uplink is blocked in a write. A TUN device does not hold its sender back. Packets that
// nobody reads form one queue in the kernel, which drops at its end, and one bulk upload would delay all other flows for
// seconds. relief puts them into a fairQueue instead, where a flow delays only itself.
//
// While the link takes all that comes, relief does not run: the uplink reads and writes by itself.
type relief struct {
	p     *Pumps
	begun time.Time     // the queue counts its times from here
	timer *time.Timer   // calls tick
	idle  chan struct{} // gets one value when read returns
	room  chan struct{} // gets a value when the uplink has taken packets out of the queue
	pause *time.Timer

	// These belong to the uplink, and to relief while it reads.
	dev  Device
	mtu  int
	buf  []byte
	ends []int

	mu      sync.Mutex
	armed   bool      // the timer runs
	active  bool      // a write has begun since the last tick
	writing bool      // a write is in progress
	since   time.Time // when that write began
	slow    bool      // read at once, without waiting for patience
	owner   owner     // who reads the device
	err     error     // the device has failed
	queue   *fairQueue
}

func newRelief(p *Pumps) *relief {
	r := &relief{p: p, begun: time.Now(), idle: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	r.timer = time.AfterFunc(time.Hour, r.tick)
	r.timer.Stop()
	r.pause = time.NewTimer(time.Hour)
	r.pause.Stop()
	return r
}

// enter notes that a write begins. When it takes longer than patience, relief starts reading dev; on a slow link it starts
// at once. One timer serves all writes of some milliseconds, because a timer for each write would cost more.
func (r *relief) enter(dev Device, mtu int, now time.Time, slow bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dev, r.mtu = dev, mtu
	r.writing, r.since, r.active, r.slow = true, now, true, slow
	if slow {
		r.timer.Reset(0)
	} else if !r.armed {
		r.timer.Reset(patience)
	}
	r.armed = true
}

// leave notes that the write is over. From here on relief no longer takes the device; what it has taken, it keeps until
// recall.
func (r *relief) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writing = false
}

// hasDevice reports whether relief reads the device. Only the uplink may ask, and not between enter and leave.
func (r *relief) hasDevice() bool { return r.owner != uplinkReads }

// tick is called by the timer. It may come late, while an earlier tick is still reading.
func (r *relief) tick() {
	if r.begin() {
		r.read()
	}
}

// begin reports whether relief has taken the device and must read it now.
func (r *relief) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	took := time.Since(r.since)
	switch {
	case r.owner != uplinkReads:
		r.armed = false
	case r.writing && (r.slow || took >= patience):
		r.armed = false
		if r.queue == nil || r.queue.mtu < r.mtu && r.queue.len == 0 {
			r.queue = newFairQueue(r.mtu, r.p.flowSeed)
		}
		return r.owner.lend()
	case r.writing:
		r.timer.Reset(patience - took)
	case r.active:
		r.active = false
		r.timer.Reset(patience)
	default:
		r.armed = false
	}
	return false
}

// recall takes the device back and returns the error with which it failed, if any. The device's deadline stays in the
// past.
func (r *relief) recall() error {
	r.mu.Lock()
	r.owner.recall()
	r.mu.Unlock()
	r.dev.SetReadDeadline(longAgo)
	<-r.idle
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.err
	r.err = nil
	r.owner.returned()
	return err
}

// read moves packets from the device to the queue until wanted says stop or the device fails.
func (r *relief) read() {
	if r.buf == nil {
		r.buf, r.ends = make([]byte, maxWrite), make([]int, maxBatch)
	}
	for {
		n, wait := r.wanted()
		if n == 0 && wait == 0 {
			break
		}
		if n == 0 {
			r.pause.Reset(wait)
			select {
			case <-r.room:
			case <-r.pause.C:
			}
			r.pause.Stop()
			continue
		}
		n, err := r.dev.ReadPackets(r.buf, 0, r.ends[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			r.dev.SetReadDeadline(time.Time{}) // clear the deadline first, then look why it was set
			continue
		}
		r.push(n, err)
		if err != nil {
			break
		}
	}
	r.idle <- struct{}{}
}

// push puts the n packets in buf into the queue and keeps err for recall.
func (r *relief) push(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, start := time.Since(r.begun), 0
	for _, end := range r.ends[:n] {
		r.queue.push(r.buf[start:end], now)
		start = end
	}
	r.err = err
}

// wanted returns how many packets to read, or how long to wait while the queue is full. Both are zero when relief is to
// stop.
func (r *relief) wanted() (n int, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.p.gate.Load(); r.owner == reliefReturns || g == nil || g.dev != r.dev || r.p.done() {
		return 0, 0
	}
	if r.queue.room() == 0 {
		if wait := r.queue.makeRoom(time.Since(r.begun)); wait > 0 {
			return 0, wait
		}
	}
	return min(r.queue.room(), len(r.ends)), 0
}

// empty reports whether nothing is queued. It must not be called while relief reads.
func (r *relief) empty() bool { return r.queue == nil || r.queue.len == 0 }

// take puts queued packets into buf and returns how many packets were dropped since the last call.
func (r *relief) take(buf []byte, ends []int, target time.Duration) (n int, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue.target = target
	n = r.queue.take(buf, headroom, ends, time.Since(r.begun))
	dropped, r.queue.dropped = r.queue.dropped, 0
	select {
	case r.room <- struct{}{}:
	default:
	}
	return n, dropped
}
