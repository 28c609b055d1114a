package session

import (
	"encoding/binary"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
)

var forever = config.Values{"hold": {"forever"}}

// foreverWith adds options to hold 'forever'.
func foreverWith(option, value string) config.Values {
	return config.Values{"hold": {"forever"}, option: {value}}
}

// wantRefused sends a packet of a machine behind the router into the tunnel and waits for the answer that refuses it.
func (w *world) wantRefused(why string) {
	w.t.Helper()
	d := w.device()
	d.clear()
	p := echoRequest(w.network.link().Local, w.network.link().Peer)
	p[9] = 17
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], checksum(p[:20]))
	d.send(p)
	w.wait(10 * time.Millisecond)
	for _, a := range d.received() {
		if len(a) == 56 && a[9] == 1 && a[20] == 3 && string(a[28:]) == string(p) {
			return
		}
	}
	w.t.Fatalf("%s: %d packets came back, none refuses ours", why, len(d.received()))
}

// wantHeld checks that the link stands as it was: one device, open, announced and never taken back.
func (w *world) wantHeld(why string) {
	w.t.Helper()
	if _, downs := w.network.counts(); downs != 0 || w.network.link() == nil || w.device().isClosed() {
		w.t.Fatalf("%s: taken down %d times, link %v, device closed: %v", why, downs, w.network.link(), w.device().isClosed())
	}
	if st := w.session.Status(); st.State != Holding || !st.Local.IsValid() {
		w.t.Fatalf("%s: state %s with %v, want holding with the address", why, st.State, st.Local)
	}
}

func TestHoldForeverKeepsTheLinkAndRefusesWhatEntersIt(t *testing.T) {
	play(t, lab.Config{}, forever, func(w *world) {
		w.wantUp("first call")
		w.setDown(testServer, true)
		w.server.Cut("")
		w.wait(time.Second)
		w.wantHeld("a moment later")
		w.wantRefused("at once")
		w.wait(24 * time.Hour)
		w.wantHeld("a day later")
		w.wantRefused("a day later")
		if !w.network.check(-1).Refusing {
			t.Error("whoever looks into the kernel does not know that packets are refused")
		}
		if st := w.session.Status(); st.Counters.TxDropped != 2 {
			t.Errorf("%d packets count as dropped, want the two that were refused", st.Counters.TxDropped)
		}
		w.setDown(testServer, false)
		w.wantUp("the server is back")
		if len(w.devices) != 1 {
			t.Errorf("%d devices, want one", len(w.devices))
		}
		w.wait(time.Second)
		if w.network.check(-1).Refusing {
			t.Error("the last look still believes that packets are refused")
		}
	})
}

func TestHoldForeverOutlastsARefusedPassword(t *testing.T) {
	play(t, lab.Config{}, forever, func(w *world) {
		w.wantUp("first call")
		w.place(testServer, lab.Config{Misbehave: lab.Misbehaviour{FailCode: 691}})
		w.server.Cut("")
		w.wait(3 * time.Hour)
		w.wantHeld("after hours of refused passwords")
		w.wantRefused("after hours of refused passwords")
	})
}

func TestGivingUpKeepsALinkThatIsHeldForever(t *testing.T) {
	for option, value := range map[string]string{"authfail": "1", "maxfail": "3"} {
		t.Run(option, func(t *testing.T) {
			play(t, lab.Config{}, foreverWith(option, value), func(w *world) {
				w.wantUp("first call")
				w.place(testServer, lab.Config{Misbehave: lab.Misbehaviour{FailCode: 691}})
				w.server.Cut("")
				w.wait(24 * time.Hour)
				w.wantHeld("no more calls")
				w.wantRefused("no more calls")
				calls := w.dials(testServer)
				w.wait(24 * time.Hour)
				w.session.UplinkFound("uplink wan is up")
				w.wait(time.Hour)
				if n := w.dials(testServer); n != calls {
					t.Errorf("%d calls after the tunnel gave up", n-calls)
				}
				if st := w.session.Status(); st.LastError == nil || st.LastError.Code != fault.AuthFailed || !st.NextRetry.IsZero() {
					t.Errorf("the status shows %v, next try %v", st.LastError, st.NextRetry)
				}
				w.unplace(testServer)
				w.session.Reconnect("asked for")
				w.wantUp("the user wants it again")
			})
		})
	}
}

func TestGivingUpBeforeTheFirstCallStops(t *testing.T) {
	play(t, lab.Config{}, config.Values{"hold": {"forever"}, "authfail": {"1"}, "password": {"wrong"}}, func(w *world) {
		err := <-w.finished
		w.finished <- err
		if f := fault.Of(err, "", ""); f == nil || f.Code != fault.AuthFailed {
			t.Errorf("Run returned %v, want AUTH_FAILED: there is nothing to hold yet", err)
		}
	})
}

func TestADeviceThatIsDeletedWhileItIsHeldForeverIsMadeAgainAtOnce(t *testing.T) {
	for _, during := range []string{"the call", "the hold"} {
		t.Run(during, func(t *testing.T) {
			play(t, lab.Config{}, forever, func(w *world) {
				w.wantUp("first call")
				w.setDown(testServer, true)
				if during == "the hold" {
					w.server.Cut("")
					w.wait(time.Minute)
				}
				w.device().Close()
				w.wait(100 * time.Millisecond)
				w.wantHeld("made and announced again without a call")
				if ups, _ := w.network.counts(); ups != 2 || len(w.devices) != 2 {
					t.Errorf("announced %d times, %d devices; want 2 and 2", ups, len(w.devices))
				}
				w.wantRefused("by the new device")
				w.setDown(testServer, false)
				w.wantUp("the server is back")
			})
		})
	}
}

func TestAShortHoldLetsTheKernelQueue(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		d := w.device()
		d.clear()
		w.setDown(testServer, true)
		w.server.Cut("")
		w.wait(time.Second)
		l := w.network.link()
		d.send(echoRequest(l.Local, l.Peer))
		w.wait(time.Second)
		w.setDown(testServer, false)
		w.wantState("the call comes back", Up, 10*time.Second)
		w.wait(time.Second)
		answers := 0
		for _, p := range d.received() {
			if p[0] == 0x45 && p[9] == 1 && p[20] == 3 {
				t.Errorf("a packet was refused: %x", p)
			}
			if len(p) == 28 && p[20] == 0 {
				answers++
			}
		}
		if answers != 1 {
			t.Errorf("%d answers came back, want the one to the ping that waited", answers)
		}
	})
}

// TestHoldThatEndsWhileTheNetworkIsToldOfTheNextCall: the call is there, only the machine takes long to take its addresses
// in. They stay.
func TestHoldThatEndsWhileTheNetworkIsToldOfTheNextCall(t *testing.T) {
	play(t, lab.Config{FreshAddress: true}, config.Values{"hold": {"2"}}, func(w *world) {
		w.wantUp("first call")
		w.network.takes = 5 * time.Second
		w.server.Cut("")
		w.wait(20 * time.Second)
		w.wantState("the next call is up, with another address", Up, 0)
		if ups, downs := w.network.counts(); w.network.link() == nil || ups != 2 || downs != 0 {
			t.Errorf("the network was told %d times up and %d times down, and has %v", ups, downs, w.network.link())
		}
		w.wantEcho("and carries packets")
	})
}
