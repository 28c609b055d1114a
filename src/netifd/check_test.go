package netifd

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/fault"
	"sstp/src/netifd/netifdtest"
	"sstp/src/reach"
	"sstp/src/ubus"
)

var farAway = netip.MustParseAddr("203.0.114.9")

// leavesBy returns the device by which the kernel sends packets to the internet, "" for none.
func (w *world) leavesBy() string {
	r, err := w.netifd.Kernel.Way(reach.Query{To: farAway})
	if err != nil {
		return ""
	}
	return r.Device
}

func (w *world) wan(metric int64) {
	w.netifd.Set(netifdtest.Uplink("wan", "eth1", "203.0.113.2/24", "203.0.113.1", metric))
}

// setMetric changes option metric of our interface, as netifd does live.
func (w *world) change(f func(i *netifdtest.Iface)) {
	i := w.netifd.Iface("vpn")
	f(i)
	w.netifd.Set(i)
}

func (w *world) check(why string) reach.Report {
	w.Helper()
	found, err := w.iface.Check(w.Context(), testLink())
	if err != nil {
		w.Fatalf("%s: %v", why, err)
	}
	return found
}

// wantInternet checks a finding about where traffic goes, and that nothing was to be repaired.
func (w *world) wantInternet(why, key string) {
	w.Helper()
	if found := w.check(why); found.Internet.Key != key || len(found.Repaired) > 0 {
		w.Errorf("%s: %+v, repaired %q, want %s", why, found.Internet, found.Repaired, key)
	}
}

func TestAnUplinkThatComesBackWithAnEqualMetricTakesNoTraffic(t *testing.T) {
	play(t, nil, func(w *world) {
		w.wan(0)
		w.connect("198.51.100.7")
		w.up(testLink())
		if w.leavesBy() != "sstp-vpn" {
			w.Fatalf("packets leave by %q", w.leavesBy())
		}
		w.netifd.Down("wan")
		if w.leavesBy() != "sstp-vpn" {
			w.Errorf("without the WAN packets leave by %q", w.leavesBy())
		}
		w.wantInternet("the WAN is down", reach.Tunnel)
		w.wan(0)
		if w.leavesBy() != "sstp-vpn" {
			w.Errorf("the WAN is back, and packets leave by %q before anything is repaired", w.leavesBy())
		}
		w.wantInternet("the WAN is back", reach.Tunnel)
		if r := w.netifd.Kernel.Routes("0.0.0.0/0"); len(r) != 1 || r[0].Device != "eth1" {
			w.Errorf("default routes %+v, want the WAN's, for sockets that are bound to it", r)
		}
		if err := w.iface.Down(w.Context()); err != nil {
			w.Fatal(err)
		}
		if w.leavesBy() != "eth1" || len(w.netifd.Kernel.Routes("0.0.0.0/1")) > 0 {
			w.Errorf("without the tunnel packets leave by %q", w.leavesBy())
		}
	})
}

func TestGuardRoutesFollowTheUsersOptions(t *testing.T) {
	play(t, nil, func(w *world) {
		w.wan(10)
		w.up(testLink())
		guards := func() int {
			return len(w.netifd.Kernel.Routes("0.0.0.0/1")) + len(w.netifd.Kernel.Routes("128.0.0.0/1"))
		}
		for _, c := range []struct {
			what   string
			change func()
			guards int
			key    string
			by     string
		}{
			{"metric 0 is everybody's default", func() {}, 2, reach.Tunnel, "sstp-vpn"},
			{"option defaultroute is 0", func() {
				w.change(func(i *netifdtest.Iface) { i.Inactive, i.Routes = i.Routes, nil })
			}, 0, reach.OtherWanted, "eth1"},
			{"and 1 again", func() {
				w.change(func(i *netifdtest.Iface) { i.Routes, i.Inactive = i.Inactive, nil })
			}, 2, reach.Tunnel, "sstp-vpn"},
			{"a worse metric", func() { w.change(func(i *netifdtest.Iface) { i.Metric = 20 }) }, 0, reach.Other, "eth1"},
			{"a better one that nobody else has", func() { w.change(func(i *netifdtest.Iface) { i.Metric = 5 }) }, 0, reach.Tunnel, "sstp-vpn"},
			{"the WAN's", func() { w.change(func(i *netifdtest.Iface) { i.Metric = 10 }) }, 2, reach.Tunnel, "sstp-vpn"},
			{"option ip4table", func() { w.change(func(i *netifdtest.Iface) { i.Table = 100 }) }, 0, reach.Table, "eth1"},
			{"no longer", func() { w.change(func(i *netifdtest.Iface) { i.Table = 0 }) }, 2, reach.Tunnel, "sstp-vpn"},
			{"the WAN's metric becomes better", func() { w.wan(5) }, 0, reach.Other, "eth1"},
		} {
			c.change()
			found := w.check(c.what)
			if guards() != c.guards || found.Internet.Key != c.key || w.leavesBy() != c.by {
				w.Errorf("%s: %d guards, packets leave by %q, %+v; want %d, %q, %s", c.what, guards(), w.leavesBy(), found.Internet, c.guards, c.by, c.key)
			}
		}
		if f := w.check("cause").Internet; f.OK || !slices.Equal(f.Args, []string{"wan", "a default route with metric 5 by eth1 goes before the tunnel's with metric 10"}) {
			w.Errorf("the warning is %+v", f)
		}
	})
}

func TestWhatTheKernelLostIsGivenBack(t *testing.T) {
	play(t, nil, func(w *world) {
		k := w.netifd.Kernel
		w.wan(0)
		w.up(testLink())
		w.wantInternet("at first", reach.Tunnel)
		lose := func(what string, f func(), says string) {
			w.Helper()
			w.wait(2 * time.Minute) // each is the first trouble
			f()
			found := w.check(what)
			if len(found.Repaired) != 1 || !strings.Contains(found.Repaired[0], says) || found.Internet.Key != reach.Tunnel {
				w.Errorf("%s: repaired %q, want %q; %+v", what, found.Repaired, says, found.Internet)
			}
			w.wantInternet("after "+what, reach.Tunnel)
		}
		lose("its address", func() { k.DropAddress("sstp-vpn", testLink().Local, netip.Addr{}) }, "the address 10.99.0.2 of sstp-vpn was missing")
		lose("its IPv6 address", func() { k.DropAddress("sstp-vpn", testLink().Local6, netip.Addr{}) }, "the address fe80::a:b of sstp-vpn was missing")
		lose("the guards", func() {
			for _, half := range []string{"0.0.0.0/1", "128.0.0.0/1"} {
				k.DeleteRoute(k.Routes(half)[0])
			}
		}, "traffic went by wan: a default route with metric 0 by eth1 took the place of the tunnel's")
		lose("the device's state", func() { k.SetDown("sstp-vpn") }, "the device sstp-vpn was down in the kernel")
		if _, addrs, _ := k.Device("sstp-vpn"); !slices.Contains(addrs, testLink().Local) {
			w.Errorf("addresses %v", addrs)
		}
	})
}

func TestNobodyIsFoughtWithForEver(t *testing.T) {
	play(t, nil, func(w *world) {
		k := w.netifd.Kernel
		w.wan(0)
		w.up(testLink())
		repairs := 0
		for range 10 {
			k.DeleteRoute(k.Routes("0.0.0.0/1")[0]) // panics where it was not laid again
			found := w.check("somebody deletes a guard")
			repairs += len(found.Repaired)
			if len(found.Repaired) == 0 {
				if f := found.Internet; f.OK || f.Key != reach.Other || !strings.Contains(f.Text, "comes back each time it is replaced") {
					w.Errorf("the warning is %+v", f)
				}
				break
			}
			w.wait(time.Second)
		}
		if repairs != reach.MaxRepairs {
			w.Errorf("%d repairs in a minute, want %d", repairs, reach.MaxRepairs)
		}
		w.wait(reach.RepairPeriod)
		if found := w.check("a minute later"); len(found.Repaired) != 1 || found.Internet.Key != reach.Tunnel {
			w.Errorf("a minute later: %+v, repaired %q", found.Internet, found.Repaired)
		}
	})
}

func TestADefaultRouteThatNetifdDoesNotKnowIsKeptOut(t *testing.T) {
	play(t, nil, func(w *world) {
		w.wan(10)
		w.change(func(i *netifdtest.Iface) { i.Metric = 5 })
		w.up(testLink())
		w.wantInternet("nobody else has this metric", reach.Tunnel)
		w.netifd.Kernel.ReplaceRoute(reach.Route{Dst: everything, Device: "eth1", Metric: 5})
		found := w.check("somebody took its place")
		if len(found.Repaired) != 1 || found.Internet.Key != reach.Tunnel || w.leavesBy() != "sstp-vpn" {
			w.Errorf("%+v, repaired %q", found.Internet, found.Repaired)
		}
		w.netifd.Kernel.AddRoute(reach.Route{Dst: halves[1], Device: "eth1"})
		if found := w.check("another VPN's halves"); found.Internet.Key != reach.Other || len(found.Repaired) > 0 || found.Internet.OK {
			w.Errorf("%+v, repaired %q: it is only warned of", found.Internet, found.Repaired)
		}
	})
}

func TestPacketsOfTheLANAreLookedAtToo(t *testing.T) {
	play(t, nil, func(w *world) {
		w.wan(10)
		lan := &netifdtest.Iface{Name: "lan", Proto: "static", Device: "br-lan", Up: true, Based: true,
			Addresses: []blobmsg.Fields{{blobmsg.F("address", blobmsg.String("192.168.1.254")), blobmsg.F("mask", blobmsg.Int(24))}}}
		w.netifd.Set(lan)
		w.up(testLink())
		w.wantInternet("no rule", reach.Tunnel)
		w.netifd.Kernel.Rule(netip.MustParseAddr("192.168.1.253"), reach.Route{Dst: everything, Device: "eth1", Table: 7})
		f := w.check("a rule").Internet
		if f.OK || f.Key != reach.Other || f.Args[1] != "for packets from lan, a default route with metric 0 by eth1, in routing table 7" {
			w.Errorf("a rule for the LAN: %+v", f)
		}
		w.netifd.Kernel.NoForward = true
		w.wantInternet("a machine that does not forward", reach.Tunnel)
	})
}

func TestANetifdThatLiesIsToldAgain(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Change(func() { w.netifd.Lies = 3 })
		if err := w.iface.Up(w.Context(), testLink()); err != nil {
			w.Fatal(err)
		}
		if up, addrs, err := w.netifd.Kernel.Device("sstp-vpn"); !up || !slices.Contains(addrs, testLink().Local) {
			w.Errorf("the kernel's device is up: %v, addresses %v, %v", up, addrs, err)
		}
		if i := w.netifd.Iface("vpn"); !i.Up || i.Ups != 4 {
			w.Errorf("netifd has %+v", i)
		}
		if w.netifd.Iface("vpn_6") == nil {
			w.Error("there is no IPv6 child")
		}
	})
}

func TestANetifdThatLiesForEverIsNotBelieved(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Change(func() { w.netifd.Lies = 1000 })
		begin := time.Now()
		w.wantFault("netifd lies", w.iface.Up(w.Context(), testLink()), fault.NetifdRefused, "the kernel has the device sstp-vpn down")
		if i, took := w.netifd.Iface("vpn"), time.Since(begin); i.Up || i.Ups != maxAnnouncements || took > maxAnnouncements*announcePause {
			w.Errorf("%d link-ups in %v; netifd has %+v", i.Ups, took, i)
		}
	})
}

func TestANetifdThatDoesNotAnswerEndsNoCall(t *testing.T) {
	play(t, nil, func(w *world) {
		w.wan(0)
		w.connect("198.51.100.7")
		w.up(testLink())
		w.netifd.Change(func() { w.netifd.Refuse["dump"] = ubus.StatusConnectionFailed })
		_, err := w.iface.Check(w.Context(), testLink())
		if f := fault.Of(err, "", ""); err == nil || f.Code != "" {
			w.Errorf("a look while netifd is away = %v with code %s, want an error that is only logged", err, f.Code)
		}
	})
}

func TestTheOldAddressIsForgotten(t *testing.T) {
	play(t, nil, func(w *world) {
		l := testLink()
		w.up(l)
		l.Local = netip.MustParseAddr("10.99.0.3")
		w.up(l)
		if _, addrs, _ := w.netifd.Kernel.Device("sstp-vpn"); slices.Contains(addrs, testLink().Local) || !slices.Contains(addrs, l.Local) {
			w.Errorf("addresses %v", addrs)
		}
		if got := w.netifd.Kernel.Dropped; !slices.Equal(got, []netip.Addr{testLink().Local}) {
			w.Errorf("connections behind %v were forgotten, want those behind the old address", got)
		}
	})
}

func TestNamesAndFirewallAreLookedUp(t *testing.T) {
	play(t, nil, func(w *world) {
		w.wan(0)
		w.up(testLink())
		w.netifd.Kernel.Resolv = "# Interface vpn\nnameserver 10.99.0.53\n# Interface wan\nnameserver 203.0.113.53\n"
		if found := w.check("no firewall"); found.Names.Key != reach.NamesBoth || found.Firewall.Key != "" {
			w.Errorf("names %+v, firewall %+v", found.Names, found.Firewall)
		}
		w.netifd.Configure("network", "interface", "wan", "proto", "dhcp", "dns", "203.0.113.53", "dns", "9.9.9.9")
		w.netifd.Configure("dhcp", "dnsmasq", "cfg1", "noresolv", "1", "server", "/lan/192.168.1.9", "server", "127.0.0.1#5053")
		w.netifd.Configure("firewall", "zone", "z1", "name", "wan", "network", "wan", "network", "wan6")
		if found := w.check("in no zone"); found.Firewall.Key != reach.ZoneNone || found.Names.Key != reach.NamesOwn || found.Names.Args[0] != "127.0.0.1" {
			w.Errorf("names %+v, firewall %+v", found.Names, found.Firewall)
		}
		w.netifd.Configure("firewall", "zone", "z2", "name", "tunnel", "device", "sstp-vpn")
		w.netifd.Configure("firewall", "forwarding", "f1", "src", "lan", "dest", "tunnel", "enabled", "0")
		if f := w.check("in a zone by its device").Firewall; f.Key != reach.ZoneIsolated {
			w.Errorf("firewall %+v", f)
		}
		w.netifd.Configure("firewall", "forwarding", "f1", "src", "lan", "dest", "tunnel")
		if f := w.check("with a forwarding").Firewall; f.Key != reach.ZoneOK || !f.OK {
			w.Errorf("firewall %+v", f)
		}
	})
}

func TestWithoutNetifdNothingIsLookedAt(t *testing.T) {
	play(t, nil, func(w *world) {
		w.up(testLink())
		w.netifd.Change(func() { w.netifd.Refuse["dump"] = ubus.StatusTimeout })
		if _, err := w.iface.Check(w.Context(), testLink()); err == nil {
			w.Error("no error")
		}
		w.netifd.Change(func() { delete(w.netifd.Refuse, "dump") })
		w.iface.Down(w.Context())
		if found := w.check("netifd has it down"); len(found.Repaired) > 0 || found.Internet.OK {
			w.Errorf("%+v: it is not ours to bring up", found)
		}
	})
}
