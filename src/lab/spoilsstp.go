package lab

import (
	"bytes"
	"time"

	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// intercept handles a packet that a misbehaviour answers in place of the call, and reports whether it did.
func (c *conn) intercept(now time.Time, pkt []byte) bool {
	if !sstp.IsControl(pkt) {
		if !c.interceptFrame(now, sstp.Payload(pkt)) {
			return false
		}
		c.call.Heard(now)
		return true
	}
	m, _ := sstp.ParseControl(pkt)
	switch m.Type {
	case sstp.CallConnectRequest:
		return c.interceptRequest(now)
	case sstp.CallConnected:
		if a, ok := m.Find(sstp.CryptoBinding); ok && len(a.Value) > 3 {
			c.spoil.binding = "hash=" + sstp.HashProtocol(a.Value[3]).String()
		}
		if c.m.AbortAfterConnected {
			reason := fault.Plain(fault.CryptoBindingFailed, fault.StageSSTP, "Told to find the crypto binding wrong.")
			c.do(c.call.Abort(now, sstp.CryptoBinding, sstp.StatusValueNotSupported, reason))
			return true
		}
	case sstp.EchoRequest:
		if c.m.NoSSTPEcho {
			c.call.Heard(now)
			return true
		}
	case sstp.EchoResponse:
		return (c.m.EarlyEcho || c.m.BrokenControl || c.m.EchoBurst > 0) && !c.connected
	}
	return false
}

func (c *conn) interceptRequest(now time.Time) bool {
	switch {
	case c.spoil.glued:
		c.spoil.glued = false
		return true
	case c.m.SSTPSilent:
		return true
	case c.m.Nak:
		c.send(sstp.AppendControl(nil, sstp.CallConnectNak, sstp.StatusInfo{
			Attribute: sstp.EncapsulatedProtocolID, Status: sstp.StatusValueNotSupported, Value: []byte{0, 1}}.Wrap()))
		return true
	case c.m.AbortAfterRequest:
		reason := fault.Plain(fault.SSTPRejected, fault.StageSSTP, "Told to abort the call.")
		c.do(c.call.Abort(now, sstp.AttributeNone, sstp.StatusInvalidFrameReceived, reason))
		return true
	}
	return false
}

// distort returns what goes over the wire in place of an SSTP packet.
func (c *conn) distort(pkt []byte) [][]byte {
	if !sstp.IsControl(pkt) {
		return [][]byte{pkt}
	}
	switch m, _ := sstp.ParseControl(pkt); m.Type {
	case sstp.CallConnectAck:
		return append([][]byte{c.distortAck(pkt)}, c.afterAck(pkt)...)
	case sstp.CallAbort, sstp.CallDisconnect:
		if c.m.BareGoodbye {
			return [][]byte{sstp.AppendControl(nil, m.Type)}
		}
	}
	return [][]byte{pkt}
}

// distortAck spoils the CALL_CONNECT_ACK ([MS-SSTP] 2.2.10).
func (c *conn) distortAck(pkt []byte) []byte {
	const offsetAttribute, offsetMask, offsetNonce = 9, 15, 16
	pkt = bytes.Clone(pkt)
	if c.m.AckMask != nil {
		pkt[offsetMask] = *c.m.AckMask
	}
	switch {
	case c.m.AckNoAttribute:
		return sstp.AppendControl(nil, sstp.CallConnectAck)
	case c.m.AckShort:
		return sstp.AppendControl(nil, sstp.CallConnectAck,
			sstp.Attribute{ID: sstp.CryptoBindingReq, Value: pkt[offsetMask-3 : offsetNonce+16]})
	case c.m.AckWrongAttribute:
		pkt[offsetAttribute] = byte(sstp.CryptoBinding)
	case c.m.AckTrailing:
		pkt = append(pkt, 0xde, 0xad, 0xbe, 0xef)
		pkt[3] += 4
	}
	return pkt
}

// afterAck returns what follows the CALL_CONNECT_ACK on purpose.
func (c *conn) afterAck(ack []byte) (list [][]byte) {
	if c.m.AckTwice {
		list = append(list, ack)
	}
	if c.m.AckNewNonce {
		second := bytes.Clone(ack)
		second[len(second)-1] ^= 1
		list = append(list, second)
	}
	for i := range c.m.UnknownMessages {
		list = append(list, sstp.AppendControl(nil, sstp.MessageType(firstUnknownID+i)))
	}
	if c.m.BrokenControl {
		for _, tail := range [][]byte{{0, 2, 0, 0}, {0, 2, 0, 3}, {0, 2, 0x0f, 0xff}, {0, 2}, {}} {
			pkt := append([]byte{0x10, 1, 0, byte(8 + len(tail)), 0, byte(sstp.EchoRequest), 0xff, 0xff}, tail...)
			list = append(list, pkt)
		}
	}
	if c.m.EarlyEcho {
		list = append(list, sstp.AppendControl(nil, sstp.EchoRequest))
	}
	if c.m.EarlyIP {
		for _, p := range []struct {
			proto ppp.Protocol
			first byte
		}{{ppp.ProtoIPv4, 0x45}, {ppp.ProtoIPv6, 0x60}} {
			list = append(list, sstp.AppendData(nil, ppp.AppendFrame(nil, p.proto, append([]byte{p.first}, make([]byte, 59)...))))
		}
	}
	if c.m.Oversized {
		room := make([]byte, sstp.MaxPayloadLen-ppp.HeaderLen-codeHeaderLen)
		list = append(list,
			sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoLCP, control(discardRequest, injectedID, room))),
			sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoIPv4, append([]byte{0x45, 0, 0, 0}, room...))))
	}
	if c.m.ZeroLength {
		list = append(list, []byte{0x10, 0, 0, 0})
	}
	if c.m.WrongVersion {
		list = append(list, []byte{0x20, 1, 0, 8, 0, byte(sstp.EchoRequest), 0, 0})
	}
	return list
}
