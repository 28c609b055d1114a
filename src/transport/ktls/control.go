package ktls

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// The alerts that are sent or handled here (RFC 8446 section 6, RFC 5246 section 7.2).
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
	// ErrKeyUpdate is the cause of the Error for a server that changes its keys.
	ErrKeyUpdate = errors.New("KeyUpdate")
	errLong      = errors.New("too long")
)

// handshakeReader cuts handshake records into messages, which may be split and packed in any way (RFC 8446 section 5.1). It
// keeps none of them.
type handshakeReader struct {
	header [4]byte
	have   int // bytes of header seen
	left   int // bytes of the message that follow
}

// next consumes bytes up to the end of a message's header or body. begun reports that a header is now complete, of a message
// whose type is kind.
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

// handshake reads bytes of handshake records. It drops tickets, because no session is ever resumed.
func (c *Conn) handshake(b []byte) error {
	for len(b) > 0 {
		kind, begun, rest, err := c.messages.next(b)
		if err != nil {
			return c.refuse(unexpectedMessage, "a handshake message of more than 64 KiB")
		}
		if begun {
			if err := c.handleMessage(kind); err != nil {
				return err
			}
		}
		b = rest
	}
	return nil
}

// handleMessage acts on the type of a handshake message.
func (c *Conn) handleMessage(kind byte) error {
	switch {
	case kind == messageNewTicket && c.version == tls.VersionTLS13:
		return c.countIdle()
	case kind == messageKeyUpdate && c.version == tls.VersionTLS13:
		return c.fail(&Error{Reason: "the server changed its keys, which the kernel cannot follow", Err: ErrKeyUpdate})
	case kind == messageHelloRequest && c.version != tls.VersionTLS13:
		c.sendAlert(levelWarning, noRenegotiation) // it is the server's choice whether to go on (RFC 5246 section 7.2.2)
		return c.countIdle()
	}
	return c.refuse(unexpectedMessage, "an unexpected handshake message")
}

// alertReader joins the two bytes of an alert, which may come one by one.
type alertReader struct {
	level byte
	begun bool // level is known
}

// readAlerts reads bytes of alert records.
func (c *Conn) readAlerts(b []byte) error {
	for _, x := range b {
		if !c.alert.begun {
			c.alert = alertReader{x, true}
			continue
		}
		c.alert.begun = false
		if err := c.handleAlert(c.alert.level, x); err != nil {
			return err
		}
	}
	return nil
}

// handleAlert acts on an alert. Its error has the shape of crypto/tls's.
func (c *Conn) handleAlert(level, number byte) error {
	switch {
	case number == closeNotify:
		return io.EOF
	case number == userCanceled, c.version != tls.VersionTLS13 && level == levelWarning:
		return c.countIdle() // close_notify will follow, or nothing has happened
	}
	err := &net.OpError{Op: "remote error", Err: tls.AlertError(number)}
	if number == badRecordMAC || number == recordOverflow || number == unexpectedMessage {
		return c.fail(&Error{Reason: "the server did not understand what the kernel's TLS sent", Err: err})
	}
	return err
}
