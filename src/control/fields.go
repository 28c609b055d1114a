package control

import (
	"net/netip"
	"time"

	"sstp/src/ubus"
)

// table collects fields and leaves out what is empty.
type table ubus.Fields

func (t *table) add(name string, v ubus.Value) { *t = append(*t, ubus.F(name, v)) }

func (t *table) text(name, s string) {
	if s != "" {
		t.add(name, ubus.String(s))
	}
}

func (t *table) addr(name string, a netip.Addr) {
	if a.IsValid() {
		t.add(name, ubus.String(a.String()))
	}
}

func (t *table) time(name string, at time.Time) {
	if !at.IsZero() {
		t.add(name, ubus.Int64(at.Unix()))
	}
}

func (t *table) table(name string, inner table) {
	if len(inner) > 0 {
		t.add(name, ubus.Tab(inner...))
	}
}

// Fields returns the status as the bus carries it. Counters and times are always INT64, so that their type does not change
// when they grow; round trips are milliseconds as DOUBLE.
func (s Status) Fields() ubus.Fields {
	var t table
	t.text("interface", s.Interface)
	t.text("state", s.State)
	t.time("since", s.Since)
	t.text("server", s.Server)
	t.text("server_address", s.ServerAddress)
	t.text("uplink", s.Uplink)
	t.text("proxy", s.Proxy)
	t.add("attempt", ubus.Int(int64(s.Attempt)))
	if s.NextRetry > 0 {
		t.add("next_retry_ms", ubus.Int(s.NextRetry.Milliseconds()))
	}
	if s.TLS != nil {
		t.table("tls", s.TLS.fields())
	}
	t.text("auth", s.Auth)
	t.text("crypto_binding", s.CryptoBinding)
	t.text("device", s.Device)
	if s.MTU > 0 {
		t.add("mtu", ubus.Int(int64(s.MTU)))
	}
	t.table("ipv4", s.IPv4.fields())
	t.table("ipv6", s.IPv6.fields())
	if s.Uptime > 0 {
		t.add("uptime_s", ubus.Int64(int64(s.Uptime/time.Second)))
	}
	t.table("rtt_ms", s.RTT.fields())
	t.table("counters", s.Counters.fields())
	t.add("reconnects", ubus.Int(int64(s.Reconnects)))
	if s.LastError != nil {
		t.table("last_error", s.LastError.fields())
	}
	warned := make([]ubus.Value, 0, len(s.Warned))
	for _, w := range s.Warned {
		warned = append(warned, ubus.Tab(ubus.F("option", ubus.String(w.Option)), ubus.F("text", ubus.String(w.Text))))
	}
	t.add("options_warned", ubus.Array(warned...))
	t.text("version", s.Version)
	return ubus.Fields(t)
}

func (s *TLS) fields() (t table) {
	t.text("version", s.Version)
	t.text("cipher", s.Cipher)
	t.text("path", s.Path)
	t.text("path_reason", s.PathReason)
	t.text("verified_by", s.VerifiedBy)
	t.text("subject", s.Subject)
	t.text("issuer", s.Issuer)
	t.time("not_after", s.NotAfter)
	t.text("fingerprint", s.Fingerprint)
	return t
}

func (s IPv4) fields() (t table) {
	t.addr("address", s.Address)
	t.addr("peer", s.Peer)
	if s.Address.IsValid() {
		var dns []ubus.Value
		for _, a := range s.DNS {
			dns = append(dns, ubus.String(a.String()))
		}
		t.add("dns", ubus.Array(dns...))
	}
	return t
}

func (s IPv6) fields() (t table) {
	t.addr("address", s.Address)
	t.addr("peer", s.Peer)
	return t
}

func (r RTT) fields() (t table) {
	if r == (RTT{}) {
		return nil
	}
	for _, f := range []struct {
		name string
		d    time.Duration
	}{{"last", r.Last}, {"min", r.Min}, {"avg", r.Avg}, {"max", r.Max}} {
		t.add(f.name, ubus.Double(float64(f.d)/float64(time.Millisecond)))
	}
	return t
}

func (c Counters) fields() (t table) {
	for _, f := range []struct {
		name string
		n    uint64
	}{
		{"rx_bytes", c.RxBytes}, {"tx_bytes", c.TxBytes}, {"rx_packets", c.RxPackets}, {"tx_packets", c.TxPackets},
		{"rx_dropped", c.RxDropped}, {"tx_dropped", c.TxDropped},
	} {
		t.add(f.name, ubus.Int64(int64(f.n)))
	}
	return t
}

func (e *Error) fields() (t table) {
	t.text("code", e.Code)
	t.text("stage", e.Stage)
	t.text("message", e.Message)
	t.text("hint", e.Hint)
	t.time("time", e.Time)
	return t
}

func (e Entry) fields() (t table) {
	t.time("time", e.Time)
	t.text("state", e.State)
	t.text("code", e.Code)
	t.text("text", e.Text)
	return t
}
