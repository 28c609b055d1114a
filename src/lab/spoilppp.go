package lab

import (
	"bytes"
	"encoding/binary"
	"time"

	"sstp/src/ppp"
	"sstp/src/sstp"
)

// interceptFrame takes a PPP frame away from the link where a misbehaviour answers it; true: it is done.
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

// distortFrame returns what goes over the wire in place of a PPP frame; nil: nothing.
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

// pick returns the options of the given types, byte for byte as they stand.
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
