package ubus

import "encoding/binary"

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

// Has says whether the message carries the attribute, with a payload of the right form.
func (a *Attributes) Has(id AttrID) bool { return a.present&(1<<id) != 0 }

// ParseAttributes reads the body of a message as ubusd and libubus do: an attribute that is unknown, or whose payload has
// not the form that its id demands, is as good as missing, and a length that does not fit ends the message. The byte
// slices alias body.
func ParseAttributes(body []byte) (a Attributes) {
	for {
		at, rest, err := cutAttr(body)
		if err != nil {
			return a
		}
		body = rest
		if id := AttrID(at.id); id <= AttrGroup && a.set(id, at.payload) {
			a.present |= 1 << id
		}
	}
}

// set stores one attribute and says whether its payload is sound.
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
		a.Path, ok = text(payload)
	case AttrMethod:
		a.Method, ok = text(payload)
	case AttrUser:
		a.User, ok = text(payload)
	case AttrGroup:
		a.Group, ok = text(payload)
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
	dst, start := beginAttr(dst)
	return endAttr(binary.BigEndian.AppendUint32(dst, n), start, uint32(id)<<idShift)
}

// AppendText appends an attribute that holds a name.
func AppendText(dst []byte, id AttrID, s string) []byte {
	dst, start := beginAttr(dst)
	return endAttr(append(append(dst, upToNUL(s)...), 0), start, uint32(id)<<idShift)
}

// AppendFlag appends an attribute that holds a truth.
func AppendFlag(dst []byte, id AttrID, b bool) []byte {
	dst, start := beginAttr(dst)
	return endAttr(append(dst, byte(Bool(b).num)), start, uint32(id)<<idShift)
}

// AppendNested appends an attribute that holds others, already encoded.
func AppendNested(dst []byte, id AttrID, payload []byte) []byte {
	dst, start := beginAttr(dst)
	return endAttr(append(dst, payload...), start, uint32(id)<<idShift)
}

// AppendTable appends an attribute that holds fields.
func AppendTable(dst []byte, id AttrID, t Fields) []byte {
	dst, start := beginAttr(dst)
	return endAttr(AppendFields(dst, t), start, uint32(id)<<idShift)
}
