package netifd

import (
	"net/netip"
	"slices"
)

// overlays are protocols of interfaces that stand on other uplinks themselves, perhaps on our tunnel. One of them is the
// uplink only where option tunlink says so: two tunnels that each take the other for the better way reach nobody.
var overlays = []string{"sstp", "wireguard", "amneziawg", "openconnect", "openvpn", "vpnc", "tailscale"}

// way is how one interface leads to an address.
type way struct {
	*port
	bits    int        // how specific
	metric  int64      // the smaller the better
	onLink  bool       // no router between
	gateway netip.Addr // invalid: there is none
	source  netip.Addr // address of ours to speak from; invalid: the kernel's choice
}

// betterThan compares as the kernel does: the more specific way first, then the one with the smaller metric. Where netifd
// has both as equals, the one that stands on a device of its own comes first.
func (w *way) betterThan(other *way) bool {
	switch {
	case w.bits != other.bits:
		return w.bits > other.bits
	case w.metric != other.metric:
		return w.metric < other.metric
	}
	return w.based && !other.based
}

// candidate says whether an interface may be the uplink at all.
func (i *Interface) candidate(p *port) bool {
	if !p.up || p.device == "" || p.device == i.o.Device || p.name == i.name || p.name == i.child() {
		return false
	}
	if i.o.Tunlink != "" {
		return p.name == i.o.Tunlink && i.connected(p)
	}
	return i.connected(p) && !slices.Contains(overlays, p.proto)
}

func (i *Interface) connected(p *port) bool { return i.o.Carrier == nil || i.o.Carrier(p.device) }

// wayTo returns the best way of an interface to an address, nil where it does not lead there.
func (p *port) wayTo(addr netip.Addr) (best *way) {
	for _, s := range p.subnets {
		if s.Contains(addr) {
			best = better(best, &way{port: p, bits: s.Bits(), metric: p.metric, onLink: true})
		}
	}
	for _, r := range p.routes {
		if r.to.Contains(addr) {
			best = better(best, &way{port: p, bits: r.to.Bits(), metric: r.metric, gateway: r.gateway, source: r.source})
		}
	}
	return best
}

// better returns the better one of two ways, the first where they are equals; nil is no way.
func better(a, b *way) *way {
	if a == nil || b != nil && b.betterThan(a) {
		return b
	}
	return a
}

// choose returns the best way to an address over all interfaces that may be the uplink, nil where there is none.
func (i *Interface) choose(ports []*port, addr netip.Addr) (best *way) {
	for _, p := range ports {
		if i.candidate(p) {
			best = better(best, p.wayTo(addr))
		}
	}
	return best
}

// someUplink says whether there is an uplink that leads to more than its own network, and returns it.
func (i *Interface) someUplink(ports []*port) *port {
	for _, p := range ports {
		if i.candidate(p) && slices.ContainsFunc(p.routes, func(r route) bool { return r.to.Bits() == 0 }) {
			return p
		}
	}
	return nil
}
