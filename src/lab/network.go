package lab

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// publish changes what Server.Clients returns.
func (c *conn) publish(change func(*Client)) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	change(&c.client)
}

// route gives the client's addresses to the hub, and opens the pumps for what may flow.
func (c *conn) route() {
	cl := c.client // written by this goroutine alone
	if c.srv.hub != nil {
		c.srv.hub.set(c.device, cl.IPv4, cl.IPv6, cl.Prefix6)
	}
	if !c.connected {
		return
	}
	v4, v6 := cl.IPv4.IsValid(), cl.IPv6.IsValid()
	if !v4 && !v6 {
		c.pumps.CloseGate()
		return
	}
	c.pumps.Open(c.device, c.call.PeerMRU(), v4, v6)
	if v6 && c.device.advert.Load() == nil {
		_, dns := c.srv.dns()
		ra := appendAdvertisement(nil, cl.Prefix6, c.srv.pool.net6, c.srv.cfg.MRU, dns)
		c.device.advert.Store(&ra)
		c.repeatAdvertisement(time.Time{})
	}
}

func (c *conn) repeatAdvertisement(time.Time) {
	c.device.advertise()
	c.after(advertiseInterval, c.repeatAdvertisement)
}

// address returns an address that may be missing as events show it.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return "none"
	}
	return a.String()
}

// How long an advertisement is good for, and how often it is repeated unasked ([RFC 4861] 6.2.1).
const (
	advertiseLifetime = 30 * time.Minute
	advertiseInterval = 10 * time.Minute
)

var (
	allNodes     = netip.MustParseAddr("ff02::1")
	routerOwn    = [8]byte{7: 1} // the interface identifier of the server on every link
	routerAddr   = linkLocal(routerOwn)
	routeSolicit = byte(133)
)

// linkLocal returns fe80::/64 with an interface identifier ([RFC 5072] 5).
func linkLocal(id [8]byte) netip.Addr {
	a := [16]byte{0xfe, 0x80}
	copy(a[8:], id[:])
	return netip.AddrFrom16(a)
}

// advertiseDelay is what a solicited advertisement waits: routers wait for up to half a second ([RFC 4861] 6.2.6). odhcp6c
// counts on that: an answer that comes while its script for the start still runs may be undone by that script.
const advertiseDelay = 500 * time.Millisecond

// isRouterSolicitation reports whether pkt is an ICMPv6 message of type 133 ([RFC 4861] 4.1).
func isRouterSolicitation(pkt []byte) bool {
	return len(pkt) > 40 && pkt[0]>>4 == 6 && pkt[6] == protoICMPv6 && pkt[40] == routeSolicit
}

// appendAdvertisement appends an IPv6 packet with a router advertisement ([RFC 4861] 4.2): own is the client's /64, from
// which it makes its address; all is the network of all clients, which is on the link too, so that the server's address
// can be reached without a default route; dns goes out as RDNSS ([RFC 8106] 5.1).
func appendAdvertisement(dst []byte, own, all netip.Prefix, mtu int, dns []netip.Addr) []byte {
	start := len(dst)
	from, to := routerAddr.As16(), allNodes.As16()
	dst = append(dst, 0x60, 0, 0, 0, 0, 0, protoICMPv6, 255) // length: patched below
	dst = append(dst, from[:]...)
	dst = append(dst, to[:]...)

	seconds := uint32(advertiseLifetime / time.Second)
	dst = append(dst, 134, 0, 0, 0, 64, 0) // type, code, checksum, hop limit, no DHCPv6
	dst = binary.BigEndian.AppendUint16(dst, uint16(seconds))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // reachable time, retransmission: unspecified
	const onLink, autonomous = 0x80, 0x40
	dst = appendPrefix(dst, own, onLink|autonomous, seconds)
	dst = appendPrefix(dst, all, onLink, seconds)
	dst = append(dst, 5, 1, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(mtu))
	if len(dns) > 0 {
		dst = append(dst, 25, byte(1+2*len(dns)), 0, 0)
		dst = binary.BigEndian.AppendUint32(dst, seconds)
		for _, a := range dns {
			b := a.As16()
			dst = append(dst, b[:]...)
		}
	}
	pkt := dst[start:]
	binary.BigEndian.PutUint16(pkt[4:], uint16(len(pkt)-40))
	binary.BigEndian.PutUint16(pkt[42:], checksum6(pkt))
	return dst
}

func appendPrefix(dst []byte, p netip.Prefix, flags byte, seconds uint32) []byte {
	dst = append(dst, 3, 4, byte(p.Bits()), flags)
	dst = binary.BigEndian.AppendUint32(dst, seconds) // valid
	dst = binary.BigEndian.AppendUint32(dst, seconds) // preferred
	dst = append(dst, 0, 0, 0, 0)
	a := p.Masked().Addr().As16()
	return append(dst, a[:]...)
}

// checksum6 returns the checksum of an upper layer right behind the IPv6 header ([RFC 8200] 8.1); its own field is zero.
func checksum6(pkt []byte) uint16 {
	sum := uint32(len(pkt)-40) + uint32(pkt[6])
	for i := 8; i+1 < len(pkt); i += 2 { // the addresses and the message; an odd last byte does not occur here
		sum += uint32(binary.BigEndian.Uint16(pkt[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
