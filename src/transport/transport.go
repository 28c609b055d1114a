// Package transport connects to an SSTP server. It resolves the name, dials the addresses (RFC 8305), asks an HTTP proxy for a
// way where one is configured, performs the TLS handshake, and sends the HTTP request whose answer's body is SSTP ([MS-SSTP]
// 3.2.4.1). What it returns is a stream of SSTP packets, of which it knows nothing. It does not retry: that is its caller's
// decision.
//
// Its packages: trust decides about certificates, ktls moves the TLS records to the kernel, proxy speaks to HTTP proxies, and
// netio has what these share.
//
// Every stage has its own time limit and ends at once with its context. When Connect returns, no goroutine is left, and no
// socket but the connection's.
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
	"sstp/src/phrase"
	"sstp/src/transport/ktls"
)

// Options are where to connect to, how, and whom to trust.
type Options struct {
	Server config.Server

	// ServerName is the name that the certificate must have, and that the request's Host header names; empty means the
	// server's host. SNI is the name in the TLS hello; empty sends none. An address is never sent (RFC 6066 section 3).
	ServerName string
	SNI        string

	Proxy *config.Proxy // nil means to dial the server itself

	Verify    config.Verify
	CACert    string // file that replaces the system's CAs; empty means the system's
	Pins      []config.Pin
	Cert, Key string // files of the client certificate; an empty Key means that Cert has both
	TLSMin    uint16 // 0 means 1.2
	TLSLegacy bool   // also RSA key exchange and CBC suites, and no post-quantum key shares

	PathSecret string // appended to the request path
	BindDevice string // network device that the connection must use; empty means what the routing table says
	Congestion string // TCP congestion control; empty means the kernel's default
	Mark       int    // mark of the packets, by which a firewall knows them (SO_MARK); 0 means none

	KTLS       config.Mode  // who does the TLS records: the kernel (On), Go (Off), the faster of them (Auto); Go when the kernel fails
	KTLSMemory *ktls.Memory // shared by connections, so that what failed once is not tried again; nil: each tries again

	// The rest replaces parts of the environment; nil means the real one.

	// Prepare is called before an address is dialed, by one goroutine at a time. The device that it returns, unless empty,
	// replaces BindDevice for that address. An error makes the address count as failed.
	Prepare func(ctx context.Context, addr netip.Addr) (bindDevice string, err error)
	// Lookup resolves a name.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// DialTCP opens one connection. It must return when its context ends.
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

// Observer hears of the progress of Connect. Its methods are called by Connect's own goroutine and must not block.
type Observer interface {
	// Stage is called when a stage begins.
	Stage(s fault.Stage)
	// Done is called when a stage ends. finding is what was found, in a few words; err is nil or a *fault.Error.
	Done(s fault.Stage, took time.Duration, finding phrase.Phrase, err error)
	// Certificates is called with the server's chain, leaf first, and with what it was accepted by, as in Info; empty means
	// that it was refused.
	Certificates(chain []*x509.Certificate, verifiedBy string)
}

// Info is what became known while connecting.
type Info struct {
	Server      netip.AddrPort      // the far end of the TCP connection: the server, or the proxy where one is used
	Proxy       string              // host:port of the proxy; empty means none
	TLSVersion  string              // as "TLS 1.3"
	CipherSuite string              // as "TLS_AES_128_GCM_SHA256"
	Path        string              // PathGo or PathKernel
	PathReason  string              // why that path
	VerifiedBy  string              // as trust.Policy.Check returns it
	Leaf        *x509.Certificate   // the server's certificate exactly as received; the crypto binding hashes it
	Chain       []*x509.Certificate // all certificates that the server sent, Leaf first
}

// The time limits of the stages.
const (
	resolveLimit = 10 * time.Second
	connectLimit = 10 * time.Second
	proxyLimit   = 30 * time.Second
	tlsLimit     = 15 * time.Second
	httpLimit    = 20 * time.Second
)
