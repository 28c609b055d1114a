package netifd

import (
	"context"
	"net/netip"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/reach"
)

// Kernel is what this package needs of the machine's own network, as opposed to what netifd believes it to be.
type Kernel interface {
	// Device reports whether a network device is up, and returns its addresses.
	Device(name string) (up bool, addrs []netip.Addr, err error)
	// Global6 returns the machine's global IPv6 addresses by device.
	Global6() (map[string]netip.Addr, error)
	// Way returns the route that the kernel applies; the error says that there is none.
	Way(q reach.Query) (reach.Route, error)
	// AddAddress gives a device an address; with a valid peer the prefix is the peer's.
	AddAddress(device string, addr netip.Prefix, peer netip.Addr) error
	// DropAddress deletes an IPv4 address if it is still there, and has the kernel forget connections that were masqueraded
	// behind it.
	DropAddress(device string, addr, peer netip.Addr) error
	// AddRoute adds a route where there is none to the same destination with the same metric, and reports whether it did.
	AddRoute(r reach.Route) (added bool, err error)
	// ReplaceRoute puts a route in the place of that to the same destination with the same metric.
	ReplaceRoute(r reach.Route) error
	DeleteRoute(r reach.Route) error
	// Resolvers returns the text of the file in which netifd lists name servers.
	Resolvers() string
}

// kernelSide is the kernel's side of the link. Up, Down and Check own it; they never run at the same time.
type kernelSide struct {
	last    Link           // as announced
	guards  int            // metric of the guard routes; 0: there are none
	metrics map[string]int // of default routes, by device
	repairs reach.Repairs
}

// halves are the destinations of the guard routes: each half of all IPv4 addresses.
//
// The kernel has one IPv4 default route of a metric, and with equal metrics, which are the default, netifd puts the default
// route of an uplink that comes up in the place of the tunnel's. Two routes to the halves go before any default route, so
// that it cannot take a packet even for a moment. Their metric is one more than that of the tunnel's default route: halves
// with a smaller one, as OpenVPN lays them, are the user's wish.
var halves = [2]netip.Prefix{
	netip.PrefixFrom(netip.AddrFrom4([4]byte{}), 1), netip.PrefixFrom(netip.AddrFrom4([4]byte{128}), 1),
}

var everything = netip.PrefixFrom(netip.AddrFrom4([4]byte{}), 0)

// routing is what netifd believes about default routes.
type routing struct {
	ours     reach.Route   // the tunnel's default route
	active   bool          // ours is in use, in some table
	others   []reach.Route // default routes of other interfaces, in the main table
	better   bool          // one of the others has a smaller metric
	contends bool          // one of the others has or had the same metric, or may have it some day
}

// routing reads netifd's interfaces.
func (i *Interface) routing(dump blobmsg.Fields, l *Link) (r routing) {
	own := interfaceIn(dump, i.name)
	metric, _ := own.Number("metric")
	for _, t := range own.Tables("route") {
		if def, ok := defaultRoute(t, metric); ok {
			def.Device, r.ours, r.active = l.Device, def, true
		}
	}
	if table, has := own.Number("ip4table"); has {
		r.ours.Table = uint32(table)
	}
	r.others = i.defaultRoutes(dump)
	for _, o := range r.others {
		r.better = r.better || o.Metric < r.ours.Metric
	}
	if i.kernel.metrics == nil {
		i.kernel.metrics = map[string]int{}
	}
	for _, o := range r.others {
		i.kernel.metrics[o.Device] = o.Metric
	}
	r.contends = r.ours.Metric == 0
	for _, metric := range i.kernel.metrics {
		r.contends = r.contends || metric == r.ours.Metric
	}
	return r
}

// guarded reports whether guard routes belong into the kernel.
func (r *routing) guarded() bool {
	return r.active && r.ours.Table == 0 && !r.better && r.contends
}

// keepRoutes lays what is missing of the tunnel's default route and its guards, and takes guards away that are no longer
// wanted. It reports whether something was missing.
func (i *Interface) keepRoutes(r *routing, l *Link) (missing bool) {
	note := func(what string, err error) {
		if err != nil {
			i.o.Log(config.LogDebug, "%s: %v", what, err)
		}
	}
	k := i.o.Kernel
	if r.active {
		added, err := k.AddRoute(r.ours)
		note("the tunnel's default route", err)
		missing = added
	}
	metric := 0
	if r.guarded() {
		metric = r.ours.Metric + 1
		for _, half := range halves {
			added, err := k.AddRoute(reach.Route{Dst: half, Device: l.Device, Metric: metric})
			note("a guard route", err)
			missing = missing || added
		}
		i.keepUplink(r)
	}
	if old := i.kernel.guards; old != 0 && old != metric {
		i.dropGuards(l.Device, old)
	}
	i.kernel.guards = metric
	return missing
}

func (i *Interface) dropGuards(device string, metric int) {
	for _, half := range halves {
		if err := i.o.Kernel.DeleteRoute(reach.Route{Dst: half, Device: device, Metric: metric}); err != nil {
			i.o.Log(config.LogDebug, "a guard route: %v", err)
		}
	}
}

// keepUplink replaces the tunnel's default route by the uplink's with the same metric. The guard routes make the tunnel's
// needless; sockets that are bound to the uplink need the uplink's, and it is there when the tunnel ends. Of several uplinks it
// takes the one in use, or else the first.
func (i *Interface) keepUplink(r *routing) {
	inUse := i.uplinkDevice()
	var route reach.Route
	for _, o := range r.others {
		if o.Metric == r.ours.Metric && (route.Device == "" || o.Device == inUse) {
			route = o
		}
	}
	if route.Device == "" {
		return
	}
	if way, err := i.o.Kernel.Way(reach.Query{To: reach.Samples[0], Device: route.Device}); err == nil && way.Dst.Bits() == 0 {
		return
	}
	if err := i.o.Kernel.ReplaceRoute(route); err != nil {
		i.o.Log(config.LogDebug, "the default route by %s: %v", route.Device, err)
	}
}

// interfaceIn returns one interface of a dump.
func interfaceIn(dump blobmsg.Fields, name string) blobmsg.Fields {
	for _, f := range dump.Tables("interface") {
		if f.Text("interface") == name {
			return f
		}
	}
	return nil
}

// guard lays the guard routes right after a link-up; Check keeps them from then on.
func (i *Interface) guard(ctx context.Context, l *Link) {
	if i.o.Kernel == nil {
		return
	}
	dump, err := i.call(ctx, objectInterface, "dump", nil)
	if err != nil {
		i.o.Log(config.LogDebug, "default routes: %v", err)
		return
	}
	r := i.routing(dump, l)
	i.keepRoutes(&r, l)
}

// MendRoutes restores the default routes of other interfaces that netifd believes to be there and the kernel does not have.
//
// The kernel has one IPv4 default route per metric. When the tunnel comes up with the metric of its uplink, as nearly everybody
// has it, netifd replaces the uplink's default route by the tunnel's. When the tunnel's goes, netifd does not restore the
// other, and the router would be left without any.
func (i *Interface) MendRoutes(ctx context.Context) {
	if i.o.Kernel == nil {
		return
	}
	dump, err := i.call(ctx, objectInterface, "dump", nil)
	if err != nil {
		i.o.Log(config.LogDebug, "default routes: %v", err)
		return
	}
	for _, r := range i.defaultRoutes(dump) {
		laid, err := i.o.Kernel.AddRoute(r)
		switch {
		case laid:
			i.o.Log(config.LogInfo, "the default route by %s is there again", r.Device)
		case err != nil:
			i.o.Log(config.LogTrace, "the default route by %s: %v", r.Device, err)
		}
	}
}

// defaultRoutes returns the IPv4 default routes in the main table of all interfaces that are up, except ours.
func (i *Interface) defaultRoutes(dump blobmsg.Fields) (list []reach.Route) {
	for _, f := range dump.Tables("interface") {
		name, device := f.Text("interface"), f.Text("l3_device")
		if up, _ := f.Flag("up"); !up || device == "" || device == i.o.Device || name == i.name || name == i.child() {
			continue
		}
		if _, table := f.Get("ip4table"); table {
			continue
		}
		metric, _ := f.Number("metric")
		for _, t := range f.Tables("route") {
			if r, ok := defaultRoute(t, metric); ok {
				r.Device = device
				list = append(list, r)
			}
		}
	}
	return list
}

// defaultRoute reads a route of an interface. ok is false unless it is an IPv4 default route of the main table.
func defaultRoute(t blobmsg.Fields, metric int64) (r reach.Route, ok bool) {
	to, ok := prefix(t, "target")
	_, table := t.Get("table")
	_, typed := t.Get("type") // such as unreachable
	if !ok || !to.Addr().Is4() || to.Bits() != 0 || table || typed {
		return r, false
	}
	if own, has := t.Number("metric"); has {
		metric = own
	}
	r.Dst, r.Metric, r.Gateway, r.Source = everything, int(metric), nextHop(t), source(t)
	return r, true
}
