package session

import (
	"context"
	"crypto/tls"
	"net/netip"
	"slices"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/fault"
	"sstp/src/transport"
)

// Conn is the byte stream of a call on which the server has answered the HTTP opening with 200.
type Conn interface {
	datapath.Stream
	Close() error
	Info() transport.Info
}

// Device is an open TUN device. It outlives calls: a lost call that is dialed again finds it as it was.
type Device interface {
	datapath.Device
	Name() string
	SetMTU(mtu int) error
	Close() error
}

// Link describes an established tunnel to the machine's network.
type Link struct {
	Device string         // name of the TUN device, which exists
	MTU    int            // bytes
	Server netip.Addr     // the server's or the proxy's address outside of the tunnel
	Local  netip.Addr     // our IPv4 address
	Peer   netip.Addr     // the server's IPv4 address inside; invalid where it gave none, or its address outside of the tunnel
	DNS    []netip.Addr   // name servers that the server gave
	Local6 netip.Addr     // our link-local IPv6 address; invalid without IPv6
	Peer6  netip.Addr     // the server's link-local IPv6 address
	Info   transport.Info // how the server was reached and verified
	// Refusing is true while the call is lost and packets into the device are refused. Only Host.Check sees it set.
	Refusing bool
}

// Dialer reaches one server of the tunnel's list. It reports each stage to obs and returns a *fault.Error on failure.
type Dialer func(ctx context.Context, server config.Server, obs transport.Observer) (Conn, error)

// InnerTLS returns the TLS configuration of EAP-TLS with a server: the client certificate, and how to verify the server's.
// It may be nil where option auth has no eap-tls.
type InnerTLS func(server config.Server) (*tls.Config, error)

// forMethods calls f if one of the methods needs it.
func (f InnerTLS) forMethods(methods []auth.Method, server config.Server) (*tls.Config, error) {
	if f == nil || !slices.Contains(methods, auth.EAPTLS) {
		return nil, nil
	}
	return f(server)
}

// Host is the machine's network: it takes addresses and routes, and is told of failures. Its methods are called one at a
// time, in order, outside of the session's loop. They may block until ctx ends.
type Host interface {
	// Up announces the link. It is called again when something in the link changed.
	Up(ctx context.Context, l Link) error
	// Down takes back what Up announced. The device still exists when it is called.
	Down(ctx context.Context) error
	// Check compares what Up announced with the kernel, repairs what is missing or was replaced, and reports what it found.
	// It is called after each Up, after Session.Recheck, and once a minute while the link is announced, which includes the
	// time in which a lost call is redialed. A *fault.Error means that the tunnel cannot stay up as it is, for example
	// because the kernel refuses its address. It ends the call, and the next call is announced again. Any other error means
	// that the check itself failed; it is logged.
	Check(ctx context.Context, l Link) (Reach, error)
	// Failed reports why a call failed or was lost.
	Failed(ctx context.Context, err *fault.Error)
}

// Logf writes one line of the log. It is never given a secret.
type Logf func(level config.LogLevel, format string, args ...any)
