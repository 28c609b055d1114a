package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/netifd"
	"sstp/src/session"
	"sstp/src/transport"
)

// hostUplink keeps the tunnel's own connections on the machine's uplink, where no netifd tells of uplinks: the kernel does.
type hostUplink struct {
	tunnel *config.Tunnel
	ways   *dialWays

	mu   sync.Mutex
	last map[bool]hostnet.Route // the way taken last, by whether it is IPv6
}

func newHostUplink(t *config.Tunnel) *hostUplink {
	return &hostUplink{tunnel: t, ways: &dialWays{table: hostnet.NewWays(t.Name)}, last: map[bool]hostnet.Route{}}
}

// dialer reaches the tunnel's servers by the uplink.
func (h *hostUplink) dialer(n *names) session.Dialer {
	return h.ways.dialer(dialer(h.tunnel, func(o *transport.Options) { o.Prepare, o.Lookup = h.prepare, n.Lookup }))
}

// nameServers returns the system's name servers, to be asked by the uplink: while the device of a lost call is held, its
// routes lead everything else into it. One on this machine asks others itself.
func (h *hostUplink) nameServers(ctx context.Context) (servers []netifd.NameServer, _ error) {
	for _, addr := range fileServers("/etc/resolv.conf") {
		if device, err := h.prepare(ctx, addr); err == nil && device != "" {
			servers = append(servers, netifd.NameServer{Addr: addr, Device: device})
		}
	}
	return servers, nil
}

// prepare finds the uplink to a server and lays a way by it for the tunnel's socket alone.
func (h *hostUplink) prepare(_ context.Context, server netip.Addr) (device string, err error) {
	if zone := server.Zone(); zone != "" {
		return zone, nil // a link-local address: the zone is the device
	}
	r, err := h.route(server)
	if err != nil {
		return "", err
	}
	if r.Local {
		return "", nil // the server, or the proxy, is this machine
	}
	if err := h.ways.lay(server, r.Device, r.Gateway, netip.Addr{}); err != nil {
		return "", fault.New(fault.NoUplink, fault.StageConnect, fmt.Sprintf("The device %s has just lost its route to the server %v.", r.Device, server)).Wrap(err)
	}
	return r.Device, nil
}

// prepareAround prepares only what the tunnel itself would carry: all else anybody may dial, without any right.
func (h *hostUplink) prepareAround(ctx context.Context, server netip.Addr) (device string, err error) {
	if r, err := hostnet.RouteTo(server); err != nil || r.Device != h.tunnel.Device() {
		return "", nil
	}
	return h.prepare(ctx, server)
}

// route returns the way to a server that is not the tunnel's own.
func (h *hostUplink) route(server netip.Addr) (hostnet.Route, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := hostnet.RouteTo(server)
	if err == nil && r.Device == h.tunnel.Device() {
		// The device of a lost call is held, and its routes with it.
		if r, err = hostnet.RouteAround(server, h.tunnel.Device()); err != nil {
			last, known := h.last[server.Is6()]
			if !known || !hostnet.DeviceExists(last.Device) {
				return r, fault.New(fault.NoUplink, fault.StageConnect, fmt.Sprintf("The only route to the server %v leads through the tunnel itself.", server)).Wrap(err)
			}
			r, err = last, nil
		}
	}
	if err != nil {
		return r, fault.New(fault.NoUplink, fault.StageConnect, fmt.Sprintf("There is no route to the server %v.", server)).Wrap(err)
	}
	if !r.Local && r.Gateway.IsValid() {
		h.last[server.Is6()] = r
	}
	return r, nil
}
