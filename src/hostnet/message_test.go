package hostnet

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// u16 and u32 are numbers in the machine's byte order, so that the messages below are right on every machine.
func u16(n uint16) []byte { return native.AppendUint16(nil, n) }
func u32(n uint32) []byte { return native.AppendUint32(nil, n) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// packet is a message with the right length.
func packet(typ, flags uint16, payload ...[]byte) []byte {
	body := join(payload...)
	return join(u32(uint32(16+len(body))), u16(typ), u16(flags), u32(seq), u32(0), body)
}

func TestRequestForARoute(t *testing.T) {
	r := Route{Dst: netip.MustParsePrefix("192.0.2.1/32"), Gateway: netip.MustParseAddr("198.51.100.1"), Metric: 5,
		Source: netip.MustParseAddr("198.51.100.2")}
	got, err := routeRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, r)
	want := join(
		u32(16+12+8+8+8+8),     // length
		u16(unix.RTM_NEWROUTE), //
		u16(unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL),
		u32(1), u32(0), // sequence number, port
		[]byte{unix.AF_INET, 32, 0, 0}, // family, lengths of destination and source, tos
		[]byte{unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST},
		u32(0), // flags
		u16(8), u16(unix.RTA_DST), []byte{192, 0, 2, 1},
		u16(8), u16(unix.RTA_GATEWAY), []byte{198, 51, 100, 1},
		u16(8), u16(unix.RTA_PREFSRC), []byte{198, 51, 100, 2},
		u16(8), u16(unix.RTA_PRIORITY), u32(5),
	)
	if err != nil || !bytes.Equal(end(got), want) {
		t.Errorf("request %x %v\nwant    %x", got, err, want)
	}
}

func TestRequestForARouteByANeighbourOfTheOtherFamily(t *testing.T) {
	r := Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("fe80::1%eth0")}
	got, err := routeRequest(unix.RTM_NEWROUTE, 0, r)
	want := join(u16(4+18), u16(unix.RTA_VIA), u16(unix.AF_INET6),
		[]byte{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, []byte{0, 0})
	if err != nil || !bytes.HasSuffix(got, want) {
		t.Errorf("request %x %v, want it to end in %x", got, err, want)
	}
}

func TestRoutesThatMakeNoSense(t *testing.T) {
	for _, r := range []Route{
		{},
		{Dst: netip.MustParsePrefix("192.0.2.0/24")},
		{Gateway: netip.MustParseAddr("192.0.2.1")},
		{Dst: netip.MustParsePrefix("192.0.2.0/24"), Gateway: netip.MustParseAddr("192.0.2.1"), Metric: -1},
		{Dst: netip.MustParsePrefix("127.0.0.1/32"), Device: "lo", Local: true},
		{Dst: netip.MustParsePrefix("192.0.2.0/24"), Gateway: netip.MustParseAddr("192.0.2.1"), Source: netip.MustParseAddr("2001:db8::1")},
	} {
		if _, err := AddRoute(r); !errors.Is(err, unix.EINVAL) {
			t.Errorf("AddRoute(%+v): %v, want EINVAL", r, err)
		}
	}
	if _, err := RouteTo(netip.Addr{}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("RouteTo(nothing): %v, want EINVAL", err)
	}
	if err := AddAddress("lo", netip.Prefix{}, netip.Addr{}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("AddAddress(nothing): %v, want EINVAL", err)
	}
	if err := AddAddress("lo", netip.MustParsePrefix("192.0.2.1/32"), netip.MustParseAddr("::1")); !errors.Is(err, unix.EINVAL) {
		t.Errorf("AddAddress with a peer of the other family: %v, want EINVAL", err)
	}
}

func TestParseEntry(t *testing.T) {
	v4 := []byte{unix.AF_INET, 32, 0, 0, unix.RT_TABLE_MAIN, 0, 0, unix.RTN_UNICAST}
	v6 := []byte{unix.AF_INET6, 0, 0, 0, 0, 0, 0, unix.RTN_UNICAST}
	tests := []struct {
		why  string
		b    []byte
		want entry
	}{
		{"a host route by a gateway", join(v4, u32(unix.RTM_F_CLONED),
			u16(8), u16(unix.RTA_DST), []byte{192, 0, 2, 1},
			u16(8), u16(unix.RTA_GATEWAY), []byte{198, 51, 100, 1},
			u16(8), u16(unix.RTA_OIF), u32(3),
			u16(5), u16(200), []byte{1, 0, 0, 0}, // an attribute of tomorrow, padded
			u16(8), u16(unix.RTA_PRIORITY), u32(7)),
			entry{dst: netip.MustParsePrefix("192.0.2.1/32"), gateway: netip.MustParseAddr("198.51.100.1"), device: 3, metric: 7,
				table: unix.RT_TABLE_MAIN, typ: unix.RTN_UNICAST, cached: true}},
		{"the default route of IPv6 in a table with a large number", join(v6, u32(0), u16(8), u16(unix.RTA_TABLE), u32(70000)),
			entry{dst: netip.MustParsePrefix("::/0"), table: 70000, typ: unix.RTN_UNICAST}},
		{"IPv4 by a neighbour of IPv6", join(v4, u32(0), u16(8), u16(unix.RTA_DST), []byte{192, 0, 2, 1},
			u16(22), u16(unix.RTA_VIA), u16(unix.AF_INET6), netip.MustParseAddr("fe80::1").AsSlice()),
			entry{dst: netip.MustParsePrefix("192.0.2.1/32"), gateway: netip.MustParseAddr("fe80::1"), table: unix.RT_TABLE_MAIN, typ: unix.RTN_UNICAST}},
	}
	for _, c := range tests {
		if got, err := parseEntry(c.b); err != nil || got != c.want {
			t.Errorf("%s: %+v %v, want %+v", c.why, got, err, c.want)
		}
	}
	bad := map[string][]byte{
		"nothing":                         {},
		"a cut header":                    v4,
		"another family":                  join([]byte{unix.AF_APPLETALK, 0, 0, 0, 0, 0, 0, 0}, u32(0)),
		"more bits than an address has":   join([]byte{unix.AF_INET, 33, 0, 0, 0, 0, 0, 0}, u32(0)),
		"a cut attribute":                 join(v4, u32(0), u16(8)),
		"an attribute longer than all":    join(v4, u32(0), u16(9), u16(unix.RTA_DST), []byte{1, 2, 3, 4}),
		"an attribute shorter than short": join(v4, u32(0), u16(3), u16(unix.RTA_DST), []byte{1, 2, 3, 4}),
		"a destination of another family": join(v4, u32(0), u16(20), u16(unix.RTA_DST), make([]byte, 16)),
		"a gateway of five bytes":         join(v4, u32(0), u16(9), u16(unix.RTA_GATEWAY), make([]byte, 8)),
		"an empty via":                    join(v4, u32(0), u16(4), u16(unix.RTA_VIA)),
		"a device of two bytes":           join(v4, u32(0), u16(6), u16(unix.RTA_OIF), make([]byte, 4)),
	}
	for why, b := range bad {
		if got, err := parseEntry(b); err == nil {
			t.Errorf("%s is taken as %+v", why, got)
		}
	}
}

func TestAnswers(t *testing.T) {
	request := packet(unix.RTM_NEWROUTE, 0, u32(0))
	minus := func(e unix.Errno) []byte { return u32(uint32(-int32(e))) }
	words := join(u16(4+5), u16(attrMessage), []byte("why?\x00"), []byte{0, 0, 0})
	tests := []struct {
		why   string
		b     []byte
		done  bool
		errno unix.Errno
		text  string
	}{
		{"an acknowledgement", packet(unix.NLMSG_ERROR, capped, u32(0), request[:16]), true, 0, ""},
		{"a refusal", packet(unix.NLMSG_ERROR, 0, minus(unix.EEXIST), request), true, unix.EEXIST, ""},
		{"a refusal in words", packet(unix.NLMSG_ERROR, withTLVs, minus(unix.EEXIST), request, words), true, unix.EEXIST, "why?"},
		{"a refusal in words, the request cut", packet(unix.NLMSG_ERROR, withTLVs|capped, minus(unix.EPERM), request[:16], words), true, unix.EPERM, "why?"},
		{"a refusal whose words are cut", packet(unix.NLMSG_ERROR, withTLVs|capped, minus(unix.EPERM), request[:16], words[:6]), true, unix.EPERM, ""},
		{"a refusal that lies about the request's length", packet(unix.NLMSG_ERROR, withTLVs, minus(unix.EPERM), u32(1<<31), words), true, unix.EPERM, ""},
		{"the end of a list", packet(unix.NLMSG_DONE, 0, u32(0)), true, 0, ""},
		{"the end of a list that failed", packet(unix.NLMSG_DONE, 0, minus(unix.ENOBUFS)), true, unix.ENOBUFS, ""},
		{"a bare end", packet(unix.NLMSG_DONE, 0), true, 0, ""},
		{"nothing yet", packet(unix.NLMSG_NOOP, 0), false, 0, ""},
		{"somebody else's answer", join(u32(20), u16(unix.NLMSG_ERROR), u16(0), u32(seq+1), u32(0), minus(unix.EPERM)), false, 0, ""},
		{"a message and the end", join(packet(unix.RTM_NEWROUTE, 0, u32(0)), packet(unix.NLMSG_DONE, 0)), true, 0, ""},
	}
	for _, c := range tests {
		done, err := answer(c.b, func(message) (bool, error) { return false, nil })
		var refused *kernelError
		switch {
		case done != c.done:
			t.Errorf("%s: done is %v", c.why, done)
		case c.errno == 0 && err != nil:
			t.Errorf("%s: %v", c.why, err)
		case c.errno != 0 && (!errors.As(err, &refused) || refused.errno != c.errno || refused.text != c.text || !errors.Is(err, c.errno)):
			t.Errorf("%s: %v, want %v %q", c.why, err, c.errno, c.text)
		}
	}
	for why, b := range map[string][]byte{
		"a cut header":                   request[:15],
		"a length longer than all":       join(u32(21), request[4:]),
		"a length shorter than a header": join(u32(15), request[4:]),
		"an error without its number":    packet(unix.NLMSG_ERROR, 0),
	} {
		if _, err := answer(b, nil); err == nil {
			t.Errorf("%s is no error", why)
		}
	}
	interrupted := packet(unix.RTM_NEWROUTE, unix.NLM_F_DUMP_INTR)
	if _, err := answer(interrupted, nil); !errors.Is(err, errInterrupted) {
		t.Errorf("a list that changed while it was read: %v", err)
	}
}

// FuzzAnswer: whatever comes, reading ends, messages and attributes stay inside of it, and what was built can be read.
func FuzzAnswer(f *testing.F) {
	f.Add(packet(unix.NLMSG_ERROR, withTLVs|capped, u32(1), make([]byte, 16), u16(9), u16(1), []byte("why?\x00\x00\x00\x00")))
	f.Add(packet(unix.RTM_NEWROUTE, 0, []byte{2, 32, 0, 0, 254, 0, 0, 1}, u32(0), u16(8), u16(unix.RTA_DST), []byte{1, 2, 3, 4}))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = answer(b, func(m message) (bool, error) {
			e, err := parseEntry(m.Payload)
			if err == nil && !e.dst.IsValid() {
				t.Fatalf("%x: %+v without a destination", m.Payload, e)
			}
			if a, err := parseAddress(m.Payload); err == nil && !a.Prefix.IsValid() {
				t.Fatalf("%x: %+v without an address", m.Payload, a)
			}
			return false, nil
		})
		for rest := b; len(rest) > 0; {
			m, next, err := cutMessage(rest)
			if err != nil {
				break
			}
			if n := headerLen + len(m.Payload); n > len(rest) || len(next) >= len(rest) || len(rest)-len(next) > align(n) {
				t.Fatalf("%x: a message of %d bytes leaves %d", rest, n, len(next))
			}
			rest = next
		}
		typ, value, rest, err := cutAttr(appendAttr(nil, 7, b[:min(len(b), 60000)]))
		if err != nil || typ != 7 || !bytes.Equal(value, b[:min(len(b), 60000)]) || len(rest) != 0 {
			t.Fatalf("an attribute of %d bytes comes back as %d %x %x %v", len(b), typ, value, rest, err)
		}
	})
}
