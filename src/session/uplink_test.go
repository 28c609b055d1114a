package session

import (
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
)

func TestALostUplinkIsLeftAtOnceAndWhatRunsInTheTunnelStays(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		w.wait(time.Minute)
		begin := time.Now()
		w.session.UplinkLost("uplink wan went down")
		w.wantUp("over another uplink")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("back after %v, want at once: nobody is said goodbye to", took)
		}
		if ups, downs := w.network.counts(); ups != 1 || downs != 0 || len(w.devices) != 1 {
			t.Errorf("%d ups, %d downs, %d devices; want one device that stays", ups, downs, len(w.devices))
		}
		if err := w.session.Status().LastError; err == nil || err.Code != fault.NoUplink {
			t.Errorf("the reason is %v, want NO_UPLINK", err)
		}
	})
}

func TestADialOverALostUplinkIsGivenUp(t *testing.T) {
	play(t, lab.Config{Misbehave: lab.Misbehaviour{TLSStall: true}}, nil, func(w *world) {
		w.wantState("the server never answers the hello", TLS, 10*time.Second)
		w.session.UplinkLost("uplink wan went down")
		w.wait(100 * time.Millisecond)
		if len(w.dialed) != 2 {
			t.Errorf("%d dials, want the second one at once and not after the time limit of TLS", len(w.dialed))
		}
		w.session.Reconnect("uplink wan is better than lte")
		w.wait(100 * time.Millisecond)
		if len(w.dialed) != 3 {
			t.Errorf("%d dials, want the third one at once", len(w.dialed))
		}
		if err := w.session.Status().LastError; err != nil {
			t.Errorf("a dial that we gave up counts as a failure: %v", err)
		}
	})
}

func TestWithoutAnUplinkNoCallFailsAndTheNewsOfOneEndTheWait(t *testing.T) {
	offline := func(w *world) { w.setCutOff(true) }
	playAfter(t, lab.Config{}, config.Values{"maxfail": {"2"}}, offline, func(w *world) {
		w.wantError("no way to the server", fault.NoUplink, 10*time.Second)
		w.wait(time.Hour)
		w.wantState("maxfail counts calls, and none was made", Waiting, time.Minute)
		entries := 0
		for _, e := range w.session.History() {
			if e.Code == fault.NoUplink {
				entries++
			}
		}
		if entries > 1 {
			t.Errorf("%d lines of the history say the same", entries)
		}
		w.session.UplinkLost("uplink wan went down") // nothing runs over it
		w.setCutOff(false)
		begin := time.Now()
		w.session.Reconnect("uplink wan is up")
		w.wantUp("the uplink is back")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("up after %v, want at once", took)
		}
	})
}

func TestAnUplinkThatIsLostForLongerThanHoldTakesTheLinkDown(t *testing.T) {
	play(t, lab.Config{}, config.Values{"hold": {"30"}}, func(w *world) {
		w.wantUp("first call")
		w.wait(time.Minute)
		w.setCutOff(true)
		w.session.UplinkLost("uplink wan went down")
		w.wantState("the device is held", Holding, time.Second)
		w.wait(29 * time.Second)
		if w.network.link() == nil {
			t.Error("the link was given up before hold was over")
		}
		w.wait(2 * time.Second)
		if w.network.link() != nil {
			t.Error("the link is still there after hold")
		}
		w.setCutOff(false)
		w.session.Reconnect("uplink wan is up")
		w.wantUp("with a new device")
	})
}
