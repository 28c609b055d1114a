package netifd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/reach"
)

// ipv6Bits is the length of the prefix of our link-local address: the far end is on the link.
const ipv6Bits = 64

// notInKernel returns what the kernel's device lacks of the link, "" if it lacks nothing or cannot be asked.
func (i *Interface) notInKernel(l *Link) string {
	if i.o.Kernel == nil {
		return ""
	}
	up, addrs, err := i.o.Kernel.Device(l.Device)
	switch {
	case err != nil:
		i.o.Log(config.LogDebug, "the device's addresses: %v", err)
		return ""
	case !up:
		return "the kernel has the device " + l.Device + " down"
	case !slices.Contains(addrs, l.Local):
		return "the kernel's device " + l.Device + " does not have the address " + l.Local.String()
	}
	return ""
}

// dropOldAddress removes the address of the previous link from the kernel, with the connections that still use it.
func (i *Interface) dropOldAddress(l *Link) {
	last := &i.kernel.last
	if i.o.Kernel == nil || !last.Local.IsValid() || last.Local == l.Local || last.Device != l.Device {
		return
	}
	if err := i.o.Kernel.DropAddress(l.Device, last.Local, last.peer()); err != nil {
		i.o.Log(config.LogWarn, "the old address %v of %s: %v", last.Local, l.Device, err)
	}
}

// forgetKernel removes what this package has added to the kernel beside netifd.
func (i *Interface) forgetKernel() {
	k := &i.kernel
	if i.o.Kernel != nil && k.guards != 0 {
		i.dropGuards(k.last.Device, k.guards)
	}
	i.kernel = kernelSide{metrics: k.metrics}
}

// Check compares the link that Up announced with the kernel, repairs what is missing or was replaced there, and reports where
// traffic really goes. It must not be called at the same time as Up, Down or itself.
func (i *Interface) Check(ctx context.Context, l Link) (found reach.Report, err error) {
	if i.o.Kernel == nil {
		return reach.Report{}, nil
	}
	dump, err := i.call(ctx, objectInterface, "dump", nil)
	if err != nil {
		// Not a fault: a netifd or ubusd that is being restarted says nothing about the link.
		return reach.Report{}, fmt.Errorf("netifd's list of interfaces: %w", err)
	}
	now := time.Now()
	own := interfaceIn(dump, i.name)
	if up, _ := own.Flag("up"); up && i.IsUp() { // otherwise netifd is taking it down
		repaired, err := i.repairAddresses(ctx, &l, now)
		if err != nil {
			return reach.Report{}, err
		}
		found.Repaired = append(found.Repaired, repaired...)
		if text := i.repairRoutes(dump, &l, now); text != "" {
			found.Repaired = append(found.Repaired, text)
		}
	}
	r := i.routing(dump, &l)
	about := i.about(dump, &r, &l)
	if up, _ := own.Flag("up"); !up {
		about.DefaultRoute = true // netifd shows no routes of what is down
	}
	found.Checked = now
	found.Internet = reach.Internet(&about, i.trafficWays(dump, &r, &l))
	found.IPv6 = i.lookIPv6(own, about, &l)
	found.Names = i.lookNames(ctx, &about, &l)
	found.Firewall = i.lookFirewall(ctx, own, &l)
	return found, nil
}

// repairAddresses sets the device up and adds its missing addresses.
func (i *Interface) repairAddresses(ctx context.Context, l *Link, now time.Time) (repaired []string, err error) {
	up, addrs, err := i.o.Kernel.Device(l.Device)
	if err != nil {
		i.o.Log(config.LogDebug, "the device's addresses: %v", err)
		return nil, nil
	}
	if !up {
		if !i.kernel.repairs.May(now) {
			return nil, nil
		}
		after, err := i.announce(ctx, l)
		if unreachable(err) {
			return nil, fmt.Errorf("announcing the link again: %w", errors.Unwrap(err))
		}
		if err != nil {
			return nil, err
		}
		i.updateChild(ctx, l, after)
		i.kernel.repairs.Done(now)
		return []string{"the device " + l.Device + " was down in the kernel"}, nil
	}
	give := func(addr netip.Prefix, peer netip.Addr) {
		if !addr.IsValid() || slices.Contains(addrs, addr.Addr()) || !i.kernel.repairs.May(now) {
			return
		}
		if err := i.o.Kernel.AddAddress(l.Device, addr, peer); err != nil {
			i.o.Log(config.LogWarn, "the address %v of %s is missing: %v", addr.Addr(), l.Device, err)
			return
		}
		i.kernel.repairs.Done(now)
		repaired = append(repaired, "the address "+addr.Addr().String()+" of "+l.Device+" was missing")
	}
	give(netip.PrefixFrom(l.Local, l.Local.BitLen()), l.peer())
	if l.Local6.IsValid() {
		give(netip.PrefixFrom(l.Local6, ipv6Bits), netip.Addr{})
	}
	return repaired, nil
}

// repairRoutes makes traffic take the tunnel if netifd believes that it does. It returns a sentence on what was wrong, "" if
// nothing was repaired.
func (i *Interface) repairRoutes(dump blobmsg.Fields, l *Link, now time.Time) string {
	r := i.routing(dump, l)
	ways := i.ownWays(&r, l)
	other := reach.Foreign(ways, l.Device)
	if !r.active || r.better || reach.All(ways, l.Device) {
		i.kernel.repairs.Exhausted = false
		i.keepRoutes(&r, l)
		return ""
	}
	if other != nil && other.Dst.Bits() == 0 && other.Metric == r.ours.Metric {
		i.kernel.metrics[other.Device] = other.Metric // netifd need not know of it
		r.contends = true
	}
	if !i.kernel.repairs.May(now) || !i.keepRoutes(&r, l) {
		return ""
	}
	i.kernel.repairs.Done(now)
	about := i.about(dump, &r, l)
	switch {
	case !reach.All(i.ownWays(&r, l), l.Device):
		return ""
	case other == nil:
		return "the tunnel's default route was missing"
	}
	return "traffic went by " + about.Name(other.Device) + ": " + about.Cause(*other)
}

// ownWays returns the ways of this machine's own packets.
func (i *Interface) ownWays(r *routing, l *Link) []reach.Way {
	q := reach.Query{}
	if r.ours.Table != 0 {
		q.From = l.Local // by a rule of netifd's for this address
	}
	return reach.Ways(reach.Samples, func(to netip.Addr) (reach.Route, error) {
		q.To = to
		return i.o.Kernel.Way(q)
	})
}

// trafficWays returns the ways of this machine's own packets and of those that it forwards for its networks.
func (i *Interface) trafficWays(dump blobmsg.Fields, r *routing, l *Link) []reach.Way {
	ways := i.ownWays(r, l)
	if !r.active || r.ours.Table != 0 || !reach.All(ways, l.Device) {
		return ways
	}
	for _, lan := range i.networks(dump) {
		for _, w := range reach.Ways(reach.Samples[2:4], func(to netip.Addr) (reach.Route, error) {
			return i.o.Kernel.Way(reach.Query{To: to, From: lan.host, In: lan.device})
		}) {
			if w.Device != "" { // a machine that does not forward has no way for others
				w.From = lan.name
				ways = append(ways, w)
			}
		}
	}
	return ways
}

// network is a network for which this machine may forward packets, with the address of some host in it.
type network struct {
	name, device string
	host         netip.Addr
}

// maxNetworks bounds how many networks Check asks the kernel about.
const maxNetworks = 8

// networks returns the interfaces that are up and have an IPv4 subnet and no default route.
func (i *Interface) networks(dump blobmsg.Fields) (list []network) {
	for _, f := range dump.Tables("interface") {
		p := parseCandidate(f)
		if !p.up || p.device == "" || p.device == i.o.Device || len(list) == maxNetworks ||
			slices.ContainsFunc(p.routes, func(r route) bool { return r.to.Bits() == 0 }) {
			continue
		}
		for n, a := range p.addrs {
			subnet := p.subnets[min(n, len(p.subnets)-1)]
			if !a.Is4() || a.IsLoopback() || !subnet.Contains(a) || subnet.Bits() > 30 {
				continue
			}
			host := a.Next()
			if !subnet.Contains(host.Next()) { // not the broadcast address
				host = a.Prev()
			}
			list = append(list, network{p.name, p.device, host})
			break
		}
	}
	return list
}

// about returns what package reach needs to know of the tunnel.
func (i *Interface) about(dump blobmsg.Fields, r *routing, l *Link) reach.Link {
	about := reach.Link{
		Interface: i.name, Device: l.Device, Metric: r.ours.Metric, DefaultRoute: r.active, Refusing: l.Refusing, Contested: i.kernel.repairs.Exhausted,
		Name: func(device string) string { return interfaceOf(dump, device) },
	}
	if r.ours.Table != 0 && r.ours.Table != reach.MainTable {
		about.Table = strconv.FormatUint(uint64(r.ours.Table), 10)
	}
	return about
}

// interfaceOf returns the name of the interface that has a device, or else the device's.
func interfaceOf(dump blobmsg.Fields, device string) string {
	for _, f := range dump.Tables("interface") {
		if up, _ := f.Flag("up"); up && f.Text("l3_device") == device {
			return f.Text("interface")
		}
	}
	return device
}
