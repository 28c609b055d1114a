package machine

import (
	"context"
	"net/netip"
	"sync"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/netifd"
	"sstp/src/session"
	"sstp/src/transport"
)

// Uplink keeps the tunnel's own connections on the uplink of a machine without netifd. It learns the uplink from the kernel.
type Uplink struct {
	tunnel *config.Tunnel
	Ways   *Ways // of the tunnel's dials

	mu   sync.Mutex
	last map[bool]hostnet.Route // the last way; the key reports IPv6
}

func NewUplink(t *config.Tunnel) *Uplink {
	return &Uplink{tunnel: t, Ways: &Ways{table: hostnet.NewWays(t.Name)}, last: map[bool]hostnet.Route{}}
}

// Dialer returns a dialer that reaches the tunnel's servers by the uplink.
func (h *Uplink) Dialer(n *Names) session.Dialer {
	return h.Ways.Dialer(Dialer(h.tunnel, func(o *transport.Options) { o.Prepare, o.Lookup = h.Prepare, n.Lookup }))
}

// NameServers returns the system's name servers with the uplink's device: while the device of a lost call is held, its routes
// lead everything else into it. It leaves out a name server on this machine, which asks others itself.
func (h *Uplink) NameServers(ctx context.Context) (servers []netifd.NameServer, _ error) {
	for _, addr := range fileServers("/etc/resolv.conf") {
		if device, err := h.Prepare(ctx, addr); err == nil && device != "" {
			servers = append(servers, netifd.NameServer{Addr: addr, Device: device})
		}
	}
	return servers, nil
}

// Prepare finds the uplink to a server and lays a way there for the tunnel's socket alone.
func (h *Uplink) Prepare(_ context.Context, server netip.Addr) (device string, err error) {
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
	if err := h.Ways.Lay(server, r.Device, r.Gateway, netip.Addr{}); err != nil {
		return "", fault.Newf(fault.NoUplink, fault.StageConnect, "The device %s has just lost its route to the server %s.", r.Device, server.String()).Wrap(err)
	}
	return r.Device, nil
}

// PrepareAround lays a way only to servers whose packets the tunnel itself would carry. Any other server can be dialed without
// privileges.
func (h *Uplink) PrepareAround(ctx context.Context, server netip.Addr) (device string, err error) {
	if r, err := hostnet.RouteTo(server); err != nil || r.Device != h.tunnel.Device() {
		return "", nil
	}
	return h.Prepare(ctx, server)
}

// route returns a way to a server that does not lead through the tunnel itself.
func (h *Uplink) route(server netip.Addr) (hostnet.Route, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := hostnet.RouteTo(server)
	if err == nil && r.Device == h.tunnel.Device() {
		// The device of a lost call is held, and its routes with it.
		if r, err = hostnet.RouteAround(server, h.tunnel.Device()); err != nil {
			last, known := h.last[server.Is6()]
			if !known || !hostnet.DeviceExists(last.Device) {
				return r, fault.Newf(fault.NoUplink, fault.StageConnect, "The only route to the server %s leads through the tunnel itself.", server.String()).Wrap(err)
			}
			r, err = last, nil
		}
	}
	if err != nil {
		return r, fault.Newf(fault.NoUplink, fault.StageConnect, "There is no route to the server %s.", server.String()).Wrap(err)
	}
	if !r.Local && r.Gateway.IsValid() {
		h.last[server.Is6()] = r
	}
	return r, nil
}

// WayTable lays ways to servers for sockets that are bound to an uplink's device, and for nothing else. *hostnet.Ways is one.
type WayTable interface {
	Lay(server netip.Addr, device string, gateway, source netip.Addr) (release func(), err error)
	Renew() error
	Clear() error
}

// Ways are the ways of a tunnel's dials. A way is laid when its address is dialed. As soon as one address answers, the ways to
// the others are removed; the last one is removed with its connection.
type Ways struct {
	table WayTable

	mu   sync.Mutex
	laid []laidWay // for the present dial
}

type laidWay struct {
	to      netip.Addr
	release func()
}

// NewWays returns the ways of a tunnel that table lays.
func NewWays(table WayTable) *Ways { return &Ways{table: table} }

// Lay lays a way for the present dial.
func (d *Ways) Lay(to netip.Addr, device string, gateway, source netip.Addr) error {
	release, err := d.table.Lay(to, device, gateway, source)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.laid = append(d.laid, laidWay{to, release})
	return nil
}

// Dialer returns a dialer that removes the ways that dial has laid and no longer needs.
func (d *Ways) Dialer(dial session.Dialer) session.Dialer {
	return func(ctx context.Context, server config.Server, obs transport.Observer) (session.Conn, error) {
		conn, err := dial(ctx, server, obs)
		d.mu.Lock()
		laid := d.laid
		d.laid = nil
		d.mu.Unlock()
		if err != nil {
			releaseAll(laid)
			return nil, err
		}
		used := conn.Info().Server.Addr().Unmap()
		var kept []laidWay
		for _, l := range laid {
			if l.to == used {
				kept = append(kept, l)
			} else {
				l.release()
			}
		}
		if c, ok := conn.(*transport.Conn); ok && len(kept) > 0 {
			return wayConn{c, kept}, nil
		}
		releaseAll(kept)
		return conn, nil
	}
}

// Renew restores the ways of the present connection if others have removed them.
func (d *Ways) Renew(logf session.Logf) {
	if err := d.table.Renew(); err != nil {
		logf(config.LogDebug, "the way to the server: %v", err)
	}
}

// Clear removes all ways of the tunnel, including those of an earlier process.
func (d *Ways) Clear(logf session.Logf) {
	if err := d.table.Clear(); err != nil {
		logf(config.LogDebug, "%v", err)
	}
}

func releaseAll(laid []laidWay) {
	for _, l := range laid {
		l.release()
	}
}

// wayConn is a connection that removes its ways when it is closed.
type wayConn struct {
	*transport.Conn
	ways []laidWay
}

// Close closes the connection, whose goodbye still needs the ways, and then removes them.
func (c wayConn) Close() error {
	defer releaseAll(c.ways)
	return c.Conn.Close()
}
