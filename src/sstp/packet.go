package sstp

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// The sizes of a packet ([MS-SSTP] 2.2.1): the length field has 12 bits and counts the header.
const (
	HeaderLen     = 4
	MaxPacketLen  = 4095
	MaxPayloadLen = MaxPacketLen - HeaderLen
)

const (
	version10  = 0x10   // major 1, minor 0
	flagC      = 0x01   // the packet is a control packet
	lengthMask = 0x0fff // the upper 4 bits of a length are reserved and ignored

	controlHeaderLen   = 8
	attributeHeaderLen = 4
)

// The ways in which the stream can lose its framing. After any of them no further packet can be found: [MS-SSTP] 3.1.5.1
// requires to close the connection without another message.
var (
	ErrVersion = errors.New("the bytes are no SSTP packet: its version is not 1.0")
	ErrLength  = errors.New("an SSTP packet claims to be shorter than its header")
	ErrHTTP    = errors.New("HTTP where SSTP packets belong")
)

// Cut splits the first packet off b ([MS-SSTP] 2.2.1); pkt aliases b. A nil pkt with a nil error asks for more bytes.
// The error is ErrVersion, ErrLength or ErrHTTP.
func Cut(b []byte) (pkt, rest []byte, err error) {
	if len(b) < HeaderLen {
		if len(b) > 0 && b[0] != version10 {
			return nil, b, versionError(b)
		}
		return nil, b, nil
	}
	n := int(binary.BigEndian.Uint16(b[2:]) & lengthMask)
	switch {
	case b[0] != version10:
		return nil, b, versionError(b)
	case n < HeaderLen, b[1]&flagC != 0 && n < controlHeaderLen:
		return nil, b, ErrLength
	case len(b) < n:
		return nil, b, nil
	}
	return b[:n:n], b[n:], nil
}

// versionError recognises a web server or a proxy that goes on speaking HTTP.
func versionError(b []byte) error {
	if len(b) >= 4 && string(b[:4]) == "HTTP" {
		return ErrHTTP
	}
	return ErrVersion
}

// IsControl reports whether a packet from Cut is a control packet; all others carry a PPP frame. The seven reserved
// bits beside the flag are ignored.
func IsControl(pkt []byte) bool { return len(pkt) >= HeaderLen && pkt[1]&flagC != 0 }

// Payload returns the PPP frame of a data packet from Cut. It may be empty: a packet without a frame is legal and has no
// meaning.
func Payload(pkt []byte) []byte {
	if len(pkt) < HeaderLen {
		return nil
	}
	return pkt[HeaderLen:]
}

// PutDataHeader writes the header of a data packet into b[:HeaderLen]. The caller must see to it that the payload that
// follows is not longer than MaxPayloadLen.
func PutDataHeader(b []byte, payloadLen int) {
	n := payloadLen + HeaderLen
	_ = b[3]
	b[0], b[1], b[2], b[3] = version10, 0, byte(n>>8), byte(n)
}

// AppendData appends a data packet with the PPP frame payload. It drops a frame longer than MaxPayloadLen, which cannot
// be sent, and returns dst as it was.
func AppendData(dst, payload []byte) []byte {
	if len(payload) > MaxPayloadLen {
		return dst
	}
	dst = append(dst, 0, 0, 0, 0)
	PutDataHeader(dst[len(dst)-HeaderLen:], len(payload))
	return append(dst, payload...)
}

// MessageType is the type of a control packet ([MS-SSTP] 2.2.2).
type MessageType uint16

// The message types, in the order of their numbers.
const (
	CallConnectRequest MessageType = iota + 1
	CallConnectAck
	CallConnectNak
	CallConnected
	CallAbort
	CallDisconnect
	CallDisconnectAck
	EchoRequest
	EchoResponse
)

var messageNames = [...]string{
	CallConnectRequest: "CALL_CONNECT_REQUEST",
	CallConnectAck:     "CALL_CONNECT_ACK",
	CallConnectNak:     "CALL_CONNECT_NAK",
	CallConnected:      "CALL_CONNECTED",
	CallAbort:          "CALL_ABORT",
	CallDisconnect:     "CALL_DISCONNECT",
	CallDisconnectAck:  "CALL_DISCONNECT_ACK",
	EchoRequest:        "ECHO_REQUEST",
	EchoResponse:       "ECHO_RESPONSE",
}

// String returns the message's name in [MS-SSTP].
func (t MessageType) String() string {
	if int(t) < len(messageNames) && messageNames[t] != "" {
		return messageNames[t]
	}
	return "message 0x" + strconv.FormatUint(uint64(t), 16)
}

// Message is a parsed control packet. The attributes' values alias the packet.
type Message struct {
	Type       MessageType
	Attributes []Attribute
}

// Attribute is one attribute of a control packet ([MS-SSTP] 2.2.4), without its header.
type Attribute struct {
	ID    AttributeID
	Value []byte
}

// Find returns the first attribute with the given id.
func (m Message) Find(id AttributeID) (Attribute, bool) {
	for _, a := range m.Attributes {
		if a.ID == id {
			return a, true
		}
	}
	return Attribute{}, false
}

// The ways in which a control packet can be malformed while the stream's framing is sound.
var (
	ErrNotControl = errors.New("the packet is no control packet")
	ErrAttribute  = errors.New("an attribute's length does not fit its packet")
)

// ParseControl parses a control packet from Cut. Bytes behind the last attribute are ignored: accel-ppp's
// CALL_CONNECT_NAK has two. With ErrAttribute the message still holds its type and the attributes before the broken
// one, for the messages that mean the same with and without attributes.
func ParseControl(pkt []byte) (Message, error) {
	if len(pkt) < controlHeaderLen || !IsControl(pkt) {
		return Message{}, ErrNotControl
	}
	m := Message{Type: MessageType(binary.BigEndian.Uint16(pkt[4:]))}
	count := int(binary.BigEndian.Uint16(pkt[6:])) // a claim: at most 1021 attributes fit a packet
	for b := pkt[controlHeaderLen:]; count > 0; count-- {
		if len(b) < attributeHeaderLen {
			return m, ErrAttribute
		}
		n := int(binary.BigEndian.Uint16(b[2:]) & lengthMask)
		if n < attributeHeaderLen || n > len(b) {
			return m, ErrAttribute
		}
		m.Attributes = append(m.Attributes, Attribute{ID: AttributeID(b[1]), Value: b[attributeHeaderLen:n:n]})
		b = b[n:]
	}
	return m, nil
}

// AppendControl appends a control packet ([MS-SSTP] 2.2.2). A packet that would be longer than MaxPacketLen is not
// appended; none of the protocol's own comes near.
func AppendControl(dst []byte, t MessageType, attrs ...Attribute) []byte {
	n := controlHeaderLen
	for _, a := range attrs {
		n += attributeHeaderLen + len(a.Value)
	}
	if n > MaxPacketLen {
		return dst
	}
	dst = append(dst, version10, flagC, byte(n>>8), byte(n))
	dst = binary.BigEndian.AppendUint16(dst, uint16(t))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(attrs)))
	for _, a := range attrs {
		dst = append(dst, 0, byte(a.ID))
		dst = binary.BigEndian.AppendUint16(dst, uint16(attributeHeaderLen+len(a.Value)))
		dst = append(dst, a.Value...)
	}
	return dst
}
