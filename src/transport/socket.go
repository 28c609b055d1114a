package transport

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/text"
)

const (
	// userTimeoutMillis ends a connection whose data stays unacknowledged so long (RFC 5482).
	userTimeoutMillis = 30_000
	// notSentLowatBytes is how much may wait unsent in the kernel before a write has to wait itself: nothing can overtake
	// it there. At 20 Mbit/s each KiB is 0.4 ms more of every round trip, and a fast link is not slower with 4 KiB than
	// with 64: what the window has room for does not count as unsent. The kernel's buffer grows by itself; a fixed one
	// would only bound the speed of a long line.
	notSentLowatBytes = 4 << 10
)

// SocketDialer returns a dialer whose sockets are bound to a device, where one is named, and carry a mark, where it is not 0:
// for what the tunnel sends beside its connection, by UDP or TCP.
func SocketDialer(device string, mark int) *net.Dialer {
	return &net.Dialer{Control: socketDialer(device, "", mark).Control}
}

// socketDialer returns a dialer that makes sockets as a long-lived tunnel needs them. TCP_NODELAY is set by package net.
func socketDialer(device, congestion string, mark int) *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3},
		Control: func(_, _ string, raw syscall.RawConn) error {
			var bound error
			err := raw.Control(func(fd uintptr) {
				if device != "" {
					bound = unix.BindToDevice(int(fd), device)
				}
				if mark != 0 {
					_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) // who may not is no router
				}
				// These make a good connection better; one that a kernel does not know is no reason to have none.
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, userTimeoutMillis)
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowatBytes)
				if congestion != "" {
					_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
				}
			})
			if err == nil {
				err = bound
			}
			return err
		},
	}
}

// congestionNote says where the kernel has another congestion control than the one asked for.
func (c *connector) congestionNote(conn net.Conn) string {
	socket, ok := conn.(syscall.Conn)
	if !ok || c.o.Congestion == "" {
		return ""
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return ""
	}
	var used string
	raw.Control(func(fd uintptr) {
		used, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	})
	if err != nil || used == c.o.Congestion {
		return ""
	}
	return ", congestion control " + used + ": the kernel does not have " + text.Phrase(c.o.Congestion)
}
