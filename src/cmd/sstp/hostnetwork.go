package main

import (
	"context"
	"net/netip"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/session"
)

// hostNetwork gives the tunnel's addresses and routes to the machine by itself, where no netifd does. All of it hangs on the
// device and goes with it.
type hostNetwork struct {
	tunnel *config.Tunnel
	logf   session.Logf
	renew  func() // lays the way of the connection again where others have removed it; nil: nobody does
	last   *session.Link
}

// Up sets the device's addresses and routes.
func (h *hostNetwork) Up(_ context.Context, l session.Link) error {
	if err := h.up(l); err != nil {
		return h.cannotSet(err)
	}
	h.last = &l
	return nil
}

func (h *hostNetwork) cannotSet(err error) error {
	return fault.New(fault.TUNFailed, fault.StageNetwork, "The tunnel's addresses cannot be set: "+err.Error()+".").
		WithHint("Run it as root, or with CAP_NET_ADMIN.").Wrap(err)
}

func (h *hostNetwork) up(l session.Link) error {
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

// defaultRoutes returns the destinations that stand for everything. With a metric it is one default route beside the
// others; without one, two halves go before the machine's own default route and leave it as it is.
func (h *hostNetwork) defaultRoutes() []netip.Prefix {
	if h.tunnel.Metric > 0 {
		return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	}
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("128.0.0.0/1")}
}

// forget removes addresses of the link before that the new one does not have.
func (h *hostNetwork) forget(l session.Link) {
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

func (h *hostNetwork) delete(device string, addr netip.Addr, bits int, peer netip.Addr) {
	if err := hostnet.DeleteAddress(device, netip.PrefixFrom(addr, bits), peer); err != nil {
		h.logf(config.LogWarn, "the old address %v stays on %s: %v", addr, device, err)
	}
}

// Down takes the addresses back. The routes go with the device, which is closed right after, unless a new call took it
// over: then they are wanted again.
func (h *hostNetwork) Down(context.Context) error {
	h.forget(session.Link{Device: h.tunnel.Device()})
	h.last = nil
	return nil
}

// Failed has nobody to tell: the log has it already.
func (h *hostNetwork) Failed(context.Context, *fault.Error) {}
