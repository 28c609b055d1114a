package netifd

import (
	"fmt"
	"strings"
	"testing"

	"sstp/src/blobmsg"
	"sstp/src/netifd/netifdtest"
)

func TestTheUplinksNameServersAreAskedByTheUplink(t *testing.T) {
	wan := func(name, device, address string, metric int64, dns ...string) *netifdtest.Iface {
		i := netifdtest.Uplink(name, device, address, "203.0.113.1", metric)
		i.DNS = dns
		return i
	}
	lan := &netifdtest.Iface{Name: "lan", Proto: "static", Device: "br-lan", Up: true, Based: true, DNS: []string{"192.168.1.5"},
		Addresses: []blobmsg.Fields{{blobmsg.F("address", blobmsg.String("192.168.1.1")), blobmsg.F("mask", blobmsg.Int(24))}}}
	hidden := wan("wan", "eth1", "203.0.113.2/24", 0)
	hidden.InactiveDNS = []string{"198.51.100.53", "2001:db8::53"}
	down := wan("wanb", "eth2", "203.0.113.3/24", 0, "192.0.2.53")
	down.Up = false
	for _, c := range []struct {
		why     string
		ifaces  []*netifdtest.Iface
		tunlink string
		want    string
		more    map[string][]string
	}{
		{"those of the better uplink come first", []*netifdtest.Iface{wan("wana", "eth1", "203.0.113.2/24", 20, "198.51.100.1"), wan("wanb", "eth2", "203.0.113.3/24", 10, "198.51.100.2", "198.51.100.3")}, "",
			"198.51.100.2 by eth2, 198.51.100.3 by eth2, 198.51.100.1 by eth1", nil},
		{"those that option peerdns hides are asked; to one there is no way", []*netifdtest.Iface{hidden}, "", "198.51.100.53 by eth1", nil},
		{"each is asked by its own uplink, though another is better", []*netifdtest.Iface{wan("wana", "eth1", "203.0.113.2/24", 1), wan("wanb", "eth2", "203.0.113.3/24", 2, "198.51.100.9")}, "",
			"198.51.100.9 by eth2", nil},
		{"once is enough", []*netifdtest.Iface{wan("wana", "eth1", "203.0.113.2/24", 1, "198.51.100.9"), wan("wanb", "eth2", "203.0.113.3/24", 2, "198.51.100.9")}, "",
			"198.51.100.9 by eth1", nil},
		{"four are enough", []*netifdtest.Iface{wan("wan", "eth1", "203.0.113.2/24", 1, "198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5")}, "",
			"198.51.100.1 by eth1, 198.51.100.2 by eth1, 198.51.100.3 by eth1, 198.51.100.4 by eth1", nil},
		{"what serves names on the router asks others itself", []*netifdtest.Iface{wan("wan", "eth1", "203.0.113.2/24", 1, "127.0.0.1", "::1", "203.0.113.2", "192.168.1.1", "no address"), lan}, "", "", nil},
		{"one in the LAN is asked there", []*netifdtest.Iface{wan("wan", "eth1", "203.0.113.2/24", 1, "192.168.1.7"), lan}, "wan", "192.168.1.7 by br-lan", nil},
		{"the LAN's are not the uplink's", []*netifdtest.Iface{wan("wan", "eth1", "203.0.113.2/24", 1), lan}, "", "", nil},
		{"an uplink that is down", []*netifdtest.Iface{down}, "", "", nil},
		{"only those of option tunlink", []*netifdtest.Iface{wan("wana", "eth1", "203.0.113.2/24", 1, "198.51.100.1"), wan("wanb", "eth2", "203.0.113.3/24", 2, "198.51.100.2")}, "wanb",
			"198.51.100.2 by eth2", nil},
		{"those that the kill switch took away", []*netifdtest.Iface{wan("wan", "eth1", "203.0.113.2/24", 1, "198.51.100.1")}, "", "198.51.100.1 by eth1, 198.51.100.2 by eth1",
			map[string][]string{"wan": {"198.51.100.2", "nonsense"}, "lan": {"198.51.100.3"}}},
	} {
		play(t, func(o *Options) { o.Tunlink = c.tunlink }, func(w *world) {
			for _, i := range c.ifaces {
				w.netifd.Set(i)
			}
			servers, err := w.iface.NameServers(w.Context(), c.more)
			if err != nil {
				t.Error(err)
			}
			var got, laid []string
			for _, s := range servers {
				got = append(got, fmt.Sprintf("%v by %s", s.Addr, s.Device))
				if s.Device != "br-lan" { // on the link
					laid = append(laid, fmt.Sprintf("%v", s.Addr))
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("%s: %q, want %q", c.why, strings.Join(got, ", "), c.want)
			}
			for _, addr := range laid {
				if !strings.Contains(fmt.Sprint(w.laid), addr+" ") {
					t.Errorf("%s: no way was laid to %s: %v", c.why, addr, w.laid)
				}
			}
		})
	}
}
