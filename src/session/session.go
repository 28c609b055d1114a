// Package session keeps one tunnel up: it dials, runs the protocols of each call, tells the machine's network what came
// of it, and dials again with growing pauses. One goroutine (Session.Run) owns all control state. Sockets, the TUN device
// and the network's configuration are reached through the small interfaces declared here.
//
// The table in lifecycle.go says what each event does in each phase of a tunnel. The protocols of a call are joined by
// package joiner. call.go carries out what they want, announcer.go tells the machine's network, hold.go keeps the device
// of a lost call, dial.go and backoff.go decide when to dial which server.
package session

import (
	"context"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/phrase"
)

// stopLimit bounds everything that happens after Run's context ended.
const stopLimit = 3 * time.Second

// Config is what a Session is made of.
type Config struct {
	Tunnel     *config.Tunnel
	Warnings   []config.Warning
	Dial       Dialer
	OpenDevice func(name string, mtu int) (Device, error)
	Host       Host
	// Surroundings returns the networks that the machine is in, without the tunnel's own. Nil means that nothing is known
	// of them.
	Surroundings func(ctx context.Context) (Surroundings, error)
	InnerTLS     InnerTLS
	Random       io.Reader // for the protocols
	Log          Logf
	// Changed is called from the loop on each change of state, with what happened in a few words. It may be nil.
	Changed func(st Status, text string)
}

// Session keeps one tunnel up until its context ends. All methods but Run may be called from any goroutine.
type Session struct {
	cfg    Config
	events chan event
	gone   chan struct{} // closed when Run returns: nobody takes events any more

	mu      sync.Mutex // guards status, history, counted, doubts, settled, pumps and refuser, which other goroutines read
	status  Status
	history []Entry
	counted datapath.Counters // of the calls that are over
	doubts  int               // calls of Doubt
	settled int               // calls of Doubt before the last check began
	pumps   *datapath.Pumps
	refuser *datapath.Refuser // of the device while its call is lost; nil: none

	// Owned by the loop.
	phase   phase
	servers serverList
	backoff backoff
	dialer  dialer
	call    *call
	hold    holder
	network announcer
	host    hostQueue
	stopAt  time.Time // when stopping ends at the latest; zero: not stopping
	result  error     // of Run
	ifaceID [8]byte   // lower half of our link-local address, the same in each call
}

// New returns a Session that Run starts.
func New(cfg Config) *Session {
	s := &Session{
		cfg:     cfg,
		events:  make(chan event),
		gone:    make(chan struct{}),
		servers: newServerList(cfg.Tunnel.Servers),
	}
	io.ReadFull(cfg.Random, s.ifaceID[:]) // a failing source leaves zeros, and each call takes its own
	s.ifaceID[0] &^= 2                    // a made-up identifier, not one from hardware (RFC 5072 section 4.1)
	s.status = Status{Interface: cfg.Tunnel.Name, State: Starting, Warnings: cfg.Warnings}
	return s
}

// Run keeps the tunnel up until ctx ends, says goodbye, and returns nil. It returns a *fault.Error where the
// configuration says to give up (options authfail and maxfail). When it returns, the device is closed, the network has
// heard of it, and no goroutine is left.
func (s *Session) Run(ctx context.Context) error {
	defer close(s.gone)
	timer := time.NewTimer(0)
	defer timer.Stop()
	done := ctx.Done()
	s.setState(time.Now(), Starting, phrase.Of("interface %s", s.cfg.Tunnel.Name))
	s.dial(time.Now())
	for s.phase != phaseFinished {
		s.arm(timer)
		select {
		case <-done:
			done = nil
			s.react(time.Now(), noteEvent{what: evStop})
		case e := <-s.events:
			s.take(time.Now(), e)
		case <-timer.C:
			s.advance(time.Now())
		}
		s.settle(time.Now())
	}
	return s.result
}

// arm sets the loop's only timer to the earliest deadline.
func (s *Session) arm(timer *time.Timer) {
	d := deadline.Earliest(s.dialer.retryAt, s.network.checkAt, s.hold.until, s.stopAt)
	if s.call != nil {
		d = deadline.Earliest(d, s.call.deadline())
	}
	if d.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(max(0, time.Until(d)))
}

// advance turns the deadlines that have come into events.
func (s *Session) advance(now time.Time) {
	if deadline.Due(s.stopAt, now) {
		s.stopAt = time.Time{}
		s.react(now, noteEvent{what: evStopDue})
	}
	if s.call != nil {
		s.react(now, noteEvent{what: evCallDue})
	}
	if deadline.Due(s.hold.until, now) {
		s.hold.until = time.Time{}
		s.react(now, noteEvent{what: evHoldDue})
	}
	if deadline.Due(s.network.checkAt, now) {
		s.network.checkAt = time.Time{}
		s.react(now, noteEvent{what: evCheckDue})
	}
	if deadline.Due(s.dialer.retryAt, now) {
		s.dialer.retryAt = time.Time{}
		s.react(now, noteEvent{what: evRetryDue})
	}
}

// take lets an event of another goroutine take effect.
func (s *Session) take(now time.Time, e event) {
	switch e.kind() {
	case evAnnounced, evWithdrawn, evChecked, evReported:
		s.host.running = false
	}
	s.react(now, e)
}

// settle does all that follows from an event. It carries out what the protocols want, announces what was agreed on,
// starts the next call of Host, and ends the loop when a stopping session has nothing left to do.
func (s *Session) settle(now time.Time) {
	for s.call != nil {
		if len(s.call.pending) > 0 {
			next := s.call.pending[0]
			s.call.pending = s.call.pending[1:]
			s.perform(now, next)
		} else if s.call.unannounced() && !s.network.telling() {
			s.establish(now)
		} else {
			break
		}
	}
	switch {
	case s.phase != phaseStopping || s.call != nil || s.dialer.attempt != nil:
	case s.network.state == announcerUp:
		s.withdraw()
	case s.host.idle():
		s.closeDevice()
		s.enter(phaseFinished)
	}
	s.nextHostCall(now)
}

// stop begins the end: goodbye to the server, then the network is told and the device closed.
func stop(s *Session, now time.Time, _ event) { s.stopWith(now, nil) }

// stopWith is stop with what Run returns.
func (s *Session) stopWith(now time.Time, result error) {
	s.enter(phaseStopping)
	s.result = result
	s.stopAt = now.Add(stopLimit)
	s.dialer.retryAt, s.hold.until, s.network.checkAt = time.Time{}, time.Time{}, time.Time{}
	s.Doubt() // nobody looks any more
	s.setState(now, Stopping, phrase.Of("saying goodbye"))
	if a := s.dialer.attempt; a != nil {
		a.cancel()
	}
	s.host.cancelCheck()
	if s.call != nil {
		s.call.do(s.call.joiner.Hangup(now, "", nil))
	}
}

// breakOff ends a goodbye that takes too long, and cancels the calls of Host that stopping waits for.
func breakOff(s *Session, _ time.Time, _ event) {
	if s.call != nil {
		s.call.do(s.call.joiner.Break(nil))
	}
	s.host.abandon()
}

// failed puts a failure into the status, the history and the log, and reports it to Host.
func (s *Session) failed(now time.Time, err *fault.Error) {
	last := s.status.LastError
	s.update(func(st *Status) { st.LastError, st.LastErrorTime = err, now })
	if err.Code == fault.NoUplink && last != nil && last.Code == err.Code && last.Message == err.Message {
		return // still no uplink: reported already
	}
	s.record(Entry{Time: now, State: s.status.State, Code: err.Code, Phrase: err.Said()})
	s.cfg.Log(config.LogError, "%s: %s", err.Code, err.Message)
	if err.Hint != "" {
		s.cfg.Log(config.LogError, "hint: %s", err.Hint)
	}
	if err.Err != nil {
		s.cfg.Log(config.LogDebug, "cause: %v", err.Err)
	}
	s.askHost(func(ctx context.Context) event {
		s.cfg.Host.Failed(ctx, err)
		return noteEvent{what: evReported}
	})
}

func jitter() float64 { return mathrand.Float64() }
