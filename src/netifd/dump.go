package netifd

import (
	"context"
	"net/netip"

	"sstp/src/ubus"
)

// port is what matters of an interface of netifd for one that looks for an uplink.
type port struct {
	name    string
	proto   string
	up      bool
	device  string // the one that has the addresses
	based   bool   // it stands on a device of its own, as netifd sees it
	metric  int64
	addrs   []netip.Addr
	subnets []netip.Prefix
	routes  []route
}

// route is a way of an interface to somewhere.
type route struct {
	to     netip.Prefix
	metric int64
}

// ports asks netifd for its interfaces.
func (i *Interface) ports(ctx context.Context) ([]port, error) {
	reply, err := i.call(ctx, objectInterface, "dump", nil)
	if err != nil {
		return nil, err
	}
	var ports []port
	for _, v := range reply.List("interface") {
		ports = append(ports, parsePort(v.Fields()))
	}
	return ports, nil
}

// parsePort reads one interface of a dump. What it cannot read it leaves out.
func parsePort(f ubus.Fields) port {
	p := port{name: f.Text("interface"), proto: f.Text("proto"), device: f.Text("l3_device"), based: f.Text("device") != ""}
	p.up, _ = f.Flag("up")
	p.metric, _ = f.Number("metric")
	for _, list := range []string{"ipv4-address", "ipv6-address"} {
		for _, v := range f.List(list) {
			t := v.Fields()
			addr, bits := t.Text("address"), numberOr(t, "mask", -1)
			subnet, ok := prefix(addr, bits)
			if !ok {
				continue
			}
			p.addrs = append(p.addrs, subnet.Addr())
			p.subnets = append(p.subnets, subnet.Masked())
			if far, err := netip.ParseAddr(t.Text("ptpaddress")); err == nil {
				p.subnets = append(p.subnets, netip.PrefixFrom(far, far.BitLen()))
			}
		}
	}
	for _, v := range f.List("ipv6-prefix-assignment") {
		t := v.Fields()
		if subnet, ok := prefix(t.Text("address"), numberOr(t, "mask", -1)); ok {
			p.subnets = append(p.subnets, subnet.Masked())
		}
	}
	for _, v := range f.List("route") {
		t := v.Fields()
		to, ok := prefix(t.Text("target"), numberOr(t, "mask", -1))
		_, table := t.Get("table")
		_, typed := t.Get("type") // such as unreachable
		if !ok || table || typed {
			continue // a route of another table is for packets that rules send there
		}
		p.routes = append(p.routes, route{to: to.Masked(), metric: numberOr(t, "metric", p.metric)})
	}
	return p
}

func prefix(addr string, bits int64) (netip.Prefix, bool) {
	a, err := netip.ParseAddr(addr)
	if err != nil || bits < 0 || bits > int64(a.BitLen()) {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, int(bits)), true
}

func numberOr(t ubus.Fields, name string, otherwise int64) int64 {
	if n, ok := t.Number(name); ok {
		return n
	}
	return otherwise
}
