// Package killswitch computes the kill switch of a tunnel: which networks of the router reach the internet only through it.
//
// The switch is plain UCI, which the firewall loads before any uplink is up and whether or not this program runs: fw3 (OpenWrt
// 21.02) and fw4 take the same sections. From the sections that are there and a Request, On computes the sections with the
// switch, Off those without it, and Inspect reports what is there and what is missing. The package does no I/O.
//
// The switch owns sections of firewall and network named sstp_TUNNEL_KIND or sstp_TUNNEL_KIND_NUMBER and nothing else. Of a foreign
// section it changes two options, peerdns and dns of the uplinks' interfaces, and records in its own what was there before.
//
// What On makes, in this order:
//
//	input_N    RA and DHCPv6 may reach the router through the tunnel; only with a zone of the switch's own
//	except_N   for each chosen zone and uplink zone: devices that may use the uplink (IPv4, IPv6, MAC)
//	reject_N   for each chosen zone and uplink zone: everything else may not
//	call_N     for each uplink device and uplink zone: the tunnel's own packets, which carry Mark (names or router)
//	names_N    for each of them: the router asks no name server there (names)
//	router_N   for each of them: DHCP, DHCPv6, neighbour discovery and NTP may leave, and then nothing else (router)
//	zone       the tunnel's zone, where it is in none
//	forward_N  from each chosen zone to the tunnel's, where no section of the user's does that
//	killswitch the record: the request, and the values to restore
//	mark_N     for each chosen zone: marks the devices that are excepted by MAC address, for the policy rules
//	way_N      of the network: policy rules for each chosen network, and the tunnel's default routes in a table of their own
//
// The rules come before the user's first rule, because the first rule that matches decides. The rest comes at the end.
package killswitch
