package sstp

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// MessageType says what a control packet means ([MS-SSTP] 2.2.2).
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

// Message is a control packet taken apart. The attributes' values alias the packet.
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

// ParseControl takes a control packet from Cut apart. Bytes behind the last attribute are ignored: accel-ppp's
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
