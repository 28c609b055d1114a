package ppp

import (
	"encoding/binary"
	"time"

	"sstp/src/fault"
	"sstp/src/text"
)

// LCP's options (RFC 1661 section 6, RFC 1662 section 7.1).
const (
	lcpMRU   byte = 1
	lcpACCM  byte = 2
	lcpAuth  byte = 3
	lcpMagic byte = 5
	lcpPFC   byte = 7
	lcpACFC  byte = 8
)

const (
	defaultMRU = 1500 // applies when the option was not negotiated (RFC 1661 section 6.1)
	minMRU     = 68   // what IPv4 needs (RFC 791 section 3.2)
	minOurMRU  = 576  // the smallest that we accept for ourselves
	maxMRU     = 4087 // what an SSTP packet has room for: 4095 less its header and the header of PPP
)

// lcp is the policy of the Link Control Protocol.
type lcp struct {
	layer
	auth chooser

	mru   int    // what we ask for; 0: nothing
	magic uint32 // our magic number; 0: not negotiated

	peerMRU int
	agreed  AuthProtocol // what the client acknowledged, in either role
}

func newLCP(l *Link) *lcp {
	c := &lcp{auth: newChooser(l), mru: l.cfg.MRU, magic: l.randomMagic(), peerMRU: defaultMRU}
	c.layer = layer{link: l, policy: c, proto: ProtoLCP, timeout: l.cfg.Timers.LCPTimeout, code: fault.PPPNegotiationFailed, stage: fault.StagePPP}
	return c
}

// begin forgets what the peer asked for. It keeps what we learned about our own options.
func (c *lcp) begin() {
	c.peerMRU = defaultMRU
	c.agreed = AuthProtocol{}
}

func (c *lcp) ask(dst []byte) []byte {
	if c.mru > 0 {
		dst = appendOption(dst, lcpMRU, byte(c.mru>>8), byte(c.mru))
	}
	if c.link.cfg.Role == Server {
		if a := c.auth.proposal(); a != (AuthProtocol{}) {
			dst = appendAuth(dst, a)
		}
	}
	if c.magic != 0 {
		dst = binary.BigEndian.AppendUint32(append(dst, lcpMagic, 6), c.magic)
	}
	return dst
}

// judge acknowledges all that costs nothing. ACCM means nothing without HDLC framing, but pppd behind an SSTP server asks for
// it; PFC and ACFC let the peer leave out bytes that CutHeader does not need. Callback, multilink, link quality and the
// rest are rejected: RRAS then does without.
func (c *lcp) judge(o option) (verdict, []byte) {
	switch {
	case o.typ == lcpMRU && len(o.data) == 2:
		if binary.BigEndian.Uint16(o.data) < minMRU {
			return nak, appendOption(nil, lcpMRU, defaultMRU>>8, defaultMRU&0xff)
		}
		return ack, nil
	case o.typ == lcpACCM && len(o.data) == 4:
		return ack, nil
	case o.typ == lcpAuth && c.link.cfg.Role == Client:
		return c.auth.judge(o)
	case o.typ == lcpMagic && len(o.data) == 4:
		// RFC 1661 section 6.4: the same number on both sides hints at a loop, and zero is not one.
		if m := binary.BigEndian.Uint32(o.data); m == 0 || m == c.magic {
			return nak, binary.BigEndian.AppendUint32([]byte{lcpMagic, 6}, c.link.randomMagic())
		}
		return ack, nil
	case (o.typ == lcpPFC || o.typ == lcpACFC) && len(o.data) == 0:
		return ack, nil
	}
	return reject, nil
}

func (c *lcp) naking(o option) *fault.Error {
	if o.typ == lcpAuth {
		return c.auth.naking(o)
	}
	return nil
}

func (c *lcp) accept(opts []byte) {
	c.begin()
	for len(opts) > 0 {
		var o option
		o, opts, _ = cutOption(opts)
		switch o.typ {
		case lcpMRU:
			c.peerMRU = min(int(binary.BigEndian.Uint16(o.data)), maxMRU)
		case lcpAuth:
			c.agreed, _ = parseAuth(o.data)
		}
	}
}

func (c *lcp) naked(o option) *fault.Error {
	switch {
	case o.typ == lcpMRU && len(o.data) == 2 && c.mru != 0:
		c.mru = int(binary.BigEndian.Uint16(o.data))
		if c.mru < minOurMRU || c.mru > maxMRU {
			c.mru = 0
		}
	case o.typ == lcpMagic && c.magic != 0:
		c.magic = c.link.randomMagic()
	case o.typ == lcpAuth && c.link.cfg.Role == Server:
		a, _ := parseAuth(o.data)
		return c.auth.refused(a)
	}
	return nil
}

func (c *lcp) rejected(o option) *fault.Error {
	switch o.typ {
	case lcpMRU:
		c.mru = 0
	case lcpMagic:
		c.magic = 0 // SoftEther 5.02 rejects it; echoes then carry 0
	case lcpAuth:
		if c.link.cfg.Role == Server {
			return c.auth.refused(AuthProtocol{})
		}
	}
	return nil
}

func (c *lcp) up() *fault.Error {
	if c.link.cfg.Role == Server {
		c.agreed = c.auth.proposal()
	}
	c.link.phase = phaseAuthenticate
	c.link.do(Action{Kind: Authenticate, Auth: c.agreed})
	return nil
}

func (c *lcp) down() {
	c.link.phase, c.link.answered = phaseEstablish, false
	c.link.networksDown()
}

func (c *lcp) failed(now time.Time, err *fault.Error) {
	c.link.fail(err)
}

// receiveLCP takes an LCP packet: the codes that only LCP has, and what the automaton leaves to the whole link.
func (c *lcp) receiveLCP(now time.Time, p packet) {
	l := c.link
	switch p.code {
	case configureRequest:
		if c.state == opened && wellFormed(p.data) && !c.peerReq.to(p) && !l.mayRestart() {
			l.fail(c.fault("The server began the negotiation anew."))
			return
		}
	case terminateRequest:
		err := l.EndedByPeer()
		if said := string(p.data); said != "" && text.Plain(said) { // Windows gives its reason in binary
			err.Say(`%s The reason given: "%s".`, err.Message, text.Show(said, 80))
		}
		c.event(now, evRTR, p)
		if l.closing {
			l.end(fault.Us, nil)
		} else {
			l.end(fault.Peer, err)
		}
		return
	case terminateAck:
		if c.state == opened && !l.mayRestart() {
			l.fail(c.fault("The server says that it has ended the link."))
			return
		}
	case codeReject:
		if len(p.data) > 0 && p.data[0] >= configureRequest && p.data[0] <= terminateAck {
			l.fail(c.fault("The server does not understand LCP."))
			return
		}
	case protocolReject:
		c.receiveProtocolReject(now, p)
		return
	case echoRequest:
		if len(p.data) >= 4 {
			c.event(now, evRXR, p)
		}
		return
	case echoReply:
		// The magic number is ignored: SoftEther 5.02 sends ours back.
		if c.state == opened && l.echoing && p.id == l.echoID {
			l.echoing = false
			l.do(Action{Kind: EchoReply, RTT: now.Sub(l.echoAt)})
		}
		return
	case discardRequest, identification, timeRemaining:
		return // RFC 1570: only for a log
	}
	c.receive(now, p)
}

// receiveProtocolReject takes a Protocol-Reject, which counts only in Opened (RFC 1661 section 5.7). accel-ppp sends the
// two bytes of the protocol alone.
func (c *lcp) receiveProtocolReject(now time.Time, p packet) {
	l := c.link
	if c.state != opened || len(p.data) < 2 {
		return
	}
	proto := Protocol(binary.BigEndian.Uint16(p.data))
	switch {
	case proto == ProtoLCP:
		l.fail(c.fault("The server does not understand LCP."))
	case proto == c.agreed.Protocol && l.phase == phaseAuthenticate:
		// SoftEther 5.02 does this when no EAP method suits both, and goes on with a Configure-Request for MS-CHAPv2.
		if err := c.auth.withdraw(proto); err != nil {
			l.fail(err)
		}
	default:
		if n := l.network(proto); n != nil {
			n.event(now, evRXJMinus, p)
		}
	}
}
