package session

import (
	"testing"
	"time"

	"sstp/src/fault"
)

func TestPausesDoubleUpToAMinute(t *testing.T) {
	var b backoff
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := b.failedCall(fault.ConnectFailed, false, 0); got != want*time.Second {
			t.Errorf("pause %d is %v, want %v", i+1, got, want*time.Second)
		}
	}
	b.succeeded()
	if got := b.failedCall(fault.ConnectFailed, false, 0); got != time.Second {
		t.Errorf("after a call that came up the pauses begin anew, got %v", got)
	}
}

func TestARefusedPasswordWaitsAMinuteAndUpToAnHour(t *testing.T) {
	var b backoff
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := b.failedCall(fault.AuthFailed, false, 0); got != want*time.Minute {
			t.Errorf("pause %d is %v, want %v", i+1, got, want*time.Minute)
		}
	}
}

func TestAHeldDeviceIsWorthQuickerTries(t *testing.T) {
	var b backoff
	if got := b.failedCall(fault.ConnectFailed, true, 0); got != firstHoldPause {
		t.Errorf("first pause while holding is %v, want %v", got, firstHoldPause)
	}
}

func TestJitterTakesAtMostAFifth(t *testing.T) {
	if got := withJitter(10*time.Second, 0.999); got < 8*time.Second || got > 10*time.Second {
		t.Errorf("got %v of 10 s", got)
	}
}

// TestACallThatBreaksAsSoonAsItIsUp is dialed at once the first time, such as after a KeyUpdate that kernel TLS cannot
// follow, and does not become a loop.
func TestACallThatBreaksAsSoonAsItIsUp(t *testing.T) {
	for _, code := range []fault.Code{
		fault.ClosedByServer, fault.TLSFailed, fault.SSTPRejected, fault.CryptoBindingFailed, fault.PPPNegotiationFailed,
		fault.AuthFailed, fault.NoAddress, fault.TUNFailed, fault.NetifdRefused,
	} {
		var b backoff
		for i, want := range []time.Duration{0, 4 * time.Second, flapPause, flapPause} {
			if got := b.lost(time.Second, mayRecur(code), 0); got != want {
				t.Errorf("%s: pause %d is %v, want %v", code, i+1, got, want)
			}
		}
		if got := b.lost(steadyAfter, mayRecur(code), 0); got != 0 {
			t.Errorf("%s: after a minute's peace the pause is %v", code, got)
		}
	}
	for _, code := range []fault.Code{fault.PeerSilent, fault.NoUplink} {
		if mayRecur(code) {
			t.Errorf("%s: a line that went dead says nothing of the next call", code)
		}
	}
}
