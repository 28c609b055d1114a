package session

import (
	"fmt"
	"net/netip"
	"slices"

	"sstp/src/fault"
	"sstp/src/phrase"
)

// Surroundings are the IPv4 networks that the machine is in, without the tunnel. A server must not be able to take the
// place of anything in them by the addresses that it gives.
type Surroundings struct {
	Subnets     []Subnet
	Gateways    []Gateway
	NameServers []netip.Addr // in use, without those that the tunnel brought
}

// Subnet is one address of the machine with what is on the link beside it.
type Subnet struct {
	Device string
	Own    netip.Addr
	Prefix netip.Prefix // of the link; on a point-to-point link the peer's address alone, without a peer our own
}

// Gateway is a router on the way out of the machine.
type Gateway struct {
	Addr   netip.Addr
	Device string
}

// unassignable are networks from which no server can give an address (RFC 6890, RFC 5771).
var unassignable = []struct {
	net netip.Prefix
	why phrase.Format
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "no machine can have an address of 0.0.0.0/8"},
	{netip.MustParsePrefix("127.0.0.0/8"), "127.0.0.0/8 is every machine's own"},
	{netip.MustParsePrefix("224.0.0.0/4"), "224.0.0.0/4 is for multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "it means all machines"},
	{netip.MustParsePrefix("240.0.0.0/4"), "240.0.0.0/4 is reserved"},
}

// vet checks the IPv4 addresses of a link against the machine's surroundings. It returns the link with what must not be
// used left out and a sentence on each, or a NO_ADDRESS where our own address cannot be used.
func vet(l Link, around Surroundings) (vetted Link, warnings []string, err *fault.Error) {
	if why, network := around.taken(l.Local); why != "" {
		f := fault.Newf(fault.NoAddress, fault.StageNetwork, "The server gave us the address %s, which cannot be used: %s.", l.Local.String(), why)
		if network.IsValid() {
			f = f.WithHintf("Have the server give addresses outside of %s, or use another network on this side.", network.String())
		}
		return l, nil, f
	}
	if l.Local.IsLinkLocalUnicast() {
		warnings = append(warnings, fmt.Sprintf("The server gave us the address %v, as servers do that get none from their own DHCP server: probably nothing can be reached through the tunnel.", l.Local))
	}
	if l.Peer.IsValid() {
		if why := around.inUse(l.Peer); why != "" {
			warnings = append(warnings, fmt.Sprintf("The server's inner address %v gets no route: %s.", l.Peer, why))
			l.Peer = netip.Addr{}
		}
	}
	var servers []netip.Addr
	for _, a := range l.DNS {
		why, _ := around.taken(a)
		if why == "" {
			why = around.gateway(a)
		}
		if why == "" {
			servers = append(servers, a)
			continue
		}
		warnings = append(warnings, fmt.Sprintf("The server's name server %v is not used: %s.", a, why))
	}
	l.DNS = servers
	return l, warnings, nil
}

// taken returns why nobody in the tunnel can have an address, or "" if somebody can. network is the one that the address
// belongs to on this side.
func (s *Surroundings) taken(a netip.Addr) (why string, network netip.Prefix) {
	for _, n := range unassignable {
		if n.net.Contains(a) {
			return string(n.why), netip.Prefix{}
		}
	}
	for _, n := range s.Subnets {
		if n.Own == a {
			return "it is this machine's own, on " + n.Device, n.Prefix
		}
	}
	for _, n := range s.Subnets {
		switch {
		case !n.Prefix.Contains(a) || n.Prefix.Bits() == 0:
		case n.Prefix.IsSingleIP():
			return "it is the far end of " + n.Device, n.Prefix
		case !a.IsLinkLocalUnicast(): // each link has its own 169.254.0.0/16
			return fmt.Sprintf("it is in the network %v of %s", n.Prefix, n.Device), n.Prefix
		}
	}
	return "", netip.Prefix{}
}

// gateway returns a text that names the device of which an address is the gateway, or "" if it is none.
func (s *Surroundings) gateway(a netip.Addr) string {
	for _, g := range s.Gateways {
		if g.Addr == a {
			return "it is the gateway of " + g.Device
		}
	}
	return ""
}

// inUse returns why a route to an address would catch packets for somebody outside of the tunnel, or "" if it would not.
func (s *Surroundings) inUse(a netip.Addr) string {
	if why := s.gateway(a); why != "" {
		return why
	}
	if slices.Contains(s.NameServers, a) {
		return "it is a name server in use"
	}
	why, _ := s.taken(a)
	return why
}
