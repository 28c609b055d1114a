package datapath

import (
	"bytes"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/fault"
)

// held brings the uplink into a write that does not end, so that relief reads the device.
func (r *rig) held() (release func()) {
	release = r.stream.stick()
	r.dev.in <- udp4(1, 1400, 0)
	r.dev.in <- udp4(1, 1400, 1)
	r.open()
	synctest.Wait()
	time.Sleep(2 * patience)
	synctest.Wait()
	return release
}

func TestAShortWriteLeavesTheDeviceAlone(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.stream.stick()
		r.dev.in <- udp4(1, 1400, 0)
		r.dev.in <- udp4(1, 1400, 1)
		r.open()
		synctest.Wait()
		r.dev.in <- udp4(1, 1400, 2)
		time.Sleep(patience / 2)
		synctest.Wait()
		if len(r.dev.in) != 1 {
			t.Error("the device was read while a write was not late yet")
		}
		release()
		time.Sleep(time.Second) // the timer runs out without anything to do
		r.dev.in <- udp4(1, 1400, 3)
		synctest.Wait()
		if pkts, _ := r.sent(); len(pkts) != 4 {
			t.Errorf("%d packets arrived, want 4", len(pkts))
		}
	})
}

func TestAPingOvertakesAnUploadThatIsHeldUp(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.held()
		for i := range 100 {
			r.dev.in <- udp4(1, 1400, 2+i)
		}
		r.dev.in <- udp4(2, 84, 0)
		synctest.Wait()
		if len(r.dev.in) != 0 {
			t.Fatalf("%d packets are still in the device: they wait in one line there", len(r.dev.in))
		}
		release()
		synctest.Wait()
		pkts, _ := r.sent()
		if len(pkts) != 103 {
			t.Fatalf("%d packets arrived, want 103", len(pkts))
		}
		if portOf(pkts[3]) != 2 {
			t.Error("the ping is not the second packet after the write that was under way")
		}
		next := 0
		for _, p := range pkts {
			if portOf(p) == 1 {
				if numberOf(p) != next {
					t.Fatalf("packet %d of the upload after %d", numberOf(p), next-1)
				}
				next++
			}
		}
		r.wantCounters("none is lost", Counters{TxPackets: 103, TxBytes: 102*1400 + 84})
		r.dev.in <- udp4(3, 100, 0)
		r.wantSent("the device is back with the uplink", framedIP(udp4(3, 100, 0)))
		r.Send(echoRequest)
		r.wantSent("which can still be woken", echoRequest)
	})
}

func TestControlGoesFirstWhileMuchIsHeldUp(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.held()
		for i := range 50 {
			r.dev.in <- udp4(1, 1400, 2+i)
		}
		synctest.Wait()
		r.Send(echoRequest)
		r.dev.in <- udp4(1, 1400, 52) // it is still relief that reads
		synctest.Wait()
		release()
		synctest.Wait()
		r.stream.mu.Lock()
		second := r.stream.writes[1]
		r.stream.mu.Unlock()
		if !bytes.Equal(second, echoRequest) {
			t.Errorf("the second write is %.20x, want the echo request", second)
		}
		if pkts, _ := r.sent(); len(pkts) != 53 {
			t.Errorf("%d packets arrived, want 53", len(pkts))
		}
	})
}

func TestTheGateMayChangeWhileMuchIsHeldUp(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.held()
		for i := range 10 {
			r.dev.in <- udp4(1, 1400, 2+i)
		}
		synctest.Wait()
		r.CloseGate()
		synctest.Wait()
		r.dev.in <- udp4(1, 100, 12)
		synctest.Wait()
		if len(r.dev.in) != 1 {
			t.Error("a closed gate leaves packets in the device")
		}
		release()
		r.wantCounters("what was read before is lost", Counters{TxPackets: 2, TxBytes: 2800, TxDropped: 10})
		second := newFakeDevice()
		r.Open(second, 1400, true, true)
		second.in <- udp4(2, 100, 0)
		synctest.Wait()
		if pkts, _ := r.sent(); len(pkts) != 3 || portOf(pkts[2]) != 2 {
			t.Errorf("%d packets arrived, want 3 and the last from the new device", len(pkts))
		}
	})
	pumped(t, func(r *rig) {
		release := r.held()
		second := newFakeDevice()
		r.Open(second, 1400, true, true)
		close(r.dev.closed)
		second.in <- udp4(2, 100, 0)
		synctest.Wait()
		release()
		synctest.Wait()
		if pkts, _ := r.sent(); len(pkts) != 3 || portOf(pkts[2]) != 2 {
			t.Errorf("%d packets arrived, want 3: the new device takes the old one's place", len(pkts))
		}
		r.wantEvents("that the old one was closed is no failure")
	})
}

func TestTheMTUMayShrinkWhileMuchIsHeldUp(t *testing.T) {
	pumped(t, func(r *rig) {
		r.stream.rate = 1e5
		release := r.held()
		for i := range 5 {
			r.dev.in <- udp4(1, 1400, 2+i)
			r.dev.in <- udp4(1, 500, 102+i)
		}
		synctest.Wait()
		r.Open(r.dev, 576, true, true)
		release()
		time.Sleep(time.Second)
		r.wantCounters("what is too large now is dropped", Counters{TxPackets: 7, TxBytes: 2*1400 + 5*500, TxDropped: 5})
	})
}

func TestADeviceThatIsDeletedWhileMuchIsHeldUp(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.held()
		close(r.dev.closed)
		synctest.Wait()
		release()
		r.wantEnded("nothing to read from", fault.TUNFailed, os.ErrClosed)
	})
}

func TestStopWhileMuchIsHeldUp(t *testing.T) {
	pumped(t, func(r *rig) {
		r.held()
		r.stream.Close()
		r.Stop()
		next := newFakeStream()
		p := New(next, testSeed, func(Event) {})
		p.Start()
		p.Open(r.dev, 1400, true, true)
		r.dev.in <- udp4(2, 100, 0)
		synctest.Wait()
		if len(next.writes) != 1 {
			t.Error("the device does not serve the next call")
		}
		next.Close()
		p.Stop()
	})
}

func TestABurstThatFillsTheQueueStaysInTheDevice(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.held()
		for i := range slotCount + 100 {
			r.dev.in <- udp4(1, 1400, 2+i)
		}
		time.Sleep(longestBurst / 2)
		synctest.Wait()
		if left := len(r.dev.in); left != 100 {
			t.Errorf("%d packets are left in the device, want 100", left)
		}
		release()
		synctest.Wait()
		if pkts, _ := r.sent(); len(pkts) != slotCount+102 {
			t.Errorf("%d packets arrived, want all %d", len(pkts), slotCount+102)
		}
	})
}

func TestAFloodDoesNotKeepThePingOut(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.held()
		for i := range slotCount + 300 {
			r.dev.in <- udp4(1, 1400, 2+i)
		}
		r.dev.in <- udp4(2, 84, 0)
		time.Sleep(2 * longestBurst)
		synctest.Wait()
		if len(r.dev.in) != 0 {
			t.Errorf("%d packets are left in the device", len(r.dev.in))
		}
		release()
		synctest.Wait()
		pkts, _ := r.sent()
		if portOf(pkts[3]) != 2 {
			t.Error("the ping was not the second packet after the write that was under way")
		}
		if c := r.Counters(); c.TxDropped < 300 || c.TxPackets+c.TxDropped != slotCount+303 {
			t.Errorf("%d sent and %d dropped, want %d together", c.TxPackets, c.TxDropped, slotCount+303)
		}
	})
}

func TestASlowLinkGetsSmallWritesAndAShortQueue(t *testing.T) {
	pumped(t, func(r *rig) {
		r.stream.rate = 2.5e6 // bytes per second
		r.open()
		number := 0
		for range 1000 { // an upload that does not care, at twice the speed of the link
			for range 4 {
				r.dev.in <- udp4(1, 1400, number)
				number++
			}
			time.Sleep(1408 * 2 * time.Second / 2.5e6)
		}
		r.stream.mu.Lock()
		r.stream.writes = nil
		r.stream.mu.Unlock()
		sent := time.Now()
		r.dev.in <- udp4(2, 84, 0)
		for took := time.Duration(0); took < time.Second; took = time.Since(sent) {
			time.Sleep(100 * time.Microsecond)
			pkts, sizes := r.sent()
			for _, size := range sizes {
				if size > 6000 {
					t.Errorf("a write of %d bytes, want no more than go in about 2 ms", size)
				}
			}
			for _, p := range pkts {
				if portOf(p) == 2 {
					if took > 6*time.Millisecond {
						t.Errorf("the ping took %v beside an upload, want about a write or two of 2 ms", took)
					}
					return
				}
			}
		}
		t.Error("the ping did not arrive")
	})
}
