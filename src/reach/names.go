package reach

import (
	"net/netip"
	"slices"
	"strings"
)

// Resolver is a name server that the machine asks.
type Resolver struct {
	Addr      netip.Addr
	Interface string // whose it is; empty: nobody says
}

// maxResolvers bounds what is read of one file.
const maxResolvers = 64

// ParseResolvers reads a resolv.conf. netifd writes the interface of the servers that follow into a comment.
func ParseResolvers(file string) (list []Resolver) {
	owner := ""
	for line := range strings.Lines(file) {
		words := strings.Fields(line)
		switch {
		case len(words) == 3 && words[0] == "#" && words[1] == "Interface":
			owner = words[2]
		case len(words) >= 2 && words[0] == "nameserver" && len(list) < maxResolvers:
			if a, err := netip.ParseAddr(words[1]); err == nil {
				list = append(list, Resolver{a.Unmap(), owner})
			}
		}
	}
	return list
}

// Names judges whose name servers answer. Those that the tunnel's server gave are the tunnel's, wherever they are listed; the
// others belong to their interface. byHand reports whether a user configured one: if a user configured all, that is as wanted.
func Names(l *Link, list []Resolver, given []netip.Addr, byHand func(netip.Addr) bool) Finding {
	var own []string
	tunnel, other, learned := false, "", false
	for _, r := range list {
		hand := byHand(r.Addr)
		switch {
		case slices.Contains(given, r.Addr):
			tunnel = true
			continue
		case r.Interface == l.Interface || r.Interface == l.Interface+"_6":
			tunnel = tunnel || !hand
		case r.Interface != "" && (other == "" || !hand && !learned):
			other, learned = r.Interface, !hand
		case r.Interface == "" && !hand:
			other, learned = r.Addr.String(), true // such as those of a resolv.conf that netifd did not write
		}
		if hand {
			own = append(own, r.Addr.String())
		}
	}
	wanted := !l.DefaultRoute || l.Table != ""
	switch {
	case tunnel && other != "":
		return finding(wanted, NamesBoth, "by the tunnel's and {0}'s resolvers", other)
	case learned:
		return finding(wanted, NamesUplink, "by {0}'s resolvers", other)
	case len(own) > 0:
		return finding(true, NamesOwn, "by the name servers configured by hand: {0}", strings.Join(own, ", "))
	case tunnel:
		return finding(true, NamesTunnel, "by the tunnel's name servers")
	}
	return finding(false, NamesNone, "there are no name servers")
}
