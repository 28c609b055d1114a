package machine

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

// Uplink keeps the tunnel's own connections on the machine's uplink, where no netifd tells of uplinks: the kernel does.
type Uplink struct {
	tunnel *config.Tunnel
	Ways   *Ways // of the tunnel's dials

	mu   sync.Mutex
	last map[bool]hostnet.Route // the way taken last, by whether it is IPv6
}

func NewUplink(t *config.Tunnel) *Uplink {
	return &Uplink{tunnel: t, Ways: &Ways{table: hostnet.NewWays(t.Name)}, last: map[bool]hostnet.Route{}}
}

// Dialer reaches the tunnel's servers by the uplink.
func (h *Uplink) Dialer(n *Names) session.Dialer {
	return h.Ways.Dialer(Dialer(h.tunnel, func(o *transport.Options) { o.Prepare, o.Lookup = h.Prepare, n.Lookup }))
}

// nameServers returns the system's name servers, to be asked by the uplink: while the device of a lost call is held, its
// routes lead everything else into it. One on this machine asks others itself.
func (h *Uplink) NameServers(ctx context.Context) (servers []netifd.NameServer, _ error) {
	for _, addr := range fileServers("/etc/resolv.conf") {
		if device, err := h.Prepare(ctx, addr); err == nil && device != "" {
			servers = append(servers, netifd.NameServer{Addr: addr, Device: device})
		}
	}
	return servers, nil
}

// prepare finds the uplink to a server and lays a way by it for the tunnel's socket alone.
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
		return "", fault.New(fault.NoUplink, fault.StageConnect, fmt.Sprintf("The device %s has just lost its route to the server %v.", r.Device, server)).Wrap(err)
	}
	return r.Device, nil
}

// prepareAround prepares only what the tunnel itself would carry: all else anybody may dial, without any right.
func (h *Uplink) PrepareAround(ctx context.Context, server netip.Addr) (device string, err error) {
	if r, err := hostnet.RouteTo(server); err != nil || r.Device != h.tunnel.Device() {
		return "", nil
	}
	return h.Prepare(ctx, server)
}

// route returns the way to a server that is not the tunnel's own.
func (h *Uplink) route(server netip.Addr) (hostnet.Route, error) {
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

// WayTable lays ways to servers for sockets that are bound to an uplink's device, and for nothing else. *hostnet.Ways does.
type WayTable interface {
	Lay(server netip.Addr, device string, gateway, source netip.Addr) (release func(), err error)
	Renew() error
	Clear() error
}

// Ways are the ways of a tunnel's dials. A way is laid when its address is dialed. As soon as one address answers, the
// ways to the others go; the last one goes with its connection.
type Ways struct {
	table WayTable

	mu   sync.Mutex
	laid []laidWay // for the dial that runs
}

type laidWay struct {
	to      netip.Addr
	release func()
}

// NewWays returns the ways of a tunnel that table lays.
func NewWays(table WayTable) *Ways { return &Ways{table: table} }

// Lay lays a way for the dial that runs.
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

// Dialer returns a dialer that takes the ways back which dial has laid.
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

// renew lays again what others have removed of the ways of the connection that runs.
func (d *Ways) Renew(logf session.Logf) {
	if err := d.table.Renew(); err != nil {
		logf(config.LogDebug, "the way to the server: %v", err)
	}
}

// clear takes back all ways of the tunnel, and those that a process before this one has left.
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

// wayConn is a connection that takes its way along when it is closed.
type wayConn struct {
	*transport.Conn
	ways []laidWay
}

// Close closes the connection, which still says goodbye by its way.
func (c wayConn) Close() error {
	defer releaseAll(c.ways)
	return c.Conn.Close()
}
