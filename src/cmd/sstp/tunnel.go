package main

import (
	"context"
	"sync"
	"time"

	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/fault"
	"sstp/src/firewall"
	"sstp/src/logs"
	"sstp/src/session"
)

// tunnel is the daemon's tunnel as its object on the bus shows it.
type tunnel struct {
	session *session.Session
	uplink  func() string
	log     *logs.Syslog
	closed  *firewall.Watch // of the kill switch; may be nil
}

func (t tunnel) Status() session.Status {
	s := t.session.Status()
	s.Uplink, s.Version, s.KillSwitch = t.uplink(), version, t.closed.Status()
	return s
}

func (t tunnel) History() []session.Entry { return t.session.History() }

func (t tunnel) Reconnect(reason string) { t.session.Reconnect(reason) }

func (t tunnel) SetLogLevel(level int) { t.log.SetLevel(config.LogLevel(level)) }

// misconfigured takes the place of a tunnel whose options are wrong.
type misconfigured struct {
	name  string
	fault *fault.Error
	since time.Time
}

func (m misconfigured) Status() session.Status {
	return session.Status{
		Interface: m.name, State: session.Waiting, Since: m.since, LastError: m.fault, LastErrorTime: m.since, Version: version,
	}
}

func (m misconfigured) History() []session.Entry {
	return []session.Entry{{Time: m.since, State: session.Waiting, Code: m.fault.Code, Phrase: m.fault.Said()}}
}

func (m misconfigured) Reconnect(string) {}

func (m misconfigured) SetLogLevel(int) {}

// local serves the tunnel of sstp up on a socket, as the daemon serves its own on ubus.
type local struct {
	bus     *control.Local
	events  *control.Events
	last    session.State
	sending sync.WaitGroup
	end     context.CancelFunc
}

// offerLocally makes the tunnel's socket. On failure it logs a line and returns nil: the tunnel works without one.
func offerLocally(folder, name string, log *logs.Terminal) *local {
	bus, err := control.ListenLocal(control.LocalSocket(folder, name))
	if err != nil {
		log.Logf(config.LogWarn, "no status for other programs: %v", err)
		return nil
	}
	l := &local{bus: bus, events: control.NewEvents(bus, name)}
	ctx, end := context.WithCancel(context.Background())
	l.end = end
	l.sending.Go(func() { l.events.Run(ctx) })
	return l
}

// show makes the tunnel answer.
func (l *local) show(s *session.Session, log *logs.Terminal) {
	if l != nil {
		noUplink := func() string { return "" } // there are no interfaces by name without netifd
		control.Publish(l.bus, s.Status().Interface, upTunnel{tunnel{session: s, uplink: noUplink}, log})
	}
}

// state reports a change of state.
func (l *local) state(st session.Status) {
	if l != nil && st.State != l.last {
		l.last = st.State
		l.events.State(string(st.State), codeOf(st))
	}
}

func (l *local) close() {
	if l != nil {
		l.end()
		l.sending.Wait()
		l.bus.Close()
	}
}

// upTunnel is the tunnel of sstp up, which logs to the terminal.
type upTunnel struct {
	tunnel
	log *logs.Terminal
}

func (t upTunnel) SetLogLevel(level int) { t.log.SetLevel(config.LogLevel(level)) }
