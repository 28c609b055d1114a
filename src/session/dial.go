package session

import (
	"context"
	"crypto/x509"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
)

// dialer reaches the servers, one at a time.
type dialer struct {
	attempt *attempt  // nil: none is under way
	lastID  int       // number of the last attempt or call: late events of others are dropped
	retryAt time.Time // of the next attempt; zero: none is planned
}

// attempt is one dial of one server, under way in a goroutine of its own.
type attempt struct {
	id        int
	server    config.Server
	cancel    context.CancelFunc
	abandoned bool // its result is dropped and the next attempt follows
}

// nextID numbers an attempt or a call.
func (d *dialer) nextID() int {
	d.lastID++
	return d.lastID
}

// dial begins an attempt at the next server of the list.
func (s *Session) dial(now time.Time) {
	s.enter(phaseDialing)
	s.dialer.retryAt = time.Time{}
	server := s.servers.current()
	ctx, cancel := context.WithCancel(context.Background())
	a := &attempt{id: s.dialer.nextID(), server: server, cancel: cancel}
	s.dialer.attempt = a
	s.update(func(st *Status) {
		st.Server, st.NextRetry = server.String(), time.Time{}
		st.Attempt++
	})
	if s.network.holds() {
		s.setState(now, Holding, phrase.Of("dialing %s again", server.String()))
	}
	go func() {
		defer cancel()
		conn, err := s.cfg.Dial(ctx, server, stageObserver{s, a.id})
		if !s.post(dialedEvent{a.id, conn, err}) && conn != nil {
			conn.Close()
		}
	}()
}

// stageObserver turns a dial's stages into events.
type stageObserver struct {
	s  *Session
	id int
}

func (o stageObserver) Stage(stage fault.Stage) { o.s.post(stageEvent{o.id, stage}) }

func (o stageObserver) Done(stage fault.Stage, took time.Duration, finding phrase.Phrase, err error) {
	if err == nil {
		o.s.cfg.Log(config.LogDebug, "%s: %s (%v)", stage, finding.Text, took.Round(100*time.Microsecond))
	}
}

func (o stageObserver) Certificates([]*x509.Certificate, string) {}

func showStage(s *Session, now time.Time, ev event) {
	if e := ev.(stageEvent); s.dialer.attempt.id == e.id {
		s.showProgress(now, e.stage)
	}
}

// dialed takes the result of an attempt.
func dialed(s *Session, now time.Time, ev event) {
	e, a := ev.(dialedEvent), s.dialer.attempt
	if a.id != e.id {
		closeConn(s, now, ev)
		return
	}
	s.dialer.attempt = nil
	switch {
	case a.abandoned:
		closeConn(s, now, ev)
		s.wait(now, 0)
	case e.err != nil:
		s.tryNext(now, fault.Of(e.err, fault.ConnectFailed, fault.StageConnect))
	default:
		s.startCall(now, a.server, e.conn)
	}
}

// dialedTooLate takes the result of an attempt while stopping.
func dialedTooLate(s *Session, now time.Time, ev event) {
	s.dialer.attempt = nil
	closeConn(s, now, ev)
}

// closeConn closes a connection that nobody wants any more.
func closeConn(_ *Session, _ time.Time, ev event) {
	if conn := ev.(dialedEvent).conn; conn != nil {
		conn.Close()
	}
}

// tryNext follows the failure of a dial, or of a call that never came up. The next server of the list is tried at once,
// and after the last one comes a pause. Each server is asked once a round, so that one which refuses the password
// is not asked again before the long pause, whatever the others do.
func (s *Session) tryNext(now time.Time, err *fault.Error) {
	s.failed(now, err)
	if repeatLocksAccount(err.Code) {
		s.servers.refusal = err
	}
	if s.servers.advance() {
		s.dial(now)
		return
	}
	var pause time.Duration
	switch held := s.network.holds(); {
	case s.servers.refusal != nil:
		err = s.servers.refusal
		pause = s.backoff.refused(jitter())
	case err.Code == fault.NoUplink:
		pause = s.backoff.longer(held, s.patience(), jitter()) // no server was asked: that is no failed call
	default:
		pause = s.backoff.failedCall(held, s.patience(), jitter())
	}
	switch {
	case !s.givesUp():
		s.wait(now, pause)
	case s.network.holds() && s.cfg.Tunnel.HoldsForever():
		s.surrender(now, err)
	default:
		s.stopWith(now, err)
	}
}

// givesUp reports whether the configuration wants no further round through the servers after the one that has failed.
func (s *Session) givesUp() bool {
	t := s.cfg.Tunnel
	return t.AuthFail && s.servers.refusal != nil || t.MaxFail > 0 && s.backoff.failed >= t.MaxFail
}

// patience returns the longest pause after a failure that anybody on the path can cause. While a device is held it is
// short enough for several calls before hold is over.
func (s *Session) patience() time.Duration {
	if !s.network.holds() || s.cfg.Tunnel.HoldsForever() {
		return maxPause
	}
	return min(maxPause, s.cfg.Tunnel.Hold/6)
}

// wait sets the time of the next call, with a new round through the servers.
func (s *Session) wait(now time.Time, pause time.Duration) {
	s.servers.startRound()
	if pause == 0 {
		s.dial(now)
		return
	}
	s.enter(phaseWaiting)
	s.dialer.retryAt = now.Add(pause)
	s.update(func(st *Status) { st.NextRetry = s.dialer.retryAt })
	state := Waiting
	if s.network.holds() {
		state = Holding
	}
	s.setState(now, state, phrase.Of("next try in %s", pause.Round(100*time.Millisecond).String()))
}

// retry dials after a pause.
func retry(s *Session, now time.Time, _ event) { s.dial(now) }

// redial dials at once instead of waiting.
func redial(s *Session, now time.Time, e event) {
	s.wantCall(now, e)
	s.wait(now, 0)
}

// redialInstead ends the dial that runs; the next one begins as soon as it has ended.
func redialInstead(s *Session, now time.Time, e event) {
	s.wantCall(now, e)
	s.abandonDial()
}

// hangUp ends the call in order. It is lost without a fault, so the next one is dialed at once.
func hangUp(s *Session, now time.Time, e event) {
	s.wantCall(now, e)
	s.call.do(s.call.joiner.Hangup(now, "", nil))
}

// resume dials again after options authfail or maxfail have ended the calls.
func resume(s *Session, now time.Time, e event) {
	s.wantCall(now, e)
	s.backoff.failed = 0
	s.wait(now, 0)
}

// wantCall notes why somebody wants a new call, and forgets the pauses that earlier ones have led to.
func (s *Session) wantCall(now time.Time, e event) {
	reason := e.(noteEvent).reason
	s.cfg.Log(config.LogInfo, "%s: dialing anew", reason)
	s.note(now, phrase.Of("%s: dialing anew", reason))
	s.backoff.startOver()
}

// leaveUplink ends a dial by an uplink that is gone; the next one begins as soon as it has ended.
func leaveUplink(s *Session, now time.Time, e event) {
	reason := e.(noteEvent).reason
	s.cfg.Log(config.LogInfo, "%s", reason)
	s.note(now, phrase.Foreign(reason))
	s.backoff.startOver()
	s.abandonDial()
}

// dropCall ends a call whose uplink is gone, without a goodbye.
func dropCall(s *Session, _ time.Time, e event) {
	reason := e.(noteEvent).reason
	s.cfg.Log(config.LogInfo, "%s", reason)
	s.backoff.startOver()
	s.call.do(s.call.joiner.Break(fault.Newf(fault.NoUplink, fault.StageUp, "The way to the server is gone: %s.", reason)))
}

func (s *Session) abandonDial() {
	s.dialer.attempt.abandoned = true
	s.dialer.attempt.cancel()
}

// serverList is the tunnel's servers and the round through them that is under way.
type serverList struct {
	list      []config.Server // the one that worked last first
	next      int             // index of the one to dial
	refusal   *fault.Error    // a server of this round refused the password; nil: none did
	emptyKeys map[string]bool // servers that want EAP-MSCHAPv2 bound with empty keys
}

func newServerList(servers []config.Server) serverList {
	return serverList{list: append([]config.Server(nil), servers...), emptyKeys: map[string]bool{}}
}

func (l *serverList) current() config.Server { return l.list[l.next] }

// advance goes on to the next server and reports whether there is one in this round.
func (l *serverList) advance() bool {
	if l.next+1 >= len(l.list) {
		return false
	}
	l.next++
	return true
}

func (l *serverList) startRound() { l.next, l.refusal = 0, nil }

// prefer moves the server that worked to the front, keeping the order of the others.
func (l *serverList) prefer(server config.Server) {
	list := []config.Server{server}
	for _, other := range l.list {
		if other != server {
			list = append(list, other)
		}
	}
	l.list = list
}
