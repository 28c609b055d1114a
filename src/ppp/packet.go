package ppp

import "errors"

// HeaderLen is the length of the header that is always sent: FF 03 and two bytes of protocol.
const HeaderLen = 4

// The Address and Control fields of an uncompressed header (RFC 1662 section 3.1).
const (
	address = 0xff
	control = 0x03
)

var (
	errNoProtocol  = errors.New("PPP frame without a protocol")
	errBadProtocol = errors.New("PPP frame with an even protocol number")
)

// PutHeader writes the header of a frame of protocol p into the first HeaderLen bytes of b. It is never compressed:
// SoftEther 5.02 silently drops frames without FF 03 or with a protocol of one byte.
func PutHeader(b []byte, p Protocol) {
	_ = b[HeaderLen-1]
	b[0], b[1], b[2], b[3] = address, control, byte(p>>8), byte(p)
}

// AppendFrame appends a frame of protocol p with the given information to dst.
func AppendFrame(dst []byte, p Protocol, info []byte) []byte {
	dst = append(dst, address, control, byte(p>>8), byte(p))
	return append(dst, info...)
}

// IsEchoReply reports whether a frame is an Echo-Reply of LCP.
func IsEchoReply(frame []byte) bool {
	p, info, err := CutHeader(frame)
	return err == nil && p == ProtoLCP && len(info) >= packetLen && info[0] == echoReply
}

// CutHeader returns the protocol and the information of a frame; info aliases frame. The forms with and without
// FF 03, and with the protocol in one byte or in two, are all understood whatever was negotiated, for the Windows client
// leaves FF 03 out even in LCP once it may. It is unambiguous: 0xff03 is not a protocol (RFC 1661 section 6.6).
func CutHeader(frame []byte) (p Protocol, info []byte, err error) {
	b := frame
	if len(b) >= 2 && b[0] == address && b[1] == control {
		b = b[2:]
	}
	// The last bit of a protocol number is 1 and that of its upper byte is 0 (RFC 1661 section 2).
	switch {
	case len(b) == 0:
		return 0, nil, errNoProtocol
	case b[0]&1 == 1:
		return Protocol(b[0]), b[1:], nil
	case len(b) == 1:
		return 0, nil, errNoProtocol
	case b[1]&1 == 0:
		return 0, nil, errBadProtocol
	}
	return Protocol(b[0])<<8 | Protocol(b[1]), b[2:], nil
}

// option is one configuration option (RFC 1661 section 6): raw is all of it, data what follows type and length.
type option struct {
	typ  byte
	data []byte
	raw  []byte
}

// cutOption splits the first option off b; the option aliases b. ok is false when the length does not fit.
func cutOption(b []byte) (o option, rest []byte, ok bool) {
	if len(b) < 2 {
		return option{}, b, false
	}
	n := int(b[1])
	if n < 2 || n > len(b) {
		return option{}, b, false
	}
	return option{typ: b[0], data: b[2:n:n], raw: b[:n:n]}, b[n:], true
}

// wellFormed reports whether b is a sequence of whole options. A packet that is not is dropped.
func wellFormed(b []byte) bool {
	for len(b) > 0 {
		var ok bool
		if _, b, ok = cutOption(b); !ok {
			return false
		}
	}
	return true
}

// appendOption appends an option.
func appendOption(dst []byte, typ byte, data ...byte) []byte {
	dst = append(dst, typ, byte(2+len(data)))
	return append(dst, data...)
}

// packet is what LCP and the network control protocols exchange (RFC 1661 section 5). raw is all of it without padding,
// data what follows code, identifier and length.
type packet struct {
	code, id byte
	data     []byte
	raw      []byte
}

// packetLen is the length of a packet without data.
const packetLen = 4

// cutPacket reads a packet from the information field of a frame. What follows the packet's own length is padding: a
// RouterOS PAP Ack has Length 4 and text behind it.
func cutPacket(b []byte) (p packet, ok bool) {
	if len(b) < packetLen {
		return packet{}, false
	}
	n := int(b[2])<<8 | int(b[3])
	if n < packetLen || n > len(b) {
		return packet{}, false
	}
	return packet{code: b[0], id: b[1], data: b[packetLen:n:n], raw: b[:n:n]}, true
}

// The codes of RFC 1661 section 5; 12 and 13 are of RFC 1570.
const (
	configureRequest byte = iota + 1
	configureAck
	configureNak
	configureReject
	terminateRequest
	terminateAck
	codeReject
	protocolReject
	echoRequest
	echoReply
	discardRequest
	identification
	timeRemaining
)
