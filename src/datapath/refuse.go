package datapath

import (
	"net/netip"
	"sync/atomic"
	"time"

	"sstp/src/offload"
)

const (
	// refusalBurst and refusalEvery limit the answers of a Refuser, as Linux limits its own ICMP errors: at most
	// refusalBurst at once, and one more after each refusalEvery.
	refusalBurst = 100
	refusalEvery = time.Millisecond
	maxRefused   = 64 // packets taken at once
)

// Refuser reads a device whose call is lost and answers each packet with "destination unreachable". Connections through the
// tunnel then fail at once and do not wait for an answer that cannot come.
type Refuser struct {
	dev     Device
	from    [4]byte // source of the IPv4 answers; zero means the destination of the packet
	failed  func(error)
	stop    atomic.Bool
	done    chan struct{} // closed when the goroutine has ended
	refused atomic.Uint64
	budget  budget
}

// Refuse starts a Refuser. from is the address of the other side of the tunnel, or invalid when there is none. When the
// device is gone, another goroutine calls failed once with a *fault.Error. Nobody else may use the device until Stop has
// returned.
func Refuse(dev Device, from netip.Addr, failed func(error)) *Refuser {
	r := &Refuser{dev: dev, failed: failed, done: make(chan struct{}), budget: budget{left: refusalBurst, at: time.Now()}}
	if from.Is4() {
		r.from = from.As4()
	}
	dev.SetReadDeadline(time.Time{})
	go r.run()
	return r
}

// Refused returns how many packets were read and did not pass.
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

// answer runs until Stop is called or the device fails.
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
	at   time.Time // when left was last brought up to date
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
