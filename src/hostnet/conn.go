// Package hostnet sets addresses and routes where no netifd does: for a tunnel that is started by hand and for the lab
// server. It speaks rtnetlink (RFC 3549, rtnetlink(7)) directly and knows no more than that takes. Names in doc comments
// are those of Linux's headers.
//
// Every call opens its own socket, so that it acts in the network namespace of the calling thread.
package hostnet

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// seq is the number of every request: there is one on a socket.
const seq = 1

// A lost answer ends a call after this many seconds; the kernel answers at once.
const answerSeconds = 5

// bufferSize is the most that the kernel sends of a dump at once.
const bufferSize = 32 << 10

// buffers are for answers: a look into the kernel asks some thirty questions, one after the other.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// exchange sends one request to rtnetlink and hands each message of the answer to take, until take has what it wants, the
// kernel acknowledges or the dump is complete. A message is valid until take returns.
func exchange(request []byte, take func(m message) (done bool, err error)) error {
	return exchangeBy(unix.NETLINK_ROUTE, request, take)
}

// exchangeBy is exchange with another part of the kernel.
func exchangeBy(protocol int, request []byte, take func(m message) (done bool, err error)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	defer unix.Close(fd)
	// Since Linux 4.3 and 4.12; without them there are no words for an error, only its number.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	timeout := unix.Timeval{Sec: answerSeconds}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	if err := unix.Sendto(fd, end(request), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("netlink request: %w", err)
	}
	pooled := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(pooled)
	buf := pooled[:]
	for {
		n, _, flags, from, err := unix.Recvmsg(fd, buf, nil, 0)
		switch kernel, ok := from.(*unix.SockaddrNetlink); {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("netlink answer: %w", err)
		case flags&unix.MSG_TRUNC != 0:
			return errShort
		case !ok || kernel.Pid != 0:
			continue // not from the kernel
		}
		done, err := answer(buf[:n], take)
		if done || err != nil {
			return err
		}
	}
}

var errInterrupted = errors.New("the kernel's list changed while it was read")

// answer goes through the messages of one datagram.
func answer(b []byte, take func(m message) (done bool, err error)) (done bool, err error) {
	for len(b) > 0 {
		m, rest, err := cutMessage(b)
		if err != nil {
			return false, err
		}
		b = rest
		switch {
		case m.Seq != seq:
			continue
		case m.Flags&unix.NLM_F_DUMP_INTR != 0:
			return false, errInterrupted
		case m.Type == unix.NLMSG_DONE && len(m.Payload) == 0:
			return true, nil
		case m.Type == unix.NLMSG_ERROR || m.Type == unix.NLMSG_DONE:
			return true, m.refusal()
		case m.Type == unix.NLMSG_NOOP || take == nil:
			continue
		}
		if done, err := take(m); done || err != nil {
			return done, err
		}
	}
	return false, nil
}
