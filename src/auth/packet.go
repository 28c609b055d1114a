package auth

import (
	"encoding/binary"

	"sstp/src/fault"
)

// headerLen is the length of Code, Identifier and Length, with which the packets of PAP, CHAP and EAP begin alike
// (RFC 1334 section 2.2, RFC 1994 section 4, RFC 3748 section 4).
const headerLen = 4

// cut splits a packet into its fields. What lies behind its Length is padding (RFC 1661 section 5; RouterOS sends
// a PAP Authenticate-Ack of Length 4 with text behind it). Not ok: shorter than it claims, or than a header.
func cut(packet []byte) (code, id uint8, body []byte, ok bool) {
	if len(packet) < headerLen {
		return 0, 0, nil, false
	}
	n := int(binary.BigEndian.Uint16(packet[2:]))
	if n < headerLen || n > len(packet) {
		return 0, 0, nil, false
	}
	return packet[0], packet[1], packet[headerLen:n:n], true
}

// assemble builds a packet from the parts of its body. The caller must see to it that they fit the Length.
func assemble(code, id uint8, parts ...[]byte) []byte {
	b := []byte{code, id, 0, 0}
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// cutCounted splits off a field with its length in the byte before it: the Value of CHAP and EAP-MD5, the Peer-ID,
// the Password and the Message of PAP.
func cutCounted(b []byte) (field, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n:n], b[n:], true
}

// counted puts the length before the field, which must not be longer than 255 bytes.
func counted(field []byte) []byte {
	return append([]byte{byte(len(field))}, field...)
}

// send returns the Action that sends the packet.
func send(packet []byte) Action { return Action{Kind: Send, Data: packet} }

// fail returns the Action for a login that we refuse.
func fail(err *fault.Error) Action { return Action{Kind: Failure, Err: err} }

// denied returns the Action for a login that the other end refused.
func denied(err *fault.Error) Action { return Action{Kind: Failure, Err: err, By: fault.Peer} }
