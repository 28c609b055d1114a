// Package netifd is all that passes between a tunnel and netifd, OpenWrt's network daemon: which uplink leads to the server,
// the link with its addresses and routes, the IPv6 child interface, and failures. It follows netifd's notify_proto
// interface as of releases 21.02 to 25.12, and netifd's habit of leaving out without a word what it does not understand:
// so a link-up is read back and compared.
//
// The route to the server is made by add_host_route on an uplink that is chosen here, and not by a host dependency (action
// 6 of notify_proto). netifd compares metrics only where a route has one of its own, and it tears an interface down, device
// and all, as soon as any host dependency's uplink goes down, also one that has long not been in use: a WAN that
// dials in anew every night would take every TCP connection in the tunnel with it. Watch tells of uplinks that come and
// go, and the tunnel finds its way over another one while its device stays.
package netifd
