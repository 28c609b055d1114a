package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/reach"
	"sstp/src/session"
)

// Check puts back what of the link is missing in the kernel, and says where traffic really goes.
func (h *hostNetwork) Check(_ context.Context, l session.Link) (session.Reach, error) {
	if h.renew != nil {
		h.renew()
	}
	repaired, err := h.repair(l)
	if err != nil {
		return session.Reach{}, err
	}
	link := reach.Link{
		Interface: h.tunnel.Name, Device: l.Device, Metric: h.tunnel.Metric, DefaultRoute: h.tunnel.DefaultRoute, Refusing: l.Refusing,
	}
	const carried = false // no IPv6 route is laid here
	return session.Reach{
		Checked:  time.Now(),
		Internet: reach.Internet(&link, reach.Ways(reach.Samples, kernelWay)),
		IPv6:     reach.IPv6(&link, reach.Ways(reach.Samples6, kernelWay), carried),
		Names:    nameFinding(&link),
		Repaired: repaired,
	}, nil
}

// repair returns a sentence on each thing that was missing and is there again.
func (h *hostNetwork) repair(l session.Link) (repaired []string, err error) {
	up, err := hostnet.IsUp(l.Device)
	if err != nil {
		return nil, fault.New(fault.TUNFailed, fault.StageUp, "The device "+l.Device+" is gone.").Wrap(err)
	}
	if !up {
		if err := hostnet.SetUp(l.Device, l.MTU); err != nil {
			return nil, h.cannotSet(err)
		}
		repaired = append(repaired, l.Device+" was down and is up again")
	}
	for _, a := range []hostnet.Address{
		{Device: l.Device, Prefix: netip.PrefixFrom(l.Local, l.Local.BitLen()), Peer: l.Peer},
		{Device: l.Device, Prefix: netip.PrefixFrom(l.Local6, 64)},
	} {
		if !a.Prefix.IsValid() {
			continue
		}
		there, err := hasAddress(a)
		if err == nil && !there {
			err = hostnet.AddAddress(a.Device, a.Prefix, a.Peer)
			repaired = append(repaired, fmt.Sprintf("the address %v was missing on %s", a.Prefix.Addr(), l.Device))
		}
		if err != nil {
			return nil, h.cannotSet(err)
		}
	}
	if !h.tunnel.DefaultRoute {
		return repaired, nil
	}
	for _, dst := range h.defaultRoutes() {
		added, err := hostnet.AddRoute(hostnet.Route{Dst: dst, Device: l.Device, Metric: h.tunnel.Metric})
		switch {
		case added:
			repaired = append(repaired, fmt.Sprintf("the route to %v by %s was missing", dst, l.Device))
		case errors.Is(err, unix.EEXIST):
			// Somebody else wants the same route, another VPN for example. The findings say so; a fight for it helps nobody.
		case err != nil:
			return nil, h.cannotSet(err)
		}
	}
	return repaired, nil
}

func hasAddress(want hostnet.Address) (bool, error) {
	list, err := hostnet.Addresses(want.Device, want.Prefix.Addr().Is6())
	for _, a := range list {
		if a.Prefix == want.Prefix && a.Peer == want.Peer {
			return true, nil
		}
	}
	return false, err
}

func kernelWay(to netip.Addr) (reach.Route, error) { return kernel{}.Way(reach.Query{To: to}) }

// hostResolvers are where the name servers stand that the machine asks: those behind systemd-resolved's own before those of
// programs.
var hostResolvers = []string{"/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"}

// nameFinding judges the machine's name servers by the way that the kernel has to them: nothing sets those that the tunnel's
// server gives.
func nameFinding(l *reach.Link) reach.Finding {
	var list []reach.Resolver
	for _, file := range hostResolvers {
		if text, err := os.ReadFile(file); err == nil {
			list = reach.ParseResolvers(string(text))
			break
		}
	}
	inside := map[netip.Addr]bool{}
	for n, r := range list {
		way, err := kernelWay(r.Addr)
		inside[r.Addr] = err != nil || way.Device == l.Device || r.Addr.IsLoopback()
		list[n].Interface = way.Device
	}
	return reach.Names(l, list, nil, func(a netip.Addr) bool { return inside[a] })
}
