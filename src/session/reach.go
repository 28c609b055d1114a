package session

import (
	"context"
	"errors"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
)

// checkEvery is the longest time between two checks of the kernel.
const checkEvery = time.Minute

// Doubt clears where traffic goes from the status until a check that begins later has ended: what the last check found may no
// longer be so. It takes effect at once and may be called from any goroutine.
func (s *Session) Doubt() {
	s.mu.Lock()
	s.doubts++
	s.mu.Unlock()
}

// doubted returns the number of calls of Doubt so far.
func (s *Session) doubted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubts
}

// wantCheck asks for a check of the kernel. It follows when the queued calls of Host have returned.
func (s *Session) wantCheck() { s.network.checkWanted = s.network.holds() && s.phase != phaseStopping }

// recheck asks for a check because something may have changed.
func recheck(s *Session, _ time.Time, e event) {
	s.cfg.Log(config.LogDebug, "checking the kernel: %s", e.(noteEvent).reason)
	s.wantCheck()
}

// checkDue asks for the check that is due each minute. It also tries again to make a device that could not be made.
func checkDue(s *Session, now time.Time, _ event) {
	s.network.checkAt = now.Add(checkEvery)
	if s.network.again && s.call == nil && s.cfg.Tunnel.HoldsForever() {
		s.reopenDevice()
	}
	s.wantCheck()
}

// check returns the call of Host.Check for the link as it is announced now.
func (s *Session) check(now time.Time) func(context.Context) event {
	s.network.checkWanted, s.network.checkAt = false, now.Add(checkEvery)
	link := *s.network.link
	link.Refusing = s.refuser != nil
	return func(ctx context.Context) event {
		doubts := s.doubted()
		reach, err := s.cfg.Host.Check(ctx, link)
		return checkedEvent{link, reach, doubts, err}
	}
}

// checked takes what Check has found. Findings about a link that has changed meanwhile are dropped: the check of the new
// link is wanted already.
func checked(s *Session, now time.Time, ev event) {
	e := ev.(checkedEvent)
	if !s.network.holds() || !sameNetwork(*s.network.link, e.link) {
		return
	}
	if e.err != nil {
		if f, ok := errors.AsType[*fault.Error](e.err); ok {
			s.checkFailed(now, f)
			return
		}
		s.cfg.Log(config.LogWarn, "the kernel could not be checked: %v", e.err)
		return
	}
	last := s.status.Reach
	s.update(func(st *Status) { st.Reach, s.settled = e.reach, e.doubts })
	for _, text := range e.reach.Repaired {
		s.cfg.Log(config.LogWarn, "repaired: %s", text)
		s.note(now, phrase.Of("repaired: %s", text))
	}
	before := last.Findings()
	for i, f := range e.reach.Findings() {
		if f.Key == "" || f.Equal(before[i].Finding) {
			continue
		}
		level := config.LogInfo
		if !f.OK {
			level = config.LogWarn
		}
		s.cfg.Log(level, "%s: %s", f.Name, f.Text)
		if !f.OK || before[i].Key != "" { // a first look that finds all well is no news
			s.note(now, phrase.Of("%s: %s", f.Name, f.Text))
		}
	}
}

// checkFailed ends the call whose link the machine cannot keep. The next call announces it again, even if it is the same.
func (s *Session) checkFailed(now time.Time, err *fault.Error) {
	s.network.again = true
	switch {
	case s.phase == phaseUp:
		s.call.refuse(now, err)
	case s.call == nil:
		s.failed(now, err) // the call is lost already
	}
}
