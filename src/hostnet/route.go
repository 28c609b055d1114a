package hostnet

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"sstp/src/reach"
)

// Route is an entry of a routing table. Its Device may be empty where there is a gateway: the kernel finds the device. Only
// what adds or replaces a route looks at its Source.
type Route = reach.Route

// tableOf returns the number of a route's table.
func tableOf(r *Route) uint32 {
	if r.Table == 0 {
		return unix.RT_TABLE_MAIN
	}
	return r.Table
}

// rtmFlags is where struct rtmsg has its flags.
const rtmFlags = 8

// metricIPv6 is what the kernel makes of metric 0 in IPv6 (IP6_RT_PRIO_USER).
const metricIPv6 = 1024

// AddRoute adds a route. If the same route is already there, it returns false and no error; the route is then not ours to
// delete. A different route to the same destination with the same metric is an error, EEXIST.
func AddRoute(r Route) (added bool, err error) {
	err = putRoute(unix.NLM_F_CREATE|unix.NLM_F_EXCL, r)
	if isErrno(err, unix.EEXIST) {
		there, errList := contains(r)
		switch {
		case errList != nil:
			err = errList
		case there:
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("add the route to %s: %w", r.Dst, err)
	}
	return true, nil
}

// LayRoute adds a route unless the kernel has any to the same destination with the same metric. It reports whether it added
// one.
func LayRoute(r Route) (laid bool, err error) {
	request, err := routeRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, r)
	if err == nil {
		err = exchange(request, nil)
	}
	switch {
	case isErrno(err, unix.EEXIST):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("add the route to %s: %w", r.Dst, err)
	}
	return true, nil
}

// ReplaceRoute replaces the route to the same destination with the same metric, of which IPv4 has at most one. It adds the
// route if there is none.
func ReplaceRoute(r Route) error {
	if err := putRoute(unix.NLM_F_CREATE|unix.NLM_F_REPLACE, r); err != nil {
		return fmt.Errorf("replace the route to %s: %w", r.Dst, err)
	}
	return nil
}

// putRoute adds or replaces a route, depending on flags.
func putRoute(flags uint16, r Route) error {
	request, err := routeRequest(unix.RTM_NEWROUTE, flags, r)
	if err == nil {
		err = exchange(request, nil)
	}
	if (isErrno(err, unix.ENETUNREACH) || isErrno(err, unix.EHOSTUNREACH)) && r.Dst.IsSingleIP() && r.Device != "" {
		// The way that RouteTo found can have a gateway outside of the device's networks, as some providers have it.
		native.PutUint32(request[headerLen+rtmFlags:], unix.RTNH_F_ONLINK)
		err = exchange(request, nil)
	}
	return err
}

// DeleteRoute deletes a route. It is no error if the route or its device is already gone.
func DeleteRoute(r Route) error {
	if r.Device != "" && !DeviceExists(r.Device) {
		return nil
	}
	request, err := routeRequest(unix.RTM_DELROUTE, 0, r)
	if err == nil {
		err = exchange(request, nil)
	}
	if err != nil && !isErrno(err, unix.ESRCH) {
		return fmt.Errorf("delete the route to %s: %w", r.Dst, err)
	}
	return nil
}

// RouteTo returns the way that the kernel chooses for an address, as a host route. If it is added before other routes change,
// the address stays on that way. The error is ENETUNREACH or its like if there is no way.
func RouteTo(addr netip.Addr) (Route, error) {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return Route{}, fmt.Errorf("find the route: %w", unix.EINVAL)
	}
	found, err := lookup(addr, 0)
	r := Route{Dst: netip.PrefixFrom(addr, addr.BitLen()), Gateway: found.gateway, Local: found.typ == unix.RTN_LOCAL}
	if err == nil {
		r.Device, err = deviceName(found.device)
	}
	if err != nil {
		return Route{}, fmt.Errorf("find the route to %s: %w", addr, err)
	}
	return r, nil
}

// RouteAround returns the best way of the main table to an address that does not use a device: the most specific one, and of
// those the one with the smallest metric.
func RouteAround(addr netip.Addr, device string) (Route, error) {
	addr = addr.Unmap().WithZone("")
	index, _ := DeviceIndex(device) // 0 where it is gone: nothing to get around
	var best *entry
	fixed := make([]byte, unix.SizeofRtMsg)
	fixed[0] = family(addr)
	err := dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, fixed, func() { best = nil }, func(b []byte) error {
		e, err := parseEntry(b)
		if err != nil || e.table != unix.RT_TABLE_MAIN || e.typ != unix.RTN_UNICAST || e.cached || e.dead ||
			e.device == 0 || e.device == index || !e.dst.Contains(addr) {
			return err
		}
		if best == nil || e.dst.Bits() > best.dst.Bits() || e.dst.Bits() == best.dst.Bits() && e.metric < best.metric {
			best = &e
		}
		return nil
	})
	if err == nil && best == nil {
		err = unix.ENETUNREACH
	}
	r := Route{Dst: netip.PrefixFrom(addr, addr.BitLen())}
	if err == nil {
		r.Device, err = deviceName(best.device)
	}
	if err == nil { // of several next hops the kernel takes one
		var found entry
		found, err = lookup(addr, best.device)
		r.Gateway = found.gateway
	}
	if err != nil {
		return Route{}, fmt.Errorf("find the route to %s around %s: %w", addr, device, err)
	}
	return r, nil
}

// sourceBy returns the local address that a socket bound to a device uses towards an address.
func sourceBy(addr netip.Addr, device string) (netip.Addr, error) {
	index, err := DeviceIndex(device)
	if err != nil {
		return netip.Addr{}, err
	}
	found, err := lookup(addr, index)
	if err == nil && !found.source.IsValid() {
		err = unix.EADDRNOTAVAIL
	}
	return found.source, err
}

// lookup asks the kernel for its way to an address. A device other than 0 asks for a socket that is bound to that device.
func lookup(addr netip.Addr, device int) (found entry, err error) {
	fixed := make([]byte, unix.SizeofRtMsg)
	fixed[0] = family(addr)
	fixed[1] = byte(addr.BitLen())
	request := begin(nil, unix.RTM_GETROUTE, unix.NLM_F_REQUEST, seq, fixed)
	request = appendAttr(request, unix.RTA_DST, addr.AsSlice())
	if device != 0 {
		request = appendAttr32(request, unix.RTA_OIF, uint32(device))
	}
	err = exchange(request, func(m message) (done bool, err error) {
		if m.Type != unix.RTM_NEWROUTE {
			return false, nil
		}
		found, err = parseEntry(m.Payload)
		return true, err
	})
	if err == nil && found.typ != unix.RTN_UNICAST && found.typ != unix.RTN_LOCAL {
		err = unix.EHOSTUNREACH
	}
	return found, err
}

// routeRequest builds a request about a route.
func routeRequest(typ, flags uint16, r Route) ([]byte, error) {
	dst := r.Dst.Masked()
	if !dst.IsValid() || r.Device == "" && !r.Gateway.IsValid() || r.Metric < 0 || r.Local {
		return nil, unix.EINVAL
	}
	fixed := make([]byte, unix.SizeofRtMsg) // struct rtmsg
	fixed[0] = family(dst.Addr())
	fixed[1] = byte(dst.Bits())
	fixed[4] = byte(tableOf(&r))
	fixed[5] = unix.RTPROT_STATIC
	if r.Table&^wayNumbers == wayTables {
		fixed[5] = wayProtocol
	}
	fixed[6] = unix.RT_SCOPE_UNIVERSE
	fixed[7] = unix.RTN_UNICAST
	switch {
	case typ == unix.RTM_DELROUTE:
		fixed[5] = unix.RTPROT_UNSPEC
		fixed[6] = unix.RT_SCOPE_NOWHERE // any
	case !r.Gateway.IsValid() && dst.Addr().Is4():
		fixed[6] = unix.RT_SCOPE_LINK
	}
	request := begin(nil, typ, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK, seq, fixed)
	if dst.Bits() > 0 {
		request = appendAttr(request, unix.RTA_DST, dst.Addr().AsSlice())
	}
	switch gateway := r.Gateway.WithZone(""); {
	case !gateway.IsValid():
	case gateway.Is4() == dst.Addr().Is4():
		request = appendAttr(request, unix.RTA_GATEWAY, gateway.AsSlice())
	default: // struct rtvia: IPv4 by an IPv6 neighbour
		via := native.AppendUint16(nil, uint16(family(gateway)))
		request = appendAttr(request, unix.RTA_VIA, append(via, gateway.AsSlice()...))
	}
	if r.Device != "" {
		index, err := DeviceIndex(r.Device)
		if err != nil {
			return nil, err
		}
		request = appendAttr32(request, unix.RTA_OIF, uint32(index))
	}
	if r.Source.IsValid() && typ == unix.RTM_NEWROUTE {
		if r.Source.Is4() != dst.Addr().Is4() {
			return nil, unix.EINVAL
		}
		request = appendAttr(request, unix.RTA_PREFSRC, r.Source.AsSlice())
	}
	if r.Metric > 0 {
		request = appendAttr32(request, unix.RTA_PRIORITY, uint32(r.Metric))
	}
	if r.Table > 255 {
		fixed := request[headerLen:]
		fixed[4] = unix.RT_TABLE_UNSPEC
		request = appendAttr32(request, unix.RTA_TABLE, r.Table)
	}
	return request, nil
}

// entry is a route as the kernel reports it.
type entry struct {
	dst     netip.Prefix
	gateway netip.Addr
	source  netip.Addr // of ours, to speak from
	device  int        // its number
	metric  int
	table   uint32
	typ     byte // RTN_...
	dead    bool // the device is down or not connected
	cached  bool // not an entry of the table, but made from one
}

// parseEntry reads the payload of RTM_NEWROUTE.
func parseEntry(b []byte) (e entry, err error) {
	if len(b) < unix.SizeofRtMsg {
		return entry{}, errShort
	}
	var zero netip.Addr
	switch b[0] {
	case unix.AF_INET:
		zero = netip.IPv4Unspecified()
	case unix.AF_INET6:
		zero = netip.IPv6Unspecified()
	default:
		return entry{}, errLength
	}
	bits := int(b[1])
	e.table, e.typ = uint32(b[4]), b[7]
	flags := native.Uint32(b[rtmFlags:])
	e.cached, e.dead = flags&unix.RTM_F_CLONED != 0, flags&(unix.RTNH_F_DEAD|unix.RTNH_F_LINKDOWN) != 0
	dst := zero
	for rest := b[unix.SizeofRtMsg:]; len(rest) > 0; {
		typ, value, next, err := cutAttr(rest)
		if err != nil {
			return entry{}, err
		}
		rest = next
		switch ok := true; typ {
		case unix.RTA_DST:
			dst, ok = netip.AddrFromSlice(value)
			if !ok || dst.Is4() != zero.Is4() {
				return entry{}, errLength
			}
		case unix.RTA_GATEWAY:
			if e.gateway, ok = netip.AddrFromSlice(value); !ok {
				return entry{}, errLength
			}
		case unix.RTA_PREFSRC:
			if e.source, ok = netip.AddrFromSlice(value); !ok {
				return entry{}, errLength
			}
		case unix.RTA_VIA:
			if len(value) < 2 {
				return entry{}, errLength
			}
			if e.gateway, ok = netip.AddrFromSlice(value[2:]); !ok {
				return entry{}, errLength
			}
		case unix.RTA_MULTIPATH: // struct rtnexthop: the first one stands for all
			if len(value) < unix.SizeofRtNexthop {
				return entry{}, errLength
			}
			e.device = int(native.Uint32(value[4:]))
		case unix.RTA_OIF, unix.RTA_PRIORITY, unix.RTA_TABLE:
			if len(value) != 4 {
				return entry{}, errLength
			}
			switch n := native.Uint32(value); typ {
			case unix.RTA_OIF:
				e.device = int(n)
			case unix.RTA_PRIORITY:
				e.metric = int(n)
			default:
				e.table = n
			}
		}
	}
	if e.dst = netip.PrefixFrom(dst, bits); !e.dst.IsValid() {
		return entry{}, errLength
	}
	return e, nil
}

// contains reports whether the kernel has exactly this route.
func contains(r Route) (there bool, err error) {
	index := 0
	if r.Device != "" {
		if index, err = DeviceIndex(r.Device); err != nil {
			return false, err
		}
	}
	metric := r.Metric
	if metric == 0 && r.Dst.Addr().Is6() {
		metric = metricIPv6
	}
	fixed := make([]byte, unix.SizeofRtMsg)
	fixed[0] = family(r.Dst.Addr())
	table := tableOf(&r)
	err = dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, fixed, func() { there = false }, func(b []byte) error {
		e, err := parseEntry(b)
		if err == nil && e.table == table && e.typ == unix.RTN_UNICAST && !e.cached && e.dst == r.Dst.Masked() &&
			e.gateway == r.Gateway.WithZone("") && e.metric == metric && (index == 0 || e.device == index) {
			there = true
		}
		return err
	})
	return there, err
}

func isErrno(err error, errno unix.Errno) bool { return errors.Is(err, errno) }
