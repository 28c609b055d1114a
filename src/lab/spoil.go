package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"sstp/src/ppp"
	"sstp/src/sstp"
)

// Codes of PPP's control protocols ([RFC 1661] 5) that this file writes or looks for.
const (
	configureRequest = 1
	configureAck     = 2
	configureNak     = 3
	configureReject  = 4
	echoRequest      = 9
	discardRequest   = 11
)

// Options of LCP ([RFC 1661] 6) and IPCP ([RFC 1332] 3.3, [RFC 1877] 1).
const (
	optionMRU      = 1
	optionMagic    = 5
	optionAddress  = 3
	optionDNS      = 129
	optionDNS2     = 131
	addressLen     = 6
	injectedID     = 0xe7 // of Configure-Requests that PPP itself does not know of
	codeHeaderLen  = 4
	firstUnknownID = 0x00f0
)

// spoiler is the state of the misbehaviours of one call.
type spoiler struct {
	binding   string // what the client's CALL_CONNECTED said
	glued     bool   // a CALL_CONNECT_REQUEST was answered before it came
	collect   func(pkt []byte)
	naks      uint16
	ipcpFrom  time.Time // IPCP is heard and sent from then on
	ownIPCP   []byte    // our last IPCP Configure-Request before it was changed
	ackOnWire []byte    // what the client must acknowledge instead
	wandered  bool      // the client has the address after its own
}

// send puts one SSTP packet on the wire, as it is or spoiled.
func (c *conn) send(pkt []byte) {
	if c.muted {
		return
	}
	for _, p := range c.distort(pkt) {
		c.put(p)
	}
}

// put puts one packet on the wire unchanged.
func (c *conn) put(pkt []byte) {
	c.trace(true, pkt)
	if c.spoil.collect != nil {
		c.spoil.collect(pkt)
		return
	}
	c.pumps.Send(pkt) // false: the client does not read; its silence ends the call
}

// sendOwn puts a packet of the call on the wire. A PPP frame in it may be spoiled too.
func (c *conn) sendOwn(pkt []byte) {
	if sstp.IsControl(pkt) {
		c.send(pkt)
		return
	}
	if frame := c.distortFrame(sstp.Payload(pkt)); frame != nil {
		c.send(sstp.AppendData(nil, frame))
	}
}

// sendRequest sends a Configure-Request that PPP does not know of; the answer is swallowed.
func (c *conn) sendRequest(p ppp.Protocol, options ...byte) {
	c.send(sstp.AppendData(nil, ppp.AppendFrame(nil, p, control(configureRequest, injectedID, options))))
}

func (c *conn) sendControl(p ppp.Protocol, code, id byte, data []byte) {
	c.send(sstp.AppendData(nil, ppp.AppendFrame(nil, p, control(code, id, data))))
}

// control is a packet of a PPP control protocol ([RFC 1661] 5).
func control(code, id byte, data []byte) []byte {
	b := []byte{code, id, 0, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(codeHeaderLen+len(data)))
	return append(b, data...)
}

// glue answers the client's CALL_CONNECT_REQUEST before it has come, behind the HTTP head.
func (c *conn) glue(answer []byte) []byte {
	c.spoil.collect = func(pkt []byte) { answer = append(answer, pkt...) }
	request := sstp.AppendControl(nil, sstp.CallConnectRequest, sstp.Attribute{ID: sstp.EncapsulatedProtocolID, Value: []byte{0, 1}})
	c.do(c.call.Receive(time.Now(), request))
	c.settle()
	c.spoil.collect, c.spoil.glued = nil, true
	return answer
}

func (c *conn) writeAnswer(ctx context.Context, answer []byte) error {
	step := len(answer)
	if c.m.HTTPSplit || c.m.HTTPTrickle > 0 {
		step = 1
	}
	for len(answer) > 0 {
		if _, err := c.tls.Write(answer[:step]); err != nil {
			return err
		}
		answer = answer[step:]
		if c.m.HTTPTrickle > 0 {
			select {
			case <-time.After(c.m.HTTPTrickle):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// sendBeforeLCP sends what is to come before PPP.
func (c *conn) sendBeforeLCP() {
	if c.m.LCPEmptyRequest {
		c.sendRequest(ppp.ProtoLCP)
	}
	if c.m.LCPExtras { // as RRAS of Windows Server 2008 R2 asks: callback, MRRU, endpoint, field compression
		c.sendRequest(ppp.ProtoLCP, 13, 3, 6, 17, 4, 6, 0x4e, 19, 5, 1, 'l', 'b', 7, 2, 8, 2)
	}
	if c.m.BrokenPPP {
		c.sendBroken()
	}
}

// sendBroken sends control packets that contradict themselves, for each control protocol and some more.
func (c *conn) sendBroken() {
	for _, p := range []ppp.Protocol{ppp.ProtoLCP, ppp.ProtoIPCP, ppp.ProtoIPV6CP, ppp.ProtoPAP, ppp.ProtoCHAP, ppp.ProtoEAP, 0x80ff} {
		for _, info := range [][]byte{
			{},                                   // nothing
			{configureRequest},                   // no length
			{configureRequest, injectedID, 0, 3}, // shorter than its header
			{configureRequest, injectedID, 0xff, 0xff},  // longer than the frame
			{configureRequest, injectedID, 0, 6, 1, 0},  // an option of length 0
			{configureRequest, injectedID, 0, 6, 1, 1},  // and of length 1
			{configureRequest, injectedID, 0, 6, 1, 99}, // and one that goes beyond its packet
		} {
			c.send(sstp.AppendData(nil, ppp.AppendFrame(nil, p, info)))
		}
	}
}

// sendExtras begins the protocols that a client must reject.
func (c *conn) sendExtras() {
	if c.m.IPCPDelay > 0 {
		c.spoil.ipcpFrom = time.Now().Add(c.m.IPCPDelay)
	}
	if c.m.ExtraProtocols {
		c.sendRequest(ppp.ProtoCCP, 18, 6, 1, 0, 0, 1)
		c.sendRequest(ppp.ProtoCBCP, 1, 2)
		c.sendRequest(0x8281)
	}
}

// interceptFrame handles a PPP frame that a misbehaviour answers in place of the link, and reports whether it did.
func (c *conn) interceptFrame(now time.Time, frame []byte) bool {
	p, info, err := ppp.CutHeader(frame)
	if err != nil || len(info) < codeHeaderLen {
		return false
	}
	code, id := info[0], info[1]
	n := int(binary.BigEndian.Uint16(info[2:]))
	if n < codeHeaderLen || n > len(info) {
		return false
	}
	options := info[codeHeaderLen:n]
	switch p {
	case ppp.ProtoLCP:
		if id == injectedID && code >= configureAck && code <= configureReject {
			return true // an answer to what PPP itself does not know of
		}
		return c.interceptLCP(code, id, options)
	case ppp.ProtoIPCP:
		return c.interceptIPCP(now, code, id, options)
	case ppp.ProtoIPV6CP:
		return c.m.IPv6CPSilent
	}
	return false
}

func (c *conn) interceptLCP(code, id byte, options []byte) bool {
	switch {
	case c.m.NoLCP:
		return true
	case code == echoRequest:
		return c.m.NoLCPEcho
	case code != configureRequest:
		return false
	case c.m.LCPNakForever:
		c.spoil.naks++
		mru := binary.BigEndian.AppendUint16([]byte{optionMRU, 4}, 1000+c.spoil.naks)
		c.sendControl(ppp.ProtoLCP, configureNak, id, mru)
		return true
	case c.m.LCPReject:
		if bad := pick(options, optionMRU, optionMagic); len(bad) > 0 {
			c.sendControl(ppp.ProtoLCP, configureReject, id, bad)
			return true
		}
	case c.m.LCPNakMRU != 0:
		want := binary.BigEndian.AppendUint16([]byte{optionMRU, 4}, uint16(c.m.LCPNakMRU))
		if have := pick(options, optionMRU); len(have) > 0 && !bytes.Equal(have, want) {
			c.sendControl(ppp.ProtoLCP, configureNak, id, want)
			return true
		}
	}
	return false
}

func (c *conn) interceptIPCP(now time.Time, code, id byte, options []byte) bool {
	zero := []byte{optionAddress, addressLen, 0, 0, 0, 0}
	switch {
	case c.m.IPCPSilent || now.Before(c.spoil.ipcpFrom):
		return true
	case code == configureAck && c.spoil.ownIPCP != nil && bytes.Equal(options, c.spoil.ackOnWire):
		// The client acknowledges what we changed; the link must see what it wrote.
		c.do(c.call.Receive(now, sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoIPCP, control(configureAck, id, c.spoil.ownIPCP)))))
		return true
	case code != configureRequest:
		return false
	case c.m.IPCPRejectDNS:
		if bad := pick(options, optionDNS, optionDNS2); len(bad) > 0 {
			c.sendControl(ppp.ProtoIPCP, configureReject, id, bad)
			return true
		}
	case c.m.IPCPRejectAddress:
		if bad := pick(options, optionAddress); len(bad) > 0 {
			c.sendControl(ppp.ProtoIPCP, configureReject, id, bad)
			return true
		}
	case c.m.IPCPZeroAddress:
		if have := pick(options, optionAddress); len(have) > 0 && !bytes.Equal(have, zero) {
			c.sendControl(ppp.ProtoIPCP, configureNak, id, zero)
		} else {
			c.sendControl(ppp.ProtoIPCP, configureAck, id, options)
		}
		return true
	}
	return false
}

// distortFrame returns what goes over the wire in place of a PPP frame, or nil for nothing.
func (c *conn) distortFrame(frame []byte) []byte {
	p, info, err := ppp.CutHeader(frame)
	if err != nil || len(info) < codeHeaderLen {
		return frame
	}
	switch p {
	case ppp.ProtoLCP:
		if c.m.NoLCP {
			return nil
		}
	case ppp.ProtoPAP:
		if c.m.TrailingText && info[0] == 2 {
			text := "Login ok"
			ack := append(control(info[0], info[1], nil), byte(len(text)))
			return ppp.AppendFrame(nil, ppp.ProtoPAP, append(ack, text...))
		}
	case ppp.ProtoIPV6CP:
		if c.m.IPv6CPSilent {
			return nil
		}
	case ppp.ProtoIPCP:
		if c.m.IPCPSilent || time.Now().Before(c.spoil.ipcpFrom) {
			return nil
		}
		if c.m.IPCPNoPeerAddress && info[0] == configureRequest {
			return c.hideAddress(info)
		}
	}
	return frame
}

// hideAddress puts 0.0.0.0 into our own IPCP Configure-Request, as some profiles of RRAS do.
func (c *conn) hideAddress(info []byte) []byte {
	c.spoil.ownIPCP = bytes.Clone(info[codeHeaderLen:])
	c.spoil.ackOnWire = bytes.Clone(c.spoil.ownIPCP)
	for b := c.spoil.ackOnWire; len(b) >= 2 && b[1] >= 2 && int(b[1]) <= len(b); b = b[b[1]:] {
		if b[0] == optionAddress {
			clear(b[2:b[1]])
		}
	}
	return ppp.AppendFrame(nil, ppp.ProtoIPCP, control(info[0], info[1], c.spoil.ackOnWire))
}

// pick returns the options of the given types, unchanged.
func pick(options []byte, types ...byte) (found []byte) {
	for len(options) >= 2 {
		n := int(options[1])
		if n < 2 || n > len(options) {
			return nil
		}
		if bytes.IndexByte(types, options[0]) >= 0 {
			found = append(found, options[:n]...)
		}
		options = options[n:]
	}
	return found
}
