package main

import (
	"time"

	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/fault"
	"sstp/src/session"
	"sstp/src/text"
	"sstp/src/transport"
	"sstp/src/transport/trust"
)

// tunnel is the daemon's tunnel, as its object on the bus shows it.
type tunnel struct {
	session *session.Session
	uplink  func() string
	log     *sysLog
	now     func() time.Time
	closed  *switchWatch // looks after the kill switch; nil: nobody does
}

func (t tunnel) Status() control.Status {
	s := statusOf(t.session.Status(), t.uplink(), t.now())
	s.KillSwitch = t.closed.status()
	return s
}

func (t tunnel) History() []control.Entry {
	var entries []control.Entry
	for _, e := range t.session.History() {
		entries = append(entries, control.Entry{Time: e.Time, State: string(e.State), Code: string(e.Code), Text: e.Text})
	}
	return entries
}

func (t tunnel) Reconnect(reason string) { t.session.Reconnect(reason) }

func (t tunnel) SetLogLevel(level int) { t.log.setLevel(config.LogLevel(level)) }

// misconfigured stands for a tunnel that cannot be: its options are wrong.
type misconfigured struct {
	name  string
	fault *fault.Error
	since time.Time
}

func (m misconfigured) Status() control.Status {
	s := session.Status{Interface: m.name, State: session.Waiting, Since: m.since, LastError: m.fault, LastErrorTime: m.since}
	return statusOf(s, "", m.since)
}

func (m misconfigured) History() []control.Entry {
	return []control.Entry{{Time: m.since, State: string(session.Waiting), Code: string(m.fault.Code), Text: m.fault.Message}}
}

func (m misconfigured) Reconnect(string) {}

func (m misconfigured) SetLogLevel(int) {}

// statusOf writes a session's status down for the bus.
func statusOf(s session.Status, uplink string, now time.Time) control.Status {
	c := control.Status{
		Interface: s.Interface, State: string(s.State), Since: s.Since, Server: s.Server, Uplink: uplink,
		Attempt: s.Attempt, Auth: s.Auth, CryptoBinding: s.CryptoBinding, Device: s.Device, MTU: s.MTU,
		IPv4: control.IPv4{Address: s.Local, Peer: s.Peer, DNS: s.DNS}, IPv6: control.IPv6{Address: s.Local6, Peer: s.Peer6},
		RTT: control.RTT{Last: s.RTT.Last, Min: s.RTT.Min, Avg: s.RTT.Avg, Max: s.RTT.Max},
		Counters: control.Counters{
			RxBytes: s.Counters.RxBytes, TxBytes: s.Counters.TxBytes,
			RxPackets: s.Counters.RxPackets, TxPackets: s.Counters.TxPackets,
			RxDropped: s.Counters.RxDropped, TxDropped: s.Counters.TxDropped,
		},
		Reconnects: s.Reconnects, Version: version,
	}
	if !s.NextRetry.IsZero() {
		c.NextRetry = max(s.NextRetry.Sub(now), time.Millisecond)
	}
	if !s.UpSince.IsZero() {
		c.Uptime = now.Sub(s.UpSince)
	}
	if callRuns(s) {
		c.ServerAddress, c.Proxy, c.TLS = s.Info.Server.String(), s.Info.Proxy, tlsOf(s.Info)
	} else {
		c.Auth, c.CryptoBinding, c.RTT = "", "", control.RTT{}
	}
	if e := s.LastError; e != nil {
		c.LastError = &control.Error{Code: string(e.Code), Stage: string(e.Stage), Message: e.Message, Hint: e.Hint, Time: s.LastErrorTime}
	}
	r := s.Reach
	c.Reach = control.Reach{
		Checked: r.Checked, Internet: control.Finding(r.Internet), IPv6: control.Finding(r.IPv6),
		Names: control.Finding(r.Names), Firewall: control.Finding(r.Firewall),
	}
	for _, w := range s.Warnings {
		c.Warned = append(c.Warned, control.Warning{Option: w.Option, Text: w.Text})
	}
	c.AddressWarnings = s.AddressWarnings
	return c
}

// callRuns says whether what the status tells of the connection is about one that is there.
func callRuns(s session.Status) bool {
	switch s.State {
	case session.SSTP, session.Auth, session.Network, session.Up:
		return s.Info.Leaf != nil
	}
	return false
}

func tlsOf(info transport.Info) *control.TLS {
	leaf := info.Leaf
	return &control.TLS{
		Version: info.TLSVersion, Cipher: info.CipherSuite, Path: info.Path, PathReason: info.PathReason, VerifiedBy: info.VerifiedBy,
		Subject: text.Show(leaf.Subject.String(), maxShown), Issuer: text.Show(leaf.Issuer.String(), maxShown), NotAfter: leaf.NotAfter,
		Fingerprint: trust.Fingerprint(leaf),
	}
}
