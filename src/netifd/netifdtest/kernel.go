package netifdtest

import (
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"sstp/src/blobmsg"
	"sstp/src/reach"
)

// Kernel is the network of the router's kernel: devices, addresses, routes, and rules for source addresses. It does as Linux
// was seen to do: there is one IPv4 route of a destination, metric and table, a device that is down has no routes, and the
// more specific route goes before the one with the smaller metric. Its methods may be called from any goroutine.
type Kernel struct {
	mu      sync.Mutex
	devices map[string]*kernelDevice
	routes  []reach.Route
	rules   map[netip.Addr]uint32 // tables by source address
	given   map[string]given      // what netifd has configured, by interface

	// Resolv is the file of name servers; NoForward makes it forward nothing. Both are set before it is used.
	Resolv    string
	NoForward bool
	Dropped   []netip.Addr // addresses behind which connections were forgotten
}

type kernelDevice struct {
	up    bool
	addrs []netip.Addr
}

// given is what netifd has configured for an interface.
type given struct {
	device string
	addrs  []netip.Addr
	routes []reach.Route
	table  uint32
}

func newKernel() *Kernel {
	return &Kernel{devices: map[string]*kernelDevice{}, rules: map[netip.Addr]uint32{}, given: map[string]given{}}
}

// configure does what netifd does when it learns of an interface: it touches only what is not as it was told before. What is
// added comes before what is deleted.
func (k *Kernel) configure(i *Iface, lie bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old, now := k.given[i.Name], given{}
	if i.Up && i.Device != "" {
		now = given{device: i.Device, table: uint32(i.Table)}
		for _, f := range append(slices.Clone(i.Addresses), i.Addresses6...) {
			if a, err := netip.ParseAddr(f.Text("address")); err == nil {
				now.addrs = append(now.addrs, a)
			}
		}
		for _, f := range i.Routes {
			now.routes = append(now.routes, routeOf(f, i))
		}
	}
	k.given[i.Name] = now
	if lie {
		if k.devices[i.Device] == nil {
			k.devices[i.Device] = &kernelDevice{}
		}
		return
	}
	if now.device != "" && (old.device != now.device || k.devices[now.device] == nil) {
		if k.devices[now.device] == nil {
			k.devices[now.device] = &kernelDevice{}
		}
		k.devices[now.device].up = true
	}
	for _, a := range now.addrs {
		if d := k.devices[now.device]; !slices.Contains(old.addrs, a) && !slices.Contains(d.addrs, a) {
			d.addrs = append(d.addrs, a)
		}
		if now.table != 0 {
			k.rules[a] = now.table
		}
	}
	for _, r := range now.routes {
		if !slices.Contains(old.routes, r) {
			k.replace(r)
		}
	}
	for _, r := range old.routes {
		if !slices.Contains(now.routes, r) {
			k.delete(r)
		}
	}
	if d := k.devices[old.device]; d != nil {
		d.addrs = slices.DeleteFunc(d.addrs, func(a netip.Addr) bool {
			return slices.Contains(old.addrs, a) && !slices.Contains(now.addrs, a)
		})
		if now.device != old.device {
			k.down(old.device)
		}
	}
}

// routeOf reads a route as a status shows it.
func routeOf(f blobmsg.Fields, i *Iface) reach.Route {
	bits, _ := f.Number("mask")
	to, _ := netip.ParsePrefix(f.Text("target") + "/" + strconv.FormatInt(bits, 10))
	r := reach.Route{Dst: to, Device: i.Device, Metric: int(i.Metric), Table: uint32(i.Table)}
	if metric, own := f.Number("metric"); own {
		r.Metric = int(metric)
	}
	if via, err := netip.ParseAddr(f.Text("nexthop")); err == nil && !via.IsUnspecified() {
		r.Gateway = via
	}
	return r
}

func (k *Kernel) down(device string) {
	k.devices[device].up = false
	k.routes = slices.DeleteFunc(k.routes, func(r reach.Route) bool { return r.Device == device })
}

func inPlaceOf(a, b reach.Route) bool {
	return a.Dst == b.Dst && a.Metric == b.Metric && a.Table == b.Table
}

func (k *Kernel) replace(r reach.Route) {
	k.routes = slices.DeleteFunc(k.routes, func(old reach.Route) bool { return inPlaceOf(old, r) })
	k.routes = append(k.routes, r)
}

func (k *Kernel) delete(r reach.Route) {
	k.routes = slices.DeleteFunc(k.routes, func(old reach.Route) bool { return inPlaceOf(old, r) && old.Device == r.Device })
}

// Remove takes a device away, with its addresses and routes.
func (k *Kernel) Remove(device string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.devices[device] != nil {
		k.down(device)
		delete(k.devices, device)
	}
}

// SetDown puts a device down, as a user may.
func (k *Kernel) SetDown(device string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down(device)
	k.devices[device].addrs = nil
}

// Rule sends packets from an address to a route in a table of its own.
func (k *Kernel) Rule(from netip.Addr, r reach.Route) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rules[from] = r.Table
	k.routes = append(k.routes, r)
}

// Routes returns the routes of the main table to a destination.
func (k *Kernel) Routes(dst string) (list []reach.Route) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.routes {
		if r.Table == 0 && r.Dst == netip.MustParsePrefix(dst) {
			list = append(list, r)
		}
	}
	return list
}

// Device implements netifd.Kernel.
func (k *Kernel) Device(name string) (up bool, addrs []netip.Addr, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.devices[name]
	if d == nil {
		return false, nil, unix.ENODEV
	}
	return d.up, slices.Clone(d.addrs), nil
}

// Global6 implements netifd.Kernel.
func (k *Kernel) Global6() (map[string]netip.Addr, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := map[string]netip.Addr{}
	for name, d := range k.devices {
		for _, a := range d.addrs {
			if a.Is6() && a.IsGlobalUnicast() {
				list[name] = a
			}
		}
	}
	return list, nil
}

// Way implements netifd.Kernel.
func (k *Kernel) Way(q reach.Query) (reach.Route, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if q.In != "" && k.NoForward {
		return reach.Route{}, unix.EHOSTUNREACH
	}
	for _, table := range []uint32{k.rules[q.From], 0} {
		var best *reach.Route
		for n := range k.routes {
			r := &k.routes[n]
			if r.Table != table || !r.Dst.Contains(q.To) || q.Device != "" && r.Device != q.Device {
				continue
			}
			if best == nil || r.Dst.Bits() > best.Dst.Bits() || r.Dst.Bits() == best.Dst.Bits() && r.Metric < best.Metric {
				best = r
			}
		}
		if best != nil {
			found := *best
			if found.Table == 0 {
				found.Table = reach.MainTable
			}
			return found, nil
		}
	}
	return reach.Route{}, unix.ENETUNREACH
}

// AddAddress implements netifd.Kernel.
func (k *Kernel) AddAddress(device string, addr netip.Prefix, _ netip.Addr) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.devices[device]
	if d == nil {
		return unix.ENODEV
	}
	if !slices.Contains(d.addrs, addr.Addr()) {
		d.addrs = append(d.addrs, addr.Addr())
	}
	return nil
}

// DropAddress implements netifd.Kernel.
func (k *Kernel) DropAddress(device string, addr, _ netip.Addr) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.devices[device]; d != nil {
		d.addrs = slices.DeleteFunc(d.addrs, func(a netip.Addr) bool { return a == addr })
	}
	k.Dropped = append(k.Dropped, addr)
	return nil
}

// AddRoute implements netifd.Kernel.
func (k *Kernel) AddRoute(r reach.Route) (added bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch d := k.devices[r.Device]; {
	case slices.ContainsFunc(k.routes, func(old reach.Route) bool { return inPlaceOf(old, r) }):
		return false, nil
	case d == nil:
		return false, unix.ENODEV
	case !d.up:
		return false, unix.ENETDOWN
	}
	k.routes = append(k.routes, r)
	return true, nil
}

// ReplaceRoute implements netifd.Kernel.
func (k *Kernel) ReplaceRoute(r reach.Route) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.devices[r.Device]; d == nil || !d.up {
		return unix.ENETDOWN
	}
	k.replace(r)
	return nil
}

// DeleteRoute implements netifd.Kernel.
func (k *Kernel) DeleteRoute(r reach.Route) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delete(r)
	return nil
}

// Resolvers implements netifd.Kernel.
func (k *Kernel) Resolvers() string { return k.Resolv }
