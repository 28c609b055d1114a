package datapath

import "time"

const (
	// paceWindow is how long the speed of the link is measured at a time.
	paceWindow = 10 * time.Millisecond
	// paceWrite is how long one write should take on a slow link: so long a packet that comes has to wait at least.
	paceWrite = 2 * time.Millisecond
	// paceHold is how long what a Batcher holds may take on the link. A processor that is slower than the link looks like
	// one, and there it counts that several records go out at once.
	paceHold = 4 * time.Millisecond
	// fastLink is a speed, in bytes per second, at which a queue is too short in time to care for: a whole TLS record
	// passes in an eighth of a millisecond.
	fastLink = 1e9 / 8
)

// pace measures how fast the link takes data when there is more of it than goes, and says how much to write at once: on a
// slow link less than a whole TLS record, which would take it several milliseconds.
type pace struct {
	since time.Time // when more than goes began to be there; zero: it is not
	sent  int       // bytes since
	rate  int       // bytes per second, measured last; 0: never
	slow  bool      // for a whole window there was more than a slow link could take
}

// at looks at the time, before a write.
func (m *pace) at(now time.Time) {
	if d := now.Sub(m.since); !m.since.IsZero() && d >= paceWindow {
		m.rate = max(1, int(int64(m.sent)*int64(time.Second)/int64(d)))
		m.slow = m.rate < fastLink
		m.since, m.sent = now, 0
	}
}

// wrote takes note of a write of n bytes, begun at now; backlog says whether more was there than fitted into it.
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

// holds reports whether n bytes may be held: the link is known to pass them soon.
func (m *pace) holds(n int) bool {
	return int64(n)*int64(time.Second) <= int64(m.rate)*int64(paceHold) && !m.since.IsZero()
}

// quota is how many bytes to write at once: two packets at least.
func (m *pace) quota(mtu int) int {
	if m.rate == 0 {
		return maxWrite
	}
	n := int(int64(m.rate) * int64(paceWrite) / int64(time.Second))
	return min(max(n, 2*(mtu+headroom)), maxWrite)
}

// target is the age that a packet may have in the queue: that of CoDel, or, where that is less than the link needs for
// two writes, so long.
func (m *pace) target(quota int) time.Duration {
	if m.rate == 0 {
		return minTarget
	}
	return max(minTarget, time.Duration(2*int64(quota)*int64(time.Second)/int64(m.rate)))
}
