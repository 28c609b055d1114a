package transport

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RawConn is a TCP connection that reads and writes by RawSyscall, without the scheduler's hooks. The socket is in
// non-blocking mode and the poller does the waiting, so the calls never block. With the hooks, the scheduler would wake
// another thread to take over, which for a ping through an idle tunnel is more work than the ping. One reader and one writer
// may use it at a time.
type RawConn struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out transfer

	unread     int32 // bytes in the kernel's receive buffer; only the reader uses it
	readUnread func(fd uintptr)

	hold atomic.Bool // collect writes in held
	mu   sync.Mutex  // guards held and the order of writes: crypto/tls may write close_notify while the writer flushes
	held []byte
}

// transfer is one direction. Its function for the poller is made once, because making it for each call would allocate.
type transfer struct {
	b    []byte
	n    int
	err  error
	poll func(fd uintptr) (done bool)
}

// NewRawConn returns a RawConn on the socket of tcp, which must not be read or written any more.
func NewRawConn(tcp *net.TCPConn) (*RawConn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &RawConn{TCPConn: tcp, raw: raw}
	c.in.poll = func(fd uintptr) bool { return c.in.call(unix.SYS_READ, fd) }
	c.out.poll = func(fd uintptr) bool {
		for c.out.call(unix.SYS_WRITE, fd) {
			if c.out.err != nil || c.out.n == len(c.out.b) {
				return true
			}
		}
		return false
	}
	c.readUnread = func(fd uintptr) {
		if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, fd, unix.TIOCINQ, uintptr(unsafe.Pointer(&c.unread))); errno != 0 {
			c.unread = 0
		}
	}
	return c, nil
}

// call makes one system call for the rest of b. It returns false when the socket is not ready.
func (t *transfer) call(trap, fd uintptr) (done bool) {
	for {
		left := t.b[t.n:]
		n, _, errno := unix.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(left))), uintptr(len(left)))
		switch errno {
		case 0:
			t.n += int(n)
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			t.err = errno
			return true
		}
	}
}

// run makes the system calls for b when the poller reports that the socket is ready.
func (t *transfer) run(b []byte, wait func(func(fd uintptr) bool) error) (n int, err error) {
	t.b, t.n, t.err = b, 0, nil
	err = wait(t.poll)
	t.b = nil
	return t.n, err
}

// Read implements net.Conn.
func (c *RawConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := c.in.run(b, c.raw.Read)
	switch {
	case err != nil:
		return n, err
	case c.in.err != nil:
		return n, c.opError("read", c.in.err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// maxHeld is how many bytes are held before they are written: four records, as much as the kernel sends at once.
const maxHeld = 4 * maxRecord

// Write implements net.Conn. After Hold(true) it holds b as long as there is room, and an error shows on a later call.
func (c *RawConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hold := c.hold.Load()
	if !hold && len(c.held) == 0 {
		return c.write(b)
	}
	if c.held == nil {
		c.held = make([]byte, 0, maxHeld)
	}
	if hold && len(c.held)+len(b) <= maxHeld-maxRecord {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	c.held = append(c.held, b...)
	if err := c.flush(); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *RawConn) flush() error {
	_, err := c.write(c.held)
	c.held = c.held[:0]
	return err
}

func (c *RawConn) write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := c.out.run(b, c.raw.Write)
	if err == nil && c.out.err != nil {
		err = c.opError("write", c.out.err)
	}
	return n, err
}

// maxRecord is the length of the longest TLS record (RFC 5246 section 6.2.3: a header of 5 bytes, and at most 2048 bytes more
// than the plaintext).
const maxRecord = 5 + 16384 + 2048

// Ready reports whether the longest TLS record could be read without waiting. Only the reader may call it.
func (c *RawConn) Ready() bool { return c.raw.Control(c.readUnread) == nil && c.unread >= maxRecord }

// Hold announces with true that the next Write is followed by another at once, so that both may leave in one system call:
// four records in one call cost much less than one by one. With false it announces that none follows, and the next Write
// sends what is held too. When that Write does not come, the caller must call Flush. Only the writer may call it.
func (c *RawConn) Hold(more bool) { c.hold.Store(more) }

// Flush sends what is held. Only the writer may call it.
func (c *RawConn) Flush() error {
	c.hold.Store(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flush()
}

// opError returns the error that package net would return.
func (c *RawConn) opError(call string, err error) error {
	return &net.OpError{Op: call, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(call, err)}
}
