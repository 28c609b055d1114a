package datapath

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"sstp/src/offload"
)

// testSeed keeps the flows of the tests apart: their hashes differ.
const testSeed = 1

// udp4 is a UDP packet of a flow, with a number in it.
func udp4(port uint16, n, number int) []byte {
	p := make([]byte, n)
	copy(p, []byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2})
	binary.BigEndian.PutUint16(p[10:], ^offload.Sum(p[:20], 0))
	binary.BigEndian.PutUint16(p[20:], port)
	binary.BigEndian.PutUint16(p[22:], 53)
	binary.BigEndian.PutUint32(p[28:], uint32(number))
	return p
}

func portOf(pkt []byte) uint16 { return binary.BigEndian.Uint16(pkt[20:]) }
func numberOf(pkt []byte) int  { return int(binary.BigEndian.Uint32(pkt[28:])) }

// takeOne takes the next packet.
func (q *fairQueue) takeOne(now time.Duration) []byte {
	buf, ends := make([]byte, q.mtu), make([]int, 1)
	if q.take(buf, 0, ends, now) == 0 {
		return nil
	}
	return buf[:ends[0]]
}

func TestOneFlowKeepsItsOrder(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	for i := range 300 {
		q.push(udp4(1, 100+i, i), 1)
	}
	for i := range 300 {
		if pkt := q.takeOne(2); !bytes.Equal(pkt, udp4(1, 100+i, i)) {
			t.Fatalf("packet %d differs", i)
		}
	}
	if q.takeOne(3) != nil || q.len != 0 || q.room() != slotCount {
		t.Error("the queue is not empty afterwards")
	}
}

func TestTakeFillsABatch(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	for i := range 30 {
		q.push(udp4(1, 1400, i), 1)
	}
	buf, ends := make([]byte, 16384), make([]int, 100)
	if n := q.take(buf, 8, ends, 1); n != 11 || ends[10] != 11*1408 || numberOf(buf[10*1408+8:]) != 10 {
		t.Errorf("take = %d packets, want the 11 that fit", n)
	}
	if n := q.take(buf, 8, ends[:3], 1); n != 3 {
		t.Errorf("take = %d packets, want the 3 that ends has place for", n)
	}
}

func TestASparseFlowDoesNotWaitForABulkyOne(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	for i := range 400 {
		q.push(udp4(1, 1400, i), 1)
	}
	for range 10 {
		q.takeOne(2)
	}
	q.push(udp4(2, 60, 0), 3)
	if pkt := q.takeOne(3); portOf(pkt) != 2 {
		t.Error("a packet of a flow that was silent comes after 390 of another one's")
	}
}

func TestFlowsShareByBytes(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	for i := range 100 {
		q.push(udp4(1, 1400, i), 1)
	}
	for i := range 400 {
		q.push(udp4(2, 200, i), 1)
	}
	sent := map[uint16]int{}
	for sent[1]+sent[2] < 100000 {
		pkt := q.takeOne(2)
		sent[portOf(pkt)] += len(pkt)
	}
	if diff := sent[1] - sent[2]; diff < -1400 || diff > 1400 {
		t.Errorf("large packets got %d bytes and small ones %d, want the same", sent[1], sent[2])
	}
}

func TestFragmentsAndOtherProtocolsAreFlowsByAddress(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	first, second := udp4(1, 100, 0), udp4(2, 100, 0)
	if q.flowOf(first) == q.flowOf(second) && q.flowOf(udp4(3, 100, 0)) == q.flowOf(first) {
		t.Error("ports make no difference")
	}
	for _, p := range [][]byte{first, second} {
		p[6] = 0x20 // more fragments
	}
	if q.flowOf(first) != q.flowOf(second) {
		t.Error("a fragment's ports are not ports")
	}
	for _, p := range [][]byte{nil, {0x45}, {0x60, 1, 2}, first[:20], bytes.Repeat([]byte{0x4f}, 24)} {
		q.flowOf(p) // whatever is there: no panic
	}
}

func TestAFullQueueWaitsForABurstAndThenDropsFromTheFattest(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	q.push(udp4(2, 60, 0), 1)
	for i := range slotCount - 1 {
		q.push(udp4(1, 1400, i), 1)
	}
	if q.room() != 0 {
		t.Fatalf("room for %d, want none", q.room())
	}
	if wait := q.makeRoom(10); wait != longestBurst || q.dropped != 0 {
		t.Errorf("a queue that has just become full: wait %v, dropped %d; want %v, 0", wait, q.dropped, longestBurst)
	}
	if wait := q.makeRoom(10 + longestBurst); wait != 0 || q.dropped != dropCount || q.room() != dropCount {
		t.Errorf("one that stays full: wait %v, dropped %d; want 0, %d", wait, q.dropped, dropCount)
	}
	if pkt := q.takeOne(2); portOf(pkt) != 2 {
		t.Error("the sparse flow's only packet is lost")
	}
	if pkt := q.takeOne(2); numberOf(pkt) != dropCount {
		t.Errorf("the next is %d, want %d: the oldest go", numberOf(pkt), dropCount)
	}
	for range slotCount {
		q.push(udp4(1, 1400, 0), 3) // one that does not ask for room does no harm
	}
	for q.takeOne(3) != nil {
	}
	for range slotCount {
		q.push(udp4(1, 1400, 0), 4)
	}
	if wait := q.makeRoom(longestBurst * 5); wait != longestBurst {
		t.Errorf("wait %v, want %v: it has been empty since", wait, longestBurst)
	}
}

func TestAPacketLargerThanTheMTUIsDropped(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	q.push(make([]byte, 1401), 1)
	if q.len != 0 || q.dropped != 1 {
		t.Errorf("%d waiting, %d dropped; want 0, 1", q.len, q.dropped)
	}
}

// standing plays a queue in which packets are always 30 ms old, one a millisecond, and returns when some were lost and
// how many were marked.
func standing(t *testing.T, ecn byte, length time.Duration) (lost []time.Duration, marked int) {
	q := newFairQueue(1400, testSeed)
	var before uint64
	next, last := 0, -1
	for now := time.Duration(1); now < length; now += time.Millisecond {
		pkt := udp4(1, 1400, next)
		pkt[1] = ecn
		binary.BigEndian.PutUint16(pkt[10:], 0)
		binary.BigEndian.PutUint16(pkt[10:], ^offload.Sum(pkt[:20], 0))
		q.push(pkt, now)
		next++
		if q.len < 31 {
			continue
		}
		got := q.takeOne(now)
		if got == nil || numberOf(got) <= last {
			t.Fatalf("packet %d after %d", numberOf(got), last)
		}
		last = numberOf(got)
		if q.dropped > before {
			lost = append(lost, now)
			before = q.dropped
		}
		if got[1] != ecn {
			marked++
			if got[1] != ecn|3 || offload.Sum(got[:20], 0) != 0xffff {
				t.Fatalf("a marked packet is %.20x", got)
			}
		}
	}
	return lost, marked
}

func TestAStandingQueueIsDroppedFrom(t *testing.T) {
	lost, _ := standing(t, 0, time.Second)
	// RFC 8289 section 4: nothing for an interval after the queue has grown, then after 100 ms, 100/√2, 100/√3 ...
	if len(lost) < 5 || lost[0] < 100*time.Millisecond || lost[0] > 140*time.Millisecond {
		t.Fatalf("drops at %v, want the first after an interval of 100 ms", lost)
	}
	for i := 2; i < len(lost); i++ {
		if lost[i]-lost[i-1] > lost[i-1]-lost[i-2]+time.Millisecond {
			t.Errorf("drops at %v: they do not become more frequent", lost)
		}
	}
}

func TestASenderThatUnderstandsItIsToldByAMark(t *testing.T) {
	for _, ecn := range []byte{1, 2} {
		lost, marked := standing(t, ecn, time.Second)
		if len(lost) != 0 || marked < 5 {
			t.Errorf("ECN %d: %d marked, lost %v; want only marks", ecn, marked, lost)
		}
	}
}

func TestAShortQueueIsLeftAlone(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	for now := time.Duration(1); now < 10*time.Second; now += time.Millisecond {
		q.push(udp4(1, 1400, 0), now)
		if q.len == 5 { // 4 ms old
			q.takeOne(now)
		}
	}
	if q.dropped != 0 {
		t.Errorf("%d packets of 4 ms were dropped", q.dropped)
	}
}

func TestMark(t *testing.T) {
	v6 := append([]byte{0x60, 0x10, 0, 0, 0, 0, 17, 64}, make([]byte, 32)...)
	for _, c := range []struct {
		why  string
		pkt  []byte
		want bool
	}{
		{"IPv4 that cannot be marked", udp4(1, 100, 0), false},
		{"IPv6 that cannot be marked", append([]byte{0x60, 0x0f}, v6[2:]...), false},
		{"IPv6, ECT(1)", bytes.Clone(v6), true},
		{"IPv6, marked already", append([]byte{0x60, 0x30}, v6[2:]...), true},
		{"no packet", nil, false},
		{"half a packet", []byte{0x45, 3}, false},
	} {
		if got := mark(c.pkt); got != c.want || got && c.pkt[1]&0x30 != 0x30 {
			t.Errorf("%s: %v %.4x, want %v", c.why, got, c.pkt, c.want)
		}
	}
	wrong := udp4(1, 100, 0)
	wrong[1], wrong[10] = 2, wrong[10]^0x55
	before := offload.Sum(wrong[:20], 0)
	if mark(wrong); offload.Sum(wrong[:20], 0) != before {
		t.Error("a wrong checksum has become another one: the receiver must see that it is wrong")
	}
}

func TestTheQueueAllocatesNothing(t *testing.T) {
	q := newFairQueue(1400, testSeed)
	pkts := [][]byte{udp4(1, 1400, 0), udp4(2, 60, 0), udp4(3, 700, 0)}
	buf, ends := make([]byte, 16384), make([]int, 100)
	now := time.Duration(1)
	if n := testing.AllocsPerRun(1000, func() {
		for _, p := range pkts {
			q.push(p, now)
		}
		if q.take(buf, 8, ends, now) != 3 {
			t.Fatal("lost")
		}
		now += time.Millisecond
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// FuzzFairQueue: no packet is lost but those that are counted, none comes twice, and each flow keeps its order.
func FuzzFairQueue(f *testing.F) {
	f.Add([]byte{1, 1, 1, 2, 200, 200, 3, 200, 255, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		q := newFairQueue(100, testSeed)
		now := time.Duration(1)
		pushed, taken := 0, 0
		last := map[uint16]int{}
		take := func() bool {
			pkt := q.takeOne(now)
			if pkt == nil {
				return false
			}
			taken++
			if n, ok := last[portOf(pkt)]; ok && numberOf(pkt) <= n {
				t.Fatalf("packet %d of flow %d after %d", numberOf(pkt), portOf(pkt), n)
			}
			last[portOf(pkt)] = numberOf(pkt)
			return true
		}
		for i, op := range ops {
			switch {
			case op < 100:
				for j := range 1 + int(op)/10 {
					pushed++
					q.push(udp4(uint16(op%10), 40+j, i*100+j), now)
				}
			case op < 200:
				for range op - 100 {
					take()
				}
			case op < 250:
				now += time.Duration(op-199) * time.Millisecond
			case q.room() == 0:
				q.makeRoom(now)
			}
			if waiting := pushed - taken - int(q.dropped); waiting != q.len || q.room() != slotCount-waiting {
				t.Fatalf("%d pushed, %d taken, %d dropped, but %d are there", pushed, taken, q.dropped, q.len)
			}
		}
		for take() {
		}
		if q.len != 0 || pushed != taken+int(q.dropped) {
			t.Errorf("%d pushed, %d taken, %d dropped, %d left", pushed, taken, q.dropped, q.len)
		}
	})
}

func BenchmarkFairQueue(b *testing.B) {
	q := newFairQueue(1400, testSeed)
	pkts := make([][]byte, 11)
	for i := range pkts {
		pkts[i] = udp4(uint16(i%3), 1400, i)
	}
	buf, ends := make([]byte, 16384), make([]int, 100)
	b.SetBytes(11 * 1400)
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range pkts {
			q.push(p, 1)
		}
		if q.take(buf, 8, ends, 1) != 11 {
			b.Fatal("lost")
		}
	}
}
