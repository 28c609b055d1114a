package transport

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxUseless is how many alerts, handshake messages and empty records may come one behind the other without data, as in
// crypto/tls: more are an attempt to keep us busy.
const maxUseless = 16

// kernelConn is a TLS connection whose records the kernel does. One reader and one writer may use it at a time, anybody
// may call the other methods.
type kernelConn struct {
	net.Conn // the socket; its Read and Write must not be used
	raw      syscall.RawConn
	kernel   kernel
	version  uint16
	in       kernelRead
	out      kernelWrite
	ended    error // what the reader has ended with
	useless  int   // what idle has counted since the last data
	messages handshakeReader
	alert    alertReader

	// use is crypto/tls's: 2 for each Write under way, 1 when closed.
	use    atomic.Int32
	broken atomic.Bool // a Write has failed: there is no room for a goodbye

	since  time.Time // of the hand-over
	clock  func() time.Time
	failed func(err *kernelError) // told of a failure soon after the hand-over, which may be the kernel's; nil: nobody
}

// kernelRead holds what a Read shares with the poller's closure, which is made once: made for each Read it would be an
// allocation for each Read.
type kernelRead struct {
	poll func(fd uintptr) bool
	b    []byte
	n    int
	kind byte
	err  error
}

// kernelWrite is the same for a Write.
type kernelWrite struct {
	poll func(fd uintptr) bool
	b    []byte
	n    int
	err  error
}

// newKernelConn returns the connection on a socket that has got both keys.
func newKernelConn(conn net.Conn, raw syscall.RawConn, k kernel, version uint16) *kernelConn {
	c := &kernelConn{Conn: conn, raw: raw, kernel: k, version: version, clock: time.Now}
	c.in.poll = func(fd uintptr) bool {
		c.in.n, c.in.kind, c.in.err = k.recv(int(fd), c.in.b)
		return c.in.err != unix.EAGAIN
	}
	c.out.poll = func(fd uintptr) bool {
		for c.out.n < len(c.out.b) {
			n, err := k.send(int(fd), c.out.b[c.out.n:])
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

// Read returns what the server sent as data. It takes care of all other records: io.EOF stands for close_notify, and for
// a connection closed without one, which crypto/tls takes for the same.
func (c *kernelConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for c.ended == nil {
		c.in.b = b
		err := c.raw.Read(c.in.poll)
		c.in.b = nil
		switch {
		case err != nil:
			return 0, err // the poller's: a deadline, or closed
		case c.in.err != nil:
			c.ended = c.failure("read", c.in.err)
		case c.in.kind != recordData:
			c.ended = c.other(c.in.kind, b[:c.in.n])
		case c.in.n == 0:
			c.ended = io.EOF
		default:
			c.useless = 0
			return c.in.n, nil
		}
	}
	return 0, c.ended
}

// other takes a piece of a record that is not data.
func (c *kernelConn) other(kind byte, b []byte) error {
	switch {
	case kind != recordAlert && kind != recordHandshake:
		return c.refuse(unexpectedMessage, "a record of an unexpected type")
	case len(b) == 0:
		return c.idle()
	case kind == recordAlert:
		return c.alerted(b)
	}
	return c.handshake(b)
}

// idle counts what keeps us busy without data: an alert, a handshake message, an empty record.
func (c *kernelConn) idle() error {
	if c.useless++; c.useless > maxUseless {
		return c.refuse(unexpectedMessage, "too many records without data")
	}
	return nil
}

// Write writes b, in records of at most 16384 bytes.
func (c *kernelConn) Write(b []byte) (int, error) {
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
		err = c.failure("write", c.out.err)
	}
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// Close sends close_notify, waiting for room for it, unless a Write is waiting for that already, and closes the
// connection. It does not wait when the socket is closed meanwhile.
func (c *kernelConn) Close() error {
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
		goodbye := []byte{levelWarning, closeNotify}
		c.raw.Write(func(fd uintptr) bool { return c.kernel.sendTyped(int(fd), goodbye, recordAlert) != unix.EAGAIN })
	}
	return c.Conn.Close()
}

// say sends an alert if there is room for it: what is said with it will show anyhow.
func (c *kernelConn) say(level, number byte) {
	c.raw.Control(func(fd uintptr) { c.kernel.sendTyped(int(fd), []byte{level, number}, recordAlert) })
}

// failure makes an error of the kernel's. What is the connection's is passed on as the kernel has it.
func (c *kernelConn) failure(op string, err error) error {
	if isConnectionError(err) {
		return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	}
	f := &kernelError{reason: "the kernel's TLS failed to " + op, err: err}
	if err == unix.EBADMSG {
		f.reason = "a TLS record cannot be decrypted"
	}
	return c.fail(f)
}

// refuse ends the connection because of what the server sent.
func (c *kernelConn) refuse(number byte, reason string) error {
	c.say(levelFatal, number)
	return c.fail(&kernelError{reason: reason, err: tls.AlertError(number)})
}

// suspect is how long after the hand-over a failure is taken for a sign that the kernel's TLS does not work with this
// server.
const suspect = time.Minute

func (c *kernelConn) fail(err *kernelError) error {
	if c.failed != nil && c.clock().Sub(c.since) < suspect {
		c.failed(err)
	}
	return err
}

// kernelError is the failure of a TLS connection that the kernel does: of what arrived, or of the kernel itself.
type kernelError struct {
	reason string
	err    error
}

// Error returns what happened.
func (e *kernelError) Error() string { return e.reason + ": " + e.err.Error() }

// Unwrap returns the kernel's error, or the alert that was sent because of it.
func (e *kernelError) Unwrap() error { return e.err }
