package netifd

import (
	"context"
	"net/netip"
	"slices"

	"sstp/src/blobmsg"
)

// overlays are protocols of interfaces that need an uplink themselves, perhaps our tunnel. One of them is the uplink only if
// option tunlink names it: two tunnels of which each takes the other as its uplink reach nobody.
var overlays = []string{"sstp", "wireguard", "amneziawg", "openconnect", "openvpn", "vpnc", "tailscale"}

// way is how one interface leads to an address.
type way struct {
	*uplinkCandidate
	bits    int        // how specific
	metric  int64      // the smaller the better
	onLink  bool       // no router between
	gateway netip.Addr // invalid: there is none
	source  netip.Addr // address of ours to speak from; invalid: the kernel's choice
}

// betterThan compares as the kernel does: the more specific way wins, then the one with the smaller metric. Among equals, the
// one with a device of its own wins.
func (w *way) betterThan(other *way) bool {
	switch {
	case w.bits != other.bits:
		return w.bits > other.bits
	case w.metric != other.metric:
		return w.metric < other.metric
	}
	return w.based && !other.based
}

// eligible reports whether an interface may be the uplink at all.
func (i *Interface) eligible(p *uplinkCandidate) bool {
	if !p.up || p.device == "" || p.device == i.o.Device || p.name == i.name || p.name == i.child() {
		return false
	}
	if i.o.Tunlink != "" {
		return p.name == i.o.Tunlink && i.connected(p)
	}
	return i.connected(p) && !slices.Contains(overlays, p.proto)
}

func (i *Interface) connected(p *uplinkCandidate) bool {
	return i.o.Carrier == nil || i.o.Carrier(p.device)
}

// wayTo returns the best way of an interface to an address, nil if it does not lead there.
func (p *uplinkCandidate) wayTo(addr netip.Addr) (best *way) {
	for _, s := range p.subnets {
		if s.Contains(addr) {
			best = better(best, &way{uplinkCandidate: p, bits: s.Bits(), metric: p.metric, onLink: true})
		}
	}
	for _, r := range p.routes {
		if r.to.Contains(addr) {
			best = better(best, &way{uplinkCandidate: p, bits: r.to.Bits(), metric: r.metric, gateway: r.gateway, source: r.source})
		}
	}
	return best
}

// better returns the better of two ways, the first if they are equal. nil stands for no way.
func better(a, b *way) *way {
	if a == nil || b != nil && b.betterThan(a) {
		return b
	}
	return a
}

// choose returns the best way to an address over all interfaces that may be the uplink, nil if there is none.
func (i *Interface) choose(candidates []*uplinkCandidate, addr netip.Addr) (best *way) {
	for _, p := range candidates {
		if i.eligible(p) {
			best = better(best, p.wayTo(addr))
		}
	}
	return best
}

// someUplink returns an uplink that leads beyond its own network, nil if there is none.
func (i *Interface) someUplink(candidates []*uplinkCandidate) *uplinkCandidate {
	for _, p := range candidates {
		if i.eligible(p) && slices.ContainsFunc(p.routes, func(r route) bool { return r.to.Bits() == 0 }) {
			return p
		}
	}
	return nil
}

// uplinkCandidate is the part of a netifd interface dump used to choose an uplink.
type uplinkCandidate struct {
	name    string
	proto   string
	up      bool
	pending bool   // it is being set up
	device  string // the one that has the addresses
	based   bool   // it has a device of its own, in netifd's words
	metric  int64
	addrs   []netip.Addr
	subnets []netip.Prefix
	routes  []route
	dns     []netip.Addr // name servers, in use or not
}

// route is a route of an interface.
type route struct {
	to      netip.Prefix
	metric  int64
	gateway netip.Addr // invalid: there is none
	source  netip.Addr // the local address to use; invalid: any
}

// candidates returns netifd's interfaces.
func (i *Interface) candidates(ctx context.Context) ([]*uplinkCandidate, error) {
	reply, err := i.call(ctx, objectInterface, "dump", nil)
	if err != nil {
		return nil, err
	}
	var candidates []*uplinkCandidate
	for _, f := range reply.Tables("interface") {
		candidates = append(candidates, parseCandidate(f))
	}
	return candidates, nil
}

// parseCandidate reads one interface of a dump. It leaves out what it cannot read.
func parseCandidate(f blobmsg.Fields) *uplinkCandidate {
	p := &uplinkCandidate{name: f.Text("interface"), proto: f.Text("proto"), device: f.Text("l3_device"), based: f.Text("device") != ""}
	p.up, _ = f.Flag("up")
	p.pending, _ = f.Flag("pending")
	p.metric, _ = f.Number("metric")
	p.dns = nameServers(f)
	for _, list := range []string{"ipv4-address", "ipv6-address", "ipv6-prefix-assignment"} {
		for _, t := range f.Tables(list) {
			p.address(t, list != "ipv6-prefix-assignment")
		}
	}
	for _, t := range f.Tables("route") {
		to, ok := prefix(t, "target")
		_, table := t.Get("table")
		_, typed := t.Get("type") // such as unreachable
		if !ok || table || typed {
			continue // a route of another table is for packets that rules send there
		}
		metric, own := t.Number("metric")
		if !own {
			metric = p.metric
		}
		p.routes = append(p.routes, route{to.Masked(), metric, nextHop(t), source(t)})
	}
	return p
}

// nextHop returns the gateway of a route, invalid if it has none.
func nextHop(t blobmsg.Fields) (gateway netip.Addr) {
	if via, err := netip.ParseAddr(t.Text("nexthop")); err == nil && !via.IsUnspecified() {
		gateway = via
	}
	return gateway
}

// source returns the local address that packets by an IPv4 route must have, invalid if netifd demands none. In IPv6 that
// field is the network whose packets may take the route.
func source(t blobmsg.Fields) (own netip.Addr) {
	if from, err := netip.ParsePrefix(t.Text("source")); err == nil && from.IsSingleIP() && from.Addr().Is4() {
		own = from.Addr()
	}
	return own
}

// address adds an address of the interface, or a prefix from which it has one.
func (p *uplinkCandidate) address(t blobmsg.Fields, own bool) {
	subnet, ok := prefix(t, "address")
	if !ok {
		return
	}
	p.subnets = append(p.subnets, subnet.Masked())
	if own {
		p.addrs = append(p.addrs, subnet.Addr())
	}
	if far, err := netip.ParseAddr(t.Text("ptpaddress")); err == nil {
		p.subnets = append(p.subnets, netip.PrefixFrom(far, far.BitLen()))
	}
}

// prefix reads an address and the length beside it.
func prefix(t blobmsg.Fields, name string) (netip.Prefix, bool) {
	a, err := netip.ParseAddr(t.Text(name))
	bits, ok := t.Number("mask")
	if err != nil || !ok || bits < 0 || bits > int64(a.BitLen()) {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, int(bits)), true
}
