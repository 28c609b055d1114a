package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/transport/testkit"
	"sstp/src/transport/trust"
)

// rsaServer presents an RSA certificate, which the old key exchange needs.
func rsaServer(t *testing.T) *tls.Config {
	t.Helper()
	keyPEM, err := os.ReadFile("testdata/rsa2048.key")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(keyPEM)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	c := testkit.Template(nil)
	cert := testkit.Sign(t, c, c, key.Public(), key)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
}

// hello connects to vpn changed by change, and returns what the server saw.
func hello(t *testing.T, change func(*Options)) *tls.ClientHelloInfo {
	t.Helper()
	hellos := make(chan *tls.ClientHelloInfo, 1)
	cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
	cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hellos <- h
		return nil, nil
	}
	o := unverified(testkit.Listen(t, testkit.SSTPServer(cfg, testkit.OKHead)))
	change(&o)
	mustConnect(t, o, nil)
	return <-hellos
}

func TestTheNameSentIsApartFromTheNameVerified(t *testing.T) {
	for _, tc := range []struct {
		why    string
		change func(*Options)
		want   string
	}{
		{"the name of option server", func(o *Options) {}, "vpn.test"},
		{"option sni", func(o *Options) { o.SNI = "front.example" }, "front.example"},
		{"none", func(o *Options) { o.SNI = "" }, ""},
		{"never an address", func(o *Options) { o.SNI = "192.0.2.1" }, ""},
		{"nor one of IPv6", func(o *Options) { o.SNI = "2001:db8::1" }, ""},
		{"without the resolver's dot", func(o *Options) { o.SNI = "vpn.test." }, "vpn.test"},
		{"as the configuration has it", func(o *Options) {
			tunnel := &config.Tunnel{SendSNI: true, ServerName: "name.example", SNI: "sni.example"}
			o.SNI = FromTunnel(tunnel, vpn).SNI
		}, "sni.example"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got := hello(t, tc.change).ServerName; got != tc.want {
				t.Errorf("the server saw %q, want %q", got, tc.want)
			}
		})
	}
}

func TestTheHello(t *testing.T) {
	plain, old := hello(t, func(*Options) {}), hello(t, func(o *Options) { o.TLSLegacy = true })
	if len(plain.SupportedProtos) != 0 || len(old.SupportedProtos) != 0 {
		t.Errorf("ALPN %v %v: none is offered, a front end might choose h2", plain.SupportedProtos, old.SupportedProtos)
	}
	rsa := []uint16{0x009d, 0x009c, 0x0035, 0x002f}
	for _, id := range rsa {
		if slices.Contains(plain.CipherSuites, id) {
			t.Errorf("%s is offered without tls_legacy", tls.CipherSuiteName(id))
		}
		if !slices.Contains(old.CipherSuites, id) {
			t.Errorf("%s is not offered with tls_legacy", tls.CipherSuiteName(id))
		}
	}
	for _, id := range plain.CipherSuites {
		if !slices.Contains(old.CipherSuites, id) {
			t.Errorf("tls_legacy takes %s away", tls.CipherSuiteName(id))
		}
	}
	if slices.Min(plain.SupportedVersions) != tls.VersionTLS12 || slices.Max(plain.SupportedVersions) != tls.VersionTLS13 {
		t.Errorf("versions %x, want 1.2 and 1.3", plain.SupportedVersions)
	}
	if slices.Min(old.SupportedVersions) != tls.VersionTLS12 {
		t.Errorf("versions %x: tls_legacy is about ciphers, the version is tls_min's", old.SupportedVersions)
	}
	if !slices.Contains(plain.SupportedCurves, tls.X25519MLKEM768) || slices.Contains(old.SupportedCurves, tls.X25519MLKEM768) {
		t.Error("the long post-quantum key share belongs in the hello, but not with tls_legacy")
	}
	if min := slices.Min(hello(t, func(o *Options) { o.TLSMin = tls.VersionTLS13 }).SupportedVersions); min != tls.VersionTLS13 {
		t.Errorf("tls_min 1.3 offers %x", min)
	}
	if !slices.Contains([]string{"mips", "mipsle", "arm"}, runtime.GOARCH) {
		return // it may have AES
	}
	for _, pair := range [][2]uint16{
		{tls.TLS_CHACHA20_POLY1305_SHA256, tls.TLS_AES_128_GCM_SHA256},
		{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	} {
		if chacha := slices.Index(plain.CipherSuites, pair[0]); chacha < 0 || chacha > slices.Index(plain.CipherSuites, pair[1]) {
			t.Errorf("%s does not come before %s, which costs twice as much", tls.CipherSuiteName(pair[0]), tls.CipherSuiteName(pair[1]))
		}
	}
}

func TestOldServersNeedLeave(t *testing.T) {
	tls10 := func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }
	rsaOnly := func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}
	}
	for _, tc := range []struct {
		why            string
		server         func(*tls.Config)
		min            uint16
		legacy         bool
		refused        string
		version, suite string
	}{
		{"TLS 1.0 is refused", tls10, 0, false, "tls_min", "", ""},
		{"and old ciphers are no leave for it", tls10, 0, true, "tls_min", "", ""},
		{"TLS 1.0 by tls_min", tls10, tls.VersionTLS10, false, "", "TLS 1.0", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
		{"TLS 1.0 with both, as Windows 2008 needs", tls10, tls.VersionTLS10, true, "", "TLS 1.0", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
		{"RSA key exchange, as RouterOS without pfs, is refused", rsaOnly, 0, false, "tls_legacy", "", ""},
		{"a lower version is no leave for it", rsaOnly, tls.VersionTLS10, false, "tls_legacy", "", ""},
		{"RSA key exchange by tls_legacy", rsaOnly, tls.VersionTLS12, true, "", "TLS 1.2", "TLS_RSA_WITH_AES_256_CBC_SHA"},
		{"a new server is not made old by it", func(*tls.Config) {}, 0, true, "", "TLS 1.3", "TLS_AES_128_GCM_SHA256"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			cfg := rsaServer(t)
			tc.server(cfg)
			o := unverified(testkit.Listen(t, testkit.SSTPServer(cfg, testkit.OKHead)))
			o.TLSMin, o.TLSLegacy = tc.min, tc.legacy
			if tc.refused != "" {
				wantFault(t, o, fault.TLSFailed, tc.refused)
				return
			}
			info := mustConnect(t, o, nil).Info()
			if info.TLSVersion != tc.version || (info.CipherSuite != tc.suite && tc.version != "TLS 1.3") {
				t.Errorf("%s, %s, want %s, %s", info.TLSVersion, info.CipherSuite, tc.version, tc.suite)
			}
		})
	}
}

func TestWhatIsNoTLS(t *testing.T) {
	for _, tc := range []struct {
		why, answer string
		words       []string
	}{
		{"plain HTTP on the port", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", []string{"Plain HTTP", "port"}},
		{"a page and no head", "<html>400</html>", []string{"Plain HTTP"}},
		{"SSH", "SSH-2.0-dropbear\r\n", []string{"not TLS", "SSH-2"}},
		{"binary", "\x00\x01\x02\x03\x04\x05\x06", []string{"not TLS"}},
		{"closed at once", "", []string{"closed the connection", "server_name"}},
		{"handshake_failure", "\x15\x03\x03\x00\x02\x02\x28", []string{"handshake failure", "tls_legacy"}},
		{"protocol_version", "\x15\x03\x01\x00\x02\x02\x46", []string{"protocol version", "tls_min"}},
		{"internal_error, as SoftEther on OpenSSL 3", "\x15\x03\x01\x00\x02\x02\x50", []string{"internal error", "tls_legacy"}},
		{"unrecognized_name, as accel-ppp with host-name", "\x15\x03\x03\x00\x02\x02\x70", []string{"unrecognized name", "sni"}},
		{"an alert of no special meaning", "\x15\x03\x03\x00\x02\x02\x32", []string{"error decoding message"}},
		{"an alert that nobody knows", "\x15\x03\x03\x00\x02\x02\xf0", []string{"alert(240)"}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			f := wantFault(t, unverified(testkit.Listen(t, func(conn net.Conn) {
				io.ReadFull(conn, make([]byte, 5))
				io.WriteString(conn, tc.answer)
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn)
			})), fault.TLSFailed, tc.words...)
			if f.Stage != fault.StageTLS {
				t.Errorf("stage %s, want tls", f.Stage)
			}
		})
	}
}

func TestTheServerDemandsAClientCertificate(t *testing.T) {
	ca, stranger := testkit.NewAuthority(t, "Users", nil, nil), testkit.NewAuthority(t, "Strangers", nil, nil)
	client := func(ca *testkit.Authority) (cert, key string) {
		c := ca.Issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		der, err := x509.MarshalPKCS8PrivateKey(testkit.Key())
		if err != nil {
			t.Fatal(err)
		}
		return testkit.CertFile(t, c), testkit.File(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} { // 1.3 tells after its handshake is over
		t.Run(tls.VersionName(version), func(t *testing.T) {
			cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
			cfg.ClientAuth, cfg.MaxVersion = tls.RequireAndVerifyClientCert, version
			cfg.ClientCAs = x509.NewCertPool()
			cfg.ClientCAs.AddCert(ca.Cert)
			addr := testkit.Listen(t, testkit.SSTPServer(cfg, testkit.OKHead))

			o := unverified(addr)
			f := wantFault(t, o, fault.TLSFailed, "demands a client certificate", "cert and key")
			if f.Stage != fault.StageTLS {
				t.Errorf("stage %s, want tls also where the alert comes late", f.Stage)
			}
			o.Cert, o.Key = client(stranger)
			wantFault(t, o, fault.TLSFailed, "refused the client certificate")
			o.Cert, o.Key = client(ca)
			mustConnect(t, o, nil)

			both, _ := os.ReadFile(o.Cert)
			key, _ := os.ReadFile(o.Key)
			o.Cert, o.Key = testkit.File(t, "both.pem", string(both)+string(key)), ""
			mustConnect(t, o, nil) // certificate and key in one file
		})
	}
}

// deafening is a connection on which writes fail from some moment on, as when the far end has closed it.
type deafening struct {
	net.Conn
	script
	closed bool
}

func (d *deafening) Done(stage fault.Stage, _ time.Duration, _ phrase.Phrase, _ error) {
	d.closed = stage == fault.StageTLS
}

func (d *deafening) Write(b []byte) (int, error) {
	if d.closed {
		return 0, &net.OpError{Op: "write", Err: syscall.EPIPE}
	}
	return d.Conn.Write(b)
}

func TestTheAlertIsReadAlsoWhereTheRequestCannotBeWritten(t *testing.T) {
	cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
	cfg.ClientAuth = tls.RequireAnyClientCert
	o := unverified(testkit.Listen(t, testkit.SSTPServer(cfg, testkit.OKHead)))
	dial, conn := o.DialTCP, &deafening{}
	o.DialTCP = func(ctx context.Context, addr netip.AddrPort) (_ net.Conn, err error) {
		conn.Conn, err = dial(ctx, addr)
		return conn, err
	}
	_, err := Connect(t.Context(), o, conn)
	testkit.WantFault(t, err, fault.TLSFailed, "demands a client certificate")
}

func TestAServerCertificateThatIsNone(t *testing.T) {
	cfg := testkit.Presenting()
	cfg.Certificates[0].Certificate = [][]byte{{1, 2, 3}}
	wantFault(t, unverified(testkit.Listen(t, testkit.SSTPServer(cfg, testkit.OKHead))), fault.TLSFailed, "parse certificate")
}

func TestAClientCertificateThatCannotBeUsed(t *testing.T) {
	o := unverified(netip.AddrPort{})
	o.Cert, o.Key = "/nonexistent.pem", "/nonexistent.key"
	wantFault(t, o, fault.InvalidOptions, "client certificate", "/nonexistent.pem")
	o.Cert = testkit.CertFile(t, testkit.SelfSigned(t, nil))
	o.Key = o.Cert
	wantFault(t, o, fault.InvalidOptions, "client certificate")
}

func TestNoSessionIsResumed(t *testing.T) {
	cfg := testkit.Presenting(testkit.SelfSigned(t, nil))
	resumed := make(chan bool, 2)
	cfg.VerifyConnection = func(s tls.ConnectionState) error { resumed <- s.DidResume; return nil }
	o := unverified(testkit.Listen(t, testkit.SSTPServer(cfg, testkit.OKHead)))
	for range 2 {
		mustConnect(t, o, nil)
		if <-resumed {
			t.Error("resumed: the crypto binding needs the certificate of this very handshake")
		}
	}
}

// tap notes the lengths of the records written.
type tap struct {
	net.Conn
	mu      sync.Mutex
	records []int
}

func (c *tap) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for rest := b; len(rest) > 5; {
		n := int(rest[3])<<8 | int(rest[4])
		c.records = append(c.records, n)
		rest = rest[5+n:]
	}
	return c.Conn.Write(b)
}

func TestOneWriteIsOneRecordFromTheFirstOneOn(t *testing.T) {
	o := unverified(testkit.Listen(t, testkit.SSTPServer(testkit.Presenting(testkit.SelfSigned(t, nil)), testkit.OKHead)))
	var wire *tap
	dial := o.DialTCP
	o.DialTCP = func(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
		conn, err := dial(ctx, addr)
		wire = &tap{Conn: conn}
		return wire, err
	}
	conn := mustConnect(t, o, nil)
	wire.records = nil
	if _, err := conn.Write(bytes.Repeat([]byte{1}, 16384)); err != nil {
		t.Fatal(err)
	}
	if len(wire.records) != 1 || wire.records[0] < 16384 {
		t.Errorf("records %v, want one: many packets go into one write, and each record costs", wire.records)
	}
}

func TestInfo(t *testing.T) {
	ca := testkit.NewAuthority(t, "Root", nil, nil)
	leaf := ca.Issue(t, nil)
	o := trusting(t, testkit.Listen(t, testkit.SSTPServer(testkit.Presenting(leaf, ca.Cert), testkit.OKHead)), ca)
	seen := &script{}
	info := mustConnect(t, o, seen).Info()
	if !bytes.Equal(info.Leaf.Raw, leaf.Raw) {
		t.Error("the leaf is not byte for byte what the server sent: the crypto binding would fail")
	}
	if len(info.Chain) != 2 || len(seen.chain) != 2 {
		t.Errorf("chain of %d, observer %d, want both certificates", len(info.Chain), len(seen.chain))
	}
	if info.Server.String() != "192.0.2.1:443" || info.Proxy != "" || info.VerifiedBy != trust.VerifiedByCA ||
		info.TLSVersion != "TLS 1.3" || !strings.HasPrefix(info.CipherSuite, "TLS_") {
		t.Errorf("info %+v", info)
	}
	seen.want(t,
		"resolve", "resolve ok: 192.0.2.1",
		"connect", "connect ok: 192.0.2.1:443",
		"tls", "certificates: full", "tls ok: TLS 1.3, "+info.CipherSuite+", verified by CA and name",
		"http", "http ok: HTTP 200, Microsoft-HTTPAPI/2.0",
	)
}

func TestConnectHeedsThePolicy(t *testing.T) {
	root := testkit.NewAuthority(t, "Root", nil, nil)
	self, good := testkit.SelfSigned(t, nil), root.Issue(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			serve := func(c *x509.Certificate) Options {
				cfg := testkit.Presenting(c)
				cfg.MaxVersion = version
				return trusting(t, testkit.Listen(t, testkit.SSTPServer(cfg, testkit.OKHead)), root)
			}
			if by := mustConnect(t, serve(good), nil).Info().VerifiedBy; by != trust.VerifiedByCA {
				t.Errorf("verified by %q", by)
			}
			wantFault(t, serve(self), fault.CertUntrusted, trust.Fingerprint(self))

			o := serve(good)
			o.ServerName = "other.test"
			wantFault(t, o, fault.CertNameMismatch, "vpn.test")
			o = serve(good)
			o.Now = func() time.Time { return time.Unix(0, 0) }
			wantFault(t, o, fault.CertExpired, "1970-01-01", "clock")
			o = serve(self)
			o.Verify, o.Pins = config.VerifyPin, []config.Pin{trust.LeafPin(self)}
			if by := mustConnect(t, o, nil).Info().VerifiedBy; by != trust.VerifiedByPin+trust.Fingerprint(self) {
				t.Errorf("verified by %q", by)
			}
			o = serve(good)
			o.Verify, o.Pins = config.VerifyPin, []config.Pin{trust.LeafPin(self)}
			wantFault(t, o, fault.CertPinMismatch, trust.Fingerprint(good))
			o = serve(self)
			o.Verify = config.VerifyNone
			if by := mustConnect(t, o, nil).Info().VerifiedBy; by != trust.Unverified {
				t.Errorf("verified by %q", by)
			}
		})
	}
}

func TestTheProbeSeesARefusedChain(t *testing.T) {
	root, self := testkit.NewAuthority(t, "Root", nil, nil), testkit.SelfSigned(t, nil)
	seen := &script{}
	_, err := Connect(t.Context(), trusting(t, testkit.Listen(t, testkit.SSTPServer(testkit.Presenting(self), testkit.OKHead)), root), seen)
	testkit.WantFault(t, err, fault.CertUntrusted)
	if len(seen.chain) != 1 || !seen.chain[0].Equal(self) {
		t.Error("the observer must see the certificates that were refused: the user decides over them")
	}
	seen.want(t, "resolve", "resolve ok: 192.0.2.1", "connect", "connect ok: 192.0.2.1:443",
		"tls", "certificates: ", "tls failed: The server's certificate is self-signed.")
}
