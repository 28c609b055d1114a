package hostnet

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// matchRoute is RTM_F_FIB_MATCH: the answer is the entry of the table that applies, with its metric, instead of a route made
// from it for one address. Linux has it since 4.13 (IPv4) and 4.15 (IPv6); before, the metric and the prefix are unknown.
const matchRoute = 0x2000

// WayQuery asks for the way of packets to one address. Nothing is sent there.
type WayQuery struct {
	To     netip.Addr
	From   netip.Addr // source address; invalid: none chosen yet. Packets that come in need one
	In     string     // device by which forwarded packets come in; empty: packets of this machine
	Device string     // device to which the socket is bound; empty: none
}

// FindWay returns the route that the kernel applies to packets, by its rules and tables. The error is ENETUNREACH or its like where there is none, and EHOSTUNREACH for
// forwarded packets also where the kernel does not forward.
func FindWay(q WayQuery) (Route, error) {
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
