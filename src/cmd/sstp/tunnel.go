package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"time"

	"sstp/src/config"
	"sstp/src/session"
	"sstp/src/transport"
	"sstp/src/transport/ktls"
	"sstp/src/transport/trust"
	"sstp/src/tun"
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

// dialer reaches servers for a tunnel. adjust may change how, and may be nil.
func dialer(t *config.Tunnel, adjust func(*transport.Options)) session.Dialer {
	memory := &ktls.Memory{}
	return func(ctx context.Context, server config.Server, obs transport.Observer) (session.Conn, error) {
		o := transport.FromTunnel(t, server)
		o.Rand, o.KTLSMemory = rand.Reader, memory
		if adjust != nil {
			adjust(&o)
		}
		conn, err := transport.Connect(ctx, o, obs)
		if err != nil {
			return nil, err // not a nil *Conn in an interface
		}
		return conn, nil
	}
}

// openDevice makes the tunnel's TUN device.
func openDevice(t *config.Tunnel) func(name string, mtu int) (session.Device, error) {
	return func(name string, mtu int) (session.Device, error) {
		d, err := tun.Open(tun.Options{Name: name, MTU: mtu, Offload: t.Offload})
		if err != nil {
			return nil, err
		}
		return d, nil
	}
}

// innerTLS returns how EAP-TLS is done for a tunnel.
func innerTLS(t *config.Tunnel) session.InnerTLS {
	return func(server config.Server) (*tls.Config, error) { return trust.InnerTLS(t, server, time.Now) }
}
