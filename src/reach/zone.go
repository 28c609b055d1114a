package reach

import "slices"

// Forwarding is a permission of the firewall to forward packets from one zone to another.
type Forwarding struct{ Src, Dest string }

// Firewall judges the firewall's zone of the tunnel's interface; zone is empty where it is in none.
func Firewall(iface, zone string, forwardings []Forwarding) Finding {
	switch {
	case zone == "":
		return finding(false, ZoneNone, "{0} is in no zone: the LAN cannot use it", iface)
	case !slices.ContainsFunc(forwardings, func(f Forwarding) bool { return f.Dest == zone && f.Src != zone }):
		return finding(false, ZoneIsolated, "no zone forwards to {0}", zone)
	}
	return finding(true, ZoneOK, "in zone {0}", zone)
}
