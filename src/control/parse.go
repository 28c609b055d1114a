package control

import (
	"net/netip"
	"time"

	"sstp/src/blobmsg"
)

// ParseStatus reads what Fields wrote. What is missing or of another type stays zero: the daemon may be of another version
// than the program that asks.
func ParseStatus(f blobmsg.Fields) Status {
	s := Status{
		Interface:     f.Text("interface"),
		State:         f.Text("state"),
		Since:         timeOf(f, "since"),
		Server:        f.Text("server"),
		ServerAddress: f.Text("server_address"),
		Uplink:        f.Text("uplink"),
		Proxy:         f.Text("proxy"),
		Attempt:       int(number(f, "attempt")),
		NextRetry:     time.Duration(number(f, "next_retry_ms")) * time.Millisecond,
		Auth:          f.Text("auth"),
		CryptoBinding: f.Text("crypto_binding"),
		Device:        f.Text("device"),
		MTU:           int(number(f, "mtu")),
		Uptime:        time.Duration(number(f, "uptime_s")) * time.Second,
		Reconnects:    int(number(f, "reconnects")),
		Version:       f.Text("version"),
	}
	if t := f.Table("tls"); t != nil {
		s.TLS = &TLS{
			Version: t.Text("version"), Cipher: t.Text("cipher"), Path: t.Text("path"), PathReason: t.Text("path_reason"),
			VerifiedBy: t.Text("verified_by"), Subject: t.Text("subject"), Issuer: t.Text("issuer"),
			NotAfter: timeOf(t, "not_after"), Fingerprint: t.Text("fingerprint"),
		}
	}
	v4, v6 := f.Table("ipv4"), f.Table("ipv6")
	s.IPv4 = IPv4{Address: addrOf(v4, "address"), Peer: addrOf(v4, "peer")}
	for _, v := range v4.List("dns") {
		text, _ := v.Str()
		if a, err := netip.ParseAddr(text); err == nil {
			s.IPv4.DNS = append(s.IPv4.DNS, a)
		}
	}
	s.IPv6 = IPv6{Address: addrOf(v6, "address"), Peer: addrOf(v6, "peer")}
	reach := f.Table("reach")
	s.Reach.Checked = timeOf(reach, "checked")
	for _, n := range s.Reach.named() {
		t := reach.Table(n.name)
		ok, _ := t.Flag("ok")
		*n.Finding = Finding{Key: t.Text("key"), Args: t.Texts("args"), Text: t.Text("text"), OK: ok}
	}
	r := f.Table("rtt_ms")
	s.RTT = RTT{Last: millis(r, "last"), Min: millis(r, "min"), Avg: millis(r, "avg"), Max: millis(r, "max")}
	c := f.Table("counters")
	s.Counters = Counters{
		RxBytes: uint64(number(c, "rx_bytes")), TxBytes: uint64(number(c, "tx_bytes")),
		RxPackets: uint64(number(c, "rx_packets")), TxPackets: uint64(number(c, "tx_packets")),
		RxDropped: uint64(number(c, "rx_dropped")), TxDropped: uint64(number(c, "tx_dropped")),
	}
	if e := f.Table("last_error"); e != nil {
		s.LastError = &Error{
			Code: e.Text("code"), Stage: e.Text("stage"), Message: e.Text("message"), Hint: e.Text("hint"), Time: timeOf(e, "time"),
		}
	}
	for _, v := range f.List("options_warned") {
		w := v.Fields()
		s.Warned = append(s.Warned, Warning{Option: w.Text("option"), Text: w.Text("text")})
	}
	s.AddressWarnings = f.Texts("address_warnings")
	s.KillSwitch = ParseKillSwitch(f.Table("killswitch"))
	return s
}

// ParseHistory reads the answer of method history.
func ParseHistory(f blobmsg.Fields) []Entry {
	var entries []Entry
	for _, v := range f.List("events") {
		e := v.Fields()
		entries = append(entries, Entry{Time: timeOf(e, "time"), State: e.Text("state"), Code: e.Text("code"), Text: e.Text("text")})
	}
	return entries
}

func number(f blobmsg.Fields, name string) int64 {
	n, _ := f.Number(name)
	return n
}

func timeOf(f blobmsg.Fields, name string) time.Time {
	if n, ok := f.Number(name); ok {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

func addrOf(f blobmsg.Fields, name string) netip.Addr {
	a, _ := netip.ParseAddr(f.Text(name))
	return a
}

func millis(f blobmsg.Fields, name string) time.Duration {
	v, _ := f.Get(name)
	ms, _ := v.Float()
	return time.Duration(ms * float64(time.Millisecond))
}
