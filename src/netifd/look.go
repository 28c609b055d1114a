package netifd

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/reach"
)

// lookIPv6 finds where IPv6 goes.
func (i *Interface) lookIPv6(own blobmsg.Fields, about reach.Link, l *Link) reach.Finding {
	about.Partial, about.Table = about.Table != "", ""
	if table, has := own.Number("ip6table"); has && table != reach.MainTable {
		about.Table = strconv.FormatInt(table, 10)
	}
	global, _ := i.o.Kernel.Global6()
	ways := reach.Ways6(global, func(to, from netip.Addr) (reach.Route, error) { return i.o.Kernel.Way(reach.Query{To: to, From: from}) })
	_, carried := global[l.Device]
	return reach.IPv6(&about, ways, carried)
}

// lookNames finds whose name servers answer.
func (i *Interface) lookNames(ctx context.Context, about *reach.Link, l *Link) reach.Finding {
	list := reach.ParseResolvers(i.o.Kernel.Resolvers())
	var byHand []netip.Addr
	if instances, _ := i.sections(ctx, "dhcp", "dnsmasq"); len(instances) > 0 {
		first := instances[0]
		if first.Text("noresolv") == "1" {
			list = nil
		}
		byHand = generalServers(first.Texts("server"))
		for _, a := range byHand {
			list = append(list, reach.Resolver{Addr: a})
		}
	}
	interfaces, _ := i.sections(ctx, "network", "interface")
	for _, s := range interfaces {
		byHand = append(byHand, generalServers(s.Texts("dns"))...)
	}
	return reach.Names(about, list, l.DNS, func(a netip.Addr) bool { return slices.Contains(byHand, a) })
}

// generalServers returns the addresses of a list of name servers, as dnsmasq and netifd take it, without those for some
// domains only.
func generalServers(list []string) (servers []netip.Addr) {
	for _, item := range strings.Fields(strings.Join(list, " ")) {
		text, _, _ := strings.Cut(item, "#") // the port
		if a, err := netip.ParseAddr(text); err == nil {
			servers = append(servers, a.Unmap())
		}
	}
	return servers
}

// lookFirewall finds the firewall's zone of our interface and whether others may send packets there. Without a firewall, or
// somebody who reads its configuration for us, it finds nothing.
func (i *Interface) lookFirewall(ctx context.Context, own blobmsg.Fields, l *Link) reach.Finding {
	zones, _ := i.sections(ctx, "firewall", "zone")
	if len(zones) == 0 {
		return reach.Finding{}
	}
	zone := own.Table("data").Text("zone")
	if zone == "" {
		zone = zoneOf(zones, i.name, l.Device)
	}
	var forwardings []reach.Forwarding
	allowed, _ := i.sections(ctx, "firewall", "forwarding")
	for _, s := range allowed {
		if enabled := s.Text("enabled"); enabled != "0" {
			forwardings = append(forwardings, reach.Forwarding{Src: s.Text("src"), Dest: s.Text("dest")})
		}
	}
	return reach.Firewall(i.name, zone, forwardings)
}

// sections reads the sections of a type of a UCI file. The error says that there is no such file, or nobody to read it.
func (i *Interface) sections(ctx context.Context, config, typ string) (list []blobmsg.Fields, err error) {
	reply, err := i.call(ctx, objectUCI, "get", args("config", config, "type", typ))
	for _, s := range reply.Table("values") {
		list = append(list, s.Value.Fields())
	}
	return list, err
}
