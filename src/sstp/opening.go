package sstp

import "time"

// The client's part of the opening ([MS-SSTP] 3.2.5).

const protocolPPP = 1 // the only value of Encapsulated Protocol ID

// request asks for a call that carries PPP.
func (c *Call) request(now time.Time) {
	c.send(CallConnectRequest, Attribute{ID: EncapsulatedProtocolID, Value: []byte{0, protocolPPP}})
	c.enter(now, StateRequestSent, c.cfg.Timers.Negotiation)
}

// bindingRequestLen is the length of a Crypto Binding Request's value: three zero bytes, the bitmask, the nonce.
const bindingRequestLen = 36

// takeAck begins PPP if the server offers a hash that we know. Only the attribute that is used is checked, and strictly;
// what follows it is ignored.
func takeAck(c *Call, in input) {
	a, ok := in.msg.Find(CryptoBindingReq)
	refused := StatusInfo{Attribute: CryptoBindingReq}
	switch {
	case !ok:
		refused.Status = StatusAttribNotSupportedInMsg
		c.abort(in.now, refused, c.badAck("it has no Crypto Binding Request"))
	case len(a.Value) < bindingRequestLen:
		refused.Status = StatusInvalidAttribValueLength
		c.abort(in.now, refused, c.badAck("its Crypto Binding Request is too short"))
	case HashProtocol(a.Value[3]).choose() == 0:
		refused.Status = StatusValueNotSupported
		c.abort(in.now, refused, c.badAck("it offers neither SHA-1 nor SHA-256 for the crypto binding"))
	default:
		c.hash = HashProtocol(a.Value[3]).choose()
		c.nonce = [32]byte(a.Value[4:bindingRequestLen])
		c.enter(in.now, StateAckReceived, c.cfg.Timers.NegotiationAuth)
		c.up()
	}
}

// repeatedAck accepts the same answer a second time. Another one would change what the call is bound to.
func repeatedAck(c *Call, in input) {
	a, _ := in.msg.Find(CryptoBindingReq)
	if len(a.Value) < bindingRequestLen || HashProtocol(a.Value[3]).choose() != c.hash ||
		[32]byte(a.Value[4:bindingRequestLen]) != c.nonce {
		refuse(c, in)
	}
}

// maxNaks is how often a request is repeated, as Windows does. SoftEther 5.02 would refuse without end.
const maxNaks = 3

func takeNak(c *Call, in input) {
	c.naks++
	if c.naks > maxNaks {
		c.abort(in.now, StatusInfo{Status: StatusRetryCountExceeded}, c.nakked(in.msg))
		return
	}
	c.request(in.now)
}

// bind sends CALL_CONNECTED. It goes before the first NCP packet: the server takes no data without it.
func bind(c *Call, in input) {
	c.do(Action{Kind: Send, Data: AppendCallConnected(nil, c.hash, c.nonce, c.cfg.LeafCertificate, in.hlak)})
	c.connect(in.now)
}

// The server's part of the opening ([MS-SSTP] 3.3.5).

// serverBinding holds the two things that a server compares: the client's CALL_CONNECTED and the login. They come in
// either order, as a server's authentication may still be waiting for RADIUS.
type serverBinding struct {
	received      bool
	callConnected [callConnectedLen]byte
	authenticated bool
	hlak          HLAK
}

// takeRequest answers a request for PPP with our hashes and our nonce, any other with what is wrong in it.
func takeRequest(c *Call, in input) {
	if in.err != nil {
		c.abort(in.now, StatusInfo{Status: StatusInvalidFrameReceived}, c.badRequest(in.err.Error()))
		return
	}
	if wrong := checkRequest(in.msg); wrong.Status != StatusNoError {
		c.naks++
		if c.naks > maxNaks {
			c.abort(in.now, StatusInfo{Status: StatusRetryCountExceeded}, c.badRequest(wrong.String()))
			return
		}
		c.send(CallConnectNak, wrong.Wrap())
		return
	}
	value := append([]byte{0, 0, 0, byte(c.cfg.HashMask)}, c.cfg.Nonce[:]...)
	c.send(CallConnectAck, Attribute{ID: CryptoBindingReq, Value: value})
	c.enter(in.now, StateConnectedPending, c.cfg.Timers.NegotiationAuth)
	c.up()
}

// checkRequest returns the first error in a CALL_CONNECT_REQUEST ([MS-SSTP] 2.2.7 lists them).
func checkRequest(m Message) StatusInfo {
	seen := false
	for _, a := range m.Attributes {
		wrong := StatusInfo{Attribute: a.ID, Value: a.Value}
		switch {
		case a.ID == StatusInfoID:
			wrong.Status = StatusStatusInfoNotSupportedInMsg
		case a.ID == CryptoBinding || a.ID == CryptoBindingReq:
			wrong.Status = StatusAttribNotSupportedInMsg
		case a.ID != EncapsulatedProtocolID:
			wrong.Status = StatusUnrecognizedAttribute
		case seen:
			wrong.Status = StatusDuplicateAttribute
		case len(a.Value) != 2:
			wrong.Status = StatusInvalidAttribValueLength
		case a.Value[0] != 0 || a.Value[1] != protocolPPP:
			wrong.Status = StatusValueNotSupported
		default:
			seen = true
			continue
		}
		return wrong
	}
	if !seen {
		return StatusInfo{Attribute: EncapsulatedProtocolID, Status: StatusRequiredAttributeMissing}
	}
	return StatusInfo{}
}

// takeConnected checks the form of a CALL_CONNECTED at once, and its content once the login is over.
func takeConnected(c *Call, in input) {
	if c.cfg.Lenient {
		return
	}
	if c.binding.received {
		refuse(c, in)
		return
	}
	if err := checkBindingShape(in.pkt); err != nil {
		c.refuseBinding(in.now, err)
		return
	}
	c.binding.received = true
	copy(c.binding.callConnected[:], in.pkt)
	c.checkBinding(in.now)
}

// lateConnected handles a CALL_CONNECTED for a call that is connected. Only a lenient server, which does not wait for it,
// gets one.
func lateConnected(c *Call, in input) {
	if c.cfg.Role != Server || !c.cfg.Lenient {
		refuse(c, in)
	}
}

// verify follows the login on a server.
func verify(c *Call, in input) {
	if c.cfg.Lenient {
		c.connect(in.now)
		return
	}
	if !c.binding.authenticated {
		c.binding.authenticated, c.binding.hlak = true, in.hlak
		c.checkBinding(in.now)
	}
}

func (c *Call) checkBinding(now time.Time) {
	b := &c.binding
	if !b.received || !b.authenticated {
		return
	}
	err := VerifyCallConnected(b.callConnected[:], c.cfg.HashMask, c.cfg.Nonce, c.cfg.LeafCertificate, b.hlak)
	hash := HashProtocol(b.callConnected[offsetProtocol])
	c.binding = serverBinding{} // the key is not needed any more
	if err != nil {
		c.refuseBinding(now, err)
		return
	}
	c.hash = hash
	c.connect(now)
}
