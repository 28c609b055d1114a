package ubus

import (
	"encoding/binary"
	"errors"
)

// MessageType is the kind of a message on the socket (ubusmsg.h).
type MessageType uint8

// The types of messages.
const (
	MessageHello        MessageType = 0  // ubusd's first: Peer is the client's id
	MessageStatus       MessageType = 1  // ends every request
	MessageData         MessageType = 2  // a reply, before the status
	MessagePing         MessageType = 3  // ubusd sends the same body back
	MessageLookup       MessageType = 4  // asks for objects by path
	MessageInvoke       MessageType = 5  // a call; also an event or a notification on its way to us
	MessageAddObject    MessageType = 6  // registers an object
	MessageRemoveObject MessageType = 7  // takes it back
	MessageSubscribe    MessageType = 8  // asks for an object's notifications
	MessageUnsubscribe  MessageType = 9  // takes that back; from ubusd: the object is gone
	MessageNotify       MessageType = 10 // to all subscribers; from ubusd: there are some, or none
	MessageMonitor      MessageType = 11 // what ubusd shows to a monitor
)

// Ids of ubusd's own objects, which have no path.
const (
	ObjectEvent   uint32 = 1
	ObjectACL     uint32 = 2
	ObjectMonitor uint32 = 3
)

// A message is a header of version, type, seq and peer, and one blob whose length delimits it.
const (
	messageHeaderLen = 8
	// MaxMessage is the greatest length of a message's blob, with its length word. ubusd ends the connection of a client
	// that sends a longer one.
	MaxMessage = 1 << 20
)

var (
	errMessageShort = errors.New("a message claims a length below 4")
	errMessageLong  = errors.New("a message claims to be longer than 1 MiB")
	errTooLong      = errors.New("the message would be longer than 1 MiB")
)

// Message is one message of the socket. Body holds its attributes, for ParseAttributes.
type Message struct {
	Version uint8
	Type    MessageType
	Seq     uint16
	Peer    uint32
	Body    []byte
}

// AppendMessage appends a message. Its body must be shorter than MaxMessage.
func AppendMessage(dst []byte, m Message) []byte {
	dst = append(dst, m.Version, byte(m.Type))
	dst = binary.BigEndian.AppendUint16(dst, m.Seq)
	dst = binary.BigEndian.AppendUint32(dst, m.Peer)
	dst = binary.BigEndian.AppendUint32(dst, uint32(attrHeaderLen+len(m.Body))&lengthMask)
	return append(dst, m.Body...)
}

// CutMessage finds the first message in b and returns the number of bytes that it takes; the body aliases b. With 0 bytes
// and no error, more bytes are needed. The length is taken as claimed, without padding, as ubusd does.
func CutMessage(b []byte) (m Message, n int, err error) {
	if len(b) < messageHeaderLen+attrHeaderLen {
		return Message{}, 0, nil
	}
	claimed := int(binary.BigEndian.Uint32(b[messageHeaderLen:]) & lengthMask)
	switch {
	case claimed < attrHeaderLen:
		return Message{}, 0, errMessageShort
	case padded(claimed) > MaxMessage:
		return Message{}, 0, errMessageLong
	case len(b) < messageHeaderLen+claimed:
		return Message{}, 0, nil
	}
	n = messageHeaderLen + claimed
	return Message{
		Version: b[0],
		Type:    MessageType(b[1]),
		Seq:     binary.BigEndian.Uint16(b[2:]),
		Peer:    binary.BigEndian.Uint32(b[4:]),
		Body:    b[messageHeaderLen+attrHeaderLen : n : n],
	}, n, nil
}
