package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
)

// checkEvery is the longest time between two looks into the kernel.
const checkEvery = time.Minute

// Reach is where traffic really goes, as looked up in the kernel. The zero value means that nothing was looked up yet.
type Reach struct {
	Checked  time.Time
	Internet Finding  // IPv4
	IPv6     Finding  //
	Names    Finding  // whose name servers answer
	Firewall Finding  // the zone of the interface
	Repaired []string // what this look repaired, one sentence each
}

// Finding is one fact that was looked up. The zero value means that it was not.
type Finding struct {
	Key  string   // names the finding for translation and never changes
	Args []string // what the sentence of Key is filled with
	Text string   // the sentence in English
	OK   bool     // false is a warning
}

func (f Finding) equal(g Finding) bool {
	return f.Key == g.Key && f.OK == g.OK && f.Text == g.Text && slices.Equal(f.Args, g.Args)
}

// findings returns r's findings under the names that the log gives them.
func (r *Reach) findings() [4]struct {
	name string
	Finding
} {
	return [...]struct {
		name string
		Finding
	}{{"Internet", r.Internet}, {"IPv6", r.IPv6}, {"Names", r.Names}, {"Firewall", r.Firewall}}
}

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
	before := last.findings()
	for i, f := range e.reach.findings() {
		if f.Key == "" || f.equal(before[i].Finding) {
			continue
		}
		level := config.LogInfo
		if !f.OK {
			level = config.LogWarn
		}
		s.cfg.Log(level, "%s: %s", f.name, f.Text)
		if !f.OK || before[i].Key != "" { // a first look that finds all well is no news
			s.note(Entry{Time: now, State: s.status.State, Text: f.name + ": " + f.Text})
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
