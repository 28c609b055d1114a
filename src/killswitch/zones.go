package killswitch

import (
	"slices"
	"strings"
)

// zone is a firewall zone as the switch sees it.
type zone struct {
	*Section
	name     string
	networks []string // those that its section lists, then those that name the zone themselves
}

// zones lists the zones that are switched on.
func (s State) zones() (zones []zone) {
	for i := range s.Firewall {
		f := &s.Firewall[i]
		if f.Type != "zone" || f.value("name") == "" || f.off("enabled") {
			continue
		}
		z := zone{Section: f, name: f.value("name"), networks: f.words("network")}
		for j := range s.Network {
			n := &s.Network[j]
			if n.Type == "interface" && n.value("zone") == z.name && !slices.Contains(z.networks, n.Name) {
				z.networks = append(z.networks, n.Name)
			}
		}
		zones = append(zones, z)
	}
	return zones
}

// zoneNamed returns the zone of that name.
func zoneNamed(zones []zone, name string) (zone, bool) {
	at := slices.IndexFunc(zones, func(z zone) bool { return z.name == name })
	if at < 0 {
		return zone{}, false
	}
	return zones[at], true
}

// zoneOf returns the zone that a network is in.
func zoneOf(zones []zone, network string) (zone, bool) {
	at := slices.IndexFunc(zones, func(z zone) bool { return slices.Contains(z.networks, network) })
	if at < 0 {
		return zone{}, false
	}
	return zones[at], true
}

// uplinkProtos are protocols by which a router gets its way to the internet.
var uplinkProtos = []string{"dhcp", "dhcpv6", "ppp", "pppoe", "pppoa", "pptp", "l2tp", "3g", "qmi", "ncm", "mbim", "directip",
	"modemmanager", "wwan", "map", "464xlate", "dslite", "6in4", "6rd", "6to4"}

// uplink reports whether an interface of the configuration is one by which a router reaches the internet.
func uplink(n *Section) bool {
	if n.Name == "wan" || n.Name == "wan6" {
		return true
	}
	proto := n.value("proto")
	return slices.Contains(uplinkProtos, proto) || proto == "static" && (n.value("gateway") != "" || n.value("ip6gw") != "")
}

// hasUplink reports whether a zone holds an uplink.
func (s State) hasUplink(z zone) bool {
	return slices.ContainsFunc(z.networks, func(name string) bool {
		if name == "wan" || name == "wan6" {
			return true
		}
		n := find(s.Network, name)
		return n != nil && n.Type == "interface" && uplink(n)
	})
}

// uplinkZones returns the zones by which the chosen ones could reach the internet without the tunnel: those that hold an
// uplink, and those that masquerade. A zone that the switch of another tunnel made is none, for nobody else forwards to it.
func (s State) uplinkZones(zones []zone, tunnelZone string, chosen []string) (uplinks []zone) {
	for _, z := range zones {
		if z.name == tunnelZone || slices.Contains(chosen, z.name) || switchZone(z.Section) {
			continue
		}
		if s.hasUplink(z) || z.on("masq", false) || z.on("masq6", false) {
			uplinks = append(uplinks, z)
		}
	}
	return uplinks
}

// forwards reports whether a section of the user's forwards everything from one zone to another.
func (s State) forwards(from, to string) bool {
	return slices.ContainsFunc(s.Firewall, func(f Section) bool {
		family := f.value("family")
		return f.Type == "forwarding" && f.value("src") == from && f.value("dest") == to && f.on("enabled", true) &&
			(family == "" || family == "any" || family == "all" || family == "*")
	})
}

// maxZoneName is the longest name of a zone that fw3 takes.
const maxZoneName = 11

// newZoneName returns a name for the tunnel's zone that no other zone has.
func newZoneName(zones []zone, tunnel string) string {
	full := identifier(tunnel)
	if '0' <= full[0] && full[0] <= '9' {
		full = "_" + full // fw4 takes no digit there
	}
	name := full[:min(len(full), maxZoneName)]
	for _, digit := range "23456789" {
		if _, taken := zoneNamed(zones, name); !taken {
			break
		}
		name = full[:min(len(full), maxZoneName-1)] + string(digit)
	}
	return name
}

// zoneNames lists the names for people.
func zoneNames(zones []zone) string {
	var names []string
	for _, z := range zones {
		names = append(names, z.name)
	}
	return strings.Join(names, ", ")
}
