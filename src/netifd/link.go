package netifd

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/ubus"
)

// Link is the whole picture of an established tunnel.
type Link struct {
	Device        string
	Server        netip.Addr // outside of the tunnel
	Local, Peer   netip.Addr // Peer may be invalid
	DNS           []netip.Addr
	Local6, Peer6 netip.Addr // of the link; invalid without IPv6
	// Data is shown to whoever asks netifd for the interface's status. Only what never changes while the interface is up
	// belongs there: each change makes OpenWrt load its firewall anew.
	Data ubus.Fields
}

// peer returns the far end's address where the kernel may have a route to it by the device. A server that gives as its
// inner address the one by which it is reached outside would have its own packets caught by that route.
func (l Link) peer() netip.Addr {
	if l.Peer == l.Server || l.Peer == l.Local {
		return netip.Addr{}
	}
	return l.Peer
}

// Up tells netifd the complete link, reads it back and compares, and adds the IPv6 child interface. It may be called
// again with another picture. The device must exist. The error is a *fault.Error.
func (i *Interface) Up(ctx context.Context, l Link) error {
	before, err := i.status(ctx, i.name)
	if err != nil {
		return i.refused("to tell of the interface "+i.name, err)
	}
	up, _ := before.Flag("up")
	pending, _ := before.Flag("pending")
	if !up && !pending {
		// netifd would set the addresses and leave the interface down.
		return fault.New(fault.NetifdRefused, fault.StageNetwork, "netifd has the interface "+i.name+" down, so the link is not announced.").
			WithHint("Start the interface with ifup " + i.name + ".")
	}
	if err := i.notify(ctx, actionLink, linkFields(l)...); err != nil {
		what := "the link"
		if status(err) == ubus.StatusUnknownError {
			what = "the device " + l.Device
		}
		return i.refused(what, err)
	}
	after, err := i.status(ctx, i.name)
	if err != nil {
		return i.refused("to tell of the interface "+i.name, err)
	}
	if missing := notTaken(after, l); len(missing) > 0 {
		if err := i.notify(ctx, actionLink, ubus.F("link-up", ubus.Bool(false))); err != nil {
			i.o.Log(config.LogDebug, "taking the link back: %v", err)
		}
		return fault.New(fault.NetifdRefused, fault.StageNetwork, "netifd did not take "+strings.Join(missing, ", ")+".")
	}
	i.mu.Lock()
	i.up, i.owed = true, nil
	i.mu.Unlock()
	i.updateChild(ctx, l, after)
	return nil
}

// linkFields is the link as netifd wants it: complete, with real booleans, prefix lengths as text. netifd ignores a list
// item that is written in any other way, and answers that all is well.
func linkFields(l Link) ubus.Fields {
	addr := ubus.Fields{ubus.F("ipaddr", ubus.String(l.Local.String())), ubus.F("mask", ubus.String("32"))}
	route := ubus.Fields{ubus.F("target", ubus.String("0.0.0.0")), ubus.F("netmask", ubus.String("0"))}
	if p := l.peer(); p.IsValid() {
		addr = append(addr, ubus.F("ptp", ubus.String(p.String())))
		route = append(route, ubus.F("gateway", ubus.String(p.String())))
	}
	f := ubus.Fields{
		ubus.F("link-up", ubus.Bool(true)), ubus.F("keep", ubus.Bool(false)), ubus.F("ifname", ubus.String(l.Device)),
		ubus.F("ipaddr", ubus.Array(ubus.Tab(addr...))),
	}
	if l.Local6.IsValid() {
		// A whole /64, so that the far end's address is on the link.
		f = append(f, ubus.F("ip6addr", ubus.Array(ubus.Tab(
			ubus.F("ipaddr", ubus.String(l.Local6.String())), ubus.F("mask", ubus.String("64"))))))
	}
	f = append(f, ubus.F("routes", ubus.Array(ubus.Tab(route...))))
	if len(l.DNS) > 0 {
		var servers []ubus.Value
		for _, a := range l.DNS {
			servers = append(servers, ubus.String(a.String()))
		}
		f = append(f, ubus.F("dns", ubus.Array(servers...)))
	}
	if len(l.Data) > 0 {
		f = append(f, ubus.F("data", ubus.Tab(l.Data...)))
	}
	return f
}

// notTaken lists what of a link is missing in netifd's status. What the user's options make inactive is there too.
func notTaken(s ubus.Fields, l Link) (missing []string) {
	want := func(has bool, what string) {
		if !has {
			missing = append(missing, what)
		}
	}
	up, _ := s.Flag("up")
	want(up, "the link at all: the interface is not up")
	if !up {
		return missing
	}
	want(s.Text("l3_device") == l.Device, "the device "+l.Device)
	inactive := s.Table("inactive")
	both := func(name string) []ubus.Value { return slices.Concat(s.List(name), inactive.List(name)) }
	want(hasAddress(both("ipv4-address"), l.Local, l.peer()), "the address "+l.Local.String())
	if l.Local6.IsValid() {
		want(hasAddress(both("ipv6-address"), l.Local6, netip.Addr{}), "the address "+l.Local6.String())
	}
	want(slices.ContainsFunc(both("route"), func(v ubus.Value) bool {
		t := v.Fields()
		bits, ok := t.Number("mask")
		return ok && bits == 0 && t.Text("target") == "0.0.0.0"
	}), "the default route")
	for _, a := range l.DNS {
		want(slices.ContainsFunc(both("dns-server"), func(v ubus.Value) bool {
			text, _ := v.Str()
			return text == a.String()
		}), "the name server "+a.String())
	}
	return missing
}

func hasAddress(list []ubus.Value, addr, peer netip.Addr) bool {
	return slices.ContainsFunc(list, func(v ubus.Value) bool {
		t := v.Fields()
		return t.Text("address") == addr.String() && (!peer.IsValid() || t.Text("ptpaddress") == peer.String())
	})
}

// Down tells netifd that the link is gone, and then of the failure that took it. While the interface is being taken down
// anyway, netifd does not want to hear it.
func (i *Interface) Down(ctx context.Context) error {
	i.mu.Lock()
	i.up = false
	owed := i.owed
	i.owed = nil
	i.mu.Unlock()
	err := i.notify(ctx, actionLink, ubus.F("link-up", ubus.Bool(false)))
	switch status(err) {
	case ubus.StatusPermissionDenied, ubus.StatusNotFound:
		return nil
	}
	if err != nil {
		return i.refused("that the link is down", err)
	}
	if owed != nil {
		i.Failed(ctx, owed)
	}
	return nil
}

// IsUp says whether netifd has the link.
func (i *Interface) IsUp() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.up
}
