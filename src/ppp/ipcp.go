package ppp

import (
	"net/netip"
	"time"

	"sstp/src/fault"
	"sstp/src/phrase"
)

// IPCP's options (RFC 1332 section 3, RFC 1877 section 1).
const (
	ipcpAddress byte = 3
	ipcpDNS1    byte = 129
	ipcpDNS2    byte = 131
)

// noIPCP is the hint for a server that never answers IPCP, as SoftEther 5.02 in a hub without DHCP.
const noIPCP phrase.Format = "There was no IPCP answer: the hub probably has no DHCP server (SoftEther), or the server has no free address."

// ipcp is the policy of the Internet Protocol Control Protocol. Compression (option 2) and NetBIOS name servers (130,
// 132) are never asked for and always rejected.
type ipcp struct {
	layer
	report reporter

	askAddress bool
	local      netip.Addr
	askDNS     [2]bool
	dns        [2]netip.Addr

	peerAddress netip.Addr
}

func newIPCP(l *Link) *ipcp {
	c := &ipcp{report: reporter{link: l, upKind: IPv4Up, downKind: IPv4Down}}
	c.layer = layer{link: l, policy: c, proto: ProtoIPCP, timeout: l.cfg.Timers.NCPTimeout, code: fault.NoAddress, stage: fault.StageNetwork, silence: noIPCP}
	return c
}

func (c *ipcp) server() bool { return c.link.cfg.Role == Server }

// begin asks for everything again: a server that negotiates again may have other addresses for us.
func (c *ipcp) begin() {
	cfg := &c.link.cfg
	c.local = netip.IPv4Unspecified()
	if cfg.Address.Is4() {
		c.local = cfg.Address
	}
	c.askAddress = !c.server() || cfg.Address.Is4()
	wantDNS := cfg.WantDNS && !c.server()
	c.askDNS = [2]bool{wantDNS, wantDNS}
	c.dns = [2]netip.Addr{netip.IPv4Unspecified(), netip.IPv4Unspecified()}
	c.peerAddress = netip.Addr{}
}

func (c *ipcp) ask(dst []byte) []byte {
	if c.askAddress {
		dst = appendAddress(dst, ipcpAddress, c.local)
	}
	for i, typ := range [2]byte{ipcpDNS1, ipcpDNS2} {
		if c.askDNS[i] {
			dst = appendAddress(dst, typ, c.dns[i])
		}
	}
	return dst
}

// judge: the client lets the server have any address, even 0.0.0.0 (some RRAS profiles); the server assigns the client's
// address and the name servers by Nak (RFC 1332 section 3.3).
func (c *ipcp) judge(o option) (verdict, []byte) {
	a, ok := addressOf(o)
	if !ok {
		return reject, nil
	}
	if !c.server() {
		if o.typ == ipcpAddress {
			return ack, nil
		}
		return reject, nil
	}
	var want netip.Addr
	switch o.typ {
	case ipcpAddress:
		want = c.link.cfg.PeerAddress
		if !want.IsValid() && usable(a) {
			want = a
		}
	case ipcpDNS1:
		want = c.link.dnsToGive(0)
	case ipcpDNS2:
		want = c.link.dnsToGive(1)
	}
	switch {
	case !want.Is4():
		return reject, nil
	case want == a:
		return ack, nil
	}
	return nak, appendAddress(nil, o.typ, want)
}

func (c *ipcp) naking(option) *fault.Error { return nil }

func (c *ipcp) accept(opts []byte) {
	c.peerAddress = netip.Addr{}
	for len(opts) > 0 {
		var o option
		o, opts, _ = cutOption(opts)
		if a, ok := addressOf(o); ok && o.typ == ipcpAddress && usable(a) {
			c.peerAddress = a
		}
	}
}

func (c *ipcp) naked(o option) *fault.Error {
	a, ok := addressOf(o)
	switch {
	case !ok || c.server():
	case o.typ == ipcpAddress:
		if !usable(a) {
			return c.fault("The server assigned the address %s, which cannot be used.", a.String())
		}
		c.local = a
	case o.typ == ipcpDNS1:
		c.nakedDNS(0, a)
	case o.typ == ipcpDNS2:
		c.nakedDNS(1, a)
	}
	return nil
}

// nakedDNS takes a name server. If it is the one that we asked for, or cannot be one, the option is not sent again.
func (c *ipcp) nakedDNS(i int, a netip.Addr) {
	if a == c.dns[i] || !usable(a) {
		c.askDNS[i] = false
		return
	}
	c.dns[i] = a
}

func (c *ipcp) rejected(o option) *fault.Error {
	switch o.typ {
	case ipcpAddress:
		if !c.server() {
			return c.fault("The server refused to assign an IPv4 address.")
		}
		c.askAddress = false
	case ipcpDNS1:
		c.askDNS[0] = false
	case ipcpDNS2:
		c.askDNS[1] = false
	}
	return nil
}

func (c *ipcp) up() *fault.Error {
	result := IPv4{Local: c.local, Peer: c.peerAddress}
	if c.server() {
		if !result.Peer.IsValid() {
			result.Peer = c.link.cfg.PeerAddress
		}
	} else if !usable(c.local) {
		return c.fault("The server assigned the address %s, which cannot be used.", c.local.String())
	}
	for i, a := range c.dns {
		if c.askDNS[i] && usable(a) && (len(result.DNS) == 0 || result.DNS[0] != a) {
			result.DNS = append(result.DNS, a)
		}
	}
	c.link.addressed = true
	c.report.up(Action{IPv4: result})
	return nil
}

func (c *ipcp) down() { c.report.down(nil) }

// failed ends a client's call: without an address it is of no use. The server can go on with IPv6 alone.
func (c *ipcp) failed(now time.Time, err *fault.Error) {
	if !c.server() {
		c.link.fail(err)
		return
	}
	if c.state.negotiating() {
		c.event(now, evClose, packet{})
	}
	c.report.down(err)
}

// addressOf reads an option whose value is an IPv4 address.
func addressOf(o option) (netip.Addr, bool) {
	if len(o.data) != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(o.data)), true
}

func appendAddress(dst []byte, typ byte, a netip.Addr) []byte {
	b := a.As4()
	return appendOption(dst, typ, b[:]...)
}

// usable reports whether a can be the address of a host.
func usable(a netip.Addr) bool {
	return a.Is4() && !a.IsLoopback() && !a.IsMulticast() && a.As4()[0] != 0 && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
