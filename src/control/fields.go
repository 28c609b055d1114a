package control

import (
	"net/netip"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/killswitch"
	"sstp/src/phrase"
	"sstp/src/reach"
	"sstp/src/status"
)

// StatusFields returns a status at the time now as the bus carries it. Counters and times are always INT64, so that their type
// does not change when they grow. Round trips are milliseconds as DOUBLE.
func StatusFields(s *status.Status, now time.Time) (t blobmsg.Fields) {
	t.AddSome("interface", s.Interface)
	t.AddSome("state", string(s.State))
	addTime(&t, "since", s.Since)
	t.AddSome("server", s.Server)
	t.AddSome("server_address", s.ServerAddress)
	t.AddSome("uplink", s.Uplink)
	t.AddSome("proxy", s.Proxy)
	t.AddNumber("attempt", int64(s.Attempt))
	if !s.NextRetry.IsZero() {
		t.AddNumber("next_retry_ms", max(s.NextRetry.Sub(now).Milliseconds(), 1))
	}
	if s.TLS != nil {
		t.AddTable("tls", tlsFields(s.TLS))
	}
	t.AddSome("auth", s.Auth)
	AddPhrase(&t, "crypto_binding", s.CryptoBinding)
	t.AddSome("device", s.Device)
	if s.MTU > 0 {
		t.AddNumber("mtu", int64(s.MTU))
	}
	if s.Local.IsValid() {
		v4 := addresses(s.Local, s.Peer)
		var dns []string
		for _, a := range s.DNS {
			dns = append(dns, a.String())
		}
		v4.AddTexts("dns", dns)
		t.AddTable("ipv4", v4)
	}
	if s.Local6.IsValid() {
		t.AddTable("ipv6", addresses(s.Local6, s.Peer6))
	}
	if !s.Reach.Checked.IsZero() {
		t.AddTable("reach", reachFields(&s.Reach))
	}
	if !s.UpSince.IsZero() {
		t.AddCount("uptime_s", int64(now.Sub(s.UpSince)/time.Second))
	}
	if s.RTT.Max > 0 {
		t.AddTable("rtt_ms", rttFields(&s.RTT))
	}
	t.AddTable("counters", counterFields(&s.Counters))
	t.AddNumber("reconnects", int64(s.Reconnects))
	if s.LastError != nil {
		t.AddTable("last_error", errorFields(s.LastError, s.LastErrorTime))
	}
	t.AddTables("options_warned", WarningFields(s.Warnings))
	t.AddTexts("address_warnings", s.AddressWarnings)
	if s.KillSwitch != nil {
		t.AddTable("killswitch", KillSwitchFields(s.KillSwitch))
	}
	t.AddSome("version", s.Version)
	return t
}

func tlsFields(s *status.TLS) (t blobmsg.Fields) {
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

func addresses(local, peer netip.Addr) (t blobmsg.Fields) {
	t.AddText("address", local.String())
	if peer.IsValid() {
		t.AddText("peer", peer.String())
	}
	return t
}

func reachFields(r *reach.Report) (t blobmsg.Fields) {
	addTime(&t, "checked", r.Checked)
	for _, f := range r.Findings() {
		if f.Key != "" {
			finding := sentence(f.Key, f.Args, f.Text)
			finding.AddFlag("ok", f.OK)
			t.AddTable(f.Field, finding)
		}
	}
	return t
}

func rttFields(r *status.RTT) (t blobmsg.Fields) {
	addMillis(&t, "last", r.Last)
	addMillis(&t, "min", r.Min)
	addMillis(&t, "avg", r.Avg)
	addMillis(&t, "max", r.Max)
	return t
}

func counterFields(c *status.Counters) (t blobmsg.Fields) {
	t.AddCount("rx_bytes", int64(c.RxBytes))
	t.AddCount("tx_bytes", int64(c.TxBytes))
	t.AddCount("rx_packets", int64(c.RxPackets))
	t.AddCount("tx_packets", int64(c.TxPackets))
	t.AddCount("rx_dropped", int64(c.RxDropped))
	t.AddCount("tx_dropped", int64(c.TxDropped))
	return t
}

// AddFault adds what happened and what to do about it, with what translates both.
func AddFault(t *blobmsg.Fields, e *fault.Error) {
	AddPhrase(t, "message", e.Said())
	AddPhrase(t, "hint", phrase.Phrase{Key: e.HintKey, Args: e.HintArgs, Text: e.Hint})
}

func errorFields(e *fault.Error, at time.Time) (t blobmsg.Fields) {
	t.AddSome("code", string(e.Code))
	t.AddSome("stage", string(e.Stage))
	AddFault(&t, e)
	addTime(&t, "time", at)
	return t
}

// WarningFields returns warnings about options as the bus carries them.
func WarningFields(warnings []config.Warning) (list []blobmsg.Fields) {
	for _, w := range warnings {
		var t blobmsg.Fields
		t.AddText("option", w.Option)
		addText(&t, w.Phrase)
		list = append(list, t)
	}
	return list
}

// KillSwitchFields returns the state of a tunnel's kill switch as the bus carries it.
func KillSwitchFields(s *killswitch.Status) (t blobmsg.Fields) {
	t.AddFlag("on", s.On)
	t.AddFlag("complete", s.Complete())
	t.AddTexts("zones", s.Zones)
	t.AddTexts("except", s.Except)
	t.AddFlag("router", s.Router)
	t.AddFlag("names", s.Names)
	var problems []blobmsg.Fields
	for _, p := range s.Problems {
		problems = append(problems, sentence(p.Key, p.Args, p.Text))
	}
	t.AddTables("problems", problems)
	return t
}

// sentence returns a sentence as the bus carries it: key and args are for translation.
func sentence(key string, args []string, text string) (t blobmsg.Fields) {
	t.AddText("key", key)
	t.AddTexts("args", args)
	t.AddText("text", text)
	return t
}

func eventFields(e *status.Event) (t blobmsg.Fields) {
	addTime(&t, "time", e.Time)
	t.AddSome("state", string(e.State))
	t.AddSome("code", string(e.Code))
	addText(&t, e.Phrase)
	return t
}

// AddPhrase adds a text, and beside it its key and arguments, by which a page translates it.
func AddPhrase(t *blobmsg.Fields, name string, p phrase.Phrase) {
	t.AddSome(name, p.Text)
	if p.Key != "" {
		t.AddText(name+"_key", string(p.Key))
		t.AddTexts(name+"_args", p.Args)
	}
}

// addText adds the text of a table that has one, with the names that a finding has.
func addText(t *blobmsg.Fields, p phrase.Phrase) {
	t.AddSome("text", p.Text)
	if p.Key != "" {
		t.AddText("key", string(p.Key))
		t.AddTexts("args", p.Args)
	}
}

func addTime(t *blobmsg.Fields, name string, at time.Time) {
	if !at.IsZero() {
		t.AddCount(name, at.Unix())
	}
}

func addMillis(t *blobmsg.Fields, name string, d time.Duration) {
	t.AddDouble(name, float64(d)/float64(time.Millisecond))
}
