// Package netifd is all that passes between a tunnel and netifd, OpenWrt's network daemon: which uplink leads to the server,
// the link with its addresses and routes, the IPv6 child interface, and failures. It follows netifd's notify_proto
// interface as of releases 21.02 to 25.12, and netifd's habit of leaving out without a word what it does not understand:
// so a link-up is read back and compared, with netifd's own status and with the kernel. Check repeats the latter for as
// long as the link is up.
//
// The way to the server is by an uplink that is chosen here, and only for the tunnel's own sockets. A host dependency (action
// 6 of notify_proto) and add_host_route would lay a route that everybody's packets to that address take past the tunnel, and
// that stays when the call is over. netifd compares metrics only where a route has one of its own, and it tears an interface down, device
// and all, as soon as any host dependency's uplink goes down, also one that has long not been in use: a WAN that
// dials in anew every night would take every TCP connection in the tunnel with it. Watch tells of uplinks that come and
// go, and the tunnel finds its way over another one while its device stays.
package netifd
