package session

import (
	"context"
	"crypto/x509"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
)

// attempt is one dial of one server, under way in a goroutine of its own.
type attempt struct {
	id        int
	server    config.Server
	cancel    context.CancelFunc
	abandoned bool // whatever comes of it: it is dialed anew
}

// dial begins an attempt at the next server of the list.
func (s *Session) dial(now time.Time) {
	if !s.stopAt.IsZero() {
		return
	}
	s.calls++
	server := s.servers[s.next]
	ctx, cancel := context.WithCancel(context.Background())
	a := &attempt{id: s.calls, server: server, cancel: cancel}
	s.dialing = a
	s.update(func(st *Status) {
		st.Server, st.NextRetry = server.String(), time.Time{}
		st.Attempt++
	})
	if s.announced != nil {
		s.setState(now, Holding, "dialing "+server.String()+" again")
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

func (o stageObserver) Done(stage fault.Stage, took time.Duration, finding string, err error) {
	if err == nil {
		o.s.cfg.Log(config.LogDebug, "%s: %s (%v)", stage, finding, took.Round(100*time.Microsecond))
	}
}

func (o stageObserver) Certificates([]*x509.Certificate, string) {}

// dialed takes the result of an attempt.
func (s *Session) dialed(now time.Time, e dialedEvent) {
	if s.dialing == nil || s.dialing.id != e.id {
		if e.conn != nil {
			e.conn.Close()
		}
		return
	}
	server, abandoned := s.dialing.server, s.dialing.abandoned
	s.dialing = nil
	stopping := !s.stopAt.IsZero()
	if e.conn != nil && (stopping || abandoned) {
		e.conn.Close()
	}
	if stopping {
		return
	}
	if abandoned {
		s.wait(now, 0)
		return
	}
	if e.err != nil {
		s.callFailed(now, fault.Of(e.err, fault.ConnectFailed, fault.StageConnect))
		return
	}
	s.startCall(now, server, e.conn)
}

// callFailed takes the failure of a call that never came up: the next server of the list is tried at once, and after
// the last one comes a pause. Each server is asked once a round, so that one which refuses the password is not asked
// again before the long pause, whatever the others do.
func (s *Session) callFailed(now time.Time, err *fault.Error) {
	s.failed(now, err)
	if repeatLocksAccount(err.Code) {
		s.refusal = err
	}
	if s.next+1 < len(s.servers) {
		s.next++
		s.dial(now)
		return
	}
	var pause time.Duration
	switch holding := s.announced != nil; {
	case s.refusal != nil:
		err = s.refusal
		pause = s.backoff.refused(jitter())
	case err.Code == fault.NoUplink:
		pause = s.backoff.longer(holding, s.patience(), jitter()) // no server was asked: that is no failed call
	default:
		pause = s.backoff.failedCall(holding, s.patience(), jitter())
	}
	if s.giveUp() {
		if s.announced != nil && s.cfg.Tunnel.HoldsForever() {
			s.surrender(now, err)
		} else {
			s.stop(now, err)
		}
		return
	}
	s.wait(now, pause)
}

// prefer moves the server that worked to the front of the list, keeping the order of the others.
func (s *Session) prefer(server config.Server) {
	list := []config.Server{server}
	for _, other := range s.servers {
		if other != server {
			list = append(list, other)
		}
	}
	s.servers = list
}
