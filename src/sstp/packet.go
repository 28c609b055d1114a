package sstp

import (
	"encoding/binary"
	"errors"
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

// The ways in which the stream can lose its framing. After any of them no packet can be found again: [MS-SSTP] 3.1.5.1
// wants the connection closed without another word.
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

// versionError recognises the common mistake: a web server or a proxy that goes on speaking HTTP.
func versionError(b []byte) error {
	if len(b) >= 4 && string(b[:4]) == "HTTP" {
		return ErrHTTP
	}
	return ErrVersion
}

// IsControl reports whether a packet from Cut is a control packet; all others carry a PPP frame. The seven reserved
// bits beside the flag are ignored.
func IsControl(pkt []byte) bool { return len(pkt) >= HeaderLen && pkt[1]&flagC != 0 }

// Payload returns the PPP frame of a data packet from Cut. It may be empty: a packet of four bytes is legal and means
// nothing.
func Payload(pkt []byte) []byte {
	if len(pkt) < HeaderLen {
		return nil
	}
	return pkt[HeaderLen:]
}

// PutDataHeader writes the header of a data packet into b[:HeaderLen]. The payload that follows must not be longer than
// MaxPayloadLen: who fills packets in place knows the MTU and has checked it.
func PutDataHeader(b []byte, payloadLen int) {
	n := payloadLen + HeaderLen
	_ = b[3]
	b[0], b[1], b[2], b[3] = version10, 0, byte(n>>8), byte(n)
}

// AppendData appends a data packet with the PPP frame payload. A frame longer than MaxPayloadLen cannot be sent and is
// lost, as on any link that is too narrow for it: dst comes back as it was.
func AppendData(dst, payload []byte) []byte {
	if len(payload) > MaxPayloadLen {
		return dst
	}
	dst = append(dst, 0, 0, 0, 0)
	PutDataHeader(dst[len(dst)-HeaderLen:], len(payload))
	return append(dst, payload...)
}
