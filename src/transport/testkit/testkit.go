// Package testkit is what the tests of transport and of the packages below it share: certificates, servers, and a kernel
// with TLS that does the records in Go.
package testkit

import (
	"bytes"
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

	"sstp/src/fault"
)

// Now is the time in all tests.
var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// OKHead is the head with which a server opens a call.
const OKHead = "HTTP/1.1 200 \r\nContent-Length: 18446744073709551615\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n"

// Authority signs certificates for tests.
type Authority struct {
	Cert *x509.Certificate
	Key  *ecdsa.PrivateKey
}

// Key is the key that all test servers share.
var Key = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

var serial int64

// Template is a server certificate that is good in every way but for the changes.
func Template(change func(*x509.Certificate)) *x509.Certificate {
	serial++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "vpn.test"},
		NotBefore:    Now.AddDate(-1, 0, 0),
		NotAfter:     Now.AddDate(1, 0, 0),
		DNSNames:     []string{"vpn.test"},
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(c)
	}
	return c
}

// NewAuthority makes a CA; above is who signs it, nil: itself.
func NewAuthority(t testing.TB, name string, above *Authority, change func(*x509.Certificate)) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := Template(change)
	c.Subject, c.DNSNames, c.ExtKeyUsage = pkix.Name{CommonName: name}, nil, nil
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	parent, signer := c, key
	if above != nil {
		parent, signer = above.Cert, above.Key
	}
	return &Authority{Sign(t, c, parent, key.Public(), signer), key}
}

// Issue signs a certificate for the key that all test servers share.
func (a *Authority) Issue(t testing.TB, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	return Sign(t, Template(change), a.Cert, Key().Public(), a.Key)
}

// SelfSigned makes a certificate that nobody vouches for.
func SelfSigned(t testing.TB, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	c := Template(change)
	return Sign(t, c, c, Key().Public(), Key())
}

// Sign makes a certificate of c.
func Sign(t testing.TB, c, parent *x509.Certificate, public, signer any) *x509.Certificate {
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

// CertFile writes certificates as PEM.
func CertFile(t testing.TB, certs ...*x509.Certificate) string {
	t.Helper()
	var b bytes.Buffer
	for _, c := range certs {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return File(t, "certs.pem", b.String())
}

// File writes a file for one test and returns its path.
func File(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Presenting is a TLS server's configuration with the given chain.
func Presenting(chain ...*x509.Certificate) *tls.Config {
	pair := tls.Certificate{PrivateKey: Key()}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, Time: func() time.Time { return Now }}
}

// Listen runs handle for each connection to a port of the loopback, and ends all of them with the test.
func Listen(t testing.TB, handle func(net.Conn)) netip.AddrPort {
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

// SSTPServer accepts TLS, reads the request's head and says what it is told to.
func SSTPServer(cfg *tls.Config, answer string) func(net.Conn) {
	return func(conn net.Conn) {
		s := tls.Server(conn, cfg)
		defer s.Close()
		if _, err := ReadHead(s); err == nil {
			io.WriteString(s, answer)
			io.Copy(io.Discard, s)
		}
	}
}

// ReadHead reads byte by byte, so that nothing behind the head is lost.
func ReadHead(r io.Reader) (string, error) {
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

// WantFault fails unless err is a fault with the code and all the words somewhere in message and hint.
func WantFault(t *testing.T, err error, code fault.Code, words ...string) *fault.Error {
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
