package datapath

import (
	"math"
	"time"
)

// codelInterval is the time within which a queue has to have been short once (RFC 8289 section 4.2): about the largest
// round trip that is common.
const codelInterval = 100 * time.Millisecond

// codel decides for one flow which packets to drop so that its queue is short but never empty (RFC 8289). Times are
// counted from any fixed moment.
type codel struct {
	firstAbove time.Duration // when a whole interval above target will be over; 0: not above
	dropNext   time.Duration
	count      int // drops since dropping began
	lastCount  int
	dropping   bool
}

// overdue reports whether the flow has been above target for a whole interval, given the age of its oldest packet.
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

// due reports whether the packet that is overdue, or not, is to be dropped, and takes note that it is. It is asked again
// for the packet behind.
func (c *codel) due(overdue bool, now time.Duration) bool {
	switch {
	case !overdue:
		c.dropping = false
		return false
	case !c.dropping:
		// Dropping begins anew, at the rate that was right before if that was not long ago.
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

// pause is the time to the next drop (RFC 8289 section 4.3).
func (c *codel) pause() time.Duration {
	return time.Duration(float64(codelInterval) / math.Sqrt(float64(c.count)))
}

// mark says "congestion experienced" in an IP packet whose sender understands it (RFC 3168), which serves as well as
// dropping it. It reports whether it could.
func mark(pkt []byte) bool {
	switch {
	case len(pkt) >= 20 && pkt[0]>>4 == 4 && pkt[1]&3 != 0:
		if pkt[1]&3 != 3 {
			// The checksum is changed by as much as the word is (RFC 1624): a wrong one stays wrong.
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
