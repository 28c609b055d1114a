package datapath

import (
	"sync"

	"sstp/src/ppp"
	"sstp/src/sstp"
)

const (
	// maxQueued is how many control packets may wait, not counting answers to echo requests. The protocols never send so
	// many by themselves, so a full queue means that the peer floods us.
	maxQueued = 64
	// maxEchoes is how many answers to echo requests may wait. Any answer proves that we are alive, so the latest ones can
	// stand for the others.
	maxEchoes = 16
)

// queue holds whole SSTP control packets until the uplink writes them. It swaps two buffers, so a packet is copied once and
// nothing is allocated in the long run.
type queue struct {
	mu      sync.Mutex
	waiting packets
	writing packets       // belongs to the uplink between take and done
	echoes  int           // answers to echo requests in waiting
	busy    bool          // writing is in use
	empty   chan struct{} // closed when all is written; nil means that nobody waits for it
	closed  bool
}

// packets is a list of packets in one buffer.
type packets struct {
	buf  []byte
	ends []int
}

// push queues a packet and reports false when there is no room for it. A closed queue takes everything and keeps nothing.
func (q *queue) push(pkt []byte) bool {
	echo := isEchoAnswer(pkt)
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &q.waiting
	switch {
	case q.closed:
		return true
	case echo && q.echoes == maxEchoes:
		w.replaceEcho(pkt)
		return true
	case echo:
		q.echoes++
	case len(w.ends)-q.echoes == maxQueued:
		return false
	}
	w.buf = append(w.buf, pkt...)
	w.ends = append(w.ends, len(w.buf))
	return true
}

// replaceEcho replaces the last waiting answer to an echo request of the same length, if there is one. A peer that counts
// answers by number then misses an older one and not the answer to its latest request.
func (p *packets) replaceEcho(pkt []byte) {
	for i := len(p.ends) - 1; i >= 0; i-- {
		start := 0
		if i > 0 {
			start = p.ends[i-1]
		}
		if old := p.buf[start:p.ends[i]]; len(old) == len(pkt) && isEchoAnswer(old) {
			copy(old, pkt)
			return
		}
	}
}

// isEchoAnswer reports whether an SSTP packet answers an echo request, of SSTP or of LCP.
func isEchoAnswer(pkt []byte) bool {
	if len(pkt) < sstp.HeaderLen {
		return false
	}
	if sstp.IsControl(pkt) {
		m, err := sstp.ParseControl(pkt)
		return err == nil && m.Type == sstp.EchoResponse
	}
	return ppp.IsEchoReply(sstp.Payload(pkt))
}

// take returns the waiting packets, or nil when there are none. They are valid until done is called.
func (q *queue) take() (buf []byte, ends []int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting.ends) == 0 {
		return nil, nil
	}
	q.waiting, q.writing, q.busy, q.echoes = q.writing, q.waiting, true, 0
	return q.writing.buf, q.writing.ends
}

// done notes that what take returned has been written.
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

// drained returns nil when nothing waits or is being written. Otherwise it returns a channel that is closed at that moment.
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

// close makes push discard all further packets.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
