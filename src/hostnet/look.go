package hostnet

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"sstp/src/reach"
)

// IsUp reports whether a device is up, whether or not it is connected. The kernel removes all routes by a device that is down.
func IsUp(device string) (bool, error) {
	ifr, err := unix.NewIfreq(device)
	if err != nil {
		return false, fmt.Errorf("device %s: %w", device, err)
	}
	if err := ioctl(unix.SIOCGIFFLAGS, ifr); err != nil {
		return false, fmt.Errorf("device %s: %w", device, err)
	}
	return ifr.Uint16()&unix.IFF_UP != 0, nil
}

// Address is an address of this machine.
type Address struct {
	Device string
	Prefix netip.Prefix // the address and the length of its subnet, which is the peer's where there is one
	Peer   netip.Addr   // invalid unless the device is point-to-point
}

// Addresses returns the IPv4 or IPv6 addresses of a device, or of all devices if device is empty.
func Addresses(device string, ipv6 bool) ([]Address, error) {
	only := 0
	if device != "" {
		index, err := DeviceIndex(device)
		if err != nil {
			return nil, err
		}
		only = index
	}
	fixed := make([]byte, unix.SizeofIfAddrmsg)
	fixed[0] = unix.AF_INET
	if ipv6 {
		fixed[0] = unix.AF_INET6
	}
	var found []numberedAddress
	err := dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, fixed, func() { found = nil }, func(b []byte) error {
		a, err := parseAddress(b)
		if err == nil && (only == 0 || a.device == only) {
			found = append(found, a)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
	}
	var list []Address
	names := map[int]string{only: device}
	for _, a := range found {
		if names[a.device] == "" {
			name, err := deviceName(a.device)
			if err != nil {
				continue // it has gone since
			}
			names[a.device] = name
		}
		a.Device = names[a.device]
		list = append(list, a.Address)
	}
	return list, nil
}

// numberedAddress is an address as the kernel reports it.
type numberedAddress struct {
	Address
	device int // its number
}

// parseAddress reads the payload of RTM_NEWADDR.
func parseAddress(b []byte) (a numberedAddress, err error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return a, errShort
	}
	bits := int(b[1])
	a.device = int(native.Uint32(b[4:]))
	var local, address netip.Addr
	for rest := b[unix.SizeofIfAddrmsg:]; len(rest) > 0; {
		typ, value, next, err := cutAttr(rest)
		if err != nil {
			return a, err
		}
		rest = next
		if typ != unix.IFA_LOCAL && typ != unix.IFA_ADDRESS {
			continue
		}
		addr, ok := netip.AddrFromSlice(value)
		if !ok || family(addr) != b[0] {
			return a, errLength
		}
		if typ == unix.IFA_LOCAL {
			local = addr
		} else {
			address = addr
		}
	}
	switch { // IPv6 has IFA_LOCAL only where there is a peer
	case !local.IsValid():
		local = address
	case address != local:
		a.Peer = address
	}
	if a.Prefix = netip.PrefixFrom(local, bits); !a.Prefix.IsValid() {
		return a, errLength
	}
	return a, nil
}

// dump asks the kernel for a list and passes the payload of each message of type answers to take. If the list changes while it
// is read, dump calls restart and reads it again.
func dump(request, answers uint16, fixed []byte, restart func(), take func(payload []byte) error) (err error) {
	const attempts = 3
	for range attempts {
		restart()
		err = exchange(begin(nil, request, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, seq, fixed), func(m message) (done bool, err error) {
			if m.Type == answers {
				err = take(m.Payload)
			}
			return false, err
		})
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	return err
}

// Gateways returns the IPv4 gateways of all routing tables, except those of routes by one device: one Route for each, with
// Gateway and Device alone.
func Gateways(except string) (list []Route, err error) {
	own, _ := DeviceIndex(except) // 0 where it does not exist
	found := map[entry]bool{}
	fixed := make([]byte, unix.SizeofRtMsg)
	fixed[0] = unix.AF_INET
	err = dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, fixed, func() { clear(found) }, func(b []byte) error {
		e, err := parseEntry(b)
		if err == nil && e.gateway.IsValid() && e.device != 0 && e.device != own {
			found[entry{gateway: e.gateway, device: e.device}] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the gateways: %w", err)
	}
	for e := range found {
		if name, err := deviceName(e.device); err == nil { // otherwise it has gone since
			list = append(list, Route{Gateway: e.gateway, Device: name})
		}
	}
	return list, nil
}

// matchRoute is RTM_F_FIB_MATCH: the answer is the entry of the table that applies, with its metric, instead of a route made
// from it for one address. Linux has it since 4.13 (IPv4) and 4.15 (IPv6); before, the metric and the prefix are unknown.
const matchRoute = 0x2000

// FindWay returns the route that the kernel applies to packets, by its rules and tables. It sends nothing. The error is
// ENETUNREACH or its like if there is no route, and EHOSTUNREACH if the kernel refuses the packets or does not forward them.
func FindWay(q reach.Query) (Route, error) {
	to := q.To.Unmap().WithZone("")
	if !to.IsValid() || q.From.IsValid() && q.From.Is4() != to.Is4() {
		return Route{}, fmt.Errorf("find the way: %w", unix.EINVAL)
	}
	fixed := make([]byte, unix.SizeofRtMsg)
	fixed[0] = family(to)
	fixed[1] = byte(to.BitLen())
	native.PutUint32(fixed[rtmFlags:], matchRoute)
	if q.From.IsValid() {
		fixed[2] = byte(to.BitLen()) // rtm_src_len
	}
	request := begin(nil, unix.RTM_GETROUTE, unix.NLM_F_REQUEST, seq, fixed)
	request = appendAttr(request, unix.RTA_DST, to.AsSlice())
	if q.From.IsValid() {
		request = appendAttr(request, unix.RTA_SRC, q.From.AsSlice())
	}
	for _, d := range []struct {
		typ  uint16
		name string
	}{{unix.RTA_IIF, q.In}, {unix.RTA_OIF, q.Device}} {
		if d.name == "" {
			continue
		}
		index, err := DeviceIndex(d.name)
		if err != nil {
			return Route{}, err
		}
		request = appendAttr32(request, d.typ, uint32(index))
	}
	var found entry
	err := exchange(request, func(m message) (done bool, err error) {
		if m.Type != unix.RTM_NEWROUTE {
			return false, nil
		}
		found, err = parseEntry(m.Payload)
		return true, err
	})
	if err == nil && found.typ != unix.RTN_UNICAST && found.typ != unix.RTN_LOCAL {
		err = unix.EHOSTUNREACH
	}
	r := Route{Dst: found.dst, Gateway: found.gateway, Metric: found.metric, Table: found.table, Local: found.typ == unix.RTN_LOCAL}
	if err == nil {
		r.Device, err = deviceName(found.device)
	}
	if err != nil {
		return Route{}, fmt.Errorf("find the way to %s: %w", to, err)
	}
	return r, nil
}
