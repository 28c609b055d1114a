package session

import (
	"testing"
	"time"

	"sstp/src/lab"
)

// afterFlaps plays a server that has ended three calls soon after they came up, and then the script with the next call,
// a few seconds after it came up.
func afterFlaps(t *testing.T, script func(w *world)) {
	t.Helper()
	play(t, lab.Config{Misbehave: lab.Misbehaviour{DisconnectAfter: time.Second, First: 3}}, nil, func(w *world) {
		for begin := time.Now(); w.dials(testServer) < 4; w.wait(time.Second) {
			if time.Since(begin) > 6*time.Minute {
				t.Fatal("no fourth call within six minutes")
			}
		}
		w.wantUp("the fourth call stays")
		w.wait(5 * time.Second)
		script(w)
	})
}

// backWithin checks that the tunnel is up again soon, over another call.
func (w *world) backWithin(why string, limit time.Duration, lose func()) {
	w.t.Helper()
	calls := w.dials(testServer)
	begin := time.Now()
	lose()
	for w.dials(testServer) == calls && time.Since(begin) < 10*time.Minute {
		w.wait(10 * time.Millisecond)
	}
	w.wantUp(why)
	if took := time.Since(begin); took > limit {
		w.t.Errorf("%s: back after %v, want at most %v", why, took.Round(time.Second), limit)
	}
}

func TestAfterShortCallsOnlyTheServersOwnWordMakesTheNextOneWait(t *testing.T) {
	afterFlaps(t, func(w *world) {
		w.backWithin("sstp reconnect", 4*time.Second, func() { w.session.Reconnect("asked for") })
		w.backWithin("a lost uplink", 2*time.Second, func() { w.session.UplinkLost("uplink wan went down") })
		w.backWithin("a reset", 2*time.Second, func() { w.server.Cut("") })
		w.backWithin("a second reset", 3*time.Second, func() { w.server.Cut("") })
		w.backWithin("a silent server", time.Minute, func() { w.server.Mute("") })
	})
}

func TestTheUsersWishEndsTheLongPause(t *testing.T) {
	play(t, lab.Config{Misbehave: lab.Misbehaviour{DisconnectAfter: time.Second, First: 4}}, nil, func(w *world) {
		w.wait(30 * time.Second)
		if n := w.dials(testServer); n != 3 {
			t.Fatalf("%d calls, want three and then the long pause", n)
		}
		w.session.Reconnect("asked for") // the fourth is ended by the server as well
		w.wait(30 * time.Second)
		w.wantUp("and followed at once: counting starts from nothing")
		if n := w.dials(testServer); n != 5 {
			t.Errorf("%d calls, want 5", n)
		}
	})
}
