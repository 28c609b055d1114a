package transport

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// direct is a TCP connection whose reads and writes are system calls that Go's scheduler does not hear of. It has no need
// to: they never block, for the socket is in non-blocking mode and the poller does the waiting. Being told, it would make
// another thread ready to take over, which for a ping through an idle tunnel is more work than the ping. One reader and
// one writer may use it at a time.
type direct struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out transfer
}

// transfer is one direction. The function for the poller is made once and finds its arguments here.
type transfer struct {
	b    []byte
	n    int
	err  error
	poll func(fd uintptr) (done bool)
}

func newDirect(c *net.TCPConn) (*direct, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &direct{TCPConn: c, raw: raw}
	d.in.poll = func(fd uintptr) bool { return d.in.call(unix.SYS_READ, fd) }
	d.out.poll = func(fd uintptr) bool {
		for d.out.call(unix.SYS_WRITE, fd) {
			if d.out.err != nil || d.out.n == len(d.out.b) {
				return true
			}
		}
		return false
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
func (d *direct) Read(b []byte) (int, error) {
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

// Write writes as net.Conn does.
func (d *direct) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := d.out.run(b, d.raw.Write)
	if err == nil && d.out.err != nil {
		err = d.failed("write", d.out.err)
	}
	return n, err
}

// failed makes the error that package net makes.
func (d *direct) failed(call string, err error) error {
	return &net.OpError{Op: call, Net: "tcp", Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: os.NewSyscallError(call, err)}
}
