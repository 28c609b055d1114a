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
	{"IPv4Address", "s", false, text("ipv4.address")},
	{"IPv4Peer", "s", false, text("ipv4.peer")},
	{"DNS", "as", false, texts("ipv4.dns")},
	{"IPv6Address", "s", false, text("ipv6.address")},
	{"IPv6Peer", "s", false, text("ipv6.peer")},
	{"Authentication", "s", false, text("auth")},
	{"CryptoBinding", "s", false, text("crypto_binding")},
	{"TLS", "a{sv}", false, dictionary("tls")},
	{"Internet", "a{sv}", false, dictionary("reach.internet")},
	{"IPv6", "a{sv}", false, dictionary("reach.ipv6")},
	{"Names", "a{sv}", false, dictionary("reach.names")},
	{"Firewall", "a{sv}", false, dictionary("reach.firewall")},
	{"Reconnects", "u", false, count("reconnects")},
	{"LastError", "a{sv}", false, dictionary("last_error")},
	{"Version", "s", false, text("version")},
	{"Attempt", "u", true, count("attempt")},
	{"NextRetryMs", "u", true, count("next_retry_ms")},
	{"UptimeSeconds", "t", true, total("uptime_s")},
	{"RoundTripMs", "d", true, milliseconds("rtt_ms.last")},
	{"RxBytes", "t", true, total("counters.rx_bytes")},
	{"TxBytes", "t", true, total("counters.tx_bytes")},
	{"RxPackets", "t", true, total("counters.rx_packets")},
	{"TxPackets", "t", true, total("counters.tx_packets")},
	{"RxDropped", "t", true, total("counters.rx_dropped")},
	{"TxDropped", "t", true, total("counters.tx_dropped")},
}

// reader takes a property's value out of a status.
type reader func(status blobmsg.Fields) any

func text(path string) reader {
	return func(s blobmsg.Fields) any {
		text, _ := s.At(path).Str()
		return valid(text)
	}
}

func texts(path string) reader {
	return func(s blobmsg.Fields) any {
		list := []string{}
		for _, text := range s.At(path).Texts() {
			list = append(list, valid(text))
		}
		return list
	}
}

func count(path string) reader {
	return func(s blobmsg.Fields) any { return uint32(min(max(number(s, path), 0), math.MaxUint32)) }
}

func moment(path string) reader { return func(s blobmsg.Fields) any { return number(s, path) } }

func total(path string) reader { return func(s blobmsg.Fields) any { return uint64(number(s, path)) } }

func milliseconds(path string) reader {
	return func(s blobmsg.Fields) any {
		f, _ := s.At(path).Float() // of an integer, too
		return f
	}
}

func dictionary(path string) reader {
	return func(s blobmsg.Fields) any { return variants(s.At(path).Fields()) }
}

func number(s blobmsg.Fields, path string) int64 {
	n, _ := s.At(path).Num()
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
