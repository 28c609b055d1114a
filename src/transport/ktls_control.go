package transport

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// Alerts that are sent or told apart here (RFC 8446 section 6, RFC 5246 section 7.2).
const (
	levelWarning = 1
	levelFatal   = 2

	closeNotify       = 0
	unexpectedMessage = 10
	badRecordMAC      = 20
	recordOverflow    = 22
	userCanceled      = 90
	noRenegotiation   = 100
)

// The handshake messages that may come after the handshake (RFC 8446 section 4.6, RFC 5246 section 7.4.1.1).
const (
	messageHelloRequest = 0
	messageNewTicket    = 4
	messageKeyUpdate    = 24
)

// maxMessage is the longest handshake message that crypto/tls takes.
const maxMessage = 65536

var (
	errKeyUpdate = errors.New("KeyUpdate")
	errLong      = errors.New("too long")
)

// handshakeReader cuts handshake records into messages, of which it keeps nothing: they may be split and packed in any
// way (RFC 8446 section 5.1).
type handshakeReader struct {
	header [4]byte
	have   int // bytes of header seen
	left   int // bytes of the message that follow
}

// next takes bytes up to the end of a message's header or body. begun is true where a header has become complete; its
// type is then kind.
func (r *handshakeReader) next(b []byte) (kind byte, begun bool, rest []byte, err error) {
	if r.have == len(r.header) {
		n := min(r.left, len(b))
		if r.left -= n; r.left == 0 {
			r.have = 0
		}
		return 0, false, b[n:], nil
	}
	n := copy(r.header[r.have:], b)
	if r.have += n; r.have < len(r.header) {
		return 0, false, b[n:], nil
	}
	r.left = int(r.header[1])<<16 | int(r.header[2])<<8 | int(r.header[3])
	if r.left > maxMessage {
		return 0, false, nil, errLong
	}
	if r.left == 0 {
		r.have = 0
	}
	return r.header[0], true, b[n:], nil
}

// handshake takes bytes of handshake records. Tickets are dropped, no session is ever resumed.
func (c *kernelConn) handshake(b []byte) error {
	for len(b) > 0 {
		kind, begun, rest, err := c.messages.next(b)
		if err != nil {
			return c.refuse(unexpectedMessage, "a handshake message of more than 64 KiB")
		}
		if begun {
			if err := c.message(kind); err != nil {
				return err
			}
		}
		b = rest
	}
	return nil
}

// message acts on the type of a handshake message.
func (c *kernelConn) message(kind byte) error {
	switch {
	case kind == messageNewTicket && c.version == tls.VersionTLS13:
		return c.idle()
	case kind == messageKeyUpdate && c.version == tls.VersionTLS13:
		return c.fail(&kernelError{reason: "the server changed its keys, which the kernel cannot follow", err: errKeyUpdate})
	case kind == messageHelloRequest && c.version != tls.VersionTLS13:
		c.say(levelWarning, noRenegotiation) // it is the server's choice whether to go on (RFC 5246 section 7.2.2)
		return c.idle()
	}
	return c.refuse(unexpectedMessage, "an unexpected handshake message")
}

// alertReader puts the two bytes of an alert together: they may come one by one.
type alertReader struct {
	level byte
	half  bool // level is known
}

// alerted takes bytes of alert records.
func (c *kernelConn) alerted(b []byte) error {
	for _, x := range b {
		if !c.alert.half {
			c.alert = alertReader{x, true}
			continue
		}
		c.alert.half = false
		if err := c.obey(c.alert.level, x); err != nil {
			return err
		}
	}
	return nil
}

// obey acts on an alert. The error has the shape of crypto/tls's.
func (c *kernelConn) obey(level, number byte) error {
	switch {
	case number == closeNotify:
		return io.EOF
	case number == userCanceled, c.version != tls.VersionTLS13 && level == levelWarning:
		return c.idle() // close_notify will follow, or nothing has happened
	}
	err := &net.OpError{Op: "remote error", Err: tls.AlertError(number)}
	if number == badRecordMAC || number == recordOverflow || number == unexpectedMessage {
		return c.fail(&kernelError{reason: "the server did not understand what the kernel's TLS sent", err: err})
	}
	return err
}
