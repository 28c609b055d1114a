package main

import (
	"context"
	"net/netip"
	"sync"

	"sstp/src/config"
	"sstp/src/session"
	"sstp/src/transport"
)

// wayTable lays ways to servers for sockets that are bound to an uplink's device, and for nothing else. *hostnet.Ways does.
type wayTable interface {
	Lay(server netip.Addr, device string, gateway, source netip.Addr) (release func(), err error)
	Renew() error
	Clear() error
}

// dialWays are the ways of a tunnel's dials. A way is laid when its address is dialed. As soon as one address answers, the
// ways to the others go; the last one goes with its connection.
type dialWays struct {
	table wayTable

	mu   sync.Mutex
	laid []laidWay // for the dial that runs
}

type laidWay struct {
	to      netip.Addr
	release func()
}

// lay lays a way for the dial that runs.
func (d *dialWays) lay(to netip.Addr, device string, gateway, source netip.Addr) error {
	release, err := d.table.Lay(to, device, gateway, source)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.laid = append(d.laid, laidWay{to, release})
	return nil
}

// dialer returns a dialer that takes the ways back which dial has laid.
func (d *dialWays) dialer(dial session.Dialer) session.Dialer {
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
func (d *dialWays) renew(logf session.Logf) {
	if err := d.table.Renew(); err != nil {
		logf(config.LogDebug, "the way to the server: %v", err)
	}
}

// clear takes back all ways of the tunnel, and those that a process before this one has left.
func (d *dialWays) clear(logf session.Logf) {
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
