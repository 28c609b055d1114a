package machine

import (
	"context"
	"errors"
	"fmt"
	"golang.org/x/sys/unix"
	"net/netip"
	"os"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/reach"
	"sstp/src/session"
)

// Network sets the tunnel's addresses and routes on a machine without netifd. They belong to the device and go with it. It is a
// session.Host.
type Network struct {
	tunnel *config.Tunnel
	logf   session.Logf
	renew  func() // restores the way of the connection if others have removed it; may be nil
	last   *session.Link
}

// NewNetwork returns the network of a tunnel. renew restores the way of the connection if others have removed it; it may be nil.
func NewNetwork(t *config.Tunnel, logf session.Logf, renew func()) *Network {
	return &Network{tunnel: t, logf: logf, renew: renew}
}

// Up sets the device's addresses and routes.
func (h *Network) Up(_ context.Context, l session.Link) error {
	if err := h.up(l); err != nil {
		return h.cannotSet(err)
	}
	h.last = &l
	return nil
}

func (h *Network) cannotSet(err error) error {
	return fault.Newf(fault.TUNFailed, fault.StageNetwork, "The tunnel's addresses cannot be set: %s.", err.Error()).
		WithHint("Run it as root, or with CAP_NET_ADMIN.").Wrap(err)
}

func (h *Network) up(l session.Link) error {
	setDevice(l.Device, h.logf)
	if err := hostnet.SetUp(l.Device, l.MTU); err != nil {
		return err
	}
	if err := hostnet.AddAddress(l.Device, netip.PrefixFrom(l.Local, l.Local.BitLen()), l.Peer); err != nil {
		return err
	}
	if l.Local6.IsValid() {
		if err := hostnet.AddAddress(l.Device, netip.PrefixFrom(l.Local6, 64), netip.Addr{}); err != nil {
			return err
		}
	}
	h.forget(l) // only now: without any address the device would lose its routes for a moment
	if !h.tunnel.DefaultRoute {
		return nil
	}
	for _, dst := range h.defaultRoutes() {
		if _, err := hostnet.AddRoute(hostnet.Route{Dst: dst, Device: l.Device, Metric: h.tunnel.Metric}); err != nil {
			return err
		}
	}
	return nil
}

// defaultRoutes returns the destinations of the tunnel's default routes. With a metric that is one default route beside the
// others; without one, two halves take precedence over the machine's own default route and leave it as it is.
func (h *Network) defaultRoutes() []netip.Prefix {
	if h.tunnel.Metric > 0 {
		return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	}
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("128.0.0.0/1")}
}

// forget removes the addresses of the previous link that the new one does not have.
func (h *Network) forget(l session.Link) {
	if h.last == nil || h.last.Device != l.Device {
		return
	}
	if h.last.Local != l.Local || h.last.Peer != l.Peer {
		h.delete(h.last.Device, h.last.Local, h.last.Local.BitLen(), h.last.Peer)
	}
	if l.Local.IsValid() && h.last.Local != l.Local {
		if err := hostnet.ForgetAddress(l.Device, h.last.Local); err != nil {
			h.logf(config.LogDebug, "the old address %v: %v", h.last.Local, err)
		}
	}
	if h.last.Local6.IsValid() && h.last.Local6 != l.Local6 {
		h.delete(h.last.Device, h.last.Local6, 64, netip.Addr{})
	}
}

func (h *Network) delete(device string, addr netip.Addr, bits int, peer netip.Addr) {
	if err := hostnet.DeleteAddress(device, netip.PrefixFrom(addr, bits), peer); err != nil {
		h.logf(config.LogWarn, "the old address %v stays on %s: %v", addr, device, err)
	}
}

// Down removes the addresses. The routes go with the device, which is closed right after, unless a new call takes it over and
// needs them.
func (h *Network) Down(context.Context) error {
	h.forget(session.Link{Device: h.tunnel.Device()})
	h.last = nil
	return nil
}

// Failed does nothing: the log already has the error.
func (h *Network) Failed(context.Context, *fault.Error) {}

// Check restores what is missing of the link in the kernel, and reports where traffic really goes.
func (h *Network) Check(_ context.Context, l session.Link) (session.Reach, error) {
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

// repair restores what is missing. It returns a sentence on each repair.
func (h *Network) repair(l session.Link) (repaired []string, err error) {
	up, err := hostnet.IsUp(l.Device)
	if err != nil {
		return nil, fault.Newf(fault.TUNFailed, fault.StageUp, "The device %s is gone.", l.Device).Wrap(err)
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

func kernelWay(to netip.Addr) (reach.Route, error) { return hostnet.FindWay(reach.Query{To: to}) }

// hostResolvers are the files that list the machine's name servers: those that systemd-resolved asks, and those that programs
// ask.
var hostResolvers = []string{"/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"}

// nameFinding judges the machine's name servers by the kernel's ways to them. The name servers that the tunnel's server gives
// are not used here.
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
