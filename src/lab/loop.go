package lab

import (
	"context"
	"errors"
	"time"

	"sstp/src/datapath"
	"sstp/src/deadline"
)

// loop runs the call, one event at a time, until it has ended.
func (c *conn) loop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	done := ctx.Done()
	for !c.released {
		c.arm(timer)
		select {
		case ev := <-c.events:
			c.listen(time.Now())
			c.receive(time.Now(), ev)
			c.settle()
			c.handled <- struct{}{}
		case <-timer.C:
			c.listen(time.Now())
			c.advance(time.Now())
		case o := <-c.orders:
			c.obey(time.Now(), o)
		case <-done:
			done = nil
			c.unmute()
			c.goodbye(time.Now(), "the server ends")
		}
		c.settle()
	}
}

// arm sets the timer to the earliest of all deadlines.
func (c *conn) arm(timer *time.Timer) {
	var next time.Time
	for _, t := range c.agenda {
		next = deadline.Earliest(next, t.at)
	}
	if !c.muted {
		next = deadline.Earliest(next, c.call.Deadline())
	}
	if next.IsZero() {
		next = time.Now().Add(time.Hour)
	}
	timer.Reset(max(0, time.Until(next)))
}

// listen notes bytes that the data path handled alone: they are a sign of life.
func (c *conn) listen(now time.Time) {
	if n := c.pumps.Counters().StreamRxBytes; n != c.heard {
		c.heard = n
		c.call.Heard(now)
	}
}

// advance does what is due.
func (c *conn) advance(now time.Time) {
	for i := 0; i < len(c.agenda); i++ {
		if t := c.agenda[i]; !now.Before(t.at) {
			c.agenda = append(c.agenda[:i:i], c.agenda[i+1:]...)
			i = -1 // the task may have changed the agenda
			t.do(now)
			c.settle()
		}
	}
	if !c.muted && !c.released {
		c.do(c.call.Advance(now))
	}
}

// after schedules a task.
func (c *conn) after(wait time.Duration, do func(now time.Time)) {
	c.agenda = append(c.agenda, task{time.Now().Add(wait), do})
}

// receive takes an event of the pumps.
func (c *conn) receive(now time.Time, ev datapath.Event) {
	switch {
	case ev.Kind == datapath.Ended:
		if c.wasCut.Load() {
			c.noteReason(errCut)
		}
		c.do(c.call.Lost(now, ev.Err))
	case c.muted:
	default:
		c.trace(false, ev.Packet)
		if !c.intercept(now, ev.Packet) {
			c.do(c.call.Receive(now, ev.Packet))
		}
	}
}

func (c *conn) trace(sent bool, pkt []byte) {
	if c.srv.cfg.OnPacket != nil {
		c.srv.cfg.OnPacket(c.id, sent, pkt)
	}
}

func (c *conn) obey(now time.Time, o order) {
	switch o {
	case orderMute:
		c.mute()
	case orderReplaced:
		c.unmute()
		c.noteReason(errors.New("the user came again"))
		c.goodbye(now, "another login of this user")
	case orderDisconnect:
		c.unmute()
		c.goodbye(now, "the administrator ends the call")
	}
}

// mute makes the call silent. A call that is ending is left to its end.
func (c *conn) mute() {
	if c.call.Ending() {
		return
	}
	c.muted = true
	c.stream.muted.Store(true)
}

func (c *conn) unmute() {
	c.muted = false
	c.stream.muted.Store(false)
}

// goodbye ends PPP and then the call; it does not wait for a client that is silent.
func (c *conn) goodbye(now time.Time, reason string) { c.do(c.call.Hangup(now, reason, nil)) }

// noteReason keeps the first reason for which the connection ends.
func (c *conn) noteReason(err error) {
	if c.reason == nil {
		c.reason = err
	}
}

// finish closes the connection after the call: what was queued goes out first.
func (c *conn) finish() {
	c.call.Close()
	if c.srv.hub != nil {
		c.srv.hub.remove(c.device)
	}
	c.pumps.CloseGate()
	c.pumps.Drain(goodbyeWait)
	c.tls.Close()
	c.raw.Close()
	c.pumps.Stop()
}
