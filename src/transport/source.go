package transport

import (
	"context"
	"net"
	"net/netip"
	"time"
)

const (
	sourceWait = 3 * time.Second // for an address to pass its check
	sourceLook = 50 * time.Millisecond
)

// awaitSource waits until the kernel has an address of ours to which an IPv6 address beyond the link can answer. An uplink
// that has just come up still checks its addresses for duplicates (RFC 4862 section 5.4: for about a second): a connection
// that is begun meanwhile takes a link-local or the loopback's address for all its life, and no answer ever comes.
func awaitSource(ctx context.Context, to netip.AddrPort, device string) {
	ctx, cancel := context.WithTimeout(ctx, sourceWait)
	defer cancel()
	for sourceOnLink(ctx, to, device) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sourceLook):
		}
	}
}

// sourceOnLink asks the kernel whether it would take an address that nobody beyond the link can answer, for one that is
// beyond it. Nothing is sent.
func sourceOnLink(ctx context.Context, to netip.AddrPort, device string) bool {
	if a := to.Addr(); !a.Is6() || a.Is4In6() || !a.IsGlobalUnicast() {
		return false
	}
	d := SocketDialer(device, 0)
	c, err := d.DialUDP(ctx, "udp", netip.AddrPort{}, to)
	if err != nil {
		return false // the dial itself will say why
	}
	defer c.Close()
	from, ok := c.LocalAddr().(*net.UDPAddr)
	return ok && !from.IP.IsGlobalUnicast()
}
