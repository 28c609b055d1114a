package sstp

import (
	"encoding/binary"
	"strconv"
)

// AttributeID names an attribute of a control packet ([MS-SSTP] 2.2.4).
type AttributeID uint8

// The attributes. AttributeNone stands only inside a Status Info that blames no attribute.
const (
	AttributeNone AttributeID = iota
	EncapsulatedProtocolID
	StatusInfoID
	CryptoBinding
	CryptoBindingReq
)

var attributeNames = [...]string{"NO_ERROR", "ENCAPSULATED_PROTOCOL_ID", "STATUS_INFO", "CRYPTO_BINDING", "CRYPTO_BINDING_REQ"}

// String returns the attribute's name in [MS-SSTP].
func (id AttributeID) String() string {
	if int(id) < len(attributeNames) {
		return attributeNames[id]
	}
	return "0x" + strconv.FormatUint(uint64(id), 16)
}

// Status is the code in a Status Info attribute ([MS-SSTP] 2.2.7).
type Status uint32

// The statuses, in the order of their numbers.
const (
	StatusNoError Status = iota
	StatusDuplicateAttribute
	StatusUnrecognizedAttribute
	StatusInvalidAttribValueLength
	StatusValueNotSupported
	StatusUnacceptedFrameReceived
	StatusRetryCountExceeded
	StatusInvalidFrameReceived
	StatusNegotiationTimeout
	StatusAttribNotSupportedInMsg
	StatusRequiredAttributeMissing
	StatusStatusInfoNotSupportedInMsg
)

var statusNames = [...]string{
	"NO_ERROR", "DUPLICATE_ATTRIBUTE", "UNRECOGNIZED_ATTRIBUTE", "INVALID_ATTRIB_VALUE_LENGTH", "VALUE_NOT_SUPPORTED",
	"UNACCEPTED_FRAME_RECEIVED", "RETRY_COUNT_EXCEEDED", "INVALID_FRAME_RECEIVED", "NEGOTIATION_TIMEOUT",
	"ATTRIB_NOT_SUPPORTED_IN_MSG", "REQUIRED_ATTRIBUTE_MISSING", "STATUS_INFO_NOT_SUPPORTED_IN_MSG",
}

// String returns the status' name in [MS-SSTP].
func (s Status) String() string {
	if int64(s) < int64(len(statusNames)) {
		return statusNames[s]
	}
	return "status 0x" + strconv.FormatUint(uint64(s), 16)
}

// StatusInfo is the value of a Status Info attribute: which attribute is to blame, why, and in a CALL_CONNECT_NAK the
// value that was refused (at most MaxStatusValueLen bytes of it).
type StatusInfo struct {
	Attribute AttributeID
	Status    Status
	Value     []byte
}

// MaxStatusValueLen is how much of a refused value a Status Info repeats ([MS-SSTP] 2.2.7).
const MaxStatusValueLen = 64

const statusInfoLen = 8 // three zero bytes, the attribute's id, the status

// Wrap returns the attribute that carries s.
func (s StatusInfo) Wrap() Attribute {
	v := make([]byte, 0, statusInfoLen+MaxStatusValueLen)
	v = append(v, 0, 0, 0, byte(s.Attribute))
	v = binary.BigEndian.AppendUint32(v, uint32(s.Status))
	return Attribute{ID: StatusInfoID, Value: append(v, s.Value[:min(len(s.Value), MaxStatusValueLen)]...)}
}

// StatusInfo returns m's first Status Info attribute. One that is too short counts as none: sorz sstp-server sends four
// bytes.
func (m Message) StatusInfo() (StatusInfo, bool) {
	a, ok := m.Find(StatusInfoID)
	if !ok || len(a.Value) < statusInfoLen {
		return StatusInfo{}, false
	}
	return StatusInfo{
		Attribute: AttributeID(a.Value[3]),
		Status:    Status(binary.BigEndian.Uint32(a.Value[4:])),
		Value:     a.Value[statusInfoLen:],
	}, true
}

// String names the status and the attribute it blames.
func (s StatusInfo) String() string {
	if s.Attribute == AttributeNone {
		return s.Status.String()
	}
	return s.Status.String() + ", attribute " + s.Attribute.String()
}
