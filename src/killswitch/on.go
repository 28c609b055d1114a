package killswitch

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Mark marks the packets of the tunnel's program to its server and to the uplink's name servers. mwan3 (0x3f00), pbr (0xff0000)
// and qos-scripts do not use this bit.
const Mark = 0x10000000

// markText is Mark as an option of a rule: only that bit is compared.
const markText = "0x10000000/0x10000000"

// Request says what a switch is to do.
type Request struct {
	Tunnel string
	Zones  []string // whose networks reach the internet only through the tunnel; empty: the one that lan is in
	Except []string // devices of theirs that may use the uplinks: addresses, subnets, MAC addresses
	Router bool     // the router itself sends nothing but the tunnel's call, either
	Names  bool     // names are not asked of the uplinks' name servers
}

// On returns the state with the requested switch in place of any earlier one of the tunnel. If the switch is impossible, the
// error is a *Problem, and On returns the state unchanged.
func On(s State, r Request) (State, error) {
	without := base(s, r.Tunnel)
	p, problem := newPlan(without, r)
	if problem != nil {
		return s, problem
	}
	return p.apply(without), nil
}

// plan is a request resolved against a state without the switch.
type plan struct {
	Request
	tunnelZone     string
	ownZone        bool // the switch makes it
	uplinks        []string
	networks       []string // interfaces of the chosen zones
	ipv6           bool     // the tunnel may carry IPv6
	devices        []string // network devices of the uplinks, as far as the configuration tells
	interfaces     []string // of the uplinks, whose name servers are not to be used
	ip4, ip6, macs []string
	counts         map[string]int
}

func newPlan(s State, r Request) (*plan, *Problem) {
	tunnel := find(s.Network, r.Tunnel)
	if tunnel == nil || tunnel.Type != "interface" || tunnel.value("proto") != "sstp" {
		return nil, NewProblem("no_tunnel", r.Tunnel)
	}
	zones := s.zones()
	if len(zones) == 0 {
		return nil, NewProblem("no_firewall")
	}
	p := &plan{Request: r, counts: map[string]int{}}
	if problem := p.sortExceptions(); problem != nil {
		return nil, problem
	}
	if problem := p.choose(s, zones); problem != nil {
		return nil, problem
	}
	if z, ok := zoneOf(zones, r.Tunnel); !ok {
		p.tunnelZone, p.ownZone = newZoneName(zones, r.Tunnel), true
	} else if p.tunnelZone = z.name; s.hasUplink(z) {
		return nil, NewProblem("tunnel_in_uplink_zone", r.Tunnel, z.name)
	} else if slices.Contains(p.Zones, z.name) {
		return nil, NewProblem("tunnel_in_chosen_zone", r.Tunnel, z.name)
	}
	for _, z := range s.uplinkZones(zones, p.tunnelZone, p.Zones) {
		p.uplinks = append(p.uplinks, z.name)
		for _, name := range z.networks {
			if n := find(s.Network, name); n != nil && n.Type == "interface" {
				p.interfaces = append(p.interfaces, name)
			}
		}
	}
	if len(p.uplinks) == 0 {
		return nil, NewProblem("no_uplink_zone")
	}
	p.devices, p.networks = s.uplinkDevices(zones, p.uplinks), s.chosenNetworks(zones, p.Zones)
	p.ipv6 = tunnel.value("ipv6") != "0"
	return p, nil
}

// choose fills in and checks the chosen zones.
func (p *plan) choose(s State, zones []zone) *Problem {
	p.Zones = unique(p.Zones)
	if len(p.Zones) == 0 {
		lan, ok := zoneOf(zones, "lan")
		if !ok {
			if lan, ok = zoneNamed(zones, "lan"); !ok {
				return NewProblem("no_lan")
			}
		}
		p.Zones = []string{lan.name}
	}
	for _, name := range p.Zones {
		z, ok := zoneNamed(zones, name)
		if !ok {
			return NewProblem("no_zone", name, zoneNames(zones))
		}
		if s.hasUplink(z) {
			if slices.Contains(z.networks, p.Tunnel) {
				return NewProblem("tunnel_in_uplink_zone", p.Tunnel, name)
			}
			return NewProblem("zone_is_uplink", name)
		}
		for i := range s.Firewall {
			if f := &s.Firewall[i]; f.Type == RecordType && slices.Contains(f.values("zone"), name) {
				return NewProblem("zone_taken", name, f.value("tunnel"))
			}
		}
	}
	return nil
}

// sortExceptions sorts the exceptions by what the firewall compares.
func (p *plan) sortExceptions() *Problem {
	p.Except = unique(p.Except)
	for i, text := range p.Except {
		switch kind := exception(text); kind {
		case "ip4":
			p.ip4 = append(p.ip4, text)
		case "ip6":
			p.ip6 = append(p.ip6, text)
		case "mac":
			p.Except[i] = strings.ToLower(text)
			p.macs = append(p.macs, p.Except[i])
		default:
			return NewProblem("bad_except", text)
		}
	}
	return nil
}

// exception returns the kind of an exception: ip4, ip6, mac, or "" for anything else. A subnet of all addresses is no exception.
func exception(text string) string {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		subnet, err := netip.ParsePrefix(text)
		if err != nil || subnet.Bits() == 0 {
			if isMAC(text) {
				return "mac"
			}
			return ""
		}
		addr = subnet.Addr()
	}
	switch {
	case addr.Is4():
		return "ip4"
	case addr.Is4In6() || addr.Zone() != "":
		return ""
	}
	return "ip6"
}

// isMAC reports whether a text is six pairs of hexadecimal digits separated by colons.
func isMAC(text string) bool {
	pairs := strings.Split(text, ":")
	return len(pairs) == 6 && !slices.ContainsFunc(pairs, func(pair string) bool {
		_, err := strconv.ParseUint(pair, 16, 8)
		return err != nil || len(pair) != 2
	})
}

// unique returns the trimmed texts without empty ones and duplicates.
func unique(texts []string) (kept []string) {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" && !slices.Contains(kept, t) {
			kept = append(kept, t)
		}
	}
	return kept
}
