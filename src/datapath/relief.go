package datapath

import (
	"errors"
	"os"
	"sync"
	"time"
)

const (
	// patience is how long a write may take before the packets that come meanwhile are looked after; it may become
	// twice as long.
	patience = 10 * time.Millisecond
	// bulk is the size of a write, in bytes, that may be part of a stream of data; to watch over smaller ones would
	// cost more than it brings. A link that is held up by them will soon have enough waiting for a larger one.
	bulk = 2048
)

// relief reads the device while the uplink is held up in a write. A TUN device does not hold its sender back, so what is
// not read queues up in the kernel, in one line, and is lost at its end: a bulk upload there would make all others
// wait for seconds. Read at once and kept in a fairQueue, it makes only itself wait.
//
// As long as the link takes what comes, none of this runs: the uplink reads and writes by itself.
type relief struct {
	p     *Pumps
	begun time.Time     // the queue's times count from here
	timer *time.Timer   // calls tick
	idle  chan struct{} // gets one value when reading has ended
	room  chan struct{} // the uplink has taken something out of the queue
	pause *time.Timer

	// The uplink's, and while reading relief's.
	dev  Device
	mtu  int
	buf  []byte
	ends []int

	mu      sync.Mutex
	armed   bool      // timer runs
	active  bool      // there was a write since the last tick
	writing bool      // there is one now
	since   time.Time // and this is when it began
	slow    bool      // do not wait for it
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

// enter says that a write begins. If it takes longer than patience, or at once when the link is known to be slow, relief
// will read dev. One timer for all writes of some milliseconds costs less than one for each.
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

// tick is the timer's function. It may be late, and run while another one reads.
func (r *relief) tick() {
	if r.begin() {
		r.read()
	}
}

// begin decides whether it is time to read.
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

// recall takes the device back. Its deadline is left in the past.
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

// read moves packets from the device to the queue until they are not wanted any more.
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
			r.dev.SetReadDeadline(time.Time{}) // first this, then look who has woken us, and why
			continue
		}
		r.push(n, err)
		if err != nil {
			break
		}
	}
	r.idle <- struct{}{}
}

// push puts the n packets in buf into the queue.
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

// wanted returns how many packets to read, or how long to wait when there is no room for any. Neither: no more is to be
// read.
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

// empty reports whether nothing waits; not to be called while relief reads.
func (r *relief) empty() bool { return r.queue == nil || r.queue.len == 0 }

// take lays waiting packets into buf and says how many have been dropped since the last call.
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
