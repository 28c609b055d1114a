package ppp

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/phrase"
)

// phase is where a link stands (RFC 1661 section 3.2).
type phase uint8

const (
	phaseDead         phase = iota // not started
	phaseEstablish                 // LCP is not open
	phaseAuthenticate              // LCP is open, the caller authenticates
	phaseNetwork                   // the network protocols run
	phaseEnded                     // Terminated was said
)

// maxRestarts is how often a peer may negotiate LCP again before authentication is over.
const maxRestarts = 3

// Link is one PPP link. All methods but Deadline, PeerMRU, AuthFrame and EndedByPeer return what to do; the caller
// carries it out in order before it calls the next method. A Link is not safe for concurrent use.
type Link struct {
	cfg   Config
	phase phase
	todo  []Action // of the call that runs

	lcp    *lcp
	ipcp   *ipcp   // nil: not wanted
	ipv6cp *ipv6cp // nil: not wanted

	id        uint8  // the last Identifier given out
	restarts  int    // how often the peer negotiated LCP again
	closing   bool   // Terminate was called
	goodbye   string // and its reason
	addressed bool   // there was an IPv4 address
	answered  bool   // an authentication packet was sent since LCP opened

	echoing bool // an Echo-Request waits for its reply
	echoID  uint8
	echoAt  time.Time
}

// NewLink returns a link that waits for Start.
func NewLink(cfg Config) *Link {
	cfg.Timers = cfg.Timers.orDefault()
	l := &Link{cfg: cfg}
	l.lcp = newLCP(l)
	if cfg.IPv4 {
		l.ipcp = newIPCP(l)
	}
	if cfg.IPv6 {
		l.ipv6cp = newIPV6CP(l)
	}
	return l
}

// Start begins LCP: the lower layer is up. Both sides send first, as SoftEther 5.02 stays silent until it has seen a
// Configure-Request.
func (l *Link) Start(now time.Time) []Action {
	if l.phase != phaseDead {
		return nil
	}
	l.phase = phaseEstablish
	l.lcp.event(now, evOpen, packet{})
	l.lcp.event(now, evUp, packet{})
	return l.done()
}

// Receive takes one frame, in any of the forms that CutHeader understands. IP packets are ignored, and so is what cannot
// be understood.
func (l *Link) Receive(now time.Time, frame []byte) []Action {
	if l.phase == phaseDead || l.phase == phaseEnded {
		return nil
	}
	proto, info, err := CutHeader(frame)
	if err != nil || proto == ProtoIPv4 || proto == ProtoIPv6 {
		return nil
	}
	if proto == ProtoLCP {
		if p, ok := cutPacket(info); ok {
			l.lcp.receiveLCP(now, p)
		}
		return l.done()
	}
	// RFC 1661 section 5.7: what is not supported is rejected in Opened only, and what comes too early is dropped.
	if l.lcp.state != opened {
		return nil
	}
	switch n := l.network(proto); {
	case n != nil:
		if p, ok := cutPacket(info); ok && l.phase == phaseNetwork {
			n.receive(now, p)
		}
	case proto == l.lcp.agreed.Protocol:
		l.do(Action{Kind: AuthPacket, Data: info})
	default:
		l.sendProtocolReject(proto, info)
	}
	return l.done()
}

// Authenticated starts the network protocols: authentication is over. It is called in both roles.
func (l *Link) Authenticated(now time.Time) []Action {
	if l.phase != phaseAuthenticate {
		return nil
	}
	l.phase = phaseNetwork
	for _, n := range l.networks() {
		n.event(now, evOpen, packet{})
		n.event(now, evUp, packet{})
	}
	return l.done()
}

// Assign sets Config.PeerAddress of a link that runs already: a server knows which address to give only when the login
// has told who asks. It must come before Authenticated.
func (l *Link) Assign(peer netip.Addr) { l.cfg.PeerAddress = peer }

// AuthFrame appends to dst a frame with a packet of the agreed authentication protocol, and notes that the peer gets one:
// from then on its end of the call is an answer to it.
func (l *Link) AuthFrame(dst, packet []byte) []byte {
	l.answered = true
	return AppendFrame(dst, l.lcp.agreed.Protocol, packet)
}

// Echo sends an LCP Echo-Request if LCP is open (RFC 1661 section 5.8). A reply to an earlier one no longer counts.
func (l *Link) Echo(now time.Time) []Action {
	if l.phase == phaseEnded || l.lcp.state != opened {
		return nil
	}
	l.echoing, l.echoID, l.echoAt = true, l.NextID(), now
	l.send(ProtoLCP, echoRequest, l.echoID, binary.BigEndian.AppendUint32(nil, l.lcp.magic))
	return l.done()
}

// Terminate ends the link in good order: a Terminate-Request with the reason, at most Timers.MaxTerminate of them, then
// Terminated.
func (l *Link) Terminate(now time.Time, reason string) []Action {
	if l.phase == phaseEnded || l.closing {
		return nil
	}
	l.closing = true
	l.goodbye = reason[:min(len(reason), minMRU-packetLen)]
	if l.phase == phaseDead {
		l.end(fault.Us, nil)
		return l.done()
	}
	l.lcp.event(now, evClose, packet{})
	return l.done()
}

// NextID returns the next Identifier of the one counter that all protocols of the link share: SoftEther 5.02 sorts what
// it received by it.
func (l *Link) NextID() uint8 {
	l.id++
	return l.id
}

// Advance does what is due at now. It must be called when Deadline has come; an earlier call does no harm.
func (l *Link) Advance(now time.Time) []Action {
	for _, y := range l.layers() {
		if l.phase == phaseEnded {
			break
		}
		y.advance(now)
	}
	return l.done()
}

// Deadline returns when Advance must be called. Zero means never: the link is over, or up, or the caller authenticates
// with a deadline of its own.
func (l *Link) Deadline() time.Time {
	var t time.Time
	if l.phase != phaseEnded {
		for _, y := range l.layers() {
			t = deadline.Earliest(t, y.deadline())
		}
	}
	return t
}

// PeerMRU returns the size of the largest information field that may be sent to the peer. It always fits an SSTP packet.
func (l *Link) PeerMRU() int { return l.lcp.peerMRU }

// Stage returns the stage of a call in which the link is.
func (l *Link) Stage() fault.Stage {
	switch {
	case l.phase == phaseNetwork && (l.addressed || l.ipcp == nil || l.cfg.Role == Server):
		return fault.StageUp
	case l.phase == phaseNetwork:
		return fault.StageNetwork
	case l.phase == phaseAuthenticate && l.lcp.agreed != AuthProtocol{}:
		return fault.StageAuth
	}
	return fault.StagePPP
}

// EndedByPeer returns what it means if the peer says now that it ends the call, be it with a Terminate-Request (then
// Receive returns it with Terminated) or by a message of a layer below. After our answer in the authentication it is
// AUTH_FAILED, for SoftEther 5.02 says no more than that about a wrong password. A connection that ends without a word is
// another matter: anybody on the path can end it.
func (l *Link) EndedByPeer() *fault.Error {
	switch stage := l.Stage(); {
	case stage == fault.StageUp:
		return l.fault(fault.ClosedByServer, stage, "The server ended the call.")
	case stage == fault.StageNetwork:
		return l.fault(fault.NoAddress, stage, "The server ended the call before it assigned an address.")
	case stage == fault.StageAuth && l.answered:
		return l.fault(fault.AuthFailed, stage, "The server ended the call during authentication.")
	case stage == fault.StageAuth:
		return l.fault(fault.PPPNegotiationFailed, stage, "The server ended the call before the login.")
	case l.lcp.auth.disputed():
		return l.lcp.auth.fault()
	}
	return l.fault(fault.PPPNegotiationFailed, fault.StagePPP, "The server ended the negotiation.")
}

// networks returns the control protocols that are wanted, in the order in which they start.
func (l *Link) networks() []*layer {
	var ns []*layer
	if l.ipcp != nil {
		ns = append(ns, &l.ipcp.layer)
	}
	if l.ipv6cp != nil {
		ns = append(ns, &l.ipv6cp.layer)
	}
	return ns
}

func (l *Link) layers() []*layer { return append(l.networks(), &l.lcp.layer) }

// network returns the control protocol p, or nil if it is not wanted.
func (l *Link) network(p Protocol) *layer {
	for _, n := range l.networks() {
		if n.proto == p {
			return n
		}
	}
	return nil
}

// networksDown takes the network protocols down: LCP has left Opened.
func (l *Link) networksDown() {
	for _, n := range l.networks() {
		n.event(time.Time{}, evDown, packet{})
	}
}

// mayRestart reports whether the peer may negotiate LCP again. Once authentication is over it may not: no server in the field
// does, and to dial again is simpler than to authenticate again with the crypto binding already sent.
func (l *Link) mayRestart() bool {
	l.restarts++
	return l.phase == phaseAuthenticate && l.restarts <= maxRestarts
}

// fail ends the link on our side: the peer is told, and nothing is waited for.
func (l *Link) fail(err *fault.Error) {
	if l.phase == phaseEnded {
		return
	}
	if l.closing {
		l.end(fault.Us, nil) // the goodbye is under way: how it ends does not matter
		return
	}
	l.send(ProtoLCP, terminateRequest, l.NextID(), nil)
	l.end(fault.Us, err)
}

// end returns Terminated to the caller. A nil err means that we asked for it.
func (l *Link) end(by fault.Party, err *fault.Error) {
	if l.phase == phaseEnded {
		return
	}
	l.networksDown()
	l.phase = phaseEnded
	l.do(Action{Kind: Terminated, Err: err, By: by})
}

func (l *Link) do(a Action) { l.todo = append(l.todo, a) }

// done hands out the actions of a call.
func (l *Link) done() []Action {
	do := l.todo
	l.todo = nil
	return do
}

// send sends a control packet. What does not fit an SSTP packet, which takes a peer that compresses the header of an
// enormous request, is not sent.
func (l *Link) send(p Protocol, code, id byte, data []byte) {
	n := packetLen + len(data)
	if n > maxMRU {
		return
	}
	frame := make([]byte, HeaderLen, HeaderLen+n)
	PutHeader(frame, p)
	frame = append(frame, code, id, byte(n>>8), byte(n))
	l.do(Action{Kind: Send, Data: append(frame, data...)})
}

// cut shortens a quoted packet to the peer's MRU. used is the number of bytes before it in the information field.
func (l *Link) cut(b []byte, used int) []byte {
	return b[:min(len(b), l.PeerMRU()-used)]
}

// sendProtocolReject quotes the packet: SoftEther 5.02 finds what was rejected by it.
func (l *Link) sendProtocolReject(p Protocol, info []byte) {
	data := binary.BigEndian.AppendUint16(nil, uint16(p))
	l.send(ProtoLCP, protocolReject, l.NextID(), append(data, l.cut(info, packetLen+len(data))...))
}

// sendEchoReply answers with our magic number. accel-ppp takes its own number for a loop.
func (l *Link) sendEchoReply(p packet) {
	data := binary.BigEndian.AppendUint32(nil, l.lcp.magic)
	l.send(ProtoLCP, echoReply, p.id, append(data, l.cut(p.data[4:], packetLen+len(data))...))
}

// fault returns a failure whose message is about the other side: in the server's role, about the client.
func (l *Link) fault(code fault.Code, stage fault.Stage, format phrase.Format, args ...string) *fault.Error {
	f := fault.Newf(code, stage, format, args...)
	if l.cfg.Role == Server {
		f.OfClient()
	}
	return f
}

// dnsToGive returns the i-th name server that the server hands out.
func (l *Link) dnsToGive(i int) netip.Addr {
	if i < len(l.cfg.DNS) {
		return l.cfg.DNS[i]
	}
	return netip.Addr{}
}

// randomMagic returns a magic number. Without randomness it returns 0, and none is negotiated.
func (l *Link) randomMagic() uint32 {
	var b [4]byte
	l.random(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// randomInterfaceID returns an identifier that does not claim to be universally unique (RFC 5072 section 4.1).
func (l *Link) randomInterfaceID() (id [8]byte) {
	l.random(id[:])
	id[0] &^= 0x02
	return id
}

// random fills b, with zeros if there is no randomness; a peer then suggests what to use instead.
func (l *Link) random(b []byte) {
	if l.cfg.Rand == nil {
		return
	}
	if _, err := io.ReadFull(l.cfg.Rand, b); err != nil {
		clear(b)
	}
}

// reporter reports the ups and downs of a network protocol to the caller, each once.
type reporter struct {
	link             *Link
	upKind, downKind ActionKind
	last             ActionKind // 0: nothing was said yet
}

func (r *reporter) up(a Action) {
	a.Kind, r.last = r.upKind, r.upKind
	r.link.do(a)
}

// down reports that the protocol is down. If it was never up, it reports that only with a reason.
func (r *reporter) down(err *fault.Error) {
	if r.last == r.downKind || r.last == 0 && err == nil {
		return
	}
	r.last = r.downKind
	r.link.do(Action{Kind: r.downKind, Err: err})
}
