package machine

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
)

// Dialer reaches servers for a tunnel. adjust may change how, and may be nil.
func Dialer(t *config.Tunnel, adjust func(*transport.Options)) session.Dialer {
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

// OpenDevice makes the tunnel's TUN device.
func OpenDevice(t *config.Tunnel) func(name string, mtu int) (session.Device, error) {
	return func(name string, mtu int) (session.Device, error) {
		d, err := tun.Open(tun.Options{Name: name, MTU: mtu, Offload: t.Offload})
		if err != nil {
			return nil, err
		}
		return d, nil
	}
}

// InnerTLS returns how EAP-TLS is done for a tunnel.
func InnerTLS(t *config.Tunnel) session.InnerTLS {
	return func(server config.Server) (*tls.Config, error) { return trust.InnerTLS(t, server, time.Now) }
}
