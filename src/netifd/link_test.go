package netifd

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sstp/src/blobmsg"
	"sstp/src/fault"
	"sstp/src/netifd/netifdtest"
	"sstp/src/ubus"
)

func TestALinkIsToldCompleteAndTakenBack(t *testing.T) {
	play(t, nil, func(w *world) {
		if err := w.iface.Up(w.Context(), testLink()); err != nil {
			w.Fatal(err)
		}
		i := w.netifd.Iface("vpn")
		if !i.Up || i.Device != "sstp-vpn" || !w.iface.IsUp() {
			w.Errorf("netifd has %+v", i)
		}
		if len(i.Addresses) != 1 || i.Addresses[0].Text("address") != "10.99.0.2" || i.Addresses[0].Text("ptpaddress") != "10.99.0.1" {
			w.Errorf("addresses %v", i.Addresses)
		}
		if bits, _ := i.Addresses6[0].Number("mask"); i.Addresses6[0].Text("address") != "fe80::a:b" || bits != 64 {
			w.Errorf("IPv6 addresses %v, want the far end to be on the link", i.Addresses6)
		}
		if i.Routes[0].Text("target") != "0.0.0.0" || i.Routes[0].Text("nexthop") != "10.99.0.1" {
			w.Errorf("routes %v, want the default route: whether it is used is netifd's business", i.Routes)
		}
		if !slices.Equal(i.DNS, []string{"10.99.0.53", "10.99.0.54"}) {
			w.Errorf("name servers %v", i.DNS)
		}
		if len(i.Data) > 0 {
			w.Errorf("data %v: each change of it loads the firewall anew", i.Data)
		}
		if err := w.iface.Down(w.Context()); err != nil {
			w.Fatal(err)
		}
		if i := w.netifd.Iface("vpn"); i.Up || !i.Pending || w.iface.IsUp() {
			w.Errorf("after Down netifd has %+v", i)
		}
	})
}

func TestAServerWithoutAnInnerAddressOrWithItsOuterOneIsNoRouter(t *testing.T) {
	for name, peer := range map[string]netip.Addr{
		"it gave none": {},
		"its own packets would go through the tunnel": testLink().Server,
		"it gave us its own":                          testLink().Local,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(w *world) {
				l := testLink()
				l.Peer = peer
				if err := w.iface.Up(w.Context(), l); err != nil {
					w.Fatal(err)
				}
				i := w.netifd.Iface("vpn")
				if i.Addresses[0].Text("ptpaddress") != "" || i.Routes[0].Text("nexthop") != "0.0.0.0" {
					w.Errorf("addresses %v, routes %v; want a route by the device alone", i.Addresses, i.Routes)
				}
			})
		})
	}
}

func TestWhatNetifdRefusesIsNamed(t *testing.T) {
	for what, c := range map[string]struct {
		prepare func(n *netifdtest.Netifd)
		says    string
	}{
		"an argument (2)":             {func(n *netifdtest.Netifd) { n.Refuse["notify_proto 0"] = ubus.StatusInvalidArgument }, "the link: an argument"},
		"an unknown interface (4)":    {func(n *netifdtest.Netifd) { n.Refuse["notify_proto 0"] = ubus.StatusNotFound }, "no such interface"},
		"one on its way down (6)":     {func(n *netifdtest.Netifd) { n.Refuse["notify_proto 0"] = ubus.StatusPermissionDenied }, "being taken down"},
		"a missing device (9)":        {func(n *netifdtest.Netifd) { delete(n.Devices, "sstp-vpn") }, "the device sstp-vpn"},
		"its status":                  {func(n *netifdtest.Netifd) { n.Refuse["status"] = ubus.StatusUnknownError }, "to tell of the interface vpn"},
		"anything, by being silent":   {func(n *netifdtest.Netifd) { n.Refuse["status"] = ubus.StatusTimeout }, "timed out"},
		"an address, without a word":  {func(n *netifdtest.Netifd) { n.Spoil = without("ipaddr") }, "the address 10.99.0.2"},
		"IPv6, without a word":        {func(n *netifdtest.Netifd) { n.Spoil = without("ip6addr") }, "the address fe80::a:b"},
		"the routes, without a word":  {func(n *netifdtest.Netifd) { n.Spoil = without("routes") }, "the default route"},
		"the servers, without a word": {func(n *netifdtest.Netifd) { n.Spoil = without("dns") }, "the name server 10.99.0.53, the name server 10.99.0.54"},
	} {
		t.Run(what, func(t *testing.T) {
			play(t, nil, func(w *world) {
				w.netifd.Change(func() { c.prepare(w.netifd) })
				w.wantFault("link-up", w.iface.Up(w.Context(), testLink()), fault.NetifdRefused, c.says)
				w.netifd.Change(func() { clear(w.netifd.Refuse) })
				if i := w.netifd.Iface("vpn"); i.Up || w.iface.IsUp() {
					w.Error("a link that netifd did not take whole is left up")
				}
			})
		})
	}
}

func without(name string) func(blobmsg.Fields) blobmsg.Fields {
	return func(link blobmsg.Fields) (rest blobmsg.Fields) {
		for _, f := range link {
			if f.Name != name {
				rest = append(rest, f)
			}
		}
		return rest
	}
}

func TestWhatAnOptionOfTheUserMakesInactiveIsTaken(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Change(func() { w.netifd.Spoil = without("routes") })
		i := w.netifd.Iface("vpn")
		i.Inactive = []blobmsg.Fields{netifdtest.Route("0.0.0.0/0", "10.99.0.1")}
		w.netifd.Set(i)
		if err := w.iface.Up(w.Context(), testLink()); err != nil {
			w.Errorf("with defaultroute 0: %v", err)
		}
	})
}

func TestAnInterfaceThatIsDownIsNotBroughtUpByUs(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Down("vpn")
		w.wantFault("netifd would set the addresses and leave the interface down", w.iface.Up(w.Context(), testLink()), fault.NetifdRefused, "down")
		if w.netifd.CallsOf("notify_proto 0") > 0 {
			w.Error("a link-up was sent")
		}
	})
}

func TestANewPictureReplacesTheOldOne(t *testing.T) {
	play(t, nil, func(w *world) {
		l := testLink()
		for range 2 {
			if err := w.iface.Up(w.Context(), l); err != nil {
				w.Fatal(err)
			}
			l.Local, l.DNS = netip.MustParseAddr("10.99.0.9"), nil
		}
		i := w.netifd.Iface("vpn")
		if len(i.Addresses) != 1 || i.Addresses[0].Text("address") != "10.99.0.9" || len(i.DNS) != 0 || i.Ups != 2 {
			w.Errorf("netifd has %+v", i)
		}
	})
}

func TestTheLinkOfAProgramWhosePlaceIsTakenIsTakenDownFirst(t *testing.T) {
	play(t, nil, func(w *world) {
		w.up(testLink())
		heir := New(w.client, "vpn", w.iface.o)
		for range 2 {
			if err := heir.Up(w.Context(), testLink()); err != nil {
				w.Fatal(err)
			}
		}
		i := w.netifd.Iface("vpn")
		if !i.Up || i.Ups != 3 || w.netifd.CallsOf("notify_proto 0") != 4 {
			w.Errorf("%d notifications, and netifd has %+v; want one link-down, by which the addresses are set again", w.netifd.CallsOf("notify_proto 0"), i)
		}
	})
}

func TestTakingALinkDownThatIsBeingTakenDownIsNoTrouble(t *testing.T) {
	for _, status := range []ubus.Status{ubus.StatusPermissionDenied, ubus.StatusNotFound} {
		play(t, nil, func(w *world) {
			w.netifd.Change(func() { w.netifd.Refuse["notify_proto 0"] = status })
			if err := w.iface.Down(w.Context()); err != nil {
				w.Errorf("%v: %v", status, err)
			}
		})
	}
}

func TestWithoutAnAnswerTheCallEnds(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Bus.Stop()
		err := w.iface.Up(w.Context(), testLink())
		w.wantFault("ubusd is gone", err, fault.NetifdRefused, "could not be asked")
		if !strings.Contains(fault.Of(err, "", "").Hint, "ubusd") {
			w.Errorf("hint %q", fault.Of(err, "", "").Hint)
		}
	})
}
