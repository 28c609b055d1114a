package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/transport/testkit"
)

// TestTheCertificatePolicy is the table of who is let in and why not.
func TestTheCertificatePolicy(t *testing.T) {
	root := testkit.NewAuthority(t, "Root", nil, nil)
	middle := testkit.NewAuthority(t, "Middle", root, nil)
	stranger := testkit.NewAuthority(t, "Stranger", nil, nil)
	past := func(c *x509.Certificate) { c.NotAfter = testkit.Now.Add(-time.Hour) }
	future := func(c *x509.Certificate) { c.NotBefore = testkit.Now.Add(time.Hour) }
	stale := testkit.NewAuthority(t, "Stale", root, past)

	good := root.Issue(t, nil)
	self := testkit.SelfSigned(t, nil)
	chain := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	const full, pin, none = config.VerifyFull, config.VerifyPin, config.VerifyNone
	for _, tc := range []struct {
		why    string
		verify config.Verify
		pins   []config.Pin
		name   string
		chain  []*x509.Certificate
		by     string
		code   fault.Code
		words  []string
	}{
		{why: "full: a known CA and the name", chain: chain(good), by: "full"},
		{why: "full: by an intermediate that the server sends", chain: chain(middle.Issue(t, nil), middle.Cert), by: "full"},
		{why: "full: the root sent along does no harm", chain: chain(good, root.Cert), by: "full"},
		{why: "full: nor do certificates that lead nowhere", chain: chain(good, stranger.Cert, self), by: "full"},
		{why: "full: a wildcard", name: "a.vpn.test", chain: chain(root.Issue(t, func(c *x509.Certificate) {
			c.DNSNames = []string{"*.vpn.test"}
		})), by: "full"},
		{why: "full: case does not matter, nor a last dot", name: "VPN.Test.", chain: chain(good), by: "full"},
		{why: "full: an address that the certificate has", name: "192.0.2.1", chain: chain(root.Issue(t, func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
		})), by: "full"},
		{why: "full: one of IPv6 with a zone", name: "fe80::1%eth0", chain: chain(root.Issue(t, func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.ParseIP("fe80::1")}
		})), by: "full"},
		{why: "full: for any use", chain: chain(root.Issue(t, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		})), by: "full"},
		{why: "full: for no named use", chain: chain(root.Issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = nil })), by: "full"},
		{why: "full: a pinned certificate needs no CA", pins: []config.Pin{LeafPin(self)}, chain: chain(self),
			by: "pin " + LeafPin(self).String()},
		{why: "full: nor a name, nor youth", name: "other.test", pins: []config.Pin{KeyPin(self)},
			chain: chain(testkit.SelfSigned(t, past)), by: "pin " + KeyPin(self).String()},
		{why: "full: a pin that does not match leaves the CA to decide", pins: []config.Pin{LeafPin(self)}, chain: chain(good), by: "full"},

		{why: "an intermediate that is missing", chain: chain(middle.Issue(t, nil)), code: fault.CertUntrusted,
			words: []string{"signed by Middle", "not a known authority"}},
		{why: "a CA that is not ours", chain: chain(stranger.Issue(t, nil), stranger.Cert), code: fault.CertUntrusted,
			words: []string{"signed by Stranger"}},
		{why: "our CA's name with another key", chain: chain(testkit.NewAuthority(t, "Root", nil, nil).Issue(t, nil)),
			code: fault.CertUntrusted, words: []string{"signed by Root"}},
		{why: "self-signed", chain: chain(self), code: fault.CertUntrusted,
			words: []string{"self-signed", LeafPin(self).String(), "cert_pin", "ca_cert"}},
		{why: "self-signed with our CA's certificate laid beside it", chain: chain(self, root.Cert), code: fault.CertUntrusted},
		{why: "signed by somebody's server certificate", chain: chain((&testkit.Authority{Cert: good, Key: testkit.Key()}).Issue(t, nil), good),
			code: fault.CertUntrusted},
		{why: "for TLS clients only", chain: chain(root.Issue(t, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})), code: fault.CertUntrusted, words: []string{"not meant for a TLS server"}},
		{why: "full: with pins, a stranger is a pin's mismatch", pins: []config.Pin{LeafPin(good)}, chain: chain(self),
			code: fault.CertPinMismatch, words: []string{LeafPin(self).String()}},
		{why: "the pin of a CA is none of the server's", verify: pin, pins: []config.Pin{LeafPin(root.Cert), KeyPin(root.Cert)},
			chain: chain(good, root.Cert), code: fault.CertPinMismatch},

		{why: "another name", name: "other.test", chain: chain(root.Issue(t, func(c *x509.Certificate) {
			c.DNSNames = []string{"vpn.test", "www.vpn.test"}
			c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 7)}
		})), code: fault.CertNameMismatch, words: []string{"vpn.test, www.vpn.test, 192.0.2.7", "not for other.test", "sha256:"}},
		{why: "an address that the certificate has not", name: "192.0.2.1", chain: chain(good), code: fault.CertNameMismatch},
		{why: "a common name alone does not count", chain: chain(root.Issue(t, func(c *x509.Certificate) { c.DNSNames = nil })),
			code: fault.CertNameMismatch, words: []string{"common name vpn.test", "sha256:"}},
		{why: "many names are cut short", name: "other.test", chain: chain(root.Issue(t, func(c *x509.Certificate) {
			c.DNSNames = strings.Split(strings.Repeat("a.test ", 99)+"b.test", " ")
		})), code: fault.CertNameMismatch, words: []string{"and others"}},

		{why: "expired", chain: chain(root.Issue(t, past)), code: fault.CertExpired,
			words: []string{"expired on 2026-03-01 11:00 UTC", "here it is 2026-03-01 12:00 UTC", "Renew"}},
		{why: "not yet valid: a router starts in the past", chain: chain(root.Issue(t, future)), code: fault.CertExpired,
			words: []string{"not valid before 2026-03-01 13:00 UTC", "clock", "NTP"}},
		{why: "an expired intermediate is named", chain: chain(stale.Issue(t, nil), stale.Cert), code: fault.CertExpired,
			words: []string{"of Stale above the server's expired"}},
		{why: "a stranger's expired intermediate is not the reason", chain: chain(self, stale.Cert), code: fault.CertUntrusted},

		{why: "pin: the certificate", verify: pin, pins: []config.Pin{LeafPin(good), LeafPin(self)}, chain: chain(self),
			by: "pin " + LeafPin(self).String()},
		{why: "pin: the key outlives a renewal", verify: pin, pins: []config.Pin{KeyPin(self)}, chain: chain(testkit.SelfSigned(t, nil)),
			by: "pin " + KeyPin(self).String()},
		{why: "pin: a CA does not help", verify: pin, pins: []config.Pin{LeafPin(self)}, chain: chain(good, root.Cert),
			code: fault.CertPinMismatch, words: []string{LeafPin(good).String(), "in between"}},
		{why: "pin: a pin of the key is not one of the certificate", verify: pin,
			pins: []config.Pin{{Kind: config.PinLeaf, Sum: KeyPin(self).Sum}}, chain: chain(self), code: fault.CertPinMismatch},
		{why: "pin: without pins nobody is let in", verify: pin, chain: chain(good), code: fault.CertPinMismatch},

		{why: "none: anybody", verify: none, name: "other.test", chain: chain(testkit.SelfSigned(t, past)), by: "none"},
		{why: "none: says so where a pin matched", verify: none, pins: []config.Pin{LeafPin(self)}, chain: chain(self),
			by: "pin " + LeafPin(self).String()},
		{why: "none: even so, no certificate is no TLS server", verify: none, code: fault.CertUntrusted},
		{why: "a value that is none is no reason to trust", verify: 99, chain: chain(self), code: fault.CertUntrusted},
		{why: "full is what the zero value means", verify: full, chain: chain(self), code: fault.CertUntrusted},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if tc.name == "" {
				tc.name = "vpn.test"
			}
			policy := Policy{Verify: tc.verify, Pins: tc.pins, Name: tc.name, CAFile: testkit.CertFile(t, root.Cert), Now: testkit.Now}
			by, err := policy.Check(tc.chain)
			if tc.code != "" {
				f := testkit.WantFault(t, err, tc.code, tc.words...)
				if by != "" || f.Stage != fault.StageTLS {
					t.Errorf("verified by %q at stage %s although it failed", by, f.Stage)
				}
				return
			}
			if err != nil || by != tc.by {
				t.Errorf("verified by %q, %v, want %q", by, err, tc.by)
			}
		})
	}
}

func TestWhereTheAuthoritiesComeFrom(t *testing.T) {
	root, other := testkit.NewAuthority(t, "Root", nil, nil), testkit.NewAuthority(t, "Other", nil, nil)
	leaf := root.Issue(t, nil)
	check := func(caFile string) error {
		policy := Policy{Name: "vpn.test", CAFile: caFile, Now: testkit.Now}
		_, err := policy.Check([]*x509.Certificate{leaf})
		return err
	}
	emptyDir := t.TempDir()
	system := func(file, dir string) {
		t.Setenv("SSL_CERT_FILE", file)
		t.Setenv("SSL_CERT_DIR", dir)
	}
	good := func(why string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", why, err)
		}
	}

	system(testkit.CertFile(t, other.Cert, root.Cert), emptyDir)
	good("the system's bundle", check(""))
	testkit.WantFault(t, check(testkit.CertFile(t, other.Cert)), fault.CertUntrusted, "signed by Root") // ca_cert replaces the system's

	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "root.crt"), root.Cert.Raw, 0o600)
	system(testkit.CertFile(t, other.Cert), emptyDir+":"+dir)
	good("a directory besides the bundle, a file in DER", check(""))

	system(emptyDir+"/missing", emptyDir)
	testkit.WantFault(t, check(""), fault.CertUntrusted, "No CA certificates are installed", "ca-bundle", "sha256:")
	good("a file of ca_cert with text around the certificates", check(
		testkit.File(t, "ca.pem", "# the office's CA\n"+readFile(t, testkit.CertFile(t, root.Cert))+"\n# end")))
	good("ca_cert in DER", check(testkit.File(t, "ca.der", string(root.Cert.Raw))))
	good("the server's own certificate as ca_cert", check(testkit.CertFile(t, leaf)))

	testkit.WantFault(t, check(emptyDir+"/missing"), fault.InvalidOptions, "ca_cert", "/missing")
	testkit.WantFault(t, check(testkit.File(t, "ca.pem", "not a certificate")), fault.InvalidOptions, "holds no certificate")
	testkit.WantFault(t, check(testkit.File(t, "key.pem", readFile(t, "../testdata/rsa2048.key"))), fault.InvalidOptions, "holds no certificate")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOnlyCandidatesAreHeld(t *testing.T) {
	root := testkit.NewAuthority(t, "Root", nil, nil)
	var others []*x509.Certificate
	for range 5 {
		others = append(others, testkit.NewAuthority(t, "Other", nil, nil).Cert)
	}
	p := picker{chain: []*x509.Certificate{root.Issue(t, nil)}, pool: x509.NewCertPool()}
	p.pick([]byte(readFile(t, testkit.CertFile(t, append(others, root.Cert)...))))
	if p.seen != 6 || p.picked != 1 {
		t.Errorf("of %d certificates %d were kept, want 1 of 6: a router has no room for the rest", p.seen, p.picked)
	}
}

func TestHowACertificateWasVerifiedIsSaidInWords(t *testing.T) {
	for by, want := range map[string]string{
		VerifiedByCA: "verified by CA and name", VerifiedByPin + "sha256:00": "verified by pin", Unverified: "not verified",
	} {
		if got := string(VerifiedText(by)); got != want {
			t.Errorf("%q is %q, want %q", by, got, want)
		}
	}
}

// FuzzCertificateFile: whatever else a file of CAs holds, the server is trusted exactly where its CA, or itself, is in it.
func FuzzCertificateFile(f *testing.F) {
	root := testkit.NewAuthority(f, "Root", nil, nil)
	leaf := root.Issue(f, nil)
	f.Add([]byte(""), []byte("# end"), true)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN X-----\n-----END X-----\n"), true)
	f.Add(root.Cert.Raw, []byte{}, false)
	f.Fuzz(func(t *testing.T, before, after []byte, inside bool) {
		text := slices.Clone(before)
		if inside {
			text = append(text, '\n')
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Cert.Raw})...)
		}
		text = append(text, after...)
		p := picker{chain: []*x509.Certificate{leaf}, pool: x509.NewCertPool()}
		p.pick(text)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: p.pool, CurrentTime: testkit.Now})
		if trusted := err == nil; trusted && !inside && !bytes.Equal(text, root.Cert.Raw) && !bytes.Contains(text, []byte("BEGIN CERT")) {
			t.Fatalf("trusted by %q", text)
		} else if !trusted && inside && !bytes.Contains(before, []byte("-----")) {
			t.Fatalf("not trusted by %q", text)
		}
		if p.picked > p.seen {
			t.Fatalf("%d kept of %d", p.picked, p.seen)
		}
	})
}
