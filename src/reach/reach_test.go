package reach

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
)

func way(device, dst string, metric int) Way {
	return Way{Route: Route{Device: device, Dst: netip.MustParsePrefix(dst), Metric: metric, Table: MainTable}}
}

func interfaces(device string) string {
	return map[string]string{"eth1": "wan", "eth2": "wanb"}[device]
}

func TestInternet(t *testing.T) {
	tunnel := way("sstp-vpn", "0.0.0.0/1", 1)
	inTable := way("eth1", "0.0.0.0/0", 0)
	inTable.Table = 100
	forwarded := way("eth1", "0.0.0.0/0", 0)
	forwarded.From = "lan"
	full := Link{Interface: "vpn", Device: "sstp-vpn", DefaultRoute: true, Metric: 5, Name: interfaces}
	with := func(change func(*Link)) Link {
		l := full
		change(&l)
		return l
	}
	for _, c := range []struct {
		what string
		link Link
		ways []Way
		want string
		text string
		ok   bool
	}{
		{"all by the tunnel", full, []Way{tunnel, tunnel}, Tunnel, "through this tunnel", true},
		{"none at all", full, []Way{{}, {}}, None, "there is no route", false},
		{"none, and none is wanted", with(func(l *Link) { l.DefaultRoute = false }), []Way{{}}, None, "there is no route", true},
		{"half of it is unreachable", full, []Way{tunnel, {}}, Tunnel, "through this tunnel", true},
		{"a better metric", full, []Way{tunnel, way("eth1", "0.0.0.0/0", 2)}, Other,
			"by wan, although the tunnel is up: a default route with metric 2 by eth1 goes before the tunnel's with metric 5", false},
		{"an equal metric", full, []Way{way("eth1", "0.0.0.0/0", 5)}, Other,
			"by wan, although the tunnel is up: a default route with metric 5 by eth1 took the place of the tunnel's", false},
		{"another VPN", full, []Way{way("tun0", "128.0.0.0/1", 0)}, Other,
			"by tun0, although the tunnel is up: a route to 128.0.0.0/1 with metric 0 by tun0 goes before the tunnel's with metric 5", false},
		{"a rule", full, []Way{inTable}, Other,
			"by wan, although the tunnel is up: a default route with metric 0 by eth1, in routing table 100", false},
		{"the LAN's packets", full, []Way{tunnel, forwarded}, Other,
			"by wan, although the tunnel is up: for packets from lan, a default route with metric 0 by eth1 goes before the tunnel's with metric 5", false},
		{"somebody lays it again and again", with(func(l *Link) { l.Contested = true }), []Way{way("eth2", "0.0.0.0/0", 5)}, Other,
			"by wanb, although the tunnel is up: a default route with metric 5 by eth2 took the place of the tunnel's, and comes back each time it is replaced", false},
		{"option defaultroute is 0", with(func(l *Link) { l.DefaultRoute = false }), []Way{way("eth1", "0.0.0.0/0", 0)}, OtherWanted, "by wan, as option defaultroute says", true},
		{"option ip4table", with(func(l *Link) { l.Table = "100" }), []Way{tunnel}, Table, "by routing table 100 only, as option ip4table says", true},
		{"option ip4table, and the table is lost", with(func(l *Link) { l.Table = "100" }), []Way{way("eth1", "0.0.0.0/0", 0)}, Other,
			"by wan, although the tunnel is up: a default route with metric 0 by eth1 goes before the tunnel's with metric 5", false},
		{"a lost call is held", with(func(l *Link) { l.Refusing = true }), []Way{tunnel}, Refused, "refused while the call is lost: option hold is forever", true},
		{"a lost call is held, but packets leave", with(func(l *Link) { l.Refusing = true }), []Way{way("eth1", "0.0.0.0/0", 0)}, Other,
			"by wan, although the tunnel is up: a default route with metric 0 by eth1 goes before the tunnel's with metric 5", false},
	} {
		if f := Internet(&c.link, c.ways); f.Key != c.want || f.Text != c.text || f.OK != c.ok {
			t.Errorf("%s: %+v\nwant %s %q %v", c.what, f, c.want, c.text, c.ok)
		}
	}
	if f := Internet(&full, []Way{way("eth1", "0.0.0.0/0", 2)}); !slices.Equal(f.Args, []string{"wan", "a default route with metric 2 by eth1 goes before the tunnel's with metric 5"}) {
		t.Errorf("arguments %q", f.Args)
	}
}

func TestIPv6(t *testing.T) {
	full := Link{Interface: "vpn", Device: "sstp-vpn", DefaultRoute: true, Name: interfaces}
	tunnel, wan := way("sstp-vpn", "::/0", 512), way("eth1", "::/0", 512)
	split, partial, table := full, full, full
	split.DefaultRoute, partial.Partial, table.Table = false, true, "7"
	for _, c := range []struct {
		what    string
		link    Link
		ways    []Way
		carried bool
		want    string
		ok      bool
	}{
		{"by the tunnel", full, []Way{{}, tunnel}, true, Tunnel, true},
		{"nowhere", full, []Way{{}, {}}, false, None6, true},
		{"the tunnel has none", full, []Way{wan}, false, Other6, false},
		{"the tunnel has an address without a route", full, []Way{wan}, true, Other, false},
		{"by both, by source address", full, []Way{tunnel, wan}, true, Other, false},
		{"option defaultroute is 0", split, []Way{wan}, false, OtherWanted, true},
		{"IPv4 is in a table of its own", partial, []Way{wan}, false, Other6, true},
		{"so is IPv6", table, []Way{wan}, true, Table, true},
	} {
		if f := IPv6(&c.link, c.ways, c.carried); f.Key != c.want || f.OK != c.ok || f.Text == "" {
			t.Errorf("%s: %+v, want %s %v", c.what, f, c.want, c.ok)
		}
	}
}

func TestExceptionsOfTheUserAreNotTheInternet(t *testing.T) {
	ways := Ways(Samples, func(to netip.Addr) (Route, error) {
		switch to {
		case Samples[0]:
			return way("eth1", "23.192.0.0/16", 0).Route, nil
		case Samples[1]:
			return Route{}, errors.New("unreachable")
		case Samples[2]:
			return way("sstp-vpn", Samples[2].String()+"/32", 0).Route, nil // an old kernel does not tell its routes
		}
		return way("sstp-vpn", "0.0.0.0/0", 0).Route, nil
	})
	if len(ways) != len(Samples)-1 || ways[0].Device != "" || !All(ways[1:], "sstp-vpn") || Foreign(ways, "sstp-vpn") != nil {
		t.Errorf("ways %+v", ways)
	}
	if halves := []bool{false, false}; true {
		for _, a := range Samples {
			halves[a.As4()[0]>>7] = true
		}
		if !halves[0] || !halves[1] {
			t.Error("the samples are not in both halves")
		}
	}
	for _, a := range append(slices.Clone(Samples), Samples6...) {
		if !a.IsGlobalUnicast() || a.IsPrivate() {
			t.Errorf("%v is not of the internet", a)
		}
	}
}

func TestIPv6IsAskedForBySourceToo(t *testing.T) {
	global := map[string]netip.Addr{"eth1": netip.MustParseAddr("2001:db8:1::2"), "sstp-vpn": netip.MustParseAddr("2001:db8:2::2"), "br-lan": netip.MustParseAddr("2001:db8:1:1::1")}
	for range 20 {
		ways := Ways6(global, func(_, from netip.Addr) (Route, error) {
			switch from {
			case global["eth1"], global["br-lan"]:
				return way("eth1", "::/0", 512).Route, nil
			case global["sstp-vpn"]:
				return way("sstp-vpn", "::/0", 512).Route, nil
			}
			return Route{}, errors.New("unreachable without a source")
		})
		var by []string
		for _, w := range ways[len(Samples6):] {
			by = append(by, w.Device)
		}
		if !slices.Equal(by, []string{"eth1", "eth1", "sstp-vpn"}) || ways[0].Device != "" {
			t.Fatalf("ways by %q", by)
		}
	}
}

func TestNames(t *testing.T) {
	const auto = "# Interface vpn\nnameserver 10.99.0.1\nsearch lan\n# Interface wan\nnameserver 203.0.113.53\nnameserver fe80::1%eth1\n"
	addr := netip.MustParseAddr
	full := Link{Interface: "vpn", Device: "sstp-vpn", DefaultRoute: true}
	split := Link{Interface: "vpn", Device: "sstp-vpn"}
	for _, c := range []struct {
		what, file string
		link       Link
		byHand     []netip.Addr
		want       string
		arg        string
		ok         bool
	}{
		{"both", auto, full, nil, NamesBoth, "wan", false},
		{"both, as wanted", auto, split, nil, NamesBoth, "wan", true},
		{"the tunnel's alone", "# Interface vpn\nnameserver 10.99.0.1\n", full, nil, NamesTunnel, "", true},
		{"the child's", "# Interface vpn_6\nnameserver 2001:db8::53\n", full, nil, NamesTunnel, "", true},
		{"by another interface, but the tunnel's", "# Interface lan\nnameserver 10.99.0.1\n", full, nil, NamesTunnel, "", true},
		{"the WAN's alone", "# Interface wan\nnameserver 203.0.113.53\n", full, nil, NamesUplink, "wan", false},
		{"a plain file", "nameserver 192.0.2.53 # home\n", full, nil, NamesUplink, "192.0.2.53", false},
		{"by hand", "# Interface wan\nnameserver 9.9.9.9\n", full, []netip.Addr{addr("9.9.9.9")}, NamesOwn, "9.9.9.9", true},
		{"by hand, of the WAN, beside the tunnel's", auto, full, []netip.Addr{addr("203.0.113.53")}, NamesBoth, "wan", false},
		{"by hand, of the tunnel's interface", "# Interface vpn\nnameserver 9.9.9.9\n", full, []netip.Addr{addr("9.9.9.9")}, NamesOwn, "9.9.9.9", true},
		{"none", "# nothing\nnameserver nonsense\n", full, nil, NamesNone, "", false},
	} {
		f := Names(&c.link, ParseResolvers(c.file), []netip.Addr{addr("10.99.0.1")}, func(a netip.Addr) bool { return slices.Contains(c.byHand, a) })
		if f.Key != c.want || f.OK != c.ok || f.Text == "" || c.arg != "" && !slices.Equal(f.Args, []string{c.arg}) {
			t.Errorf("%s: %+v, want %s %q %v", c.what, f, c.want, c.arg, c.ok)
		}
	}
}

func TestFirewall(t *testing.T) {
	lan := []Forwarding{{"lan", "wan"}, {"vpn", "vpn"}}
	for zone, want := range map[string]Finding{
		"":    {ZoneNone, []string{"vpn0"}, "vpn0 is in no zone: the LAN cannot use it", false},
		"vpn": {ZoneIsolated, []string{"vpn"}, "no zone forwards to vpn", false},
		"wan": {ZoneOK, []string{"wan"}, "in zone wan", true},
	} {
		if f := Firewall("vpn0", zone, lan); f.Key != want.Key || f.Text != want.Text || f.OK != want.OK || !slices.Equal(f.Args, want.Args) {
			t.Errorf("zone %q: %+v, want %+v", zone, f, want)
		}
	}
}

// FuzzParseResolvers: whatever stands in the file, reading ends, with valid addresses and not too many.
func FuzzParseResolvers(f *testing.F) {
	f.Add("# Interface wan\nnameserver 203.0.113.53\nsearch lan\n")
	f.Add("nameserver ::ffff:1.2.3.4\r\n# Interface\n# Interface a b\nnameserver")
	f.Fuzz(func(t *testing.T, file string) {
		list := ParseResolvers(file)
		if len(list) > maxResolvers {
			t.Fatalf("%d servers", len(list))
		}
		for _, r := range list {
			if !r.Addr.IsValid() || r.Addr.Is4In6() {
				t.Fatalf("%+v of %q", r, file)
			}
		}
	})
}
