package main

import (
	"math"
	"reflect"
	"slices"

	"github.com/godbus/dbus/v5"

	"sstp/src/blobmsg"
)

// property is what the bus shows of a tunnel under one name.
type property struct {
	name, signature string
	// live properties change all the time: there is no signal for them, and each question is answered with a fresh value.
	live  bool
	value reader
}

// properties are those of interface Tunnel. What a tunnel has not got at the moment is empty or 0.
var properties = []property{
	{"Name", "s", false, text("interface")},
	{"State", "s", false, text("state")},
	{"Since", "x", false, moment("since")},
	{"Server", "s", false, text("server")},
	{"ServerAddress", "s", false, text("server_address")},
	{"Uplink", "s", false, text("uplink")},
	{"Proxy", "s", false, text("proxy")},
	{"Device", "s", false, text("device")},
	{"MTU", "u", false, count("mtu")},
	{"IPv4Address", "s", false, in("ipv4", text("address"))},
	{"IPv4Peer", "s", false, in("ipv4", text("peer"))},
	{"DNS", "as", false, in("ipv4", texts("dns"))},
	{"IPv6Address", "s", false, in("ipv6", text("address"))},
	{"IPv6Peer", "s", false, in("ipv6", text("peer"))},
	{"Authentication", "s", false, text("auth")},
	{"CryptoBinding", "s", false, text("crypto_binding")},
	{"TLS", "a{sv}", false, dictionary("tls")},
	{"Internet", "a{sv}", false, in("reach", dictionary("internet"))},
	{"IPv6", "a{sv}", false, in("reach", dictionary("ipv6"))},
	{"Names", "a{sv}", false, in("reach", dictionary("names"))},
	{"Firewall", "a{sv}", false, in("reach", dictionary("firewall"))},
	{"Reconnects", "u", false, count("reconnects")},
	{"LastError", "a{sv}", false, dictionary("last_error")},
	{"Version", "s", false, text("version")},
	{"Attempt", "u", true, count("attempt")},
	{"NextRetryMs", "u", true, count("next_retry_ms")},
	{"UptimeSeconds", "t", true, total("uptime_s")},
	{"RoundTripMs", "d", true, in("rtt_ms", milliseconds("last"))},
	{"RxBytes", "t", true, in("counters", total("rx_bytes"))},
	{"TxBytes", "t", true, in("counters", total("tx_bytes"))},
	{"RxPackets", "t", true, in("counters", total("rx_packets"))},
	{"TxPackets", "t", true, in("counters", total("tx_packets"))},
	{"RxDropped", "t", true, in("counters", total("rx_dropped"))},
	{"TxDropped", "t", true, in("counters", total("tx_dropped"))},
}

// reader takes a property's value out of a status.
type reader func(status blobmsg.Fields) any

func text(field string) reader { return func(s blobmsg.Fields) any { return valid(s.Text(field)) } }

func texts(field string) reader {
	return func(s blobmsg.Fields) any {
		list := []string{}
		for _, v := range s.List(field) {
			item, _ := v.Str()
			list = append(list, valid(item))
		}
		return list
	}
}

func count(field string) reader {
	return func(s blobmsg.Fields) any { return uint32(min(max(number(s, field), 0), math.MaxUint32)) }
}

func moment(field string) reader { return func(s blobmsg.Fields) any { return number(s, field) } }

func total(field string) reader {
	return func(s blobmsg.Fields) any { return uint64(number(s, field)) }
}

func milliseconds(field string) reader {
	return func(s blobmsg.Fields) any {
		v, _ := s.Get(field)
		if f, ok := v.Float(); ok {
			return f
		}
		n, _ := v.Num()
		return float64(n)
	}
}

func dictionary(field string) reader {
	return func(s blobmsg.Fields) any { return variants(s.Table(field)) }
}

// in reads from a table inside of the status.
func in(table string, inner reader) reader {
	return func(s blobmsg.Fields) any { return inner(s.Table(table)) }
}

func number(s blobmsg.Fields, field string) int64 {
	n, _ := s.Number(field)
	return n
}

// values returns all properties of a status.
func values(status blobmsg.Fields) map[string]dbus.Variant {
	all := make(map[string]dbus.Variant, len(properties))
	for _, p := range properties {
		all[p.name] = dbus.MakeVariant(p.value(status))
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

// variants turns a table of ubus into a dictionary of D-Bus, and what is in it likewise.
func variants(t blobmsg.Fields) map[string]dbus.Variant {
	d := make(map[string]dbus.Variant, len(t))
	for _, f := range slices.Backward(t) { // of two fields with a name, the first counts
		d[f.Name] = variant(f.Value)
	}
	return d
}

func variant(v blobmsg.Value) dbus.Variant {
	switch v.Type() {
	case blobmsg.TypeTable:
		return dbus.MakeVariant(variants(v.Fields()))
	case blobmsg.TypeArray:
		items := make([]dbus.Variant, 0, len(v.Items()))
		for _, item := range v.Items() {
			items = append(items, variant(item))
		}
		return dbus.MakeVariant(items)
	case blobmsg.TypeString:
		s, _ := v.Str()
		return dbus.MakeVariant(valid(s))
	case blobmsg.TypeBool:
		b, _ := v.Truth()
		return dbus.MakeVariant(b)
	case blobmsg.TypeDouble:
		f, _ := v.Float()
		return dbus.MakeVariant(f)
	}
	n, _ := v.Num()
	return dbus.MakeVariant(n)
}
