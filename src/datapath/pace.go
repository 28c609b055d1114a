package datapath

import "time"

const (
	// paceWindow is the length of one measurement of the link's speed.
	paceWindow = 10 * time.Millisecond
	// paceWrite is how long one write should take on a slow link. A packet that comes meanwhile waits at least that long.
	paceWrite = 2 * time.Millisecond
	// paceHold is how long the link may need for what a Batcher holds. A slow processor looks like a slow link, and there
	// it helps to send several records at once.
	paceHold = 4 * time.Millisecond
	// fastLink is the speed, in bytes per second, from which on a queue does not matter: a whole TLS record passes in an
	// eighth of a millisecond.
	fastLink = 1e9 / 8
)

// pace measures how fast the link takes data while backlogged, and from that how much to write at once. On a slow link that
// is less than a whole TLS record, which would take several milliseconds.
type pace struct {
	since time.Time // start of the current backlog or window; zero means no backlog
	sent  int       // bytes written since then
	rate  int       // bytes per second in the last window; 0 means not measured yet
	slow  bool      // backlogged for a whole window at less than fastLink
}

// at ends the current window if it is over. It is called before each write.
func (m *pace) at(now time.Time) {
	if d := now.Sub(m.since); !m.since.IsZero() && d >= paceWindow {
		m.rate = max(1, int(int64(m.sent)*int64(time.Second)/int64(d)))
		m.slow = m.rate < fastLink
		m.since, m.sent = now, 0
	}
}

// wrote records a write of n bytes that began at now. backlog says whether more data was waiting than fitted into it.
func (m *pace) wrote(n int, now time.Time, backlog bool) {
	switch {
	case !backlog:
		m.since, m.slow = time.Time{}, false
	case m.since.IsZero():
		m.since, m.sent = now, n
	default:
		m.sent += n
	}
}

// holds reports whether n bytes may be held, because the link is known to pass them soon.
func (m *pace) holds(n int) bool {
	return int64(n)*int64(time.Second) <= int64(m.rate)*int64(paceHold) && !m.since.IsZero()
}

// quota returns how many bytes to write at once, which is at least two packets.
func (m *pace) quota(mtu int) int {
	if m.rate == 0 {
		return maxWrite
	}
	n := int(int64(m.rate) * int64(paceWrite) / int64(time.Second))
	return min(max(n, 2*(mtu+headroom)), maxWrite)
}

// target returns how long a packet may stay in the queue: CoDel's own target, or the time of two writes if that is longer.
func (m *pace) target(quota int) time.Duration {
	if m.rate == 0 {
		return minTarget
	}
	return max(minTarget, time.Duration(2*int64(quota)*int64(time.Second)/int64(m.rate)))
}
