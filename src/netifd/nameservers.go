package netifd

import (
	"context"
	"net/netip"
	"slices"

	"sstp/src/blobmsg"
)

// maxNameServers is how many name servers of the uplinks are worth asking.
const maxNameServers = 4

// NameServer is a name server of an uplink.
type NameServer struct {
	Addr   netip.Addr
	Device string // to bind a socket to that asks it; "" for one of the router itself
}

// NameServers returns the name servers of the uplinks, the best uplink's first, and lays ways to them as Prepare does to a
// server. It includes those that netifd hides from everybody else (option peerdns), because they are asked for the tunnel's
// server only. more adds name servers by interface that netifd does not know.
func (i *Interface) NameServers(ctx context.Context, more map[string][]string) (servers []NameServer, err error) {
	candidates, err := i.candidates(ctx)
	if err != nil {
		return nil, i.refused("the list of interfaces", err)
	}
	var uplinks []*way
	for _, p := range candidates {
		if w := p.wayOut(); w != nil && i.eligible(p) {
			uplinks = append(uplinks, w)
		}
	}
	slices.SortStableFunc(uplinks, func(a, b *way) int {
		switch {
		case a.betterThan(b):
			return -1
		case b.betterThan(a):
			return 1
		}
		return 0
	})
	for _, up := range uplinks {
		for _, addr := range append(up.dns, addresses(more[up.name])...) {
			known := slices.ContainsFunc(servers, func(s NameServer) bool { return s.Addr == addr })
			own := slices.ContainsFunc(candidates, func(p *uplinkCandidate) bool { return slices.Contains(p.addrs, addr) })
			if known || own || addr.IsLoopback() || len(servers) == maxNameServers {
				continue // what serves names on the router asks others itself
			}
			w := i.nearer(up.wayTo(addr), candidates, addr)
			if w != nil && i.lay(w, addr) == nil {
				servers = append(servers, NameServer{addr, w.bindTo(addr)})
			}
		}
	}
	return servers, nil
}

// nearer returns the way to an address that is in the network of an interface, such as the LAN, and w for any other.
func (i *Interface) nearer(w *way, candidates []*uplinkCandidate, addr netip.Addr) *way {
	for _, p := range candidates {
		if !p.up || p.device == "" || p.device == i.o.Device || p.name == i.name || p.name == i.child() {
			continue
		}
		if near := p.wayTo(addr); near != nil && near.onLink && (w == nil || near.bits > w.bits) {
			w = near
		}
	}
	return w
}

// wayOut returns the best default route of an interface, nil if it has none.
func (p *uplinkCandidate) wayOut() (best *way) {
	for _, r := range p.routes {
		if r.to.Bits() == 0 {
			best = better(best, &way{uplinkCandidate: p, metric: r.metric})
		}
	}
	return best
}

// nameServers reads the name servers of an interface, those in use first.
func nameServers(f blobmsg.Fields) (servers []netip.Addr) {
	return addresses(append(f.Texts("dns-server"), f.Table("inactive").Texts("dns-server")...))
}

// addresses parses addresses and leaves out invalid ones.
func addresses(texts []string) (addrs []netip.Addr) {
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			addrs = append(addrs, a.Unmap())
		}
	}
	return addrs
}
