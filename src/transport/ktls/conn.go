package ktls

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxIdleRecords is how many alerts, handshake messages and empty records may follow each other without data, as in
// crypto/tls. A server that sends more wants to keep us busy.
const maxIdleRecords = 16

// Conn is a TLS connection whose records the kernel encrypts and decrypts. One reader and one writer may use it at a time;
// the other methods may be called by anyone.
type Conn struct {
	net.Conn // the socket; its Read and Write must not be used
	raw      syscall.RawConn
	kernel   Kernel
	version  uint16
	in       pendingRead
	out      pendingWrite
	ended    error // the reader's last error, which it returns from then on

	idleRecords int // since the last data
	messages    handshakeReader
	alert       alertReader

	// use counts as crypto/tls does: 2 for each Write under way, 1 when closed.
	use    atomic.Int32
	broken atomic.Bool // a Write has failed, so close_notify would fail too

	handedOver     time.Time
	clock          func() time.Time
	onEarlyFailure func(*Error) // nil: failures are not reported
}

// pendingRead is what a Read shares with the poller's closure. The closure is made once, because making it for each Read
// would allocate.
type pendingRead struct {
	poll func(fd uintptr) bool
	b    []byte
	n    int
	kind byte
	err  error
}

// pendingWrite is the same for a Write.
type pendingWrite struct {
	poll func(fd uintptr) bool
	b    []byte
	n    int
	err  error
}

// NewConn returns the connection on a socket for which the kernel has the keys of both directions.
func NewConn(socket net.Conn, raw syscall.RawConn, k Kernel, version uint16) *Conn {
	c := &Conn{Conn: socket, raw: raw, kernel: k, version: version}
	c.in.poll = func(fd uintptr) bool {
		c.in.n, c.in.kind, c.in.err = k.Receive(int(fd), c.in.b)
		return c.in.err != unix.EAGAIN
	}
	c.out.poll = func(fd uintptr) bool {
		for c.out.n < len(c.out.b) {
			n, err := k.Send(int(fd), c.out.b[c.out.n:])
			c.out.n += n
			if err == unix.EAGAIN {
				return false
			}
			if err != nil || n == 0 {
				c.out.err = err
				return true
			}
		}
		return true
	}
	return c
}

// OnEarlyFailure makes f hear of failures that come so soon after the hand-over, which is now, that the kernel's TLS may not
// work with this server at all.
func (c *Conn) OnEarlyFailure(clock func() time.Time, f func(*Error)) {
	c.handedOver, c.clock, c.onEarlyFailure = clock(), clock, f
}

// Read returns what the server sent as data, and handles all other records itself. It returns io.EOF after close_notify, and
// as crypto/tls does also for a connection that was closed without one.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for c.ended == nil {
		c.in.b = b
		err := c.raw.Read(c.in.poll)
		c.in.b = nil
		switch {
		case err != nil:
			return 0, err // from the poller: a deadline, or closed
		case c.in.err != nil:
			c.ended = c.socketError("read", c.in.err)
		case c.in.kind != recordData:
			c.ended = c.control(c.in.kind, b[:c.in.n])
		case c.in.n == 0:
			c.ended = io.EOF
		default:
			c.idleRecords = 0
			return c.in.n, nil
		}
	}
	return 0, c.ended
}

// control handles a piece of a record that is not data.
func (c *Conn) control(kind byte, b []byte) error {
	switch {
	case kind != recordAlert && kind != recordHandshake:
		return c.refuse(unexpectedMessage, "a record of an unexpected type")
	case len(b) == 0:
		return c.countIdle()
	case kind == recordAlert:
		return c.readAlerts(b)
	}
	return c.handshake(b)
}

// countIdle counts an alert, a handshake message or an empty record, which carry no data.
func (c *Conn) countIdle() error {
	if c.idleRecords++; c.idleRecords > maxIdleRecords {
		return c.refuse(unexpectedMessage, "too many records without data")
	}
	return nil
}

// Write writes b, in records of at most 16384 bytes.
func (c *Conn) Write(b []byte) (int, error) {
	for {
		x := c.use.Load()
		if x&1 != 0 {
			return 0, net.ErrClosed
		}
		if c.use.CompareAndSwap(x, x+2) {
			break
		}
	}
	c.out.b, c.out.n, c.out.err = b, 0, nil
	err := c.raw.Write(c.out.poll)
	n := c.out.n
	c.out.b = nil
	c.use.Add(-2)
	if err == nil && c.out.err != nil {
		err = c.socketError("write", c.out.err)
	}
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// Close sends close_notify and closes the connection. It waits for room in the send buffer, until the socket is closed by
// somebody else; it sends nothing when a Write is waiting for that room already.
func (c *Conn) Close() error {
	var x int32
	for {
		if x = c.use.Load(); x&1 != 0 {
			return net.ErrClosed
		}
		if c.use.CompareAndSwap(x, x|1) {
			break
		}
	}
	if x == 0 && !c.broken.Load() {
		c.Conn.SetWriteDeadline(time.Time{})
		alert := []byte{levelWarning, closeNotify}
		c.raw.Write(func(fd uintptr) bool { return c.kernel.SendTyped(int(fd), alert, recordAlert) != unix.EAGAIN })
	}
	return c.Conn.Close()
}

// sendAlert sends an alert if there is room for it. It is best effort: a failure shows on the next read.
func (c *Conn) sendAlert(level, number byte) {
	c.raw.Control(func(fd uintptr) { c.kernel.SendTyped(int(fd), []byte{level, number}, recordAlert) })
}

// socketError returns the error for a system call that failed: a *net.OpError for the network's errors, an *Error for those
// of TLS in the kernel.
func (c *Conn) socketError(op string, err error) error {
	if isConnectionError(err) {
		return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	}
	failed := &Error{Reason: "the kernel's TLS failed to " + op, Err: err}
	if err == unix.EBADMSG {
		failed.Reason = "a TLS record cannot be decrypted"
	}
	return c.fail(failed)
}

// refuse ends the connection because of what the server sent.
func (c *Conn) refuse(number byte, reason string) error {
	c.sendAlert(levelFatal, number)
	return c.fail(&Error{Reason: reason, Err: tls.AlertError(number)})
}

// earlyFailure is how soon after the hand-over a failure suggests that the kernel's TLS does not work with this server.
const earlyFailure = time.Minute

// fail reports an early failure, and returns err.
func (c *Conn) fail(err *Error) error {
	if c.onEarlyFailure != nil && c.clock().Sub(c.handedOver) < earlyFailure {
		c.onEarlyFailure(err)
	}
	return err
}

// Error is the failure of a TLS connection in the kernel: the server broke the protocol, or the kernel failed.
type Error struct {
	Reason string
	Err    error // the kernel's error, or the alert sent to the server
}

// Error returns the reason and its cause.
func (e *Error) Error() string { return e.Reason + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
