package datapath

import (
	"math"
	"time"
)

// codelInterval is the time within which a queue must have been short at least once (RFC 8289 section 4.2). It is about the
// largest common round-trip time.
const codelInterval = 100 * time.Millisecond

// codel decides which packets of one flow to drop, so that its queue is short but never empty (RFC 8289). Times count from
// any fixed moment.
type codel struct {
	firstAbove time.Duration // when a whole interval above target will have passed; 0 means not above
	dropNext   time.Duration
	count      int // drops since dropping began
	lastCount  int
	dropping   bool
}

// overdue reports whether the flow has been above target for a whole interval. age is that of its oldest packet. short says
// that the flow has too little queued to drop from.
func (c *codel) overdue(age, target, now time.Duration, short bool) bool {
	switch {
	case age < target || short:
		c.firstAbove = 0
	case c.firstAbove == 0:
		c.firstAbove = now + codelInterval
	default:
		return now >= c.firstAbove
	}
	return false
}

// due reports whether to drop the packet at the head of the flow, and counts the drop. The caller asks again for the next
// packet.
func (c *codel) due(overdue bool, now time.Duration) bool {
	switch {
	case !overdue:
		c.dropping = false
		return false
	case !c.dropping:
		// Dropping starts again. If the last time was not long ago, it resumes at the rate that was right then.
		c.dropping = true
		delta := c.count - c.lastCount
		c.count = 1
		if delta > 1 && now-c.dropNext < 16*codelInterval {
			c.count = delta
		}
		c.lastCount = c.count
		c.dropNext = now + c.pause()
		return true
	case now >= c.dropNext:
		c.count++
		c.dropNext += c.pause()
		return true
	}
	return false
}

// pause returns the time to the next drop (RFC 8289 section 4.3).
func (c *codel) pause() time.Duration {
	return time.Duration(float64(codelInterval) / math.Sqrt(float64(c.count)))
}

// mark sets "congestion experienced" in an IP packet whose sender supports it (RFC 3168), which serves as well as dropping
// the packet. It reports whether the sender does.
func mark(pkt []byte) bool {
	switch {
	case len(pkt) >= 20 && pkt[0]>>4 == 4 && pkt[1]&3 != 0:
		if pkt[1]&3 != 3 {
			// The checksum is updated by the change of the word (RFC 1624), so that a wrong one stays wrong.
			old := uint32(pkt[0])<<8 | uint32(pkt[1])
			pkt[1] |= 3
			sum := uint32(^pkt[10])<<8 | uint32(^pkt[11])
			sum += 0xffff - old + (old | 3)
			sum = sum>>16 + sum&0xffff
			sum = sum>>16 + sum&0xffff
			pkt[10], pkt[11] = ^byte(sum>>8), ^byte(sum)
		}
		return true
	case len(pkt) >= 40 && pkt[0]>>4 == 6 && pkt[1]&0x30 != 0:
		pkt[1] |= 0x30
		return true
	}
	return false
}
