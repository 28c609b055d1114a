package datapath

import "sync"

// maxQueued is how many control packets may wait: more than the protocols ever send by themselves, so whoever fills the
// queue answers a flood.
const maxQueued = 64

// queue holds whole SSTP packets of control until the uplink writes them. Two buffers change places, so a packet is
// copied once and nothing is allocated in the long run.
type queue struct {
	mu      sync.Mutex
	waiting packets
	writing packets       // the uplink's between take and done
	busy    bool          // writing is in use
	empty   chan struct{} // closed when all is written; nil: nobody waits for it
	closed  bool
}

// packets are some packets, one behind the other.
type packets struct {
	buf  []byte
	ends []int
}

func (q *queue) push(pkt []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.waiting.ends) == maxQueued {
		return false
	}
	w := &q.waiting
	w.buf = append(w.buf, pkt...)
	w.ends = append(w.ends, len(w.buf))
	return true
}

// take returns what waits; none: nothing does. It is valid until done is called.
func (q *queue) take() (buf []byte, ends []int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting.ends) == 0 {
		return nil, nil
	}
	q.waiting, q.writing, q.busy = q.writing, q.waiting, true
	return q.writing.buf, q.writing.ends
}

// done says that what take returned is written.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	if cap(q.writing.buf) > maxWrite { // after a burst
		q.writing.buf = nil
	}
	q.writing.buf, q.writing.ends = q.writing.buf[:0], q.writing.ends[:0]
	if q.empty != nil && len(q.waiting.ends) == 0 {
		close(q.empty)
		q.empty = nil
	}
}

// drained returns nil when nothing waits or is being written, and otherwise a channel that is closed when that is so.
func (q *queue) drained() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.busy && len(q.waiting.ends) == 0 {
		return nil
	}
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	return q.empty
}

// close makes push refuse.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
