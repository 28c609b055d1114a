package session

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
)

func around() Surroundings {
	network := func(device, own, subnet string) Subnet {
		return Subnet{Device: device, Own: netip.MustParseAddr(own), Prefix: netip.MustParsePrefix(subnet)}
	}
	return Surroundings{
		Subnets: []Subnet{
			network("lo", "127.0.0.1", "127.0.0.0/8"),
			network("br-lan", "192.168.1.1", "192.168.1.0/24"),
			network("eth1", "198.51.100.2", "198.51.100.0/24"),
			network("pppoe-wan", "100.64.0.9", "100.64.0.1/32"),
			network("eth2", "203.0.113.9", "203.0.113.9/32"), // alone; its gateway is elsewhere
			network("usb0", "169.254.7.1", "169.254.0.0/16"),
			network("odd", "172.16.0.1", "0.0.0.0/0"),
		},
		Gateways:    []Gateway{{netip.MustParseAddr("198.51.100.1"), "eth1"}, {netip.MustParseAddr("172.31.1.1"), "eth2"}},
		NameServers: []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("127.0.0.1")},
	}
}

func TestAnAddressThatIsNotTheServersToGiveIsRefused(t *testing.T) {
	for local, why := range map[string]string{
		"192.168.1.1":     "this machine's own, on br-lan",
		"198.51.100.2":    "this machine's own, on eth1",
		"203.0.113.9":     "this machine's own, on eth2",
		"172.16.0.1":      "this machine's own, on odd",
		"169.254.7.1":     "this machine's own, on usb0",
		"192.168.1.50":    "in the network 192.168.1.0/24 of br-lan",
		"192.168.1.255":   "in the network 192.168.1.0/24 of br-lan",
		"198.51.100.77":   "in the network 198.51.100.0/24 of eth1",
		"100.64.0.1":      "the far end of pppoe-wan",
		"0.0.0.0":         "0.0.0.0/8",
		"0.1.2.3":         "0.0.0.0/8",
		"127.0.0.1":       "127.0.0.0/8",
		"127.9.9.9":       "127.0.0.0/8",
		"224.0.0.1":       "multicast",
		"239.255.255.250": "multicast",
		"240.0.0.1":       "240.0.0.0/4 is reserved",
		"255.255.255.254": "240.0.0.0/4 is reserved",
		"255.255.255.255": "all machines",
	} {
		_, _, err := vet(Link{Local: netip.MustParseAddr(local)}, around())
		if err == nil || err.Code != fault.NoAddress || err.Hint == "" || !strings.Contains(err.Message, local) || !strings.Contains(err.Message, why) {
			t.Errorf("%s: %+v, want NO_ADDRESS that names it and says %q", local, err, why)
		}
	}
	for _, local := range []string{"10.99.0.2", "192.168.2.1", "100.64.0.2", "203.0.113.10", "192.168.0.255", "126.255.255.255", "223.255.255.255", "1.0.0.0"} {
		if l, warnings, err := vet(Link{Local: netip.MustParseAddr(local)}, around()); err != nil || len(warnings) > 0 || l.Local != netip.MustParseAddr(local) {
			t.Errorf("%s: %v %q %v, want it taken", local, l, warnings, err)
		}
	}
}

func TestAnAddressOfAServerWithoutDHCPComesUpWithAWarning(t *testing.T) {
	l, warnings, err := vet(Link{Local: netip.MustParseAddr("169.254.200.3"), Peer: netip.MustParseAddr("10.0.0.1")}, around())
	if err != nil || !l.Local.IsValid() || len(warnings) != 1 || !strings.Contains(warnings[0], "169.254.200.3") || !strings.Contains(warnings[0], "DHCP") {
		t.Errorf("%v %q %v", l, warnings, err)
	}
}

func TestAPeerThatIsSomebodyOnThisSideGetsNoRoute(t *testing.T) {
	for peer, why := range map[string]string{
		"198.51.100.1": "the gateway of eth1",
		"172.31.1.1":   "the gateway of eth2",
		"192.168.1.77": "in the network 192.168.1.0/24 of br-lan",
		"192.168.1.1":  "this machine's own",
		"100.64.0.1":   "the far end of pppoe-wan",
		"9.9.9.9":      "a name server in use",
		"127.0.0.1":    "name server in use",
		"0.0.0.0":      "0.0.0.0/8",
		"224.0.0.5":    "multicast",
	} {
		l, warnings, err := vet(Link{Local: netip.MustParseAddr("10.99.0.2"), Peer: netip.MustParseAddr(peer)}, around())
		if err != nil || l.Peer.IsValid() || len(warnings) != 1 || !strings.Contains(warnings[0], peer) || !strings.Contains(warnings[0], why) {
			t.Errorf("%s: %v %q %v, want it left out because it is %s", peer, l.Peer, warnings, err, why)
		}
	}
	for _, peer := range []string{"10.99.0.1", "192.0.2.1", "169.254.9.9"} {
		if l, warnings, err := vet(Link{Local: netip.MustParseAddr("10.99.0.2"), Peer: netip.MustParseAddr(peer)}, around()); err != nil || l.Peer.String() != peer || len(warnings) > 0 {
			t.Errorf("%s: %v %q %v, want it kept", peer, l.Peer, warnings, err)
		}
	}
}

func TestANameServerOnThisSideIsNotTakenFromTheServer(t *testing.T) {
	var pushed []netip.Addr
	for _, a := range []string{"192.168.1.53", "10.99.0.53", "198.51.100.1", "172.31.1.1", "192.168.1.1", "127.0.0.1", "224.0.0.251", "9.9.9.9"} {
		pushed = append(pushed, netip.MustParseAddr(a))
	}
	l, warnings, err := vet(Link{Local: netip.MustParseAddr("10.99.0.2"), DNS: pushed}, around())
	want := []netip.Addr{netip.MustParseAddr("10.99.0.53"), netip.MustParseAddr("9.9.9.9")} // one that others use too is nobody's alone
	if err != nil || !slices.Equal(l.DNS, want) || len(warnings) != 6 {
		t.Errorf("%v %q %v, want %v and six warnings", l.DNS, warnings, err, want)
	}
	if len(pushed) != 8 || pushed[0] != netip.MustParseAddr("192.168.1.53") {
		t.Error("what the call agreed on was changed")
	}
}

func TestNothingIsKnownOfTheSurroundings(t *testing.T) {
	agreed := Link{Local: netip.MustParseAddr("192.168.1.1"), Peer: netip.MustParseAddr("9.9.9.9")}
	if l, warnings, err := vet(agreed, Surroundings{}); err != nil || !sameNetwork(l, agreed) || len(warnings) > 0 {
		t.Errorf("%+v %q %v", l, warnings, err)
	}
}

func TestAServerThatGivesAnAddressOfTheLANIsRefusedAndTheNextOneTried(t *testing.T) {
	known := func(w *world) {
		w.place("other.test", lab.Config{})
		w.session.cfg.Surroundings = func(context.Context) (Surroundings, error) { return around(), nil }
	}
	options := config.Values{"server": {testServer, "other.test"}, "verify": {"none"}, "insecure_login": {"1"}, "cert_pin": nil}
	playAfter(t, lab.Config{Pool: netip.MustParsePrefix("192.168.1.0/24")}, options, known, func(w *world) {
		w.wantUp("by the second server")
		if ups, _ := w.network.counts(); ups != 1 || w.network.link().Local != netip.MustParseAddr("10.99.0.2") {
			t.Errorf("%d ups, %v", ups, w.network.link())
		}
		if err := w.session.Status().LastError; err == nil || err.Code != fault.NoAddress || !strings.Contains(err.Message, "br-lan") {
			t.Errorf("the first server's failure is %v", err)
		}
	})
}

func TestWhatIsLeftOutIsSaidOnceAndStaysLeftOutInTheNextCall(t *testing.T) {
	here := around()
	known := func(w *world) {
		here.Gateways = append(here.Gateways, Gateway{netip.MustParseAddr("10.99.0.1"), "eth3"})
		w.session.cfg.Surroundings = func(context.Context) (Surroundings, error) { return here, nil }
	}
	server := lab.Config{DNS: []netip.Addr{netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("10.99.0.53")}}
	playAfter(t, server, nil, known, func(w *world) {
		for _, call := range []string{"the first call", "the next call"} {
			w.wantUp(call)
			l, st := w.network.link(), w.session.Status()
			if l.Peer.IsValid() || !slices.Equal(l.DNS, []netip.Addr{netip.MustParseAddr("10.99.0.53")}) || st.Peer != l.Peer || !slices.Equal(st.DNS, l.DNS) {
				t.Errorf("%s: the network has %+v, the status %v %v", call, l, st.Peer, st.DNS)
			}
			if w := st.AddressWarnings; len(w) != 2 || !strings.Contains(w[0], "gateway of eth3") || !strings.Contains(w[1], "192.168.1.7") {
				t.Errorf("%s: the status warns of %q", call, w)
			}
			w.server.Cut("")
			w.wait(time.Second)
		}
		w.wantUp("the third call")
		if ups, _ := w.network.counts(); ups != 1 {
			t.Errorf("the network heard %d times of the same link", ups)
		}
		if n := strings.Count(w.logText(), "gateway of eth3"); n != 1 {
			t.Errorf("said %d times in the log", n)
		}
	})
}
