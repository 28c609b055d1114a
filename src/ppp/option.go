package ppp

// option is one configuration option (RFC 1661 section 6): raw is all of it, data what follows type and length.
type option struct {
	typ  byte
	data []byte
	raw  []byte
}

// cutOption splits the first option off b; the option aliases b. It is not ok when the length is a lie.
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

// wellFormed says that b is options to its end. A packet that is not is dropped whole.
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
