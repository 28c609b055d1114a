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
	port
	bits   int   // how specific
	metric int64 // the smaller the better
	onLink bool  // no router between
}

// betterThan compares as the kernel does: the more specific way first, then the one with the smaller metric. Where netifd
// has both as equals, the one that stands on a device of its own comes first.
func (w way) betterThan(other way) bool {
	switch {
	case w.bits != other.bits:
		return w.bits > other.bits
	case w.metric != other.metric:
		return w.metric < other.metric
	}
	return w.based && !other.based
}

// candidate says whether an interface may be the uplink at all.
func (i *Interface) candidate(p port) bool {
	if !p.up || p.device == "" || p.device == i.o.Device || p.name == i.name || p.name == i.child() {
		return false
	}
	if i.o.Tunlink != "" {
		return p.name == i.o.Tunlink
	}
	return !slices.Contains(overlays, p.proto)
}

// wayTo returns the best way of an interface to an address.
func (p port) wayTo(addr netip.Addr) (best way, ok bool) {
	consider := func(w way) {
		if !ok || w.betterThan(best) {
			best, ok = w, true
		}
	}
	for _, s := range p.subnets {
		if s.Contains(addr) {
			consider(way{p, s.Bits(), p.metric, true})
		}
	}
	for _, r := range p.routes {
		if r.to.Contains(addr) {
			consider(way{p, r.to.Bits(), r.metric, false})
		}
	}
	return best, ok
}

// choose returns the best way to an address over all interfaces that may be the uplink.
func (i *Interface) choose(ports []port, addr netip.Addr) (best way, ok bool) {
	for _, p := range ports {
		if !i.candidate(p) {
			continue
		}
		if w, has := p.wayTo(addr); has && (!ok || w.betterThan(best)) {
			best, ok = w, true
		}
	}
	return best, ok
}

// someUplink says whether there is an uplink that leads to more than its own network, and names it.
func (i *Interface) someUplink(ports []port) (name string, ok bool) {
	for _, p := range ports {
		if i.candidate(p) && slices.ContainsFunc(p.routes, func(r route) bool { return r.to.Bits() == 0 }) {
			return p.name, true
		}
	}
	return "", false
}
