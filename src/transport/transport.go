// Package transport reaches an SSTP server: it resolves the name, dials the addresses (RFC 8305), asks an HTTP proxy for
// a way through where one is set (RFC 9110 section 9.3.6, RFC 7616, RFC 7617), shakes hands by TLS under the configured
// certificate policy and opens the HTTP exchange whose body is SSTP ([MS-SSTP] 3.2.4.1). What it hands over is a stream
// of SSTP packets; it knows nothing of them. It never tries twice on its own account: repeating is its caller's decision.
//
// Every stage has its own time limit and ends at once with its context, and when Connect returns no goroutine and no
// socket but the connection's is left.
package transport

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/transport/ktls"
)

// Options says where to connect to, how, and whom to trust.
type Options struct {
	Server config.Server

	// ServerName is the name that the certificate must have and that the request's Host header gives; empty: the
	// server's host. SNI is the name to send in the TLS hello; empty sends none. An address is never sent
	// (RFC 6066 section 3).
	ServerName string
	SNI        string

	Proxy *config.Proxy // nil: dial the server itself

	Verify    config.Verify
	CACert    string // file that replaces the system's CAs; empty: the system's
	Pins      []config.Pin
	Cert, Key string // files of the client certificate; an empty Key means that Cert holds both
	TLSMin    uint16 // 0: 1.2
	TLSLegacy bool   // also RSA key exchange and CBC suites, and no post-quantum key shares

	PathSecret string // appended to the request path
	BindDevice string // network device that the connection must leave by; empty: by the routing table
	Congestion string // TCP congestion control; empty: the kernel's default
	Mark       int    // mark of the packets, by which a firewall knows them (SO_MARK); 0: none

	KTLS       config.Mode  // who does the TLS records: Auto the faster one, On the kernel, Off Go; what fails, Go does
	KTLSMemory *ktls.Memory // shared by connections, so that what failed once is not tried again; nil: each tries again

	// The rest is for callers with an environment of their own; nil is the real thing.

	// Prepare is called before an address is dialed, by one goroutine at a time. The device it returns, when not
	// empty, takes the place of BindDevice for that address. Its error makes the address count as failed.
	Prepare func(ctx context.Context, addr netip.Addr) (bindDevice string, err error)
	// Lookup resolves a name.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// DialTCP opens one connection. It must end with its context.
	DialTCP func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	Now     func() time.Time
	Rand    io.Reader
	kernel  ktls.Kernel
}

// FromTunnel returns the options for one server of a tunnel's configuration.
func FromTunnel(t *config.Tunnel, server config.Server) Options {
	return Options{
		Server:     server,
		ServerName: t.VerifyName(server),
		SNI:        t.SNIName(server),
		Proxy:      t.Proxy,
		Verify:     t.Verify,
		CACert:     t.CACert,
		Pins:       t.Pins,
		Cert:       t.Cert,
		Key:        t.Key,
		TLSMin:     t.TLSMin,
		TLSLegacy:  t.TLSLegacy,
		PathSecret: t.PathSecret,
		Congestion: t.Congestion,
		KTLS:       t.KTLS,
	}
}

// Observer is told how Connect gets on. Its methods are called by Connect's own goroutine and must not block.
type Observer interface {
	// Stage tells that a stage begins.
	Stage(s fault.Stage)
	// Done tells how it ended: finding says in a few words what was found, err is nil or a *fault.Error.
	Done(s fault.Stage, took time.Duration, finding string, err error)
	// Certificates shows the server's chain, leaf first, and what it was accepted by as in Info; empty: refused.
	Certificates(chain []*x509.Certificate, verifiedBy string)
}

// Info is what became known while connecting.
type Info struct {
	Server      netip.AddrPort      // the far end of the TCP connection: the server, or the proxy where one is used
	Proxy       string              // host:port of the proxy; empty: none
	TLSVersion  string              // as "TLS 1.3"
	CipherSuite string              // as "TLS_AES_128_GCM_SHA256"
	Path        string              // PathGo or PathKernel: who encrypts and decrypts
	PathReason  string              // why that one
	VerifiedBy  string              // as trust.Policy.Check returns it
	Leaf        *x509.Certificate   // the server's certificate exactly as received, which the crypto binding hashes
	Chain       []*x509.Certificate // all that the server sent, Leaf first
}

// Limits of the stages.
const (
	resolveLimit = 10 * time.Second
	connectLimit = 10 * time.Second
	proxyLimit   = 30 * time.Second
	tlsLimit     = 15 * time.Second
	httpLimit    = 20 * time.Second
)
