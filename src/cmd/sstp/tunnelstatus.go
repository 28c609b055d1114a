package main

import (
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/firewall"
	"sstp/src/logs"
	"sstp/src/session"
)

// tunnel is the daemon's tunnel, as its object on the bus shows it.
type tunnel struct {
	session *session.Session
	uplink  func() string
	log     *logs.Syslog
	closed  *firewall.Watch // looks after the kill switch; nil: nobody does
}

func (t tunnel) Status() session.Status {
	s := t.session.Status()
	s.Uplink, s.Version, s.KillSwitch = t.uplink(), version, t.closed.Status()
	return s
}

func (t tunnel) History() []session.Entry { return t.session.History() }

func (t tunnel) Reconnect(reason string) { t.session.Reconnect(reason) }

func (t tunnel) SetLogLevel(level int) { t.log.SetLevel(config.LogLevel(level)) }

// misconfigured stands for a tunnel that cannot be: its options are wrong.
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
	return []session.Entry{{Time: m.since, State: session.Waiting, Code: m.fault.Code, Text: m.fault.Message}}
}

func (m misconfigured) Reconnect(string) {}

func (m misconfigured) SetLogLevel(int) {}
