package killswitch

import (
	"slices"
	"strconv"
)

// RecordType is the type of the section in which a switch records itself. Neither firewall reads such a section.
const RecordType = "killswitch"

// apply adds the switch to a state without it.
func (p *plan) apply(s State) State {
	s = s.clone()
	rules := p.rules()
	at := slices.IndexFunc(s.Firewall, func(f Section) bool { return f.Type == "rule" })
	if at < 0 {
		at = len(s.Firewall)
	}
	forwardings := p.forwardings(s)
	s.Firewall = slices.Insert(s.Firewall, at, rules...)
	if p.ownZone {
		s.Firewall = append(s.Firewall, p.zone())
	}
	s.Firewall = append(s.Firewall, forwardings...)
	restore := p.silenceUplinks(&s)
	s.Network = append(s.Network, p.wayRules()...)
	s.Firewall = append(s.Firewall, p.record(restore))
	return s
}

// section returns a section of the switch, with the next number of its kind.
func (p *plan) section(typ, kind string, options ...Option) Section {
	p.counts[kind]++
	return Section{Type: typ, Name: prefix(p.Tunnel) + kind + "_" + strconv.Itoa(p.counts[kind]), Options: options}
}

// rule returns a rule of the switch. Its name shows in the firewall's page and in the loaded rules.
func (p *plan) rule(kind, title string, options ...Option) Section {
	return p.section("rule", kind, append([]Option{option("name", "Kill-switch-"+p.Tunnel+"-"+title)}, options...)...)
}

// rules returns all rules in the order in which they must be checked.
func (p *plan) rules() (rules []Section) {
	add := func(kind, title string, options ...Option) {
		rules = append(rules, p.rule(kind, title, options...))
	}
	accept, reject := option("target", "ACCEPT"), option("target", "REJECT")
	ip4, ip6 := option("family", "ipv4"), option("family", "ipv6")
	both, all := option("family", "any"), option("proto", "all")
	if p.ownZone {
		from := option("src", p.tunnelZone)
		add("input", "RA", from, ip6, option("proto", "icmp"), list("icmp_type", "router-advertisement"), accept)
		add("input", "DHCPv6", from, ip6, option("proto", "udp"), option("dest_port", "546"), accept)
	}
	for _, zone := range p.Zones {
		for _, up := range p.uplinks {
			from, to := option("src", zone), option("dest", up)
			if p.ip4 != nil {
				add("except", "except", from, to, ip4, all, list("src_ip", p.ip4...), accept)
			}
			if p.ip6 != nil {
				add("except", "except", from, to, ip6, all, list("src_ip", p.ip6...), accept)
			}
			if p.macs != nil {
				add("except", "except", from, to, both, all, list("src_mac", p.macs...), accept)
			}
			add("reject", "reject", from, to, both, all, reject)
		}
	}
	rules = append(rules, p.markRules()...)
	for _, to := range p.outlets() {
		out := func(kind, title string, options ...Option) { add(kind, title, append(slices.Clone(to), options...)...) }
		if p.Names || p.Router {
			out("call", "call", both, all, option("mark", markText), accept)
		}
		if p.Names {
			out("names", "names", both, list("proto", "tcp", "udp"), list("dest_port", "53", "853"), reject)
		}
		if p.Router {
			out("router", "DHCP", ip4, option("proto", "udp"), option("src_port", "68"), option("dest_port", "67"), accept)
			out("router", "DHCPv6", ip6, option("proto", "udp"), option("dest_port", "547"), accept)
			out("router", "ND", ip6, option("proto", "icmp"), list("icmp_type", "router-solicitation", "neighbour-solicitation",
				"neighbour-advertisement", "131/0", "132/0", "143/0"), accept)
			out("router", "NTP", both, option("proto", "udp"), option("dest_port", "123"), accept)
			out("router", "router", both, all, reject)
		}
	}
	return rules
}

// outlets returns the ways by which the router itself could send something past the tunnel: the devices of the uplinks, and the
// zones of uplinks whose devices the configuration does not name. A zone alone is not enough: between the start of netifd and
// the next reload of the firewall it has no devices, and the firewall lets the router send anything.
func (p *plan) outlets() (outlets [][]Option) {
	for _, device := range p.devices {
		outlets = append(outlets, []Option{option("dest", "*"), option("device", device), option("direction", "out")})
	}
	for _, up := range p.uplinks {
		outlets = append(outlets, []Option{option("dest", up)})
	}
	return outlets
}

// zone returns the zone for a tunnel that is in none. It lets nothing in and refuses silently: a refusal carries the tunnel's
// address, tells whom the LAN talks to, and would leave by an uplink while the routes change. It masquerades IPv6 too: the
// firewall passes packets of established connections before it checks any rule, even when the route to the tunnel is gone and
// they leave by an uplink. The kernel drops those of a masqueraded connection there. (fw3 warns that it does not know masq6.)
func (p *plan) zone() Section {
	return Section{Type: "zone", Name: prefix(p.Tunnel) + "zone", Options: []Option{
		option("name", p.tunnelZone), list("network", p.Tunnel), option("input", "DROP"), option("output", "ACCEPT"),
		option("forward", "REJECT"), option("masq", "1"), option("masq6", "1"), option("mtu_fix", "1"),
	}}
}

// forwardings returns the missing forwardings from the chosen zones to the tunnel.
func (p *plan) forwardings(s State) (sections []Section) {
	for _, zone := range p.Zones {
		if !s.forwards(zone, p.tunnelZone) {
			sections = append(sections, p.section("forwarding", "forward", option("src", zone), option("dest", p.tunnelZone)))
		}
	}
	return sections
}

// silenceUplinks removes the uplinks' name servers, both those that netifd is given (option peerdns) and those that the user has
// configured there (option dns), and returns what to restore. The tunnel's program still asks them, see NameServers.
func (p *plan) silenceUplinks(s *State) (restore []string) {
	if !p.Names {
		return nil
	}
	for _, name := range p.interfaces {
		n := find(s.Network, name)
		if n.given() && !n.off("peerdns") {
			entry := name
			if n.values("peerdns") != nil {
				entry += "=" + n.value("peerdns")
			}
			restore = append(restore, entry)
			n.set(option("peerdns", "0"))
		}
		for _, o := range n.Options {
			if o.Name != "dns" {
				continue
			}
			sign := dnsText
			if o.List {
				sign = dnsItem
			}
			for _, value := range o.Values {
				restore = append(restore, name+sign+value)
			}
			n.unset("dns")
			break
		}
	}
	return restore
}

// given reports whether an interface may be given name servers.
func (s *Section) given() bool { return s.value("proto") != "static" && s.value("proto") != "none" }

// record returns the section in which the switch records itself.
func (p *plan) record(restore []string) Section {
	options := []Option{option("tunnel", p.Tunnel), list("zone", p.Zones...)}
	if p.Except != nil {
		options = append(options, list("except", p.Except...))
	}
	options = append(options, option("names", zeroOne(p.Names)), option("router", zeroOne(p.Router)))
	if restore != nil {
		options = append(options, list("restore", restore...))
	}
	return Section{Type: RecordType, Name: prefix(p.Tunnel) + "killswitch", Options: options}
}

func zeroOne(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
