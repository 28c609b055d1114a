package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net/netip"
	"time"

	"sstp/src/config"
	"sstp/src/session"
	"sstp/src/transport"
	"sstp/src/ucifile"
)

const defaultConfigDir = "/etc/config"

// load reads the options of an interface from a UCI directory.
func load(dir, name string) (*config.Tunnel, []config.Warning, error) {
	values, err := ucifile.Read(dir, name)
	if err != nil {
		return nil, nil, err
	}
	return config.Parse(name, values)
}

// dialer reaches servers for a tunnel. prepare may be nil.
func dialer(t *config.Tunnel, prepare func(context.Context, netip.Addr) (string, error)) session.Dialer {
	return func(ctx context.Context, server config.Server, obs transport.Observer) (session.Conn, error) {
		o := transport.FromTunnel(t, server)
		o.Rand = rand.Reader
		o.Prepare = prepare
		conn, err := transport.Connect(ctx, o, obs)
		if err != nil {
			return nil, err // not a nil *Conn in an interface
		}
		return conn, nil
	}
}

// innerTLS returns how EAP-TLS is done for a tunnel.
func innerTLS(t *config.Tunnel) session.InnerTLS {
	return func(server config.Server) (*tls.Config, error) { return transport.InnerTLS(t, server, time.Now) }
}
