package datapath

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/fault"
)

var errEOF = io.EOF

func TestControlPacketsNeedNoDevice(t *testing.T) {
	pumped(t, func(r *rig) {
		r.Send(echoRequest)
		r.wantSent("a control packet goes out at once", echoRequest)
		if !r.Drain(time.Second) {
			t.Error("Drain: something is still queued")
		}
	})
}

func TestAPacketOfTheDeviceIsFramedInPlace(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		r.dev.in <- ip4(100, 1)
		r.wantSent("SSTP header, FF 03, 00 21, the packet",
			join([]byte{0x10, 0, 0, 108, 0xff, 0x03, 0x00, 0x21}, ip4(100, 1)))
		r.dev.in <- ip6(60, 2)
		r.wantSent("and 00 57 for IPv6",
			join([]byte{0x10, 0, 0, 68, 0xff, 0x03, 0x00, 0x57}, ip6(60, 2)))
		r.wantCounters("the counters speak of IP", Counters{TxPackets: 2, TxBytes: 160})
	})
}

func TestWhatIsReadableTogetherIsOneWrite(t *testing.T) {
	pumped(t, func(r *rig) {
		var want []byte
		for i := range 10 {
			pkt := ip4(1000+i, byte(i))
			r.dev.in <- pkt
			want = append(want, framedIP(pkt)...)
		}
		r.open()
		r.wantSent("ten packets were waiting: one write", want)

		release := r.stream.stick()
		r.dev.in <- ip4(20, 0)
		synctest.Wait() // it sits in its write
		for i := range 30 {
			r.dev.in <- ip4(1400, byte(i))
		}
		r.Send(echoRequest)
		r.Send(disconnect)
		release()
		synctest.Wait()
		r.stream.mu.Lock()
		writes := r.stream.writes
		r.stream.writes = nil
		r.stream.mu.Unlock()
		if len(writes) < 3 || !bytes.Equal(writes[1], join(echoRequest, disconnect)) {
			t.Errorf("after a write that took long control comes first, both packets in one write; got %.40x", writes)
		}
		var all []byte
		for _, w := range writes[2:] {
			if len(w) > maxWrite || len(w)%1408 != 0 {
				t.Errorf("a write of %d bytes: want whole packets, and no more than one TLS record", len(w))
			}
			all = append(all, w...)
		}
		if len(all) != 30*1408 {
			t.Errorf("%d bytes written, want 30 packets of 1408", len(all))
		}
	})
}

func TestControlWakesTheUplinkThatWaitsForTheDevice(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		for range 3 {
			synctest.Wait() // it sits in ReadPackets
			r.Send(echoRequest)
			r.wantSent("no data needs to come for a control packet to go out", echoRequest)
		}
		r.dev.in <- ip4(30, 1)
		r.wantSent("and data goes on as before", framedIP(ip4(30, 1)))
	})
}

func TestTheGateDecidesWhatPasses(t *testing.T) {
	pumped(t, func(r *rig) {
		r.dev.in <- ip4(30, 1)
		r.dev.in <- ip6(60, 1)
		r.dev.in <- ip4(31, 1)
		r.Open(r.dev, 1400, true, false)
		r.wantSent("no IPv6 before IPV6CP", join(framedIP(ip4(30, 1)), framedIP(ip4(31, 1))))
		r.Open(r.dev, 1400, true, true)
		r.dev.in <- ip6(60, 1)
		r.wantSent("IPv6 came later", framedIP(ip6(60, 1)))
		r.CloseGate()
		synctest.Wait()
		r.dev.in <- ip4(30, 1)
		r.wantSent("a closed gate leaves packets in the device")
		r.Send(echoRequest)
		r.wantSent("but control goes on", echoRequest)
		r.open()
		r.wantSent("and what waited goes out when it opens again", framedIP(ip4(30, 1)))
		r.wantCounters("one IPv6 packet was lost", Counters{TxPackets: 4, TxBytes: 30 + 31 + 60 + 30, TxDropped: 1})
	})
}

func TestPacketsThatMustNotBeSentAreDropped(t *testing.T) {
	pumped(t, func(r *rig) {
		for _, pkt := range [][]byte{
			ip4(1401, 1),       // larger than the MTU, as after the MTU shrank
			ip4(1400, 2),       // just fits
			{0x00, 1, 2, 3},    // no IP
			{},                 // nothing
			ip6(1400, 3),       // behind the gaps
			{0x50, 1, 2, 3, 4}, // IP version 5
		} {
			r.dev.in <- pkt
		}
		r.open()
		r.wantSent("what is good moves together", join(framedIP(ip4(1400, 2)), framedIP(ip6(1400, 3))))
		r.wantCounters("and the rest is counted", Counters{TxPackets: 2, TxBytes: 2800, TxDropped: 4})
	})
}

func TestTheControlQueueIsBounded(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.stream.stick()
		r.Send(disconnect)
		synctest.Wait()
		for i := range 64 {
			if !r.Send(echoRequest) {
				t.Fatalf("packet %d was refused, want place for 64", i)
			}
		}
		if r.Send(echoRequest) {
			t.Error("a 65th packet was taken: the peer floods us, and we would keep it all")
		}
		for range maxEchoes {
			r.Send(echoAnswer)
		}
		r.Send(lcpEchoReply(1)) // there is none of its length to replace
		if !r.Send(echoAnswer) {
			t.Error("an answer to an echo was refused: one that waits stands for it")
		}
		if r.Drain(time.Second) {
			t.Error("Drain says that all is written while the stream is stuck")
		}
		release()
		if !r.Drain(time.Second) {
			t.Error("Drain gave up on a stream that works")
		}
		r.wantSent("all in order", disconnect, append(bytes.Repeat(echoRequest, 64), bytes.Repeat(echoAnswer, maxEchoes)...))
	})
}

func TestOfManyEchoAnswersTheLatestGoOutAndAllElseToo(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.stream.stick()
		r.Send(disconnect)
		synctest.Wait()
		want := []byte{}
		for id := range maxEchoes - 1 {
			want = append(want, lcpEchoReply(byte(id))...)
		}
		for id := range 200 {
			if !r.Send(lcpEchoReply(byte(id))) {
				t.Fatalf("answer %d was refused", id)
			}
		}
		want = append(want, lcpEchoReply(199)...)
		r.Send(echoRequest)
		want = append(want, echoRequest...)
		release()
		r.wantSent("the last answer has replaced those that found no room", disconnect, want)
	})
}

func TestManyLargeControlPacketsAreSeveralWrites(t *testing.T) {
	pumped(t, func(r *rig) {
		release := r.stream.stick()
		r.Send(disconnect)
		synctest.Wait()
		large := data(0xc021, make([]byte, 4000))
		for range 6 {
			r.Send(large)
		}
		release()
		four := bytes.Repeat(large, 4)
		r.wantSent("no write is larger than a TLS record", disconnect, four, join(large, large))
	})
}

func TestAStreamThatTakesNothingIsDeadAfter30Seconds(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		r.stream.stick()
		begun := time.Now()
		r.dev.in <- ip4(30, 1)
		e := <-r.events
		var f *fault.Error
		if !errors.As(e.Err, &f) || f.Code != fault.PeerSilent || e.Kind != Ended {
			t.Errorf("event %d %v, want the end with PEER_SILENT", e.Kind, e.Err)
		}
		if took := time.Since(begun); took != 30*time.Second {
			t.Errorf("took %v, want 30 s", took)
		}
		for range 2 * maxQueued {
			if !r.Send(echoRequest) {
				t.Fatal("Send speaks of a flood when the pumps are over: the reason is another one")
			}
		}
		if r.Drain(time.Hour) && time.Since(begun) > time.Minute {
			t.Error("Drain waits for pumps that are over")
		}
	})
}

func TestTheWriteDeadlineIsForEachWrite(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		for range 5 {
			time.Sleep(29 * time.Second)
			r.dev.in <- ip4(30, 1)
			synctest.Wait()
			if left := time.Until(r.stream.deadline); left < 29*time.Second || left > 30*time.Second {
				t.Fatalf("a write had %v left, want 29 to 30 s", left)
			}
		}
	})
}

func TestAWriteErrorEndsThePumpsOnce(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		r.stream.writeErr = os.ErrInvalid
		r.dev.in <- ip4(30, 1)
		r.wantEnded("the stream broke", fault.ClosedByServer, os.ErrInvalid)
		r.receive(echoRequest)
		r.wantEvents("nothing is delivered after the end")
	})
}

func TestADeviceThatIsDeletedEndsThePumps(t *testing.T) {
	gone := fault.New(fault.TUNFailed, fault.StageNetwork, "gone")
	pumped(t, func(r *rig) {
		r.open()
		close(r.dev.closed)
		r.wantEnded("nothing to read from", fault.TUNFailed, os.ErrClosed)
	})
	pumped(t, func(r *rig) {
		r.open()
		r.dev.writeErr = gone
		r.receive(framedIP(ip4(30, 1)))
		r.wantEnded("nothing to write to", fault.TUNFailed, gone)
	})
}

func TestADeviceCanBeTakenAwayAndClosed(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		synctest.Wait()
		r.CloseGate()
		close(r.dev.closed)
		r.wantEvents("the owner knows that it has closed its device")

		second := newFakeDevice()
		r.Open(second, 1400, true, true)
		second.in <- ip4(30, 1)
		r.wantSent("another device takes its place", framedIP(ip4(30, 1)))

		third := newFakeDevice()
		r.Open(third, 1400, true, true)
		third.in <- ip4(31, 1)
		second.in <- ip4(32, 1)
		r.wantSent("and yet another one", framedIP(ip4(31, 1)))
	})
}

func TestTheDeviceServesTheNextCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dev := newFakeDevice()
		for i := range 3 {
			s := newFakeStream()
			p := New(s, testSeed, func(Event) {})
			p.Start()
			p.Open(dev, 1400, true, true)
			dev.in <- ip4(30, byte(i))
			synctest.Wait()
			if len(s.writes) != 1 || !bytes.Equal(s.writes[0], framedIP(ip4(30, byte(i)))) {
				t.Errorf("call %d: writes %x", i, s.writes)
			}
			s.Close()
			p.Stop()
			p.Stop() // once more is no harm
		}
	})
}

func TestStopDoesNotWaitForAnOwnerThatHasStoppedListening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStream()
		var p *Pumps
		p = New(s, testSeed, func(Event) { <-p.Stopping() })
		p.Start()
		s.in <- join(echoRequest, echoRequest)
		synctest.Wait() // deliver blocks
		s.Close()
		p.Stop()
	})
}

// ownLosses is a device that drops packets by itself.
type ownLosses struct {
	*fakeDevice
	n uint64
}

func (d *ownLosses) Dropped() uint64 { return d.n }

func TestWhatTheDeviceLosesItselfIsCounted(t *testing.T) {
	pumped(t, func(r *rig) {
		dev := &ownLosses{r.dev, 100} // of earlier calls
		r.Open(dev, 1400, true, false)
		dev.n += 3
		r.wantCounters("since it came into use", Counters{TxDropped: 3})
		r.Open(dev, 1400, true, true)
		dev.n += 4
		r.wantCounters("over a change of the gate", Counters{TxDropped: 7})
		r.CloseGate()
		dev.n += 5
		r.wantCounters("and until it was taken away", Counters{TxDropped: 7})
	})
}

// awkwardDevice has something happen at the moment at which the uplink takes its deadline back.
type awkwardDevice struct {
	*fakeDevice
	meanwhile func()
}

func (d *awkwardDevice) SetReadDeadline(t time.Time) error {
	if t.IsZero() && d.meanwhile != nil { // only the uplink does this
		f := d.meanwhile
		d.meanwhile = nil
		f()
	}
	return d.fakeDevice.SetReadDeadline(t)
}

func TestAGateThatClosesWhileTheDeviceIsTakenUpEndsTheWait(t *testing.T) {
	pumped(t, func(r *rig) {
		dev := &awkwardDevice{r.dev, r.CloseGate}
		r.Open(dev, 1400, true, true)
		synctest.Wait()
		if dev.meanwhile != nil {
			t.Fatal("the device was not taken up")
		}
		// pumped stops the pumps now, which must not wait for a packet.
	})
}
