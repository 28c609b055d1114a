package hostnet

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// The codec of netlink (RFC 3549 section 2; include/uapi/linux/netlink.h, rtnetlink.h). Numbers are in the machine's own
// byte order; addresses are in the network's.
var native = binary.NativeEndian

var (
	errShort  = errors.New("the kernel's netlink message is cut short")
	errLength = errors.New("a length in the kernel's netlink message cannot be")
)

const (
	headerLen   = unix.SizeofNlMsghdr // 16
	attrLen     = unix.SizeofRtAttr   // 4
	attrTypes   = 0x3fff              // NLA_TYPE_MASK: the upper two bits are flags
	capped      = 0x100               // NLM_F_CAPPED: an error's copy of the request is its header only
	withTLVs    = 0x200               // NLM_F_ACK_TLVS: an error has attributes behind that copy
	attrMessage = 1                   // NLMSGERR_ATTR_MSG
)

func align(n int) int { return (n + 3) &^ 3 }

// message is one netlink message; Payload aliases what it was cut from.
type message struct {
	Type    uint16
	Flags   uint16
	Seq     uint32
	Payload []byte
}

// begin appends a header whose length end fills in, and the fixed part of the request.
func begin(dst []byte, typ, flags uint16, seq uint32, fixed []byte) []byte {
	dst = native.AppendUint32(dst, 0)
	dst = native.AppendUint16(dst, typ)
	dst = native.AppendUint16(dst, flags)
	dst = native.AppendUint32(dst, seq)
	dst = native.AppendUint32(dst, 0) // the port: the kernel knows ours
	return append(dst, fixed...)
}

// end fills in the length of the message that is all of b.
func end(b []byte) []byte {
	native.PutUint32(b, uint32(len(b)))
	return b
}

// appendAttr appends an attribute, padded to four bytes.
func appendAttr(dst []byte, typ uint16, value []byte) []byte {
	dst = native.AppendUint16(dst, uint16(attrLen+len(value)))
	dst = native.AppendUint16(dst, typ)
	dst = append(dst, value...)
	for len(dst)%4 != 0 {
		dst = append(dst, 0)
	}
	return dst
}

func appendAttr32(dst []byte, typ uint16, value uint32) []byte {
	return appendAttr(dst, typ, native.AppendUint32(nil, value))
}

// cutMessage takes the first message off b.
func cutMessage(b []byte) (m message, rest []byte, err error) {
	if len(b) < headerLen {
		return message{}, nil, errShort
	}
	n := native.Uint32(b)
	if n < headerLen || n > uint32(len(b)) {
		return message{}, nil, errLength
	}
	m = message{
		Type:    native.Uint16(b[4:]),
		Flags:   native.Uint16(b[6:]),
		Seq:     native.Uint32(b[8:]),
		Payload: b[headerLen:n:n],
	}
	return m, b[min(align(int(n)), len(b)):], nil
}

// cutAttr takes the first attribute off b.
func cutAttr(b []byte) (typ uint16, value, rest []byte, err error) {
	if len(b) < attrLen {
		return 0, nil, nil, errShort
	}
	n := int(native.Uint16(b))
	if n < attrLen || n > len(b) {
		return 0, nil, nil, errLength
	}
	return native.Uint16(b[2:]) & attrTypes, b[attrLen:n:n], b[min(align(n), len(b)):], nil
}

// kernelError is the kernel's refusal, with its own words where it has any.
type kernelError struct {
	errno unix.Errno
	text  string
}

// Error returns the error's name and the kernel's words.
func (e *kernelError) Error() string {
	if e.text == "" {
		return e.errno.Error()
	}
	return e.errno.Error() + " (" + e.text + ")"
}

// Unwrap returns the number, for errors.Is.
func (e *kernelError) Unwrap() error { return e.errno }

// refusal reads a message of type NLMSG_ERROR, or NLMSG_DONE, which begins alike. Number 0 means that all is well.
func (m message) refusal() error {
	if len(m.Payload) < 4 {
		return errShort
	}
	number := int32(native.Uint32(m.Payload))
	if number == 0 {
		return nil
	}
	e := &kernelError{errno: unix.Errno(-number)}
	if m.Flags&withTLVs == 0 {
		return e
	}
	rest := m.Payload[4:]
	copied := headerLen
	if m.Flags&capped == 0 && len(rest) >= 4 {
		copied = align(int(min(native.Uint32(rest), uint32(len(rest)))))
	}
	if copied > len(rest) {
		return e
	}
	for rest = rest[copied:]; len(rest) > 0; {
		typ, value, next, err := cutAttr(rest)
		if err != nil {
			break // the number says enough
		}
		if typ == attrMessage {
			for len(value) > 0 && value[len(value)-1] == 0 {
				value = value[:len(value)-1]
			}
			e.text = string(value)
		}
		rest = next
	}
	return e
}
