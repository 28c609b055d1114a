package transport

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/text"
)

const (
	// userTimeoutMillis is how long data may stay unacknowledged before the connection ends (RFC 5482).
	userTimeoutMillis = 30_000
	// notSentLowatBytes is how many unsent bytes the kernel holds before a write has to wait. Nothing can overtake them there:
	// at 20 Mbit/s each KiB adds 0.4 ms to every round trip. A fast link is not slower with 4 KiB than with 64, because bytes
	// within the window do not count as unsent. The size of the kernel's buffer is not set: a fixed one would bound the speed
	// of a long line.
	notSentLowatBytes = 4 << 10
)

// SocketDialer returns a dialer for what the tunnel sends beside its connection, by UDP or TCP. Its sockets are bound to the
// device, unless that is empty, and carry the mark, unless that is 0.
func SocketDialer(device string, mark int) *net.Dialer {
	return &net.Dialer{Control: socketDialer(device, "", mark).Control}
}

// socketDialer returns a dialer whose sockets are made for a long-lived tunnel. Package net sets TCP_NODELAY.
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
					_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) // fails without CAP_NET_ADMIN, which a router's daemon has
				}
				// These only make a good connection better, so a kernel may refuse any of them.
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

// congestionNote returns a note for the finding when the kernel uses another congestion control than option congestion.
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

const (
	sourceLimit    = 3 * time.Second // for an address to pass its check
	sourceInterval = 50 * time.Millisecond
)

// awaitSource waits until the kernel has a source address that an IPv6 server beyond the link can answer to. An uplink that has
// just come up checks its addresses for duplicates first (RFC 4862 section 5.4), for about a second. A connection that begins
// in that time keeps a link-local address or that of the loopback as its source, and no answer ever comes.
func awaitSource(ctx context.Context, to netip.AddrPort, device string) {
	ctx, cancel := context.WithTimeout(ctx, sourceLimit)
	defer cancel()
	for sourceOnLink(ctx, to, device) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sourceInterval):
		}
	}
}

// sourceOnLink reports whether the kernel would connect to a global address from a source address that only the link can
// answer to. It sends nothing.
func sourceOnLink(ctx context.Context, to netip.AddrPort, device string) bool {
	if a := to.Addr(); !a.Is6() || a.Is4In6() || !a.IsGlobalUnicast() {
		return false
	}
	d := SocketDialer(device, 0)
	c, err := d.DialUDP(ctx, "udp", netip.AddrPort{}, to)
	if err != nil {
		return false // the dial itself will fail, and report why
	}
	defer c.Close()
	from, ok := c.LocalAddr().(*net.UDPAddr)
	return ok && !from.IP.IsGlobalUnicast()
}
