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

// Direct is a TCP connection whose reads and writes are system calls that Go's scheduler does not hear of. It has no need
// to: they never block, for the socket is in non-blocking mode and the poller does the waiting. Being told, it would make
// another thread ready to take over, which for a ping through an idle tunnel is more work than the ping. One reader and
// one writer may use it at a time.
type Direct struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out transfer

	waiting int32 // bytes in the kernel's receive buffer; the reader's
	look    func(fd uintptr)

	hold atomic.Bool // keep what is written
	mu   sync.Mutex  // for held, and the socket's order: crypto/tls may write a goodbye while the writer flushes
	held []byte
}

// transfer is one direction. The function for the poller is made once and finds its arguments here.
type transfer struct {
	b    []byte
	n    int
	err  error
	poll func(fd uintptr) (done bool)
}

// NewDirect makes one of c, which is not to be read or written by itself from then on.
func NewDirect(c *net.TCPConn) (*Direct, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &Direct{TCPConn: c, raw: raw}
	d.in.poll = func(fd uintptr) bool { return d.in.call(unix.SYS_READ, fd) }
	d.out.poll = func(fd uintptr) bool {
		for d.out.call(unix.SYS_WRITE, fd) {
			if d.out.err != nil || d.out.n == len(d.out.b) {
				return true
			}
		}
		return false
	}
	d.look = func(fd uintptr) {
		if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, fd, unix.TIOCINQ, uintptr(unsafe.Pointer(&d.waiting))); errno != 0 {
			d.waiting = 0
		}
	}
	return d, nil
}

// call makes one system call for what is left of b. It reports false when the socket is not ready.
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

// run has b moved by a system call as soon as the poller says that it can be.
func (t *transfer) run(b []byte, wait func(func(fd uintptr) bool) error) (n int, err error) {
	t.b, t.n, t.err = b, 0, nil
	err = wait(t.poll)
	t.b = nil
	return t.n, err
}

// Read reads as net.Conn does.
func (d *Direct) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := d.in.run(b, d.raw.Read)
	switch {
	case err != nil:
		return n, err
	case d.in.err != nil:
		return n, d.failed("read", d.in.err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// maxHeld is how much is kept before it is written: four records, what the kernel sends off at once.
const maxHeld = 4 * maxRecord

// Write writes as net.Conn does. While it is told to hold, it keeps what fits; an error shows itself later then.
func (d *Direct) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hold := d.hold.Load()
	if !hold && len(d.held) == 0 {
		return d.write(b)
	}
	if d.held == nil {
		d.held = make([]byte, 0, maxHeld)
	}
	if hold && len(d.held)+len(b) <= maxHeld-maxRecord {
		d.held = append(d.held, b...)
		return len(b), nil
	}
	d.held = append(d.held, b...)
	if err := d.flush(); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (d *Direct) flush() error {
	_, err := d.write(d.held)
	d.held = d.held[:0]
	return err
}

func (d *Direct) write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := d.out.run(b, d.raw.Write)
	if err == nil && d.out.err != nil {
		err = d.failed("write", d.out.err)
	}
	return n, err
}

// maxRecord is the most that a record of TLS has on the wire (RFC 5246 section 6.2.3: 5 of header, 2048 more than the
// plaintext).
const maxRecord = 5 + 16384 + 2048

// Ready reports whether Read has a whole record of TLS to give without waiting. It is for the reader only.
func (d *Direct) Ready() bool { return d.raw.Control(d.look) == nil && d.waiting >= maxRecord }

// Hold says that the next Write is followed by another at once, or with false that it is not: what is held goes out with
// it, in order. Four records in one system call cost much less than one by one. When the other write does not come, Flush
// has to. It is for the writer only.
func (d *Direct) Hold(more bool) { d.hold.Store(more) }

// Flush sends what is held. It is for the writer only.
func (d *Direct) Flush() error {
	d.hold.Store(false)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flush()
}

// failed makes the error that package net makes.
func (d *Direct) failed(call string, err error) error {
	return &net.OpError{Op: call, Net: "tcp", Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: os.NewSyscallError(call, err)}
}
