package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"

	"sstp/src/transport/ktls"
	"sstp/src/transport/netio"
	"sstp/src/transport/proxy"
	"sstp/src/transport/trust"
)

// legacySuites are offered with tls_legacy: what crypto/tls offers by default and, for RouterOS without pfs, SoftEther 4.x and
// Windows 2008, also the key exchanges without forward secrecy. Their order does not matter, because crypto/tls has its own.
var legacySuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// legacyCurves leave out the post-quantum key shares. These make the ClientHello longer than one segment, and some
// middleboxes as old as such servers lose the second segment.
var legacyCurves = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}

// secure performs the TLS handshake, fills in info, and hands the session to the kernel where that is better.
func (c *connector) secure(ctx context.Context, conn net.Conn, info *Info) (net.Conn, error) {
	asked := false // the server wants a client certificate
	cfg := c.tlsConfig(info, &asked)
	info.Path, info.PathReason = PathGo, c.fallback
	var tap *ktls.HandshakeTap
	if c.fallback == "" {
		tap = ktls.NewHandshakeTap(conn)
		defer tap.Wipe()
		conn, cfg.KeyLogWriter = tap, tap.KeyLog()
	}
	session := tls.Client(conn, cfg)
	release := netio.Guard(ctx, conn)
	err := session.Handshake()
	release()
	if err != nil {
		return nil, c.tlsFault(ctx, err, asked)
	}
	state := session.ConnectionState()
	info.TLSVersion = tls.VersionName(state.Version)
	info.CipherSuite = tls.CipherSuiteName(state.CipherSuite)
	info.Leaf, info.Chain = state.PeerCertificates[0], state.PeerCertificates
	c.askedForCertificate = asked
	if tap == nil {
		return session, nil
	}
	inKernel, reason, err := tap.HandOver(proxy.Socket(tap.Conn), state, c.kernel())
	switch {
	case err != nil:
		return nil, err
	case inKernel == nil:
		info.PathReason = reason
		return session, nil
	}
	inKernel.OnEarlyFailure(c.clock, func(err *ktls.Error) { c.o.KTLSMemory.Remember(c.o.Server, err.Reason) })
	info.Path, info.PathReason = PathKernel, c.whyKernel()
	return inKernel, nil
}

// tlsConfig returns the configuration of one handshake. No session is ever resumed: the crypto binding needs the certificate
// of this connection, and resumption would hide that it changed. No ALPN is offered: no SSTP server selects one, and a front
// end that picks h2 does not speak SSTP.
func (c *connector) tlsConfig(info *Info, asked *bool) *tls.Config {
	cfg := &tls.Config{
		Rand:       c.o.Rand,
		Time:       c.clock,
		ServerName: sniName(c.o.SNI),
		MinVersion: c.o.TLSMin,
		// trust.Policy.Check is the whole verification, because it knows pins too; crypto/tls does none of its own.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			policy := trust.Policy{
				Verify: c.o.Verify, Pins: c.o.Pins, Name: c.o.ServerName, CAFile: c.o.CACert, Now: c.clock(),
			}
			verifiedBy, err := policy.Check(state.PeerCertificates)
			c.obs.Certificates(state.PeerCertificates, verifiedBy)
			info.VerifiedBy = verifiedBy
			return err
		},
		// A server's list of CAs is often not what it accepts, so we send our one certificate whatever the list says.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			*asked = true
			if c.client == nil {
				return &tls.Certificate{}, nil
			}
			return c.client, nil
		},
		// One record for each write, from the first one on, because a write holds many packets.
		DynamicRecordSizingDisabled: true,
	}
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	if c.o.TLSLegacy {
		cfg.CipherSuites, cfg.CurvePreferences = legacySuites, legacyCurves
	}
	return cfg
}

// sniName returns the name as it may stand in the TLS hello; an address may not (RFC 6066 section 3).
func sniName(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	return strings.TrimSuffix(name, ".")
}
