package session

import (
	"testing"
	"time"

	"sstp/src/fault"
	"sstp/src/lab"
)

// TestABurstOfEchoRequestsDoesNotLoseCallConnected: a server sends 70 ECHO_REQUESTs in the write of its good verdict, and
// our line is slow. CALL_CONNECTED gets out all the same: the server checks the binding and gives no address without it.
func TestABurstOfEchoRequestsDoesNotLoseCallConnected(t *testing.T) {
	for _, n := range []int{70, 1000} {
		slow := func(w *world) { w.slow = 20 * time.Millisecond }
		playAfter(t, lab.Config{Misbehave: lab.Misbehaviour{EchoBurst: n}}, nil, slow, func(w *world) {
			w.wantUp("the burst is answered, and the call is bound")
			if st := w.server.Stats(); st.Bound != 1 {
				t.Errorf("%d echoes: %d calls are bound, want one", n, st.Bound)
			}
			w.wait(time.Minute)
			if st := w.session.Status(); st.State != Up || st.Reconnects != 0 {
				t.Errorf("%d echoes: state %s, %d reconnections", n, st.State, st.Reconnects)
			}
		})
	}
}

// TestAServerThatFloodsWithWhatMustBeAnsweredLosesTheCall: no answer but an echo's is ever left out in silence.
func TestAServerThatFloodsWithWhatMustBeAnsweredLosesTheCall(t *testing.T) {
	slow := func(w *world) { w.slow = 20 * time.Millisecond }
	playAfter(t, lab.Config{Misbehave: lab.Misbehaviour{RequestBurst: 2000}}, nil, slow, func(w *world) {
		w.wantError("2000 packets that want an answer each", fault.SSTPRejected, 10*time.Second)
	})
}
