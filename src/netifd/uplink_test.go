package netifd

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/fault"
	"sstp/src/netifd/netifdtest"
	"sstp/src/ubus"
)

const testServer = "198.51.100.7"

// withRoutes adds routes to an interface.
func withRoutes(i *netifdtest.Iface, routes ...blobmsg.Fields) *netifdtest.Iface {
	i.Routes = append(i.Routes, routes...)
	return i
}

func with(r blobmsg.Fields, name string, n int64) blobmsg.Fields {
	return append(r, blobmsg.F(name, blobmsg.Int(n)))
}

func TestTheUplinkIsChosenAsTheKernelChoosesARoute(t *testing.T) {
	wan := func(name, device string, metric int64) *netifdtest.Iface {
		return netifdtest.Uplink(name, device, "203.0.113.2/24", "203.0.113.1", metric)
	}
	down := wan("wanb", "eth2", 1)
	down.Up = false
	bare := wan("a", "wwan0", 10)
	bare.Based = false
	other := &netifdtest.Iface{Name: "lan", Proto: "static", Device: "br-lan", Up: true, Based: true,
		Addresses: []blobmsg.Fields{{blobmsg.F("address", blobmsg.String("198.51.100.1")), blobmsg.F("mask", blobmsg.Int(24))}}}
	tunnel := wan("a", "wg0", 1)
	tunnel.Proto = "wireguard"
	ours := wan("vpn_6", "sstp-vpn", 0)
	alias := wan("over", "sstp-vpn", 0)
	for why, c := range map[string]struct {
		ifaces []*netifdtest.Iface
		want   string
	}{
		"the smaller metric, not the first by name": {[]*netifdtest.Iface{wan("wana", "eth1", 20), wan("wanb", "eth2", 10)}, "eth2"},
		"a metric of the route's own counts before the interface's": {[]*netifdtest.Iface{wan("wana", "eth1", 5),
			{Name: "wanb", Device: "eth2", Up: true, Metric: 9, Routes: []blobmsg.Fields{with(netifdtest.Route("0.0.0.0/0", "192.0.2.1"), "metric", 3)}}}, "eth2"},
		"the more specific way, whatever its metric": {[]*netifdtest.Iface{wan("wana", "eth1", 0),
			withRoutes(wan("wanb", "eth2", 50), netifdtest.Route("198.51.100.0/25", "203.0.113.9"))}, "eth2"},
		"a server in a network of ours needs no router":         {[]*netifdtest.Iface{wan("wana", "eth1", 0), other}, "br-lan"},
		"an interface that is down leads nowhere":               {[]*netifdtest.Iface{wan("wana", "eth1", 20), down}, "eth1"},
		"of equals the one with a device of its own":            {[]*netifdtest.Iface{bare, wan("wanb", "eth2", 10)}, "eth2"},
		"another tunnel may stand on ours":                      {[]*netifdtest.Iface{tunnel, wan("wanb", "eth2", 10)}, "eth2"},
		"what stands on our device is ours":                     {[]*netifdtest.Iface{ours, alias, wan("wanb", "eth2", 10)}, "eth2"},
		"a route of another table is for what rules send there": {[]*netifdtest.Iface{wan("wana", "eth1", 20), {Name: "wanb", Device: "eth2", Up: true, Routes: []blobmsg.Fields{with(netifdtest.Route("0.0.0.0/0", ""), "table", 100)}}}, "eth1"},
		"a route to nowhere is none":                            {[]*netifdtest.Iface{wan("wana", "eth1", 20), {Name: "wanb", Device: "eth2", Up: true, Routes: []blobmsg.Fields{with(netifdtest.Route("0.0.0.0/0", ""), "type", 7)}}}, "eth1"},
		"none at all":                                           {nil, ""},
	} {
		t.Run(why, func(t *testing.T) {
			play(t, nil, func(w *world) {
				for _, i := range c.ifaces {
					w.netifd.Set(i)
				}
				device, err := w.dial(testServer)
				if device != c.want {
					w.Errorf("device %q, want %q", device, c.want)
				}
				if c.want == "" {
					w.wantFault(why, err, fault.NoUplink, testServer)
				} else if err != nil {
					w.Error(err)
				}
			})
		})
	}
}

func TestTheServerGetsAWayByItsUplinkForTheTunnelsSocketAlone(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(netifdtest.Uplink("wana", "eth1", "203.0.113.2/24", "203.0.113.1", 20))
		w.netifd.Set(netifdtest.Uplink("wanb", "eth2", "192.0.2.2/24", "192.0.2.1", 10))
		w.connect(testServer)
		if want := []string{testServer + " eth2 192.0.2.1"}; !slices.Equal(w.laid, want) {
			w.Errorf("the ways are %q, want %q, by the uplink with the smaller metric", w.laid, want)
		}
		if got := w.iface.Uplink(); got != "wanb" {
			w.Errorf("uplink %q", got)
		}
		if w.netifd.CallsOf("notify_proto 6")+w.netifd.CallsOf("add_host_route") > 0 {
			w.Error("netifd was asked for a route, which everybody's packets to that address would take")
		}
	})
}

func TestAServerOnTheLinkNeedsNoWay(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(netifdtest.Uplink("wan", "eth2", "192.0.2.2/24", "192.0.2.1", 10))
		if device, err := w.dial("192.0.2.53"); device != "eth2" || err != nil || len(w.laid) > 0 {
			w.Errorf("%q %v, ways %q", device, err, w.laid)
		}
		if device, err := w.dial("192.0.2.2"); device != "" || err != nil || len(w.laid) > 0 {
			w.Errorf("a proxy on the router itself: bound to %q %v, ways %q", device, err, w.laid)
		}
	})
}

func TestIPv6HasItsOwnWay(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(netifdtest.Uplink("wana", "eth1", "203.0.113.2/24", "203.0.113.1", 0))
		v6 := netifdtest.Uplink("wan6", "eth2", "192.0.2.2/24", "192.0.2.1", 50)
		v6.Addresses6 = []blobmsg.Fields{{blobmsg.F("address", blobmsg.String("2001:db8::2")), blobmsg.F("mask", blobmsg.Int(64))}}
		w.netifd.Set(withRoutes(v6, netifdtest.Route("::/0", "fe80::1")))
		if device, err := w.dial("2001:db8:1::7"); device != "eth2" || err != nil {
			w.Errorf("%q, %v", device, err)
		}
		if device, err := w.dial("::ffff:" + testServer); device != "eth1" || err != nil {
			w.Errorf("IPv4 in IPv6: %q, %v", device, err)
		}
	})
}

func TestTunlinkIsTheOnlyUplink(t *testing.T) {
	play(t, func(o *Options) { o.Tunlink = "wana" }, func(w *world) {
		w.netifd.Set(netifdtest.Uplink("wanb", "eth2", "192.0.2.2/24", "192.0.2.1", 10))
		_, err := w.dial(testServer)
		w.wantFault("it does not exist", err, fault.NoUplink, "wana, which option tunlink names, does not exist")
		a := netifdtest.Uplink("wana", "wg0", "203.0.113.2/24", "203.0.113.1", 20)
		a.Proto, a.Up = "wireguard", false
		w.netifd.Set(a)
		_, err = w.dial(testServer)
		w.wantFault("it is down", err, fault.NoUplink, "is down")
		a.Up = true
		w.netifd.Set(a)
		if device, err := w.dial(testServer); device != "wg0" || err != nil {
			w.Errorf("%q, %v; want the one that was named, whatever it is", device, err)
		}
		a.Routes = nil
		w.netifd.Set(a)
		_, err = w.dial(testServer)
		w.wantFault("it leads nowhere", err, fault.NoUplink, "does not have a route to the server "+testServer)
	})
}

func TestAnUplinkWithoutItsCableIsNone(t *testing.T) {
	plugged := map[string]bool{"eth2": true}
	play(t, func(o *Options) { o.Carrier = func(device string) bool { return plugged[device] } }, func(w *world) {
		w.netifd.Set(netifdtest.Uplink("wana", "eth1", "203.0.113.2/24", "203.0.113.1", 1))
		w.netifd.Set(netifdtest.Uplink("wanb", "eth2", "192.0.2.2/24", "192.0.2.1", 10))
		if device, err := w.dial(testServer); device != "eth2" || err != nil {
			w.Errorf("%q, %v: netifd keeps static interfaces up without a cable", device, err)
		}
	})
}

func TestAWayThatCannotBeLaidIsNamed(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(netifdtest.Uplink("wana", "eth1", "203.0.113.2/24", "203.0.113.1", 1))
		w.noWay = errors.New("no such device")
		_, err := w.dial(testServer)
		w.wantFault("it has just gone", err, fault.NoUplink, "wana has just lost")
		w.netifd.Change(func() { w.netifd.Refuse["dump"] = ubus.StatusPermissionDenied })
		_, err = w.dial(testServer)
		w.wantFault("it does not tell of its interfaces", err, fault.NetifdRefused, "the list of interfaces")
	})
}

func TestANameThatCannotBeLookedUpWithoutAnUplinkIsNoFaultOfTheName(t *testing.T) {
	unknown := fault.New(fault.PeerResolveFail, fault.StageResolve, "The name vpn.test could not be resolved.")
	play(t, nil, func(w *world) {
		w.iface.Dialing()
		w.wantFault("nothing is up", w.iface.Resolved(w.Context(), unknown), fault.NoUplink, "default route")
		w.netifd.Set(netifdtest.Uplink("wana", "eth1", "203.0.113.2/24", "203.0.113.1", 1))
		w.wantFault("there is a way", w.iface.Resolved(w.Context(), unknown), fault.PeerResolveFail, "vpn.test")
		other := fault.New(fault.TLSFailed, fault.StageTLS, "x")
		if err := w.iface.Resolved(w.Context(), other); err != other {
			w.Errorf("another failure became %v", err)
		}
	})
}

func TestATunnelThatStartsBeforeItsUplinkWaitsForItAMoment(t *testing.T) {
	play(t, nil, func(w *world) {
		w.watch()
		go func() {
			time.Sleep(700 * time.Millisecond)
			w.netifd.Set(wana())
		}()
		begin := time.Now()
		w.iface.AwaitUplink(w.Context(), "vpn.example.org")
		if took := time.Since(begin); took < 700*time.Millisecond || took > 710*time.Millisecond {
			w.Errorf("waited %v, want until netifd says that the uplink is up", took)
		}
		w.netifd.Down("wana")
		w.wait(time.Second)
		begin = time.Now()
		w.iface.AwaitUplink(w.Context(), "vpn.example.org")
		if took := time.Since(begin); took != startLimit {
			w.Errorf("waited %v for one that does not come, want %v", took, startLimit)
		}
		lone := netifdtest.Uplink("wana", "eth1", "203.0.113.2/24", "203.0.113.1", 1)
		lone.Routes = nil
		w.netifd.Set(lone)
		begin = time.Now()
		w.iface.AwaitUplink(w.Context(), "203.0.113.77")
		if took := time.Since(begin); took > 10*time.Millisecond {
			w.Errorf("waited %v for a way to a server that is on the uplink's own network", took)
		}
	})
}

func TestAProbeChoosesTheSameDevice(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(netifdtest.Uplink("wana", "eth1", "203.0.113.2/24", "203.0.113.1", 1))
		if device, err := w.iface.Device(w.Context(), netip.MustParseAddr(testServer)); device != "eth1" || err != nil {
			w.Errorf("%q, %v", device, err)
		}
		if got := w.iface.Uplink(); got != "" {
			w.Errorf("it counts as the tunnel's uplink: %q", got)
		}
		_, err := w.iface.Device(w.Context(), netip.MustParseAddr("2001:db8::1"))
		w.wantFault("there is no IPv6", err, fault.NoUplink, "2001:db8::1")
	})
}

// FuzzDump feeds arbitrary dumps to the choice of the uplink: what is chosen is up, and leads to the server.
func FuzzDump(f *testing.F) {
	f.Add([]byte(`{"interface":[{"interface":"wan","up":true,"l3_device":"eth1","metric":1,"ipv4-address":[{"address":"192.0.2.2","mask":24}],"route":[{"target":"0.0.0.0","mask":0}]}]}`))
	f.Add([]byte(`{"interface":[{"interface":"wan","up":true,"l3_device":"eth1","route":[{"target":"::","mask":300},{"target":7}],"ipv6-prefix-assignment":[{"address":"x"}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := blobmsg.ParseJSON(b)
		if err != nil {
			return
		}
		var candidates []*uplinkCandidate
		for _, item := range v.Fields().Tables("interface") {
			candidates = append(candidates, parseCandidate(item))
		}
		i := New(nil, "vpn", Options{Device: "sstp-vpn"})
		for _, server := range []netip.Addr{netip.MustParseAddr(testServer), netip.MustParseAddr("2001:db8::1")} {
			w := i.choose(candidates, server)
			if w == nil {
				continue
			}
			leads := func(p netip.Prefix) bool { return p.Contains(server) && p.Bits() == w.bits }
			if !w.up || w.device == "" || !slices.ContainsFunc(w.subnets, leads) &&
				!slices.ContainsFunc(w.routes, func(r route) bool { return leads(r.to) }) {
				t.Fatalf("%s has no way to %v of %d bits", w.name, server, w.bits)
			}
		}
	})
}
