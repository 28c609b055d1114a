package session

import (
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
)

// cutLogins are servers, or people on the path without any key, that break the connection in the middle of the login.
var cutLogins = map[string]lab.Misbehaviour{
	"before the challenge":  {CutInAuth: true},
	"instead of a verdict":  {CutAtVerdict: true},
	"before it has begun":   {TerminateInAuth: true},
	"in the TLS handshake":  {TLSClose: true},
	"instead of the HTTP's": {HTTPClose: true},
}

func TestAConnectionThatBreaksDuringTheLoginIsNoRefusedPassword(t *testing.T) {
	for name, m := range cutLogins {
		t.Run(name, func(t *testing.T) {
			m.First = 4
			play(t, lab.Config{Misbehave: m}, config.Values{"authfail": {"1"}}, func(w *world) {
				begin := time.Now()
				w.wantUp("after the fourth reset the path is free")
				if took := time.Since(begin); took > 20*time.Second {
					t.Errorf("up after %v, want ordinary pauses of 1, 2, 4 and 8 s", took)
				}
				if err := w.session.Status().LastError; repeatLocksAccount(err.Code) {
					t.Errorf("a broken connection counts as %s: %s", err.Code, err.Message)
				}
			})
		})
	}
}

// TestResetsNeverPauseTheRedialBeyondHold: who can reset connections, and has no key, can keep the tunnel down as long as
// he does so, but cannot make its addresses and routes go away by what is waited for afterwards.
func TestResetsNeverPauseTheRedialBeyondHold(t *testing.T) {
	for name, m := range cutLogins {
		t.Run(name, func(t *testing.T) {
			for lasts := time.Second; lasts < 25*time.Second; lasts += 4 * time.Second {
				play(t, lab.Config{}, config.Values{"hold": {"30"}}, func(w *world) {
					w.wantUp("first call")
					w.wait(2 * time.Minute)
					w.place(testServer, lab.Config{Misbehave: m})
					w.server.Cut("")
					w.wait(lasts)
					w.unplace(testServer)
					w.wait(31*time.Second - lasts)
					if _, downs := w.network.counts(); downs != 0 || w.session.Status().State != Up {
						t.Errorf("resets for %v: state %s, the link was taken down %d times", lasts, w.session.Status().State, downs)
					}
				})
			}
		})
	}
}

func TestARefusedPasswordAtOneServerDoesNotKeepFromTryingTheNext(t *testing.T) {
	servers := config.Values{"server": {"first.test", "second.test"}, "authfail": {"1"}}
	refuses := func(w *world) { w.place("first.test", lab.Config{Misbehave: lab.Misbehaviour{FailCode: 691}}) }
	playAfter(t, lab.Config{}, servers, refuses, func(w *world) {
		w.wantUp("the second server knows us")
		if n := w.dials("first.test"); n != 1 {
			t.Errorf("the first server was dialed %d times, want once", n)
		}
	})
}

func TestEachServerIsAskedOnceARoundWhereOneRefusesThePassword(t *testing.T) {
	servers := config.Values{"server": {"first.test", "second.test"}}
	prepare := func(w *world) {
		w.place("first.test", lab.Config{Misbehave: lab.Misbehaviour{FailCode: 691}})
		w.setDown("second.test", true)
	}
	playAfter(t, lab.Config{}, servers, prepare, func(w *world) {
		w.wait(10 * time.Minute)
		for _, host := range []string{"first.test", "second.test"} {
			if n := w.dials(host); n < 3 || n > 5 {
				t.Errorf("%s was dialed %d times in ten minutes, want after 1, 2, 4 minutes", host, n)
			}
		}
	})
}

func TestAuthfailGivesUpWhenNoServerOfTheListHelps(t *testing.T) {
	servers := config.Values{"server": {"first.test", "second.test"}, "authfail": {"1"}}
	prepare := func(w *world) {
		w.place("first.test", lab.Config{Misbehave: lab.Misbehaviour{FailCode: 691}})
		w.setDown("second.test", true)
	}
	playAfter(t, lab.Config{}, servers, prepare, func(w *world) {
		err := <-w.finished
		w.finished <- err
		if f := fault.Of(err, "", ""); f == nil || f.Code != fault.AuthFailed || len(w.dialed) != 2 {
			t.Errorf("Run returned %v after %d calls, want AUTH_FAILED after two", err, len(w.dialed))
		}
	})
}
