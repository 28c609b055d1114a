package hostnet

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// WatchDefaultRoute calls gone whenever an IPv4 default route of the main table may have gone, by itself or with an address,
// until ctx ends. The kernel does not report routes that go with their device.
func WatchDefaultRoute(ctx context.Context, gone func()) error {
	return listen(ctx, unix.RTMGRP_IPV4_ROUTE|unix.RTMGRP_IPV4_IFADDR, gone, maybeGone)
}

// WatchCarrier calls changed whenever a network device is connected or disconnected, until ctx ends.
func WatchCarrier(ctx context.Context, changed func()) error {
	known := carriers{}
	return listen(ctx, unix.RTMGRP_LINK, changed, known.news)
}

// carriers remembers by number which devices are connected.
type carriers map[uint32]bool

// news reports whether a message of a datagram changes what is known.
func (c carriers) news(b []byte) (changed bool) {
	for len(b) > 0 {
		m, rest, err := cutMessage(b)
		if err != nil {
			return changed
		}
		if b = rest; len(m.Payload) < unix.SizeofIfInfomsg {
			continue
		}
		index, flags := native.Uint32(m.Payload[4:]), native.Uint32(m.Payload[8:]) // struct ifinfomsg
		switch m.Type {
		case unix.RTM_NEWLINK:
			now := flags&unix.IFF_RUNNING != 0
			if before, known := c[index]; !known || before != now {
				c[index], changed = now, true
			}
		case unix.RTM_DELLINK:
			delete(c, index)
			changed = true
		}
	}
	return changed
}

// WatchTraffic calls changed whenever something changes that could make packets bypass the device, until ctx ends: the device or
// its addresses, IPv4 addresses of the machine, rules, and routes to all or a large part of all addresses. what names the change
// in a few words.
func WatchTraffic(ctx context.Context, device string, changed func(what string)) error {
	t := trafficNews{device: device}
	groups := unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE |
		unix.RTMGRP_IPV4_RULE | 1<<(unix.RTNLGRP_IPV6_RULE-1)
	return listen(ctx, uint32(groups), func() { changed(t.what) }, t.news)
}

// trafficNews remembers what WatchTraffic has seen of its device.
type trafficNews struct {
	device string
	up     bool
	what   string // the last change
}

// largePart is the longest prefix of a route that counts as one to a large part of everything. 2000::/3 is what IPv6 uses.
const largePart = 3

// news reports whether a message of a datagram is of interest.
func (t *trafficNews) news(b []byte) bool {
	t.what = "much has changed at once"
	for len(b) > 0 {
		m, rest, err := cutMessage(b)
		if err != nil {
			return false
		}
		b = rest
		if what := t.interesting(m); what != "" {
			t.what = what
			return true
		}
	}
	return false
}

func (t *trafficNews) interesting(m message) string {
	switch m.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if len(m.Payload) < unix.SizeofIfInfomsg || !t.is(native.Uint32(m.Payload[4:])) {
			return ""
		}
		if up := native.Uint32(m.Payload[8:])&unix.IFF_UP != 0; up != t.up {
			t.up = up
			return "the state of " + t.device
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		a, err := parseAddress(m.Payload)
		if err == nil && (a.Prefix.Addr().Is4() || t.is(uint32(a.device))) {
			return "the address " + a.Prefix.String()
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		e, err := parseEntry(m.Payload)
		if err == nil && e.dst.Bits() <= largePart && !e.cached && e.typ != unix.RTN_MULTICAST {
			return "a route to " + e.dst.String()
		}
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return "a rule"
	}
	return ""
}

func (t *trafficNews) is(device uint32) bool {
	index, err := DeviceIndex(t.device)
	return err == nil && uint32(index) == device
}

// listen calls happened for each datagram of the kernel's events in which interesting finds something, until ctx ends.
func listen(ctx context.Context, groups uint32, happened func(), interesting func(b []byte) bool) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "netlink")
	defer socket.Close()
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
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
			happened()
		case err != nil:
			return fmt.Errorf("netlink news: %w", err)
		case interesting(buf[:n]):
			happened()
		}
	}
}

// maybeGone reports whether a message of a datagram may mean that a default route has gone.
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
