package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/sstp"
	"sstp/src/transport/testkit"
)

// vpn is the server that the tests connect to.
var vpn = config.Server{Host: "vpn.test", Port: 443}

// unverified are options to connect to vpn, which in truth is at addr, whatever its certificate.
func unverified(addr netip.AddrPort) Options {
	return Options{
		Server: vpn,
		SNI:    vpn.Host,
		Verify: config.VerifyNone,
		KTLS:   config.Off,
		Now:    func() time.Time { return testkit.Now },
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
func trusting(t testing.TB, addr netip.AddrPort, ca *testkit.Authority) Options {
	o := unverified(addr)
	o.Verify, o.CACert = config.VerifyFull, testkit.CertFile(t, ca.Cert)
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
	return testkit.WantFault(t, err, code, words...)
}

// script is an observer that writes down what it is told.
type script struct {
	lines []string
	chain []*x509.Certificate
}

func (s *script) Stage(stage fault.Stage) { s.lines = append(s.lines, string(stage)) }

func (s *script) Done(stage fault.Stage, took time.Duration, finding phrase.Phrase, err error) {
	line := string(stage) + " ok: " + finding.Text
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
