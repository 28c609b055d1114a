package datapath

import (
	"encoding/binary"
	"time"
)

const (
	flowCount = 256 // a power of 2
	slotCount = 512 // packets that the queue can hold
	dropCount = 8   // packets dropped at a time when the queue is full
	none      = -1
	// minTarget is the age from which a packet is late on a link that is not slow (RFC 8289 section 4.4).
	minTarget = 5 * time.Millisecond
	// longestBurst is how long the queue may stay full before packets are dropped.
	longestBurst = 20 * time.Millisecond
)

// fairQueue is FQ-CoDel (RFC 8290). Flows take turns, flows that send little go first, and dropping or marking keeps the
// queue of each flow short. All memory is allocated once. Nothing in it reads a clock.
type fairQueue struct {
	mtu       int
	bytes     []byte // slotCount times mtu
	slots     [slotCount]slot
	free      int // the first free slot
	flows     [flowCount]flow
	fresh     list // flows that were empty when their packet came
	old       list
	seed      uint32        // salts the hash of the flows, so that nobody can aim at the flow of somebody else
	len       int           // packets
	fullSince time.Duration // when it first filled up since it was last nearly empty; 0 means not since
	target    time.Duration
	dropped   uint64
}

// slot is the place of one packet.
type slot struct {
	len  int
	at   time.Duration // when it came
	next int           // the next slot of its flow, or of the free list
}

type flow struct {
	first, last int // slots
	bytes       int
	credit      int  // bytes that the flow may still send in this turn
	listed      bool // in fresh or old
	next        int  // the next flow in the same list
	codel
}

// list is a queue of flows.
type list struct{ first, last int }

// newFairQueue returns an empty queue for packets of at most mtu bytes. seed salts the hash that tells flows apart
// (RFC 8290 section 4.1.1); in production it is random.
func newFairQueue(mtu int, seed uint32) *fairQueue {
	q := &fairQueue{
		mtu:    mtu,
		bytes:  make([]byte, slotCount*mtu),
		seed:   seed,
		fresh:  list{none, none},
		old:    list{none, none},
		target: minTarget,
	}
	for i := range q.slots {
		q.slots[i].next = i + 1
	}
	q.slots[slotCount-1].next = none
	for i := range q.flows {
		q.flows[i].first = none
	}
	return q
}

// room returns how many packets can be pushed before the queue is full.
func (q *fairQueue) room() int { return slotCount - q.len }

// makeRoom is called when the queue is full. If it has been full for longer than a burst lasts, packets come faster than
// they can leave, and makeRoom drops some of the flow with the most bytes. Otherwise packets can stay in the device, and
// makeRoom returns how long to wait.
func (q *fairQueue) makeRoom(now time.Duration) (wait time.Duration) {
	if q.fullSince == 0 {
		q.fullSince = now
	}
	if wait := q.fullSince + longestBurst - now; wait > 0 {
		return wait
	}
	q.dropOldest(q.fattest())
	return 0
}

// push copies a packet into the queue. When the queue is full, push first drops packets of the flow with the most bytes.
func (q *fairQueue) push(pkt []byte, now time.Duration) {
	if len(pkt) > q.mtu {
		q.dropped++
		return
	}
	if q.free == none {
		q.dropOldest(q.fattest())
	}
	i := q.free
	s := &q.slots[i]
	q.free = s.next
	*s = slot{len: len(pkt), at: now, next: none}
	copy(q.bytes[i*q.mtu:], pkt)

	id := q.flowOf(pkt)
	f := &q.flows[id]
	if f.first == none {
		f.first = i
	} else {
		q.slots[f.last].next = i
	}
	f.last = i
	f.bytes += len(pkt)
	q.len++
	if !f.listed {
		f.listed, f.credit = true, q.mtu
		q.append(&q.fresh, id)
	}
}

// take puts packets into buf as ReadPackets does, as long as one of the MTU would fit. It returns their number.
func (q *fairQueue) take(buf []byte, room int, ends []int, now time.Duration) (n int) {
	for pos := 0; n < len(ends) && len(buf)-pos >= room+q.mtu; n++ {
		i := q.pop(now)
		if i == none {
			break
		}
		pos += room + copy(buf[pos+room:], q.contents(i))
		ends[n] = pos
		q.release(i)
	}
	if q.len < slotCount/4 {
		q.fullSince = 0
	}
	return n
}

// pop takes the next packet out of its flow (RFC 8290 section 4.2). The caller releases its slot.
func (q *fairQueue) pop(now time.Duration) int {
	for {
		from := &q.fresh
		if from.first == none {
			from = &q.old
		}
		id := from.first
		if id == none {
			return none
		}
		f := &q.flows[id]
		if f.credit <= 0 {
			f.credit += q.mtu
			q.remove(from)
			q.append(&q.old, id)
			continue
		}
		i := q.popFlow(f, now)
		if i != none {
			f.credit -= q.slots[i].len
			return i
		}
		q.remove(from)
		if from == &q.fresh && q.old.first != none {
			q.append(&q.old, id) // so that it cannot come first again and again
		} else {
			f.listed = false
		}
	}
}

// popFlow takes the first packet of a flow that CoDel does not drop.
func (q *fairQueue) popFlow(f *flow, now time.Duration) int {
	for {
		i := f.first
		if i == none {
			f.firstAbove, f.dropping = 0, false
			return none
		}
		s := &q.slots[i]
		f.first = s.next
		f.bytes -= s.len
		q.len--
		late := f.overdue(now-s.at, q.target, now, f.bytes <= q.mtu)
		if !f.due(late, now) || mark(q.contents(i)) {
			return i
		}
		q.drop(i)
	}
}

// fattest returns the flow with the most bytes.
func (q *fairQueue) fattest() *flow {
	f := &q.flows[0]
	for i := range q.flows {
		if q.flows[i].bytes > f.bytes || f.first == none {
			f = &q.flows[i]
		}
	}
	return f
}

// dropOldest drops some packets of a flow. It takes the oldest because their sender notices that loss first (RFC 8290
// section 4.1.3).
func (q *fairQueue) dropOldest(f *flow) {
	for n := 0; n < dropCount && f.first != none; n++ {
		i := f.first
		f.first = q.slots[i].next
		f.bytes -= q.slots[i].len
		q.len--
		q.drop(i)
	}
}

func (q *fairQueue) drop(i int) {
	q.release(i)
	q.dropped++
}

func (q *fairQueue) release(i int) {
	q.slots[i].next = q.free
	q.free = i
}

func (q *fairQueue) contents(i int) []byte { return q.bytes[i*q.mtu:][:q.slots[i].len] }

func (q *fairQueue) append(l *list, id int) {
	q.flows[id].next = none
	if l.first == none {
		l.first = id
	} else {
		q.flows[l.last].next = id
	}
	l.last = id
}

// remove takes the first flow off a list.
func (q *fairQueue) remove(l *list) { l.first = q.flows[l.first].next }

// flowOf returns the flow of a packet: a hash of protocol, addresses and, if there are any, ports.
func (q *fairQueue) flowOf(pkt []byte) int {
	var key [40]byte // 37 are used at most; the rest fills the last word
	n := 0
	switch {
	case len(pkt) >= 20 && pkt[0]>>4 == 4:
		key[0] = pkt[9]
		n = 1 + copy(key[1:], pkt[12:20])
		if at := int(pkt[0]&15) * 4; pkt[6]&0x3f == 0 && pkt[7] == 0 { // not a fragment
			n += ports(key[n:], pkt[9], pkt, at)
		}
	case len(pkt) >= 40 && pkt[0]>>4 == 6:
		key[0] = pkt[6]
		n = 1 + copy(key[1:], pkt[8:40])
		n += ports(key[n:], pkt[6], pkt, 40)
	}
	return int(hashFlow(q.seed, key[:(n+3)&^3])) & (flowCount - 1)
}

// hashFlow mixes a key of whole words with a seed. It works in 32 bits, which the processors of routers multiply in one
// instruction.
func hashFlow(seed uint32, key []byte) uint32 {
	h := seed
	for ; len(key) >= 4; key = key[4:] {
		h ^= binary.LittleEndian.Uint32(key)
		h *= 0x9e3779b1 // odd, near 2^32 divided by the golden ratio: spreads each bit upwards
		h ^= h >> 15    // and down again
	}
	h *= 0x85ebca77
	return h ^ h>>13
}

// ports copies the ports of the TCP or UDP header at offset at of pkt and returns the number of bytes.
func ports(dst []byte, protocol byte, pkt []byte, at int) int {
	if (protocol == 6 || protocol == 17) && len(pkt) >= at+4 {
		return copy(dst, pkt[at:at+4])
	}
	return 0
}
