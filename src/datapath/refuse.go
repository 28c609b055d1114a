package datapath

import (
	"net/netip"
	"sync/atomic"
	"time"

	"sstp/src/offload"
)

const (
	// refusalBurst and refusalEvery limit the answers of a Refuser, as Linux limits its own ICMP errors: so many at once,
	// and one more after each interval.
	refusalBurst = 100
	refusalEvery = time.Millisecond
	maxRefused   = 64 // packets taken at once
)

// Refuser reads a device whose call is lost and answers each packet that its destination cannot be reached, so that what
// enters the tunnel fails at once and nothing waits for an answer that cannot come.
type Refuser struct {
	dev     Device
	from    [4]byte // where the answers over IPv4 come from; zero: the destination of the packet
	failed  func(error)
	stop    atomic.Bool
	done    chan struct{} // closed when the goroutine has ended
	refused atomic.Uint64
	budget  budget
}

// Refuse starts a Refuser. from is the other side's address in the tunnel, invalid where there is none. failed is called
// at most once, from another goroutine, with a *fault.Error when the device is gone. Until Stop has returned nobody else
// may use the device.
func Refuse(dev Device, from netip.Addr, failed func(error)) *Refuser {
	r := &Refuser{dev: dev, failed: failed, done: make(chan struct{}), budget: budget{left: refusalBurst, at: time.Now()}}
	if from.Is4() {
		r.from = from.As4()
	}
	dev.SetReadDeadline(time.Time{})
	go r.run()
	return r
}

// Refused returns how many packets did not pass.
func (r *Refuser) Refused() uint64 { return r.refused.Load() }

// Stop ends the Refuser and waits for it. The device stays open.
func (r *Refuser) Stop() {
	r.stop.Store(true)
	r.dev.SetReadDeadline(longAgo)
	<-r.done
}

func (r *Refuser) run() {
	err := r.answer()
	close(r.done)
	if err != nil && !r.stop.Load() {
		r.failed(deviceError(err))
	}
}

// answer goes on until Stop or until the device fails.
func (r *Refuser) answer() error {
	var (
		buf     = make([]byte, maxWrite)
		ends    = make([]int, maxRefused)
		space   = make([]byte, offload.MaxUnreachable)
		answers = make([][]byte, 1)
	)
	for !r.stop.Load() {
		n, err := r.dev.ReadPackets(buf, 0, ends)
		if err != nil {
			return err
		}
		r.refused.Add(uint64(n))
		now := time.Now()
		start := 0
		for _, end := range ends[:n] {
			pkt := buf[start:end]
			start = end
			length := offload.Unreachable(space, pkt, r.from)
			if length == 0 || !r.budget.take(now) {
				continue
			}
			answers[0] = space[:length]
			if _, err := r.dev.WritePackets(answers); err != nil {
				return err
			}
		}
	}
	return nil
}

// budget is a token bucket of answers.
type budget struct {
	left int
	at   time.Time // when left was right
}

// take reports whether one more answer may be sent at now.
func (b *budget) take(now time.Time) bool {
	if earned := now.Sub(b.at) / refusalEvery; earned > 0 {
		b.left = int(min(refusalBurst, int64(b.left)+int64(earned)))
		b.at = b.at.Add(earned * refusalEvery)
	}
	if b.left == 0 {
		return false
	}
	b.left--
	return true
}
