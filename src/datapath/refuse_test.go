package datapath

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/fault"
)

// refusable is a UDP packet of a machine behind us.
func refusable(seq byte) []byte {
	p := ip4(28, seq)
	binary.BigEndian.PutUint16(p[2:], 28)
	p[6], p[7], p[9] = 0, 0, 17
	copy(p[12:], []byte{192, 168, 1, 7, 9, 9, 9, 9})
	return p
}

func (d *fakeDevice) answers() (all [][]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, batch := range d.written {
		all = append(all, batch...)
	}
	return all
}

func TestARefuserAnswersEachPacketUntilItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDevice()
		d.SetReadDeadline(longAgo) // as pumps leave it
		r := Refuse(d, netip.MustParseAddr("10.99.0.1"), func(err error) { t.Errorf("failed: %v", err) })
		for i := range 3 {
			d.in <- refusable(byte(i))
		}
		synctest.Wait()
		all := d.answers()
		if len(all) != 3 || r.Refused() != 3 {
			t.Fatalf("%d answers and %d refused packets, want 3", len(all), r.Refused())
		}
		for _, a := range all {
			if a[9] != 1 || a[20] != 3 || string(a[12:20]) != string([]byte{10, 99, 0, 1, 192, 168, 1, 7}) {
				t.Errorf("the answer %x is no ICMP unreachable from the other side to the sender", a)
			}
		}
		for _, a := range all { // the kernel routes one back into the tunnel
			d.in <- a
		}
		synctest.Wait()
		if n := len(d.answers()); n != 3 {
			t.Errorf("%d answers, want none to an answer", n-3)
		}
		r.Stop()
		d.in <- refusable(9)
		synctest.Wait()
		if n := len(d.answers()); n != 3 {
			t.Error("a packet was answered after Stop")
		}
	})
}

func TestARefuserLimitsItsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDevice()
		r := Refuse(d, netip.Addr{}, func(error) {})
		defer r.Stop()
		for range 1000 {
			d.in <- refusable(1)
		}
		synctest.Wait()
		if n := len(d.answers()); n != refusalBurst || r.Refused() != 1000 {
			t.Errorf("%d answers to %d packets at once, want %d to 1000", n, r.Refused(), refusalBurst)
		}
		time.Sleep(50 * refusalEvery)
		for range 1000 {
			d.in <- refusable(1)
		}
		synctest.Wait()
		if n := len(d.answers()); n != refusalBurst+50 {
			t.Errorf("%d answers after 50 intervals more, want %d", n, refusalBurst+50)
		}
	})
}

func TestARefuserReportsADeviceThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDevice()
		failed := make(chan error, 1)
		r := Refuse(d, netip.Addr{}, func(err error) { failed <- err })
		close(d.closed)
		var f *fault.Error
		if err := <-failed; !errors.As(err, &f) || f.Code != fault.TUNFailed {
			t.Errorf("reported %v, want TUN_FAILED", err)
		}
		r.Stop()
	})
}

func TestARefuserAllocatesNothingPerPacket(t *testing.T) {
	d := &sink{pkt: refusable(1)}
	r := &Refuser{dev: d, done: make(chan struct{}), budget: budget{left: refusalBurst, at: time.Now()}}
	allocs := testing.AllocsPerRun(10, func() {
		d.left = 1000
		r.answer()
	})
	if allocs > 8 { // the buffers of answer itself
		t.Errorf("%v allocations for 64000 packets", allocs)
	}
	if r.Refused() == 0 {
		t.Fatal("nothing was refused")
	}
}

// sink is a device with a fixed number of batches to read.
type sink struct {
	pkt  []byte
	left int
}

func (s *sink) ReadPackets(buf []byte, room int, ends []int) (int, error) {
	if s.left == 0 {
		return 0, errDeviceGone
	}
	s.left--
	at := 0
	for i := range ends {
		at += copy(buf[at:], s.pkt)
		ends[i] = at
	}
	return len(ends), nil
}

func (s *sink) WritePackets(pkts [][]byte) (int, error) { return len(pkts), nil }
func (s *sink) SetReadDeadline(time.Time) error         { return nil }

var errDeviceGone = errors.New("gone")
