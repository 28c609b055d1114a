package session

import (
	"context"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/joiner"
)

// stopLimit bounds everything that happens after Run's context ended.
const stopLimit = 3 * time.Second

// ipv6Wait is how long an agreed IPv4 waits for the outcome of IPv6, so that the network hears of both at once.
const ipv6Wait = 250 * time.Millisecond

// Config is what a Session is made of.
type Config struct {
	Tunnel     *config.Tunnel
	Warnings   []config.Warning
	Dial       Dialer
	OpenDevice func(name string, mtu int) (Device, error)
	Host       Host
	// Surroundings tells of the networks that the machine is in, without the tunnel's own; nil: nothing is known of them.
	Surroundings func(ctx context.Context) (Surroundings, error)
	InnerTLS     InnerTLS
	Random       io.Reader // for the protocols
	Log          Logf
	// Changed is called from the loop on each change of state, with what happened in a few words; nil: nobody listens.
	Changed func(st Status, text string)
}

// Session keeps one tunnel up until its context ends. All methods but Run may be called from any goroutine.
type Session struct {
	cfg    Config
	events chan event
	gone   chan struct{} // closed when Run returns: nobody takes events any more

	mu      sync.Mutex // guards status, history, counted, pumps and refuser, which other goroutines read
	status  Status
	history []Entry
	counted datapath.Counters // of the calls that are over
	pumps   *datapath.Pumps
	refuser *datapath.Refuser // of the device while its call is lost; nil: none

	// Owned by the loop.
	backoff       backoff
	servers       []config.Server // the one that worked last first
	next          int             // index in servers of the next to dial
	refusal       *fault.Error    // a server of this round refused the password; nil: none did
	dialing       *attempt
	call          *call
	pending       []joiner.Action // of call, not yet carried out
	calls         int             // number of the last attempt or call: late events of others are dropped
	retryAt       time.Time
	holdUntil     time.Time
	device        Device
	surrendered   bool  // no more calls until the user wants one; the link stays announced
	agreed        Link  // what announced was made from
	announced     *Link // what the network was told last; nil: nothing
	applying      bool  // a call of Host is under way
	telling       bool  // a call of Host.Up is under way or queued: there is never more than one
	jobs          []func(context.Context) event
	checkWanted   bool               // Host.Check is to run after the jobs
	checking      bool               // it is running
	checkAt       time.Time          // when it runs at the latest; zero: nothing is announced
	announceAgain bool               // the network hears of the next call even if it looks the same
	cancelJob     context.CancelFunc // of the running one
	ifaceID       [8]byte            // lower half of our link-local address, the same in each call
	emptyKeys     map[string]bool    // servers that want EAP-MSCHAPv2 bound with empty keys
	stopAt        time.Time          // zero: not stopping
	finished      bool
	result        error
}

// New returns a Session that Run starts.
func New(cfg Config) *Session {
	s := &Session{
		cfg:       cfg,
		events:    make(chan event),
		gone:      make(chan struct{}),
		servers:   append([]config.Server(nil), cfg.Tunnel.Servers...),
		emptyKeys: map[string]bool{},
	}
	io.ReadFull(cfg.Random, s.ifaceID[:]) // a failing source leaves zeros, and each call takes its own
	s.ifaceID[0] &^= 2                    // a made-up identifier, not one from hardware (RFC 5072 section 4.1)
	s.status = Status{Interface: cfg.Tunnel.Name, State: Starting, Warnings: cfg.Warnings}
	return s
}

// event is something that happened outside of the loop.
type event interface{ event() }

type (
	stageEvent struct { // a dial entered a stage
		id    int
		stage fault.Stage
	}
	dialedEvent struct { // a dial ended
		id   int
		conn Conn
		err  error
	}
	packetEvent struct { // an SSTP packet that the data path does not handle itself
		id  int
		pkt []byte
	}
	endedEvent struct { // the data path ended
		id  int
		err error
	}
	appliedEvent struct { // Host.Up returned
		id       int
		link     Link     // what was announced
		agreed   Link     // what it was made from
		warnings []string // what was left out of it, and why
		err      error
	}
	doneEvent      struct{} // Host.Failed returned
	withdrawnEvent struct{} // Host.Down returned
	checkedEvent   struct { // Host.Check returned
		link  Link
		reach Reach
		err   error
	}
	deviceLostEvent struct{ err error }     // the device of a lost call is gone
	recheckEvent    struct{ reason string } // something in the kernel may have changed
	reconnectEvent  struct {                // somebody wants a new call now
		reason string
		uplink bool // because there is a way to the server again, or a better one
	}
	uplinkEvent struct{ reason string } // the way to the server is gone
)

func (stageEvent) event()      {}
func (dialedEvent) event()     {}
func (packetEvent) event()     {}
func (endedEvent) event()      {}
func (appliedEvent) event()    {}
func (doneEvent) event()       {}
func (withdrawnEvent) event()  {}
func (checkedEvent) event()    {}
func (deviceLostEvent) event() {}
func (recheckEvent) event()    {}
func (reconnectEvent) event()  {}
func (uplinkEvent) event()     {}

// post hands an event to the loop; it reports false when the loop has ended.
func (s *Session) post(e event) bool {
	select {
	case s.events <- e:
		return true
	case <-s.gone:
		return false
	}
}

// Reconnect ends the running call or dial, if any, and dials at once, also where options authfail or maxfail have ended the
// calls of a tunnel that is held for ever. reason goes into the log and the history.
func (s *Session) Reconnect(reason string) { s.post(reconnectEvent{reason, false}) }

// UplinkFound is Reconnect for a way to the server that has appeared or is better than the one in use. It brings no call
// back that options authfail or maxfail have given up: these wait for the user.
func (s *Session) UplinkFound(reason string) { s.post(reconnectEvent{reason, true}) }

// UplinkLost tells that the way by which the server is reached or dialed is gone. What runs over it is dropped without a
// goodbye, which nobody would hear, and the server is dialed at once by whatever way is left. reason says what happened,
// as "uplink wan went down".
func (s *Session) UplinkLost(reason string) { s.post(uplinkEvent{reason}) }

// Run keeps the tunnel up until ctx ends, says goodbye, and returns nil. It returns a *fault.Error where the
// configuration says to give up (options authfail and maxfail). When it returns, the device is closed, the network has
// heard of it, and no goroutine is left.
func (s *Session) Run(ctx context.Context) error {
	defer close(s.gone)
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	s.setState(time.Now(), Starting, "interface "+s.cfg.Tunnel.Name)
	s.dial(time.Now())
	for !s.finished {
		s.arm(timer)
		select {
		case <-stop:
			stop = nil
			s.stop(time.Now(), nil)
		case e := <-s.events:
			s.handle(time.Now(), e)
		case <-timer.C:
			s.advance(time.Now())
		}
		s.settle(time.Now())
	}
	return s.result
}

// arm sets the loop's only timer to the earliest deadline.
func (s *Session) arm(timer *time.Timer) {
	d := deadline.Earliest(s.retryAt, s.checkAt, s.holdUntil, s.stopAt)
	if s.call != nil {
		d = deadline.Earliest(d, s.call.deadline())
	}
	if d.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(max(0, time.Until(d)))
}

func (s *Session) handle(now time.Time, e event) {
	switch e := e.(type) {
	case stageEvent:
		if s.dialing != nil && s.dialing.id == e.id {
			s.stage(now, e.stage)
		}
	case dialedEvent:
		s.dialed(now, e)
	case packetEvent:
		if s.call != nil && s.call.id == e.id {
			s.do(s.call.joiner.Receive(now, e.pkt))
		}
	case endedEvent:
		if s.call != nil && s.call.id == e.id {
			s.do(s.call.joiner.Lost(now, e.err))
		}
	case appliedEvent:
		s.applying = false
		s.applied(now, e)
		s.runJobs()
	case doneEvent:
		s.applying = false
		s.runJobs()
	case withdrawnEvent:
		s.applying = false
		s.withdrawn()
		s.runJobs()
	case checkedEvent:
		s.applying, s.checking = false, false
		s.checked(now, e)
		s.runJobs()
	case deviceLostEvent:
		if s.refuser != nil { // else it is another device already
			s.cfg.Log(config.LogWarn, "%v", e.err)
			s.deviceLost(now)
		}
	case recheckEvent:
		s.cfg.Log(config.LogDebug, "looking at the kernel: %s", e.reason)
		s.wantCheck()
	case reconnectEvent:
		if !s.surrendered || !e.uplink {
			s.reconnect(now, e.reason)
		}
	case uplinkEvent:
		s.uplinkLost(now, e.reason)
	}
}

func (s *Session) advance(now time.Time) {
	if deadline.Due(s.stopAt, now) {
		s.dropCall()
	}
	if s.call != nil {
		s.do(s.call.advance(now))
	}
	if deadline.Due(s.holdUntil, now) {
		s.letGo(now)
	}
	if deadline.Due(s.checkAt, now) {
		s.checkAt = now.Add(checkEvery)
		if s.announceAgain && s.call == nil && s.cfg.Tunnel.HoldsForever() {
			s.reopenDevice()
		}
		s.wantCheck()
	}
	if deadline.Due(s.retryAt, now) && s.dialing == nil && s.call == nil {
		s.retryAt = time.Time{}
		s.dial(now)
	}
}

// reconnect dials at once, whatever runs.
func (s *Session) reconnect(now time.Time, reason string) {
	if !s.stopAt.IsZero() {
		return
	}
	s.cfg.Log(config.LogInfo, "%s: dialing anew", reason)
	s.note(Entry{Time: now, State: s.status.State, Text: reason + ": dialing anew"})
	s.backoff.startOver()
	if s.surrendered {
		s.surrendered, s.backoff.failed = false, 0
	}
	if s.call != nil {
		s.do(s.call.joiner.Hangup(now, "", nil))
		return // lost, with no fault: dialed at once
	}
	if s.dialing != nil {
		s.abandonDial()
		return
	}
	s.retryAt = time.Time{}
	s.next, s.refusal = 0, nil
	s.dial(now)
}

// uplinkLost drops what ran over an uplink that is gone. While the tunnel waits, there is nothing to drop.
func (s *Session) uplinkLost(now time.Time, reason string) {
	if !s.stopAt.IsZero() || s.call == nil && s.dialing == nil {
		return
	}
	s.cfg.Log(config.LogInfo, "%s", reason)
	s.backoff.startOver()
	if s.call == nil {
		s.note(Entry{Time: now, State: s.status.State, Text: reason})
		s.abandonDial()
		return
	}
	s.do(s.call.joiner.Break(fault.New(fault.NoUplink, fault.StageUp, "The way to the server is gone: "+reason+".")))
}

// abandonDial ends the dial that runs; as soon as it has, the next one begins.
func (s *Session) abandonDial() {
	s.dialing.abandoned = true
	s.dialing.cancel()
}

// stop begins the end: goodbye to the server, then the network is told and the device closed. result is what Run returns.
func (s *Session) stop(now time.Time, result error) {
	if !s.stopAt.IsZero() {
		return
	}
	s.result = result
	s.stopAt = now.Add(stopLimit)
	s.retryAt, s.holdUntil = time.Time{}, time.Time{}
	s.setState(now, Stopping, "saying goodbye")
	if s.dialing != nil {
		s.dialing.cancel()
	}
	if s.checking {
		s.cancelJob()
	}
	if s.call != nil {
		s.do(s.call.joiner.Hangup(now, "", nil))
	}
}

// finish ends the loop when stopping and nothing is left to wait for.
func (s *Session) finish() {
	if s.stopAt.IsZero() || s.call != nil || s.dialing != nil {
		return
	}
	if s.announced != nil {
		s.withdraw()
		return // its withdrawnEvent comes back here
	}
	if s.applying || len(s.jobs) > 0 {
		return
	}
	s.closeDevice()
	s.finished = true
}

// stage moves the state along while a call is dialed. While the device of a lost call is held, the state stays Holding.
func (s *Session) stage(now time.Time, stage fault.Stage) {
	states := map[fault.Stage]State{
		fault.StageResolve: Resolving, fault.StageConnect: Connecting, fault.StageProxy: Connecting,
		fault.StageTLS: TLS, fault.StageHTTP: SSTP, fault.StageSSTP: SSTP,
		fault.StageAuth: Auth, fault.StageNetwork: Network,
	}
	state, ok := states[stage]
	if !ok || s.announced != nil || state == s.status.State || !s.stopAt.IsZero() {
		return
	}
	s.setState(now, state, s.stateText(state))
}

func (s *Session) stateText(state State) string {
	server := s.status.Server
	switch state {
	case Resolving:
		return "looking up " + server
	case Connecting:
		return "connecting to " + server
	case TLS:
		return "TLS with " + server
	case SSTP:
		return "opening the SSTP call"
	case Auth:
		return "logging in"
	case Network:
		return "agreeing on addresses"
	}
	return string(state)
}

// failed notes a failure where people look for it.
func (s *Session) failed(now time.Time, err *fault.Error) {
	last := s.status.LastError
	s.update(func(st *Status) { st.LastError, st.LastErrorTime = err, now })
	if err.Code == fault.NoUplink && last != nil && last.Code == err.Code && last.Message == err.Message {
		return // still no uplink: everybody has heard
	}
	s.note(Entry{Time: now, State: s.status.State, Code: err.Code, Text: err.Message})
	s.cfg.Log(config.LogError, "%s: %s", err.Code, err.Message)
	if err.Hint != "" {
		s.cfg.Log(config.LogError, "hint: %s", err.Hint)
	}
	if err.Err != nil {
		s.cfg.Log(config.LogDebug, "cause: %v", err.Err)
	}
	s.job(func(ctx context.Context) event {
		s.cfg.Host.Failed(ctx, err)
		return doneEvent{}
	})
}

// wait sets the time of the next call.
func (s *Session) wait(now time.Time, pause time.Duration) {
	s.next, s.refusal = 0, nil
	if pause == 0 {
		s.dial(now)
		return
	}
	s.retryAt = now.Add(pause)
	s.update(func(st *Status) { st.NextRetry = s.retryAt })
	text := fmt.Sprintf("next try in %v", pause.Round(100*time.Millisecond))
	if s.announced != nil {
		s.setState(now, Holding, text)
		return
	}
	s.setState(now, Waiting, text)
}

// giveUp reports whether the configuration wants no further round through the servers after the one that has failed.
func (s *Session) giveUp() bool {
	t := s.cfg.Tunnel
	return t.AuthFail && s.refusal != nil || t.MaxFail > 0 && s.backoff.failed >= t.MaxFail
}

// patience returns the longest pause after a failure that anybody on the path can cause. While a device is held it is
// short enough for several calls before hold is over.
func (s *Session) patience() time.Duration {
	if s.announced == nil || s.cfg.Tunnel.HoldsForever() {
		return maxPause
	}
	return min(maxPause, s.cfg.Tunnel.Hold/6)
}

func jitter() float64 { return mathrand.Float64() }
