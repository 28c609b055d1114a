package control

import (
	"net/netip"
	"time"

	"sstp/src/blobmsg"
)

// Fields returns the status as the bus carries it. Counters and times are always INT64, so that their type does not change
// when they grow; round trips are milliseconds as DOUBLE.
func (s *Status) Fields() blobmsg.Fields {
	var t blobmsg.Fields
	t.AddSome("interface", s.Interface)
	t.AddSome("state", s.State)
	addTime(&t, "since", s.Since)
	t.AddSome("server", s.Server)
	t.AddSome("server_address", s.ServerAddress)
	t.AddSome("uplink", s.Uplink)
	t.AddSome("proxy", s.Proxy)
	t.AddNumber("attempt", int64(s.Attempt))
	if s.NextRetry > 0 {
		t.AddNumber("next_retry_ms", s.NextRetry.Milliseconds())
	}
	if s.TLS != nil {
		t.AddTable("tls", s.TLS.fields())
	}
	t.AddSome("auth", s.Auth)
	t.AddSome("crypto_binding", s.CryptoBinding)
	t.AddSome("device", s.Device)
	if s.MTU > 0 {
		t.AddNumber("mtu", int64(s.MTU))
	}
	if s.IPv4.Address.IsValid() {
		t.AddTable("ipv4", s.IPv4.fields())
	}
	if s.IPv6.Address.IsValid() {
		var v6 blobmsg.Fields
		addAddr(&v6, "address", s.IPv6.Address)
		addAddr(&v6, "peer", s.IPv6.Peer)
		t.AddTable("ipv6", v6)
	}
	if !s.Reach.Checked.IsZero() {
		t.AddTable("reach", s.Reach.fields())
	}
	if s.Uptime > 0 {
		t.AddCount("uptime_s", int64(s.Uptime/time.Second))
	}
	if s.RTT != (RTT{}) {
		t.AddTable("rtt_ms", s.RTT.fields())
	}
	t.AddTable("counters", s.Counters.fields())
	t.AddNumber("reconnects", int64(s.Reconnects))
	if s.LastError != nil {
		t.AddTable("last_error", s.LastError.fields())
	}
	var warned []blobmsg.Fields
	for _, w := range s.Warned {
		var f blobmsg.Fields
		f.AddText("option", w.Option)
		f.AddText("text", w.Text)
		warned = append(warned, f)
	}
	t.AddTables("options_warned", warned)
	t.AddTexts("address_warnings", s.AddressWarnings)
	if s.KillSwitch != nil {
		t.AddTable("killswitch", KillSwitchFields(s.KillSwitch))
	}
	t.AddSome("version", s.Version)
	return t
}

func (s *TLS) fields() (t blobmsg.Fields) {
	t.AddSome("version", s.Version)
	t.AddSome("cipher", s.Cipher)
	t.AddSome("path", s.Path)
	t.AddSome("path_reason", s.PathReason)
	t.AddSome("verified_by", s.VerifiedBy)
	t.AddSome("subject", s.Subject)
	t.AddSome("issuer", s.Issuer)
	addTime(&t, "not_after", s.NotAfter)
	t.AddSome("fingerprint", s.Fingerprint)
	return t
}

func (s *IPv4) fields() (t blobmsg.Fields) {
	addAddr(&t, "address", s.Address)
	addAddr(&t, "peer", s.Peer)
	var dns []string
	for _, a := range s.DNS {
		dns = append(dns, a.String())
	}
	t.AddTexts("dns", dns)
	return t
}

func (r *Reach) fields() (t blobmsg.Fields) {
	addTime(&t, "checked", r.Checked)
	for _, f := range r.named() {
		if f.Key != "" {
			t.AddTable(f.name, f.fields())
		}
	}
	return t
}

// named returns the findings under the names of their fields.
func (r *Reach) named() [4]namedFinding {
	return [...]namedFinding{{"internet", &r.Internet}, {"ipv6", &r.IPv6}, {"names", &r.Names}, {"firewall", &r.Firewall}}
}

type namedFinding struct {
	name string
	*Finding
}

func (f *Finding) fields() (t blobmsg.Fields) {
	t.AddText("key", f.Key)
	t.AddTexts("args", f.Args)
	t.AddText("text", f.Text)
	t.AddFlag("ok", f.OK)
	return t
}

func (r *RTT) fields() (t blobmsg.Fields) {
	addMillis(&t, "last", r.Last)
	addMillis(&t, "min", r.Min)
	addMillis(&t, "avg", r.Avg)
	addMillis(&t, "max", r.Max)
	return t
}

func (c *Counters) fields() (t blobmsg.Fields) {
	t.AddCount("rx_bytes", int64(c.RxBytes))
	t.AddCount("tx_bytes", int64(c.TxBytes))
	t.AddCount("rx_packets", int64(c.RxPackets))
	t.AddCount("tx_packets", int64(c.TxPackets))
	t.AddCount("rx_dropped", int64(c.RxDropped))
	t.AddCount("tx_dropped", int64(c.TxDropped))
	return t
}

func (e *Error) fields() (t blobmsg.Fields) {
	t.AddSome("code", e.Code)
	t.AddSome("stage", e.Stage)
	t.AddSome("message", e.Message)
	t.AddSome("hint", e.Hint)
	addTime(&t, "time", e.Time)
	return t
}

func (e *Entry) fields() (t blobmsg.Fields) {
	addTime(&t, "time", e.Time)
	t.AddSome("state", e.State)
	t.AddSome("code", e.Code)
	t.AddSome("text", e.Text)
	return t
}

func addTime(t *blobmsg.Fields, name string, at time.Time) {
	if !at.IsZero() {
		t.AddCount(name, at.Unix())
	}
}

func addAddr(t *blobmsg.Fields, name string, a netip.Addr) {
	if a.IsValid() {
		t.AddText(name, a.String())
	}
}

func addMillis(t *blobmsg.Fields, name string, d time.Duration) {
	t.AddDouble(name, float64(d)/float64(time.Millisecond))
}
