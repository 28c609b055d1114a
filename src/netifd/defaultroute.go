package netifd

import (
	"context"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/reach"
)

// MendRoutes lays those default routes of other interfaces again that netifd believes to be there and the kernel does not
// have.
//
// The kernel has one IPv4 default route of a metric. When the tunnel comes up with the metric of its uplink, which is how
// nearly everybody has it, netifd replaces the uplink's default route by the tunnel's. When the tunnel's goes, netifd does not
// lay the other again: the router would be left without any.
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

// defaultRoutes lists the IPv4 default routes in the main table of all interfaces that are up, but for what is ours.
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

// defaultRoute reads a route of an interface; ok is false where it is another than an IPv4 default route of the main table.
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
