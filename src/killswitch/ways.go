package killswitch

import (
	"slices"
	"strconv"
	"strings"
)

// The rules of a firewall hold while it is loaded: "service firewall restart" leaves a moment without any, and both firewalls let
// the packets of connections pass that began in it. So the routes are closed too, by netifd's own policy rules: what comes
// from a chosen network goes where the main table leads without its default routes, then by the tunnel's default route,
// which stands in a table of its own, and then nowhere.

// Priorities of the policy rules: before those that netifd (10000 and up) and pbr (30000) choose.
const (
	priorityExcept = "8301"
	priorityNear   = "8302"
	priorityTunnel = "8303"
	priorityNone   = "8304"
)

// exceptMark is a mark for the packets of devices that are excepted by MAC address, which policy rules do not know.
const exceptMark = "0x20000000/0x20000000"

// wayTables is where the numbers of the tables begin; the lower three bytes are a hash of the tunnel's name.
const wayTables = 0x54000000

// table returns the number of the table in which the tunnel's default routes stand.
func table(tunnel string) string {
	hash := uint32(2166136261) // FNV-1a
	for _, c := range []byte(tunnel) {
		hash = (hash ^ uint32(c)) * 16777619
	}
	return strconv.FormatUint(uint64(wayTables|hash&0xffffff), 10)
}

// wayRules returns the policy rules for the chosen networks and the tunnel's own default routes.
func (p *plan) wayRules() (sections []Section) {
	add := func(typ string, options ...Option) { sections = append(sections, p.section(typ, "way", options...)) }
	lookup, own := option("lookup", "main"), option("lookup", table(p.Tunnel))
	for _, network := range p.networks {
		in := option("in", network)
		for _, family := range []struct {
			typ    string
			except []string
		}{{"rule", p.ip4}, {"rule6", p.ip6}} {
			for _, addr := range family.except {
				add(family.typ, in, option("src", subnet(addr)), lookup, option("priority", priorityExcept))
			}
			if p.macs != nil {
				add(family.typ, in, option("mark", exceptMark), lookup, option("priority", priorityExcept))
			}
			add(family.typ, in, lookup, option("suppress_prefixlength", "0"), option("priority", priorityNear))
			add(family.typ, in, own, option("priority", priorityTunnel))
			add(family.typ, in, option("action", "prohibit"), option("priority", priorityNone))
		}
	}
	if p.networks == nil {
		return nil // zones that are made of devices alone have no name for netifd
	}
	add("route", option("interface", p.Tunnel), option("target", "0.0.0.0/0"), option("table", table(p.Tunnel)))
	if p.ipv6 {
		add("route6", option("interface", p.Tunnel), option("target", "::/0"), option("table", table(p.Tunnel)))
	}
	return sections
}

// subnet returns an exception with its length: netifd takes an address without one for every address.
func subnet(addr string) string {
	switch {
	case strings.Contains(addr, "/"):
		return addr
	case strings.Contains(addr, ":"):
		return addr + "/128"
	}
	return addr + "/32"
}

// markRules returns the rules that mark the packets of devices that are excepted by MAC address.
func (p *plan) markRules() (rules []Section) {
	if p.macs == nil || p.networks == nil {
		return nil
	}
	for _, zone := range p.Zones {
		rules = append(rules, p.rule("mark", "mark", option("src", zone), option("dest", "*"), option("family", "any"),
			option("proto", "all"), list("src_mac", p.macs...), option("set_xmark", exceptMark), option("target", "MARK")))
	}
	return rules
}

// chosenNetworks returns the interfaces of the chosen zones.
func (s State) chosenNetworks(zones []zone, chosen []string) (networks []string) {
	for _, name := range chosen {
		z, _ := zoneNamed(zones, name)
		for _, network := range z.networks {
			if n := find(s.Network, network); n != nil && n.Type == "interface" && !slices.Contains(networks, network) {
				networks = append(networks, network)
			}
		}
	}
	return networks
}
