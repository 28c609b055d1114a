package ppp

import (
	"net/netip"
	"time"

	"sstp/src/fault"
)

// ipv6cpInterfaceID is the only option of IPV6CP that is in use (RFC 5072 section 4.1).
const ipv6cpInterfaceID byte = 1

// ipv6cp is the policy of the IPv6 Control Protocol. It is optional by nature: RRAS without IPv6 answers with a
// Protocol-Reject after seconds, accel-ppp by default, older SoftEther not at all.
type ipv6cp struct {
	layer
	report reporter

	local, peer [8]byte
}

func newIPV6CP(l *Link) *ipv6cp {
	c := &ipv6cp{report: reporter{link: l, upKind: IPv6Up, downKind: IPv6Down}, local: l.cfg.InterfaceID}
	if c.local == ([8]byte{}) {
		c.local = l.randomInterfaceID()
	}
	c.layer = layer{link: l, policy: c, proto: ProtoIPV6CP, timeout: l.cfg.Timers.IPv6Timeout, code: fault.PPPNegotiationFailed, stage: fault.StageNetwork}
	return c
}

func (c *ipv6cp) begin() { c.peer = [8]byte{} }

func (c *ipv6cp) ask(dst []byte) []byte {
	return appendOption(dst, ipv6cpInterfaceID, c.local[:]...)
}

// judge grants any identifier but none and our own (RFC 5072 section 4.1).
func (c *ipv6cp) judge(o option) (verdict, []byte) {
	id, ok := interfaceIDOf(o)
	switch {
	case !ok:
		return reject, nil
	case id != [8]byte{} && id != c.local:
		return ack, nil
	}
	suggest := c.link.cfg.PeerInterfaceID
	if suggest == ([8]byte{}) || suggest == c.local {
		suggest = c.link.randomInterfaceID()
	}
	return nak, appendOption(nil, ipv6cpInterfaceID, suggest[:]...)
}

func (c *ipv6cp) naking(option) *fault.Error { return nil }

func (c *ipv6cp) accept(opts []byte) {
	c.peer = [8]byte{}
	for len(opts) > 0 {
		var o option
		o, opts, _ = cutOption(opts)
		c.peer, _ = interfaceIDOf(o)
	}
}

func (c *ipv6cp) naked(o option) *fault.Error {
	id, ok := interfaceIDOf(o)
	if !ok {
		return nil
	}
	if id == ([8]byte{}) || id == c.peer || id == c.local {
		id = c.link.randomInterfaceID()
	}
	c.local = id
	return nil
}

func (c *ipv6cp) rejected(o option) *fault.Error {
	if o.typ == ipv6cpInterfaceID {
		return c.fault("The server refused our IPv6 interface identifier.")
	}
	return nil
}

func (c *ipv6cp) up() *fault.Error {
	result := IPv6{Local: linkLocal(c.local)}
	if c.peer != ([8]byte{}) {
		result.Peer = linkLocal(c.peer)
	}
	c.report.up(Action{IPv6: result})
	return nil
}

func (c *ipv6cp) down() { c.report.down(nil) }

func (c *ipv6cp) failed(now time.Time, err *fault.Error) {
	if c.state.negotiating() {
		c.event(now, evClose, packet{})
	}
	c.report.down(err)
}

func interfaceIDOf(o option) (id [8]byte, ok bool) {
	if o.typ != ipv6cpInterfaceID || len(o.data) != len(id) {
		return id, false
	}
	return [8]byte(o.data), true
}

// linkLocal returns fe80::/64 with the identifier (RFC 5072 section 5).
func linkLocal(id [8]byte) netip.Addr {
	a := [16]byte{0: 0xfe, 1: 0x80}
	copy(a[8:], id[:])
	return netip.AddrFrom16(a)
}
