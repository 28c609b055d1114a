package main

import (
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"sstp/src/control"
	"sstp/src/ubus"
)

// property is what the bus shows of a tunnel under one name.
type property struct {
	name, signature string
	// live properties change all the time: there is no signal for them, and each question is answered with a fresh value.
	live  bool
	value func(s control.Status) any
}

// properties are those of interface Tunnel. What a tunnel has not got at the moment is empty or 0.
var properties = []property{
	{"Name", "s", false, func(s control.Status) any { return s.Interface }},
	{"State", "s", false, func(s control.Status) any { return s.State }},
	{"Since", "x", false, func(s control.Status) any { return unix(s.Since) }},
	{"Server", "s", false, func(s control.Status) any { return s.Server }},
	{"ServerAddress", "s", false, func(s control.Status) any { return s.ServerAddress }},
	{"Uplink", "s", false, func(s control.Status) any { return s.Uplink }},
	{"Proxy", "s", false, func(s control.Status) any { return s.Proxy }},
	{"Device", "s", false, func(s control.Status) any { return s.Device }},
	{"MTU", "u", false, func(s control.Status) any { return uint32(s.MTU) }},
	{"IPv4Address", "s", false, func(s control.Status) any { return text(s.IPv4.Address) }},
	{"IPv4Peer", "s", false, func(s control.Status) any { return text(s.IPv4.Peer) }},
	{"DNS", "as", false, func(s control.Status) any {
		dns := []string{}
		for _, a := range s.IPv4.DNS {
			dns = append(dns, a.String())
		}
		return dns
	}},
	{"IPv6Address", "s", false, func(s control.Status) any { return text(s.IPv6.Address) }},
	{"IPv6Peer", "s", false, func(s control.Status) any { return text(s.IPv6.Peer) }},
	{"Authentication", "s", false, func(s control.Status) any { return s.Auth }},
	{"CryptoBinding", "s", false, func(s control.Status) any { return s.CryptoBinding }},
	{"TLS", "a{sv}", false, func(s control.Status) any { return variants(s.Fields().Table("tls")) }},
	{"Reconnects", "u", false, func(s control.Status) any { return uint32(s.Reconnects) }},
	{"LastError", "a{sv}", false, func(s control.Status) any { return variants(s.Fields().Table("last_error")) }},
	{"Version", "s", false, func(s control.Status) any { return s.Version }},
	{"Attempt", "u", true, func(s control.Status) any { return uint32(s.Attempt) }},
	{"NextRetryMs", "u", true, func(s control.Status) any { return uint32(s.NextRetry.Milliseconds()) }},
	{"UptimeSeconds", "t", true, func(s control.Status) any { return uint64(s.Uptime / time.Second) }},
	{"RoundTripMs", "d", true, func(s control.Status) any { return float64(s.RTT.Last) / float64(time.Millisecond) }},
	{"RxBytes", "t", true, func(s control.Status) any { return s.Counters.RxBytes }},
	{"TxBytes", "t", true, func(s control.Status) any { return s.Counters.TxBytes }},
	{"RxPackets", "t", true, func(s control.Status) any { return s.Counters.RxPackets }},
	{"TxPackets", "t", true, func(s control.Status) any { return s.Counters.TxPackets }},
	{"RxDropped", "t", true, func(s control.Status) any { return s.Counters.RxDropped }},
	{"TxDropped", "t", true, func(s control.Status) any { return s.Counters.TxDropped }},
}

// values returns all properties of a status.
func values(s control.Status) map[string]dbus.Variant {
	all := make(map[string]dbus.Variant, len(properties))
	for _, p := range properties {
		v := p.value(s)
		if text, ok := v.(string); ok {
			v = valid(text)
		}
		all[p.name] = dbus.MakeVariant(v)
	}
	return all
}

// changed returns the properties whose change is to be told: those that are not live and have another value now.
func changed(before, now map[string]dbus.Variant) map[string]dbus.Variant {
	different := map[string]dbus.Variant{}
	for _, p := range properties {
		if !p.live && !reflect.DeepEqual(before[p.name], now[p.name]) {
			different[p.name] = now[p.name]
		}
	}
	return different
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// variants turns a table of ubus into a dictionary of D-Bus, and what is in it likewise.
func variants(t ubus.Fields) map[string]dbus.Variant {
	d := make(map[string]dbus.Variant, len(t))
	for _, f := range slices.Backward(t) { // of two fields with a name, the first counts
		d[f.Name] = variant(f.Value)
	}
	return d
}

func variant(v ubus.Value) dbus.Variant {
	switch v.Type() {
	case ubus.TypeTable:
		return dbus.MakeVariant(variants(v.Fields()))
	case ubus.TypeArray:
		items := make([]dbus.Variant, 0, len(v.Items()))
		for _, item := range v.Items() {
			items = append(items, variant(item))
		}
		return dbus.MakeVariant(items)
	case ubus.TypeString:
		s, _ := v.Str()
		return dbus.MakeVariant(valid(s))
	case ubus.TypeBool:
		b, _ := v.Truth()
		return dbus.MakeVariant(b)
	case ubus.TypeDouble:
		f, _ := v.Float()
		return dbus.MakeVariant(f)
	}
	n, _ := v.Num()
	return dbus.MakeVariant(n)
}
