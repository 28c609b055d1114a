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
	Device string // to which a socket that asks it is to be bound; "" for one of the router itself
}

// NameServers returns the name servers of the uplinks, the best uplink's first, and lays ways to them as Prepare does to a
// server. Those that netifd keeps from everybody else (option peerdns) are among them: what they answer says where the
// tunnel's server is and nothing more. more are those by interface that netifd does not know of. There are none where nobody
// tells of any.
func (i *Interface) NameServers(ctx context.Context, more map[string][]string) (servers []NameServer, err error) {
	ports, err := i.ports(ctx)
	if err != nil {
		return nil, i.refused("the list of interfaces", err)
	}
	var uplinks []*way
	for _, p := range ports {
		if w := p.wayOut(); w != nil && i.candidate(p) {
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
			own := slices.ContainsFunc(ports, func(p *port) bool { return slices.Contains(p.addrs, addr) })
			if known || own || addr.IsLoopback() || len(servers) == maxNameServers {
				continue // what serves names on the router asks others itself
			}
			w := i.nearer(up.wayTo(addr), ports, addr)
			if w != nil && i.lay(w, addr) == nil {
				servers = append(servers, NameServer{addr, w.bindTo(addr)})
			}
		}
	}
	return servers, nil
}

// nearer returns the way to an address that is in the network of an interface, the LAN for example, and the given one where
// there is none.
func (i *Interface) nearer(w *way, ports []*port, addr netip.Addr) *way {
	for _, p := range ports {
		if !p.up || p.device == "" || p.device == i.o.Device || p.name == i.name || p.name == i.child() {
			continue
		}
		if near := p.wayTo(addr); near != nil && near.onLink && (w == nil || near.bits > w.bits) {
			w = near
		}
	}
	return w
}

// wayOut returns the best default route of an interface, nil where it leads to its own network only.
func (p *port) wayOut() (best *way) {
	for _, r := range p.routes {
		if r.to.Bits() == 0 {
			best = better(best, &way{port: p, metric: r.metric})
		}
	}
	return best
}

// nameServers reads the name servers of an interface, those in use first.
func nameServers(f blobmsg.Fields) (servers []netip.Addr) {
	return addresses(append(f.Texts("dns-server"), f.Table("inactive").Texts("dns-server")...))
}

// addresses reads addresses, and leaves out what is none.
func addresses(texts []string) (addrs []netip.Addr) {
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			addrs = append(addrs, a.Unmap())
		}
	}
	return addrs
}
