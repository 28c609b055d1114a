package lab

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func drain(t *testing.T, d Device, room int) [][]byte {
	t.Helper()
	buf, ends := make([]byte, 4096), make([]int, 8)
	n, err := d.ReadPackets(buf, room, ends)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	start := 0
	for _, end := range ends[:n] {
		got = append(got, bytes.Clone(buf[start+room:end]))
		start = end
	}
	return got
}

func TestAPortGivesPacketsInOrderBehindTheRoomAskedFor(t *testing.T) {
	p := newClientDevice(nil)
	p.offer([]byte("one"), []byte("two"))
	p.offer([]byte("three"))
	got := drain(t, p, 8)
	if want := [][]byte{[]byte("one"), []byte("two"), []byte("three")}; !equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func TestAPortDropsWhatItsQueueCannotHold(t *testing.T) {
	p := newClientDevice(nil)
	for range queuePackets + 5 {
		p.offer([]byte{1})
	}
	if n := p.dropped.Load(); n != 5 {
		t.Errorf("%d dropped, want 5", n)
	}
}

func TestAPacketLargerThanTheReadersBufferIsSkipped(t *testing.T) {
	p := newClientDevice(nil)
	p.offer(make([]byte, 5000), []byte("small"))
	if got := drain(t, p, 8); len(got) != 1 || string(got[0]) != "small" {
		t.Errorf("got %d packets", len(got))
	}
}

func TestAReadOfAPortEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newClientDevice(nil)
		begin := time.Now()
		p.SetReadDeadline(begin.Add(3 * time.Second))
		_, err := p.ReadPackets(make([]byte, 100), 0, make([]int, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if _, err = p.ReadPackets(make([]byte, 100), 0, make([]int, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a deadline must hold until it is taken back")
		}
		p.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			p.offer([]byte("late"))
		}()
		if got := drain(t, p, 0); string(got[0]) != "late" {
			t.Errorf("got %q", got)
		}
		go func() {
			time.Sleep(time.Second)
			p.SetReadDeadline(time.Unix(1, 0))
		}()
		if _, err = p.ReadPackets(make([]byte, 100), 0, make([]int, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a deadline in the past must wake a reader that waits: %v", err)
		}
	})
}

func TestQueueingAllocatesNothing(t *testing.T) {
	p := newClientDevice(nil)
	pkts := [][]byte{make([]byte, 1400), make([]byte, 1400)}
	buf, ends := make([]byte, 8192), make([]int, 8)
	if n := testing.AllocsPerRun(1000, func() {
		p.offer(pkts...)
		p.ReadPackets(buf, 8, ends)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestAPortKnowsThatItHasMore(t *testing.T) {
	p := newClientDevice(nil)
	buf, ends := make([]byte, 150), make([]int, 8)
	p.offer(make([]byte, 100), make([]byte, 100))
	for _, want := range []bool{true, false} {
		if n, err := p.ReadPackets(buf, 8, ends); n != 1 || err != nil {
			t.Fatalf("ReadPackets = %d, %v; want the one that fits", n, err)
		}
		if p.Pending() != want {
			t.Errorf("pending %v, want %v", p.Pending(), want)
		}
	}
}

// memory is a Device of two queues: what the test puts into in is read by the server.
type memory struct {
	*clientDevice
	written chan []byte
}

func newMemory() *memory {
	m := &memory{written: make(chan []byte, 64)}
	m.clientDevice = newClientDevice(func(pkts [][]byte) (int, error) {
		for _, p := range pkts {
			m.written <- bytes.Clone(p)
		}
		return len(pkts), nil
	})
	return m
}

func ipv4Packet(src, dst string) []byte {
	pkt := make([]byte, 28)
	pkt[0], pkt[9] = 0x45, 99
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(pkt[12:], s[:])
	copy(pkt[16:], d[:])
	return pkt
}

func ipv6Packet(src, dst string) []byte {
	pkt := make([]byte, 48)
	pkt[0], pkt[6] = 0x60, 59
	s, d := netip.MustParseAddr(src).As16(), netip.MustParseAddr(dst).As16()
	copy(pkt[8:], s[:])
	copy(pkt[24:], d[:])
	return pkt
}

func TestTheHubSendsEachPacketToItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dev := newMemory()
		h := newHub(dev)
		a, b := h.newClientDevice(), h.newClientDevice()
		h.set(a, netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fe80::a"), netip.MustParsePrefix("fd00:2::/64"))
		h.set(b, netip.MustParseAddr("10.0.0.3"), netip.Addr{}, netip.Prefix{})
		toA, toB := ipv4Packet("10.0.0.1", "10.0.0.2"), ipv4Packet("10.0.0.1", "10.0.0.3")
		local, global := ipv6Packet("fe80::1", "fe80::a"), ipv6Packet("fd00::1", "fd00:2::77")
		dev.offer(toB, toA, ipv4Packet("10.0.0.1", "10.0.0.9"), local, global, toB, []byte{0x45})
		synctest.Wait()
		if got := drain(t, a, 0); !equal(got, [][]byte{toA, local, global}) {
			t.Errorf("client a got %x", got)
		}
		if got := drain(t, b, 0); !equal(got, [][]byte{toB, toB}) {
			t.Errorf("client b got %x", got)
		}
		h.remove(a)
		dev.offer(toA, toB)
		synctest.Wait()
		if !a.in.empty() {
			t.Error("a client that is gone still gets packets")
		}
		b.WritePackets([][]byte{toA})
		if got := <-dev.written; !bytes.Equal(got, toA) {
			t.Errorf("the device got %x", got)
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

// flood offers a device more packets than the queue of a port holds.
func flood(dev *memory, pkt []byte) {
	for range 8 {
		for range 40 {
			dev.offer(pkt)
		}
		synctest.Wait()
	}
}

func TestAClientThatIsAloneReadsTheDeviceItselfAndOfTwoNobodyHoldsItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dev := newMemory()
		h := newHub(dev)
		a, b := h.newClientDevice(), h.newClientDevice()
		h.set(a, netip.MustParseAddr("10.0.0.2"), netip.Addr{}, netip.Prefix{})
		toA, toB := ipv4Packet("10.0.0.1", "10.0.0.2"), ipv4Packet("10.0.0.1", "10.0.0.3")
		dev.offer(toA, toB, toA)
		synctest.Wait()
		if dev.in.empty() || !a.in.empty() {
			t.Error("somebody else has read the device")
		}
		if got := drain(t, a, 8); !equal(got, [][]byte{toA, toA}) {
			t.Errorf("the client that is alone got %x", got)
		}
		flood(dev, append(toA, make([]byte, 1372)...))
		if n := a.dropped.Load(); n != 0 {
			t.Errorf("a client that is alone lost %d packets", n)
		}
		h.set(b, netip.MustParseAddr("10.0.0.3"), netip.Addr{}, netip.Prefix{})
		synctest.Wait()
		flood(dev, append(toA, make([]byte, 1372)...))
		dev.offer(toB)
		if got := drain(t, b, 0); len(got) != 1 {
			t.Errorf("the other client got %d packets", len(got))
		}
		if a.dropped.Load() == 0 {
			t.Error("a client that does not read must not hold up the others")
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTheDeviceChangesHandsWhileItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dev := newMemory()
		h := newHub(dev)
		a, b := h.newClientDevice(), h.newClientDevice()
		got := make(chan []byte, 16)
		over := make(chan error)
		go func() {
			buf, ends := make([]byte, 4096), make([]int, 8)
			for {
				n, err := a.ReadPackets(buf, 8, ends)
				if err != nil {
					over <- err
					return
				}
				start := 0
				for _, end := range ends[:n] {
					got <- bytes.Clone(buf[start+8 : end])
					start = end
				}
			}
		}()
		toA, toB := ipv4Packet("10.0.0.1", "10.0.0.2"), ipv4Packet("10.0.0.1", "10.0.0.3")
		for _, step := range []struct {
			why    string
			change func()
		}{
			{"alone", func() { h.set(a, netip.MustParseAddr("10.0.0.2"), netip.Addr{}, netip.Prefix{}) }},
			{"not alone any more", func() { h.set(b, netip.MustParseAddr("10.0.0.3"), netip.Addr{}, netip.Prefix{}) }},
			{"alone again", func() { h.remove(b) }},
			{"with another address", func() { h.remove(a); h.set(a, netip.MustParseAddr("10.0.0.2"), netip.Addr{}, netip.Prefix{}) }},
		} {
			synctest.Wait()
			step.change()
			dev.offer(toB, toA)
			synctest.Wait()
			select {
			case pkt := <-got:
				if !bytes.Equal(pkt, toA) {
					t.Errorf("%s: the client got %x", step.why, pkt)
				}
			default:
				t.Fatalf("%s: nothing came", step.why)
			}
		}
		ra := []byte("advertisement")
		a.advert.Store(&ra)
		a.advertise()
		synctest.Wait()
		if pkt := <-got; !bytes.Equal(pkt, ra) {
			t.Errorf("a client that reads the device got %q, want what others have for it", pkt)
		}
		a.SetReadDeadline(time.Unix(1, 0))
		if err := <-over; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the deadline of a client that reads the device: %v", err)
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

// foresight is a device that says that it has more.
type foresight struct {
	*memory
	more bool
}

func (f *foresight) Pending() bool { return f.more }

func TestAReaderIsToldWhenWhatWasAnnouncedIsNotItsOwnAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dev := &foresight{memory: newMemory(), more: true}
		h := newHub(dev)
		a, b := h.newClientDevice(), h.newClientDevice()
		h.set(a, netip.MustParseAddr("10.0.0.2"), netip.Addr{}, netip.Prefix{})
		dev.offer(ipv4Packet("10.0.0.1", "10.0.0.2"))
		drain(t, a, 8)
		if !a.Pending() {
			t.Fatal("the device has more, and the port does not say so")
		}
		h.set(b, netip.MustParseAddr("10.0.0.3"), netip.Addr{}, netip.Prefix{})
		if n, err := a.ReadPackets(make([]byte, 100), 8, make([]int, 8)); n != 0 || err != nil || a.Pending() {
			t.Errorf("%d packets, %v; want none at once: who holds back a write for them must let it go", n, err)
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}
