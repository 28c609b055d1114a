package session

import (
	"context"
	"errors"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
)

// checkEvery is the longest time between two looks into the kernel.
const checkEvery = time.Minute

// Recheck has the kernel looked at soon, because something has changed there or may have. reason says what, as "route of
// sstp-vpn deleted". Several calls in a row cause one look. It does nothing while no link is announced.
func (s *Session) Recheck(reason string) { s.post(recheckEvent{reason}) }

// wantCheck asks for a look into the kernel; it follows when the calls of Host that are queued have returned.
func (s *Session) wantCheck() {
	s.checkWanted = s.announced != nil && s.stopAt.IsZero()
	s.runJobs()
}

// check returns the call of Host.Check for the link as it is announced now.
func (s *Session) check(now time.Time) func(context.Context) event {
	s.checkWanted, s.checking, s.checkAt = false, true, now.Add(checkEvery)
	link := *s.announced
	link.Refusing = s.refuser != nil
	return func(ctx context.Context) event {
		reach, err := s.cfg.Host.Check(ctx, link)
		return checkedEvent{link, reach, err}
	}
}

// checked takes what Check has found. What it found about a link that has changed meanwhile is out of date; the look
// for the new one is asked for already.
func (s *Session) checked(now time.Time, e checkedEvent) {
	if s.announced == nil || !sameNetwork(*s.announced, e.link) || !s.stopAt.IsZero() {
		return
	}
	if e.err != nil {
		if f, ok := errors.AsType[*fault.Error](e.err); ok {
			s.checkFailed(now, f)
			return
		}
		s.cfg.Log(config.LogWarn, "the kernel could not be looked at: %v", e.err)
		return
	}
	last := s.status.Reach
	s.update(func(st *Status) { st.Reach = e.reach })
	for _, text := range e.reach.Repaired {
		s.cfg.Log(config.LogWarn, "repaired: %s", text)
		s.note(Entry{Time: now, State: s.status.State, Text: "repaired: " + text})
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
			s.note(Entry{Time: now, State: s.status.State, Text: f.Name + ": " + f.Text})
		}
	}
}

// checkFailed ends the call whose link the machine cannot keep. The next call announces it again, even if it is the same.
func (s *Session) checkFailed(now time.Time, err *fault.Error) {
	s.announceAgain = true
	if s.call != nil && !s.call.upSince.IsZero() {
		s.refuse(now, err)
		return
	}
	if s.call == nil { // the call is lost already: this is only said
		s.failed(now, err)
	}
}
