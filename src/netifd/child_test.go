package netifd

import (
	"net/netip"
	"strings"
	"testing"

	"sstp/src/blobmsg"
	"sstp/src/netifd/netifdtest"
	"sstp/src/ubus"
)

// up brings the link up and fails where netifd refuses it.
func (w *world) up(l Link) {
	w.Helper()
	if err := w.iface.Up(w.Context(), l); err != nil {
		w.Fatal(err)
	}
}

func TestIPv6HasAChildThatIsMadeAgainAfterEachLinkUp(t *testing.T) {
	play(t, func(o *Options) { o.Child = blobmsg.Fields{blobmsg.F("peerdns", blobmsg.Bool(false))} }, func(w *world) {
		for range 2 {
			w.up(testLink())
			c := w.netifd.Iface("vpn_6")
			if c == nil || c.Proto != "dhcpv6" || c.Parent != "vpn" || !c.Dynamic {
				w.Fatalf("the child is %+v", c)
			}
			if dns, given := c.Options.Flag("peerdns"); dns || !given {
				w.Errorf("the child's options are %v, want what ours say of peerdns", c.Options)
			}
			if err := w.iface.Down(w.Context()); err != nil {
				w.Fatal(err)
			}
			if w.netifd.Iface("vpn_6") != nil {
				w.Fatal("the fake netifd kept the child: the real one does not")
			}
		}
	})
}

func TestNoChildWithoutIPv6(t *testing.T) {
	play(t, func(o *Options) { o.IPv6 = false }, func(w *world) {
		w.up(testLink())
		if w.netifd.Iface("vpn_6") != nil {
			w.Error("option ipv6 is 0, and there is a child")
		}
	})
	play(t, nil, func(w *world) {
		w.up(testLink())
		l := testLink()
		l.Local6, l.Peer6 = netip.Addr{}, netip.Addr{}
		w.up(l)
		if w.netifd.Iface("vpn_6") != nil {
			w.Error("the server has given IPv6 up, and the child is still there")
		}
	})
}

func TestAChildMadeByHandIsLeftAlone(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(&netifdtest.Iface{Name: "vpn_6", Proto: "static"})
		w.up(testLink())
		if c := w.netifd.Iface("vpn_6"); c.Proto != "static" || !strings.Contains(w.log(), "by hand") {
			w.Errorf("it was replaced: %+v; log:\n%s", c, w.log())
		}
	})
}

func TestWithoutADHCPv6ClientThereIsNoChild(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Change(func() { w.netifd.Protocols = []string{"static", "sstp"} })
		w.up(testLink())
		if w.netifd.Iface("vpn_6") != nil || !strings.Contains(w.log(), "odhcp6c") {
			w.Errorf("log: %s", w.log())
		}
	})
}

func TestAChildThatIsRefusedDoesNotTakeTheTunnelDown(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Change(func() { w.netifd.Refuse["add_dynamic"] = ubus.StatusUnknownError })
		w.up(testLink())
		if !w.netifd.Iface("vpn").Up || !strings.Contains(w.log(), "vpn_6") {
			w.Errorf("log: %s", w.log())
		}
	})
}

func TestTheChildIsInTheZoneOfItsParent(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(n *netifdtest.Netifd)
		file    string // what the file says
		want    string
	}{
		"by option zone, which netifd shows": {func(n *netifdtest.Netifd) {
			i := n.Iface("vpn")
			n.Change(func() { n.Spoil = nil })
			i.Data = blobmsg.Fields{blobmsg.F("zone", blobmsg.String("office"))}
			n.Set(i)
			n.Change(func() {
				n.Spoil = func(l blobmsg.Fields) blobmsg.Fields { return append(l, blobmsg.F("data", blobmsg.Tab(i.Data...))) }
			})
		}, "file", "office"},
		"by a list of the firewall": {func(n *netifdtest.Netifd) {
			n.Configure("firewall", "zone", "z1", "name", "lan", "network", "lan")
			n.Configure("firewall", "zone", "z2", "name", "wan", "network", "wan", "network", "vpn")
		}, "file", "wan"},
		"by an option of the firewall": {func(n *netifdtest.Netifd) {
			n.Configure("firewall", "zone", "z1", "name", "guard", "network", "wan vpn")
			n.Configure("firewall", "rule", "r1", "name", "wrong", "network", "vpn")
		}, "file", "guard"},
		"by the file where there is no rpcd": {func(n *netifdtest.Netifd) { n.Change(func() { n.Refuse["get"] = ubus.StatusNotFound }) }, "file", "file"},
		"in none":                            {func(n *netifdtest.Netifd) { n.Configure("firewall", "zone", "z1", "name", "lan", "network", "vpn2") }, "file", ""},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(o *Options) { o.Zone = func(string) string { return c.file } }, func(w *world) {
				c.prepare(w.netifd)
				w.up(testLink())
				if got := w.netifd.Iface("vpn_6").Options.Text("zone"); got != c.want {
					w.Errorf("zone %q, want %q", got, c.want)
				}
			})
		})
	}
}
