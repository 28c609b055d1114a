package session

import (
	"context"
	"time"
)

// hostCallLimit bounds one call of Host. netifd of old releases may have to be told of a link twenty times, 250 ms apart.
const hostCallLimit = 8 * time.Second

// hostQueue runs the calls of Host one at a time, in order. A look into the kernel runs when nothing else is queued.
type hostQueue struct {
	queue     []func(context.Context) event
	running   bool
	checking  bool               // the running call is a look into the kernel
	cancel    context.CancelFunc // of the running call
	abandoned bool               // whatever runs is cancelled at once: Run must return
}

func (h *hostQueue) idle() bool { return !h.running && len(h.queue) == 0 }

// cancelCheck ends a look into the kernel that is under way.
func (h *hostQueue) cancelCheck() {
	if h.running && h.checking {
		h.cancel()
	}
}

// abandon cancels the running call, and those that follow as soon as they run.
func (h *hostQueue) abandon() {
	h.abandoned = true
	if h.running {
		h.cancel()
	}
}

// askHost queues a call of Host. What it returns becomes an event.
func (s *Session) askHost(f func(context.Context) event) { s.host.queue = append(s.host.queue, f) }

// nextHostCall starts the next call of Host unless one is under way.
func (s *Session) nextHostCall(now time.Time) {
	h := &s.host
	var f func(context.Context) event
	switch {
	case h.running:
		return
	case len(h.queue) > 0:
		f, h.queue, h.checking = h.queue[0], h.queue[1:], false
	case s.network.checkWanted && s.phase != phaseStopping:
		f, h.checking = s.check(now), true
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), hostCallLimit)
	h.running, h.cancel = true, cancel
	if h.abandoned {
		cancel()
	}
	go func() {
		defer cancel()
		s.post(f(ctx))
	}()
}
