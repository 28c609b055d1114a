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

// takeAck begins PPP if the server offers a hash that we know. Only this message's attribute is checked strictly, as
// only this one's is used; what follows the attribute is not looked at.
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

// repeatedAck lets the same answer pass a second time; another one would change what the call is bound to.
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

// bind sends CALL_CONNECTED, before the NCPs send anything: the server takes no data without it.
func bind(c *Call, in input) {
	c.do(Action{Kind: Send, Data: AppendCallConnected(nil, c.hash, c.nonce, c.cfg.LeafCertificate, in.hlak)})
	c.connect(in.now)
}
