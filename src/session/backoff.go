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
	steadyAfter    = time.Minute // a call that was up for this long clears earlier failures
	flapLimit      = 3           // if the server ends so many calls within steadyAfter, two clients share one account
)

// backoff computes the pause before the next call from how the last ones ended.
type backoff struct {
	pause     time.Duration // of the last failure, 0 after a success
	authPause time.Duration
	flaps     int // calls that the server ended soon after they came up
	breaks    int // calls that broke soon after they came up
	failed    int // calls failed in a row
}

// succeeded notes that a call came up.
func (b *backoff) succeeded() {
	b.pause, b.authPause, b.failed = 0, 0, 0
}

// startOver resets the pauses, because the user wants a call or the way to the server has changed. The pause after a
// refused password stays.
func (b *backoff) startOver() {
	b.pause, b.flaps, b.breaks = 0, 0, 0
}

// ending is how a call that was up ended.
type ending uint8

const (
	// interrupted: we wanted it, the uplink was lost, or the server fell silent. The next call is dialed at once.
	interrupted ending = iota
	// broken: the connection ended without a word, a TLS record was spoiled, or this machine failed. Anybody on the path
	// can forge the first two, so the pauses stay short.
	broken
	// byServer: the server said so inside TLS. It means it, so the pauses grow long.
	byServer
)

// endingOf returns how a call ended. err is nil after our own goodbye; by is who brought the end about.
func endingOf(err *fault.Error, by fault.Party) ending {
	switch {
	case err == nil, err.Code == fault.NoUplink, err.Code == fault.PeerSilent:
		return interrupted
	case by == fault.Path && err.Code == fault.ClosedByServer, err.Code == fault.TLSFailed, err.Code == fault.TUNFailed, err.Code == fault.NetifdRefused:
		return broken
	}
	return byServer
}

// lost returns the pause after a call that had been up for upFor. The first try comes at once, unless calls keep ending
// as soon as they are up. limit bounds the pauses that others than the server can bring about.
func (b *backoff) lost(upFor time.Duration, how ending, limit time.Duration, jitter float64) time.Duration {
	if upFor >= steadyAfter {
		b.flaps, b.breaks = 0, 0
		return 0
	}
	switch how {
	case byServer:
		b.flaps++
		if b.flaps >= flapLimit {
			return withJitter(flapPause, jitter)
		}
		if b.flaps > 1 {
			return withJitter(firstPause<<b.flaps, jitter)
		}
	case broken:
		b.breaks++
		if b.breaks > 1 {
			return withJitter(min(firstPause<<min(b.breaks-2, 6), limit), jitter)
		}
	}
	return 0
}

// failedCall returns the pause after a round through the servers in which no call came up and none refused the password.
// holding is true while a device is kept for the next call; limit bounds the pause.
func (b *backoff) failedCall(holding bool, limit time.Duration, jitter float64) time.Duration {
	b.failed++
	return b.longer(holding, limit, jitter)
}

// refused returns the pause after a round in which a server refused the password.
func (b *backoff) refused(jitter float64) time.Duration {
	b.failed++
	b.authPause = grow(b.authPause, firstAuthPause, maxAuthPause)
	return withJitter(b.authPause, jitter)
}

// longer returns a pause twice as long as the last one, at most limit, without counting a failed call.
func (b *backoff) longer(holding bool, limit time.Duration, jitter float64) time.Duration {
	first := firstPause
	if holding {
		first = firstHoldPause
	}
	b.pause = min(grow(b.pause, first, maxPause), limit)
	return withJitter(b.pause, jitter)
}

// repeatLocksAccount reports whether trying again soon would count as another wrong login on the server.
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
