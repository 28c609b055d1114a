package ubus

import (
	"encoding/binary"
	"errors"

	"sstp/src/blobmsg"
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
	dst = binary.BigEndian.AppendUint32(dst, uint32(blobmsg.HeaderLen+len(m.Body)))
	return append(dst, m.Body...)
}

// CutMessage returns the first message in b and its length in bytes; the body aliases b. A length of 0 without an error means
// that more bytes are needed. The claimed length counts without padding, as it does for ubusd.
func CutMessage(b []byte) (m Message, n int, err error) {
	if len(b) < messageHeaderLen+blobmsg.HeaderLen {
		return Message{}, 0, nil
	}
	claimed := blobmsg.WordLen(b[messageHeaderLen:])
	switch {
	case claimed < blobmsg.HeaderLen:
		return Message{}, 0, errMessageShort
	case blobmsg.Padded(claimed) > MaxMessage:
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
		Body:    b[messageHeaderLen+blobmsg.HeaderLen : n : n],
	}, n, nil
}

// AttrID is the id of an attribute of a message (ubusmsg.h). These are plain blob attributes, not blobmsg fields.
type AttrID uint8

// The attributes of messages.
const (
	AttrStatus      AttrID = 1
	AttrPath        AttrID = 2
	AttrObject      AttrID = 3
	AttrMethod      AttrID = 4
	AttrObjectType  AttrID = 5
	AttrSignature   AttrID = 6
	AttrData        AttrID = 7
	AttrTarget      AttrID = 8
	AttrActive      AttrID = 9
	AttrNoReply     AttrID = 10
	AttrSubscribers AttrID = 11
	AttrUser        AttrID = 12
	AttrGroup       AttrID = 13
)

// Attributes are the attributes of a message. Has tells one that is missing from one that is zero.
type Attributes struct {
	present     uint16
	Status      Status
	Path        string
	Object      uint32
	Method      string
	ObjectType  uint32
	Signature   []byte // for ParseSignature
	Data        []byte // for ParseFields
	Target      uint32
	Active      bool
	NoReply     bool
	Subscribers []byte // attributes of id 0
	User, Group string
}

// Has reports whether the message carries the attribute, with a payload of the right form.
func (a *Attributes) Has(id AttrID) bool { return a.present&(1<<id) != 0 }

// ParseAttributes reads the body of a message as ubusd and libubus do: it ignores an attribute that is unknown or whose payload
// does not have the form that its id demands, and a length that does not fit ends the message. The byte slices alias body.
func ParseAttributes(body []byte) (a Attributes) {
	for {
		at, rest, err := blobmsg.CutAttr(body)
		if err != nil {
			return a
		}
		body = rest
		if id := AttrID(at.ID); id <= AttrGroup && a.set(id, at.Payload) {
			a.present |= 1 << id
		}
	}
}

// set stores one attribute and reports whether its payload is valid.
func (a *Attributes) set(id AttrID, payload []byte) (ok bool) {
	switch id {
	case AttrStatus:
		var n uint32
		n, ok = number(payload)
		a.Status = Status(n)
	case AttrObject:
		a.Object, ok = number(payload)
	case AttrObjectType:
		a.ObjectType, ok = number(payload)
	case AttrTarget:
		a.Target, ok = number(payload)
	case AttrPath:
		a.Path, ok = blobmsg.Text(payload)
	case AttrMethod:
		a.Method, ok = blobmsg.Text(payload)
	case AttrUser:
		a.User, ok = blobmsg.Text(payload)
	case AttrGroup:
		a.Group, ok = blobmsg.Text(payload)
	case AttrActive:
		a.Active, ok = flag(payload)
	case AttrNoReply:
		a.NoReply, ok = flag(payload)
	case AttrSignature:
		a.Signature, ok = payload, true
	case AttrData:
		a.Data, ok = payload, true
	case AttrSubscribers:
		a.Subscribers, ok = payload, true
	}
	return ok
}

func number(payload []byte) (uint32, bool) {
	if len(payload) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(payload), true
}

func flag(payload []byte) (value, ok bool) {
	return len(payload) == 1 && payload[0] != 0, len(payload) == 1
}

// AppendNumber appends an attribute that holds an id or a status.
func AppendNumber(dst []byte, id AttrID, n uint32) []byte {
	dst, start := blobmsg.BeginAttr(dst)
	return blobmsg.EndAttr(binary.BigEndian.AppendUint32(dst, n), start, uint8(id))
}

// AppendText appends an attribute that holds a name.
func AppendText(dst []byte, id AttrID, s string) []byte {
	dst, start := blobmsg.BeginAttr(dst)
	return blobmsg.EndAttr(append(append(dst, blobmsg.CutNUL(s)...), 0), start, uint8(id))
}

// AppendFlag appends an attribute that holds a truth.
func AppendFlag(dst []byte, id AttrID, b bool) []byte {
	dst, start := blobmsg.BeginAttr(dst)
	value := byte(0)
	if b {
		value = 1
	}
	return blobmsg.EndAttr(append(dst, value), start, uint8(id))
}

// AppendNested appends an attribute that holds others, already encoded.
func AppendNested(dst []byte, id AttrID, payload []byte) []byte {
	dst, start := blobmsg.BeginAttr(dst)
	return blobmsg.EndAttr(append(dst, payload...), start, uint8(id))
}

// AppendTable appends an attribute that holds fields.
func AppendTable(dst []byte, id AttrID, t blobmsg.Fields) []byte {
	dst, start := blobmsg.BeginAttr(dst)
	return blobmsg.EndAttr(blobmsg.AppendFields(dst, t), start, uint8(id))
}
