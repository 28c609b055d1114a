package transport

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/sstp"
)

// now is the time in all tests.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const okHead = "HTTP/1.1 200 \r\nContent-Length: 18446744073709551615\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n"

// vpn is the server that the tests connect to.
var vpn = config.Server{Host: "vpn.test", Port: 443}

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var testKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

var serial int64

// template is a server certificate that is good in every way but for the changes.
func template(change func(*x509.Certificate)) *x509.Certificate {
	serial++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "vpn.test"},
		NotBefore:    now.AddDate(-1, 0, 0),
		NotAfter:     now.AddDate(1, 0, 0),
		DNSNames:     []string{"vpn.test"},
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(c)
	}
	return c
}

// newAuthority makes a CA; above is who signs it, nil: itself.
func newAuthority(t testing.TB, name string, above *authority, change func(*x509.Certificate)) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := template(change)
	c.Subject, c.DNSNames, c.ExtKeyUsage = pkix.Name{CommonName: name}, nil, nil
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	parent, signer := c, key
	if above != nil {
		parent, signer = above.cert, above.key
	}
	return &authority{parse(t, c, parent, key.Public(), signer), key}
}

// issue signs a certificate for the key that all test servers share.
func (a *authority) issue(t testing.TB, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	return parse(t, template(change), a.cert, testKey().Public(), a.key)
}

// selfSigned makes a certificate that nobody vouches for.
func selfSigned(t testing.TB, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	c := template(change)
	return parse(t, c, c, testKey().Public(), testKey())
}

func parse(t testing.TB, c, parent *x509.Certificate, public, signer any) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// file writes certificates as PEM.
func file(t testing.TB, certs ...*x509.Certificate) string {
	t.Helper()
	var b bytes.Buffer
	for _, c := range certs {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return textFile(t, "certs.pem", b.String())
}

func textFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// presenting is a TLS server's configuration with the given chain.
func presenting(chain ...*x509.Certificate) *tls.Config {
	pair := tls.Certificate{PrivateKey: testKey()}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, Time: func() time.Time { return now }}
}

// listen runs handle for each connection to a port of the loopback, and ends all of them with the test.
func listen(t testing.TB, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// sstpServer accepts TLS, reads the request's head and says what it is told to.
func sstpServer(cfg *tls.Config, answer string) func(net.Conn) {
	return func(conn net.Conn) {
		s := tls.Server(conn, cfg)
		defer s.Close()
		if _, err := readHead(s); err == nil {
			io.WriteString(s, answer)
			io.Copy(io.Discard, s)
		}
	}
}

// readHead reads byte by byte, so that nothing behind the head is lost.
func readHead(r io.Reader) (string, error) {
	var head []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(r, one); err != nil {
			return string(head), err
		}
		head = append(head, one[0])
	}
	return string(head), nil
}

// unverified are options to connect to vpn, which in truth is at addr, whatever its certificate.
func unverified(addr netip.AddrPort) Options {
	return Options{
		Server: vpn,
		SNI:    vpn.Host,
		Verify: config.VerifyNone,
		KTLS:   config.Off,
		Now:    func() time.Time { return now },
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		},
		DialTCP: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr.String())
		},
	}
}

// trusting are the same, but with the server verified by a CA.
func trusting(t testing.TB, addr netip.AddrPort, ca *authority) Options {
	o := unverified(addr)
	o.Verify, o.CACert = config.VerifyFull, file(t, ca.cert)
	return o
}

// mustConnect connects, and closes the connection with the test.
func mustConnect(t *testing.T, o Options, obs Observer) *Conn {
	t.Helper()
	conn, err := Connect(t.Context(), o, obs)
	if err != nil {
		t.Fatalf("%v (%+v)", err, errors.Unwrap(err))
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// wantFault fails unless Connect ends in the code, with all the words somewhere in message and hint.
func wantFault(t *testing.T, o Options, code fault.Code, words ...string) *fault.Error {
	t.Helper()
	conn, err := Connect(t.Context(), o, nil)
	if err == nil {
		conn.Close()
		t.Fatalf("connected, want %s", code)
	}
	return wantFaultIn(t, err, code, words...)
}

func wantFaultIn(t *testing.T, err error, code fault.Code, words ...string) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("%T is no *fault.Error: %v", err, err)
	}
	if f.Code != code {
		t.Fatalf("code %s, want %s; message: %s (%v)", f.Code, code, f.Message, f.Err)
	}
	if f.Hint == "" || f.Stage == "" {
		t.Errorf("hint %q, stage %q: a failure needs both", f.Hint, f.Stage)
	}
	for _, w := range words {
		if !strings.Contains(f.Message+"\n"+f.Hint, w) {
			t.Errorf("message %q with hint %q, want %q in it", f.Message, f.Hint, w)
		}
	}
	return f
}

// script is an observer that writes down what it is told.
type script struct {
	lines []string
	chain []*x509.Certificate
}

func (s *script) Stage(stage fault.Stage) { s.lines = append(s.lines, string(stage)) }

func (s *script) Done(stage fault.Stage, took time.Duration, finding string, err error) {
	line := string(stage) + " ok: " + finding
	if err != nil {
		line = string(stage) + " failed: " + err.Error()
	}
	s.lines = append(s.lines, line)
}

func (s *script) Certificates(chain []*x509.Certificate, verifiedBy string) {
	s.lines = append(s.lines, "certificates: "+verifiedBy)
	s.chain = chain
}

func (s *script) want(t *testing.T, lines ...string) {
	t.Helper()
	if got, want := strings.Join(s.lines, "\n"), strings.Join(lines, "\n"); got != want {
		t.Errorf("the observer was told\n%s\nwant\n%s", got, want)
	}
}

// zeros is a source of randomness that tests can predict.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// sstpPacket stands for what follows the head.
var sstpPacket = sstp.AppendData(nil, []byte{0xff, 0x03, 0xc0, 0x21})
