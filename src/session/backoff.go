package session

import (
	"time"

	"sstp/src/fault"
)

// Pauses between calls. A refused password waits long, so that no directory locks the account.
const (
	firstPause     = time.Second
	firstHoldPause = 250 * time.Millisecond // a lost call whose device is kept: every moment counts
	maxPause       = time.Minute
	firstAuthPause = time.Minute
	maxAuthPause   = time.Hour
	flapPause      = 5 * time.Minute
	steadyAfter    = time.Minute // a call that was up for so long forgets earlier failures
	flapLimit      = 3           // so many calls lost within steadyAfter of coming up: two clients share one account
)

// backoff computes the pause before the next call from what became of the last ones.
type backoff struct {
	pause     time.Duration // of the last failure, 0 after a success
	authPause time.Duration
	flaps     int
	failed    int // calls failed in a row
}

// succeeded notes that a call came up.
func (b *backoff) succeeded() {
	b.pause, b.authPause, b.failed = 0, 0, 0
}

// lost returns the pause after a call that had been up for upFor. The first try comes at once, unless calls keep ending
// as soon as they are up, for a reason that the next one would meet again.
func (b *backoff) lost(upFor time.Duration, mayRecur bool, jitter float64) time.Duration {
	if upFor >= steadyAfter {
		b.flaps = 0
		return 0
	}
	if mayRecur {
		b.flaps++
	}
	if b.flaps >= flapLimit {
		return withJitter(flapPause, jitter)
	}
	if b.flaps > 1 {
		return withJitter(firstPause<<b.flaps, jitter)
	}
	return 0
}

// failedCall returns the pause after a call that never came up; holding says that a device is kept for it.
func (b *backoff) failedCall(code fault.Code, holding bool, jitter float64) time.Duration {
	b.failed++
	if repeatLocksAccount(code) {
		b.authPause = grow(b.authPause, firstAuthPause, maxAuthPause)
		return withJitter(b.authPause, jitter)
	}
	return b.longer(holding, jitter)
}

// longer returns a pause twice as long as the last one, without counting a failed call.
func (b *backoff) longer(holding bool, jitter float64) time.Duration {
	first := firstPause
	if holding {
		first = firstHoldPause
	}
	b.pause = grow(b.pause, first, maxPause)
	return withJitter(b.pause, jitter)
}

// mayRecur says whether the next call could be lost for the same reason as soon as it is up. That is so of whatever the
// server or this machine did, and not of a line that went dead: it takes its time to be noticed, or is another one now.
func mayRecur(code fault.Code) bool { return code != fault.NoUplink && code != fault.PeerSilent }

// repeatLocksAccount says whether trying again soon would count as another wrong login on the server.
func repeatLocksAccount(code fault.Code) bool {
	switch code {
	case fault.AuthFailed, fault.PasswordExpired, fault.AccountDisabled:
		return true
	}
	return false
}

func grow(last, first, limit time.Duration) time.Duration {
	if last == 0 {
		return first
	}
	return min(2*last, limit)
}

// withJitter takes up to a fifth off the pause, so that many routers do not come back at the same moment after their
// server did. jitter is in [0,1).
func withJitter(pause time.Duration, jitter float64) time.Duration {
	return pause - time.Duration(jitter*float64(pause)/5)
}
