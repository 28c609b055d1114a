package offload

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

var routerSide = [4]byte{10, 99, 0, 1}

// refusable4 is an IPv4 packet to which an answer is due.
func refusable4(protocol uint8, payload ...byte) []byte {
	p := make([]byte, ip4Len, 1500)
	p[0], p[ip4TTL], p[ip4Protocol] = 0x45, 64, protocol
	copy(p[ip4Addresses:], []byte{192, 168, 1, 7, 9, 9, 9, 9})
	p = append(p, payload...)
	binary.BigEndian.PutUint16(p[ip4TotalLen:], uint16(len(p)))
	checksumIPv4(p[:ip4Len])
	return p
}

func refusable6(next uint8, payload ...byte) []byte {
	p := make([]byte, ip6Len, 1500)
	p[0], p[ip6NextHeader], p[ip6HopLimit] = 0x60, next, 64
	source, target := netip.MustParseAddr("2001:db8::7").As16(), netip.MustParseAddr("2620:fe::fe").As16()
	copy(p[ip6Addresses:], source[:])
	copy(p[ip6Addresses+16:], target[:])
	p = append(p, payload...)
	binary.BigEndian.PutUint16(p[ip6PayloadLen:], uint16(len(payload)))
	return p
}

func TestUnreachableNamesThePacketToItsSender(t *testing.T) {
	dst := make([]byte, MaxUnreachable)
	pkt := refusable4(udp, make([]byte, 100)...)
	a := dst[:Unreachable(dst, pkt, routerSide)]
	if len(a) != 28+len(pkt) || string(a[28:]) != string(pkt) {
		t.Fatalf("the answer %x does not quote the packet", a)
	}
	if string(a[ip4Addresses:20]) != string([]byte{10, 99, 0, 1, 192, 168, 1, 7}) || a[20] != 3 || a[21] != 13 {
		t.Errorf("the answer is %x, want destination unreachable from 10.99.0.1 to 192.168.1.7", a[:28])
	}
	a = dst[:Unreachable(dst, pkt, [4]byte{})]
	if string(a[ip4Addresses:16]) != string([]byte{9, 9, 9, 9}) {
		t.Errorf("without an address of the other side the answer comes from %v, want the destination", a[12:16])
	}
	pkt = refusable6(tcp, make([]byte, 1400)...)
	a = dst[:Unreachable(dst, pkt, routerSide)]
	if len(a) != MaxUnreachable || string(a[48:]) != string(pkt[:MaxUnreachable-48]) || a[40] != 1 || a[41] != 1 {
		t.Errorf("IPv6: the answer is %d bytes long and begins with %x", len(a), a[:min(len(a), 60)])
	}
	if string(a[24:40]) != string(pkt[8:24]) || string(a[8:24]) != string(pkt[24:40]) {
		t.Errorf("IPv6: the answer goes from %x to %x", a[8:24], a[24:40])
	}
}

func TestUnreachableIsSilentWhereNoAnswerMayBeSent(t *testing.T) {
	with := func(p []byte, at int, b ...byte) []byte { copy(p[at:], b); return p }
	fragment6 := append([]byte{udp, 0, 0, 8, 0, 0, 0, 1}, make([]byte, 8)...)
	for name, pkt := range map[string][]byte{
		"nothing":                 {},
		"no IP":                   {0x50, 1, 2},
		"half a header":           refusable4(udp)[:19],
		"longer than it is":       with(refusable4(udp, 1, 2), ip4TotalLen, 1, 0),
		"an impossible header":    with(refusable4(udp), 0, 0x44),
		"a later fragment":        with(refusable4(udp, make([]byte, 64)...), ip4Fragment, 0x20, 1),
		"an ICMP error":           refusable4(icmp4, 3, 1, 0, 0),
		"a redirect":              refusable4(icmp4, 5, 1, 0, 0),
		"an echo reply":           refusable4(icmp4, 0, 0, 0, 0),
		"ICMP without a type":     refusable4(icmp4),
		"to a multicast group":    with(refusable4(udp), 16, 224, 0, 0, 251),
		"to all machines":         with(refusable4(udp), 16, 255, 255, 255, 255),
		"to loopback":             with(refusable4(udp), 16, 127, 0, 0, 1),
		"from nobody":             with(refusable4(udp), 12, 0, 0, 0, 0),
		"from a group":            with(refusable4(udp), 12, 239, 1, 1, 1),
		"IPv6: half a header":     refusable6(udp)[:39],
		"IPv6: longer than it is": with(refusable6(udp, 1), ip6PayloadLen, 1, 0),
		"IPv6: an ICMPv6 error":   refusable6(icmp6, 1, 0, 0, 0),
		"IPv6: a redirect":        refusable6(icmp6, 137, 0, 0, 0),
		"IPv6: a solicitation":    refusable6(icmp6, 135, 0, 0, 0),
		"IPv6: a later fragment":  refusable6(fragment, fragment6...),
		"IPv6: to a group":        with(refusable6(udp), 24, 0xff, 2),
		"IPv6: from nobody":       with(refusable6(udp), 8, make([]byte, 16)...),
		"IPv6: an error behind options": refusable6(destOptions, append([]byte{icmp6, 0, 1, 4, 0, 0, 0, 0},
			3, 0, 0, 0)...),
		"IPv6: an option cut short": refusable6(hopByHop, udp, 0, 0),
		"IPv6: headers without end": refusable6(hopByHop, make([]byte, 100)...),
	} {
		dst := make([]byte, MaxUnreachable)
		if n := Unreachable(dst, pkt, routerSide); n != 0 {
			t.Errorf("%s: answered with %x", name, dst[:n])
		}
	}
	for name, pkt := range map[string][]byte{
		"an echo request":                  refusable4(icmp4, 8, 0, 0, 0),
		"a first fragment":                 with(refusable4(udp, make([]byte, 64)...), ip4Fragment, 0x20, 0),
		"IPv6: an echo request":            refusable6(icmp6, 128, 0, 0, 0),
		"IPv6: a first fragment":           refusable6(fragment, udp, 0, 0, 1, 0, 0, 0, 1, 0, 0),
		"IPv6: TCP behind routing options": refusable6(routing, append([]byte{tcp, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 20)...)...),
	} {
		if Unreachable(make([]byte, MaxUnreachable), pkt, routerSide) == 0 {
			t.Errorf("%s: not answered", name)
		}
	}
}

// FuzzUnreachable holds what must be so whatever enters the device: an answer is a whole packet with right checksums, no
// longer than allowed, and is never answered itself.
func FuzzUnreachable(f *testing.F) {
	f.Add(refusable4(udp, make([]byte, 900)...))
	f.Add(refusable4(icmp4, 8, 0, 0, 0))
	f.Add(refusable6(tcp, make([]byte, 1400)...))
	f.Add(refusable6(hopByHop, append([]byte{icmp6, 0, 1, 4, 0, 0, 0, 0}, 128, 0, 0, 0)...))
	dst := make([]byte, MaxUnreachable)
	f.Fuzz(func(t *testing.T, pkt []byte) {
		n := Unreachable(dst, pkt, routerSide)
		if n == 0 {
			return
		}
		a := dst[:n]
		if a[0]>>4 != pkt[0]>>4 {
			t.Fatalf("%x is answered in another version of IP: %x", pkt, a)
		}
		sum := uint16(0)
		if a[0]>>4 == 4 {
			if n > 576 || int(binary.BigEndian.Uint16(a[2:])) != n || Sum(a[:ip4Len], 0) != 0xffff {
				t.Fatalf("a broken IPv4 header: %x", a)
			}
			sum = Sum(a[ip4Len:], 0)
		} else {
			if n > 1280 || int(binary.BigEndian.Uint16(a[4:]))+ip6Len != n {
				t.Fatalf("a broken IPv6 header: %x", a)
			}
			sum = Sum(a[ip6Len:], add(pseudoSum(a[ip6Addresses:ip6Len], icmp6), uint16(n-ip6Len)))
		}
		if sum != 0xffff {
			t.Fatalf("a wrong ICMP checksum: %x", a)
		}
		if Unreachable(make([]byte, MaxUnreachable), a, routerSide) != 0 {
			t.Fatalf("an answer is answered: %x", a)
		}
	})
}
