package session

import (
	"testing"
	"time"

	"sstp/src/fault"
)

func TestPausesDoubleUpToAMinute(t *testing.T) {
	var b backoff
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := b.failedCall(false, maxPause, 0); got != want*time.Second {
			t.Errorf("pause %d is %v, want %v", i+1, got, want*time.Second)
		}
	}
	b.succeeded()
	if got := b.failedCall(false, maxPause, 0); got != time.Second {
		t.Errorf("after a call that came up the pauses begin anew, got %v", got)
	}
}

func TestARefusedPasswordWaitsAMinuteAndUpToAnHour(t *testing.T) {
	var b backoff
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if got := b.refused(0); got != want*time.Minute {
			t.Errorf("pause %d is %v, want %v", i+1, got, want*time.Minute)
		}
	}
}

func TestAHeldDeviceIsWorthQuickerTries(t *testing.T) {
	var b backoff
	if got := b.failedCall(true, maxPause, 0); got != firstHoldPause {
		t.Errorf("first pause while holding is %v, want %v", got, firstHoldPause)
	}
}

func TestJitterTakesAtMostAFifth(t *testing.T) {
	if got := withJitter(10*time.Second, 0.999); got < 8*time.Second || got > 10*time.Second {
		t.Errorf("got %v of 10 s", got)
	}
}

func TestAHeldDeviceLimitsThePauses(t *testing.T) {
	var b backoff
	for range 20 {
		if got := b.failedCall(true, 5*time.Second, 0); got > 5*time.Second {
			t.Fatalf("pause of %v, want at most 5 s", got)
		}
	}
}

// TestACallThatTheServerEndsAsSoonAsItIsUp is dialed at once the first time, and does not become a loop.
func TestACallThatTheServerEndsAsSoonAsItIsUp(t *testing.T) {
	for _, code := range []fault.Code{
		fault.ClosedByServer, fault.SSTPRejected, fault.CryptoBindingFailed, fault.PPPNegotiationFailed, fault.AuthFailed, fault.NoAddress,
	} {
		var b backoff
		how := endingOf(fault.New(code, fault.StageUp, "x"), fault.Peer)
		for i, want := range []time.Duration{0, 4 * time.Second, flapPause, flapPause} {
			if got := b.lost(time.Second, how, time.Second, 0); got != want {
				t.Errorf("%s: pause %d is %v, want %v", code, i+1, got, want)
			}
		}
		if got := b.lost(steadyAfter, how, time.Second, 0); got != 0 {
			t.Errorf("%s: after a minute's peace the pause is %v", code, got)
		}
	}
}

// TestACallThatBreaksAsSoonAsItIsUp has no long pauses: anybody on the path can break it. It is dialed at once the first
// time, such as after a KeyUpdate that kernel TLS cannot follow, and does not become a tight loop.
func TestACallThatBreaksAsSoonAsItIsUp(t *testing.T) {
	for _, c := range []struct {
		code fault.Code
		by   fault.Party
	}{{fault.ClosedByServer, fault.Path}, {fault.TLSFailed, fault.Path}, {fault.TUNFailed, fault.Us}, {fault.NetifdRefused, fault.Us}} {
		var b backoff
		how := endingOf(fault.New(c.code, fault.StageUp, "x"), c.by)
		for i, want := range []time.Duration{0, 1, 2, 4, 5, 5} {
			if got := b.lost(time.Second, how, 5*time.Second, 0); got != want*time.Second {
				t.Errorf("%s: pause %d is %v, want %v", c.code, i+1, got, want*time.Second)
			}
		}
		for range 100 {
			if got := b.lost(time.Second, how, maxPause, 0); got > maxPause || got <= 0 {
				t.Fatalf("%s: pause of %v", c.code, got)
			}
		}
	}
}

func TestWhatTheServerDidNotEndIsDialedAtOnceWhateverWasBefore(t *testing.T) {
	for name, err := range map[string]*fault.Error{
		"our own goodbye": nil,
		"a lost uplink":   fault.New(fault.NoUplink, fault.StageUp, "x"),
		"a silent server": fault.New(fault.PeerSilent, fault.StageUp, "x"),
	} {
		b := backoff{flaps: flapLimit + 1, breaks: 5}
		if got := b.lost(time.Second, endingOf(err, fault.Us), maxPause, 0); got != 0 {
			t.Errorf("%s: the pause is %v, want none", name, got)
		}
	}
}
