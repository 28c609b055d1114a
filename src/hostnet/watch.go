package hostnet

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// WatchDefaultRoute calls gone each time when an IPv4 default route of the main table may have gone, until ctx ends: deleted,
// or with an address. The kernel says nothing of routes that go with their device.
func WatchDefaultRoute(ctx context.Context, gone func()) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "netlink")
	defer socket.Close()
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV4_IFADDR}); err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	buf := make([]byte, 8<<10)
	for {
		n, err := socket.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS): // there was more news than fits: it may have been among it
			gone()
		case err != nil:
			return fmt.Errorf("netlink news: %w", err)
		case maybeGone(buf[:n]):
			gone()
		}
	}
}

// maybeGone goes through the messages of one datagram.
func maybeGone(b []byte) bool {
	for len(b) > 0 {
		m, rest, err := cutMessage(b)
		if err != nil {
			return false
		}
		b = rest
		switch m.Type {
		case unix.RTM_DELADDR:
			return true // the kernel says nothing of the routes that it takes along
		case unix.RTM_DELROUTE:
		default:
			continue
		}
		e, err := parseEntry(m.Payload)
		if err == nil && e.dst.Bits() == 0 && e.dst.Addr().Is4() && e.table == unix.RT_TABLE_MAIN {
			return true
		}
	}
	return false
}
