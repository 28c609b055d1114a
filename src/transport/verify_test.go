package transport

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
)

func leafPin(c *x509.Certificate) config.Pin {
	return config.Pin{Kind: config.PinLeaf, Sum: sha256.Sum256(c.Raw)}
}

func keyPin(c *x509.Certificate) config.Pin {
	return config.Pin{Kind: config.PinSPKI, Sum: sha256.Sum256(c.RawSubjectPublicKeyInfo)}
}

// TestTheCertificatePolicy is the table of who is let in and why not.
func TestTheCertificatePolicy(t *testing.T) {
	root := newAuthority(t, "Root", nil, nil)
	middle := newAuthority(t, "Middle", root, nil)
	stranger := newAuthority(t, "Stranger", nil, nil)
	past := func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }
	future := func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }
	stale := newAuthority(t, "Stale", root, past)

	good := root.issue(t, nil)
	self := selfSigned(t, nil)
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
		{why: "full: by an intermediate that the server sends", chain: chain(middle.issue(t, nil), middle.cert), by: "full"},
		{why: "full: the root sent along does no harm", chain: chain(good, root.cert), by: "full"},
		{why: "full: nor do certificates that lead nowhere", chain: chain(good, stranger.cert, self), by: "full"},
		{why: "full: a wildcard", name: "a.vpn.test", chain: chain(root.issue(t, func(c *x509.Certificate) {
			c.DNSNames = []string{"*.vpn.test"}
		})), by: "full"},
		{why: "full: case does not matter, nor a last dot", name: "VPN.Test.", chain: chain(good), by: "full"},
		{why: "full: an address that the certificate has", name: "192.0.2.1", chain: chain(root.issue(t, func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
		})), by: "full"},
		{why: "full: one of IPv6 with a zone", name: "fe80::1%eth0", chain: chain(root.issue(t, func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.ParseIP("fe80::1")}
		})), by: "full"},
		{why: "full: for any use", chain: chain(root.issue(t, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		})), by: "full"},
		{why: "full: for no named use", chain: chain(root.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = nil })), by: "full"},
		{why: "full: a pinned certificate needs no CA", pins: []config.Pin{leafPin(self)}, chain: chain(self),
			by: "pin " + leafPin(self).String()},
		{why: "full: nor a name, nor youth", name: "other.test", pins: []config.Pin{keyPin(self)},
			chain: chain(selfSigned(t, past)), by: "pin " + keyPin(self).String()},
		{why: "full: a pin that does not match leaves the CA to decide", pins: []config.Pin{leafPin(self)}, chain: chain(good), by: "full"},

		{why: "an intermediate that is missing", chain: chain(middle.issue(t, nil)), code: fault.CertUntrusted,
			words: []string{"signed by Middle", "not a known authority"}},
		{why: "a CA that is not ours", chain: chain(stranger.issue(t, nil), stranger.cert), code: fault.CertUntrusted,
			words: []string{"signed by Stranger"}},
		{why: "our CA's name with another key", chain: chain(newAuthority(t, "Root", nil, nil).issue(t, nil)),
			code: fault.CertUntrusted, words: []string{"signed by Root"}},
		{why: "self-signed", chain: chain(self), code: fault.CertUntrusted,
			words: []string{"self-signed", leafPin(self).String(), "cert_pin", "ca_cert"}},
		{why: "self-signed with our CA's certificate laid beside it", chain: chain(self, root.cert), code: fault.CertUntrusted},
		{why: "signed by somebody's server certificate", chain: chain((&authority{good, testKey()}).issue(t, nil), good),
			code: fault.CertUntrusted},
		{why: "for TLS clients only", chain: chain(root.issue(t, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})), code: fault.CertUntrusted, words: []string{"not meant for a TLS server"}},
		{why: "full: with pins, a stranger is a pin's mismatch", pins: []config.Pin{leafPin(good)}, chain: chain(self),
			code: fault.CertPinMismatch, words: []string{leafPin(self).String()}},
		{why: "the pin of a CA is none of the server's", verify: pin, pins: []config.Pin{leafPin(root.cert), keyPin(root.cert)},
			chain: chain(good, root.cert), code: fault.CertPinMismatch},

		{why: "another name", name: "other.test", chain: chain(root.issue(t, func(c *x509.Certificate) {
			c.DNSNames = []string{"vpn.test", "www.vpn.test"}
			c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 7)}
		})), code: fault.CertNameMismatch, words: []string{"vpn.test, www.vpn.test, 192.0.2.7", "not for other.test", "sha256:"}},
		{why: "an address that the certificate has not", name: "192.0.2.1", chain: chain(good), code: fault.CertNameMismatch},
		{why: "a common name alone does not count", chain: chain(root.issue(t, func(c *x509.Certificate) { c.DNSNames = nil })),
			code: fault.CertNameMismatch, words: []string{"common name vpn.test", "sha256:"}},
		{why: "many names are cut short", name: "other.test", chain: chain(root.issue(t, func(c *x509.Certificate) {
			c.DNSNames = strings.Split(strings.Repeat("a.test ", 99)+"b.test", " ")
		})), code: fault.CertNameMismatch, words: []string{"and others"}},

		{why: "expired", chain: chain(root.issue(t, past)), code: fault.CertExpired,
			words: []string{"expired on 2026-03-01 11:00 UTC", "here it is 2026-03-01 12:00 UTC", "Renew"}},
		{why: "not yet valid: a router starts in the past", chain: chain(root.issue(t, future)), code: fault.CertExpired,
			words: []string{"not valid before 2026-03-01 13:00 UTC", "clock", "NTP"}},
		{why: "an expired intermediate is named", chain: chain(stale.issue(t, nil), stale.cert), code: fault.CertExpired,
			words: []string{"of Stale above the server's expired"}},
		{why: "a stranger's expired intermediate is not the reason", chain: chain(self, stale.cert), code: fault.CertUntrusted},

		{why: "pin: the certificate", verify: pin, pins: []config.Pin{leafPin(good), leafPin(self)}, chain: chain(self),
			by: "pin " + leafPin(self).String()},
		{why: "pin: the key outlives a renewal", verify: pin, pins: []config.Pin{keyPin(self)}, chain: chain(selfSigned(t, nil)),
			by: "pin " + keyPin(self).String()},
		{why: "pin: a CA does not help", verify: pin, pins: []config.Pin{leafPin(self)}, chain: chain(good, root.cert),
			code: fault.CertPinMismatch, words: []string{leafPin(good).String(), "in between"}},
		{why: "pin: a pin of the key is not one of the certificate", verify: pin,
			pins: []config.Pin{{Kind: config.PinLeaf, Sum: keyPin(self).Sum}}, chain: chain(self), code: fault.CertPinMismatch},
		{why: "pin: without pins nobody is let in", verify: pin, chain: chain(good), code: fault.CertPinMismatch},

		{why: "none: anybody", verify: none, name: "other.test", chain: chain(selfSigned(t, past)), by: "none"},
		{why: "none: says so where a pin matched", verify: none, pins: []config.Pin{leafPin(self)}, chain: chain(self),
			by: "pin " + leafPin(self).String()},
		{why: "none: even so, no certificate is no TLS server", verify: none, code: fault.CertUntrusted},
		{why: "a value that is none is no reason to trust", verify: 99, chain: chain(self), code: fault.CertUntrusted},
		{why: "full is what the zero value means", verify: full, chain: chain(self), code: fault.CertUntrusted},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if tc.name == "" {
				tc.name = "vpn.test"
			}
			policy := trust{verify: tc.verify, pins: tc.pins, name: tc.name, caFile: file(t, root.cert), now: now}
			by, err := policy.check(tc.chain)
			if tc.code != "" {
				f := wantFaultIn(t, err, tc.code, tc.words...)
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

func TestConnectHeedsThePolicy(t *testing.T) {
	root := newAuthority(t, "Root", nil, nil)
	self, good := selfSigned(t, nil), root.issue(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			serve := func(c *x509.Certificate) Options {
				cfg := presenting(c)
				cfg.MaxVersion = version
				return trusting(t, listen(t, sstpServer(cfg, okHead)), root)
			}
			if by := mustConnect(t, serve(good), nil).Info().VerifiedBy; by != VerifiedByCA {
				t.Errorf("verified by %q", by)
			}
			wantFault(t, serve(self), fault.CertUntrusted, Fingerprint(self))

			o := serve(good)
			o.ServerName = "other.test"
			wantFault(t, o, fault.CertNameMismatch, "vpn.test")
			o = serve(good)
			o.Now = func() time.Time { return time.Unix(0, 0) }
			wantFault(t, o, fault.CertExpired, "1970-01-01", "clock")
			o = serve(self)
			o.Verify, o.Pins = config.VerifyPin, []config.Pin{leafPin(self)}
			if by := mustConnect(t, o, nil).Info().VerifiedBy; by != VerifiedByPin+Fingerprint(self) {
				t.Errorf("verified by %q", by)
			}
			o = serve(good)
			o.Verify, o.Pins = config.VerifyPin, []config.Pin{leafPin(self)}
			wantFault(t, o, fault.CertPinMismatch, Fingerprint(good))
			o = serve(self)
			o.Verify = config.VerifyNone
			if by := mustConnect(t, o, nil).Info().VerifiedBy; by != Unverified {
				t.Errorf("verified by %q", by)
			}
		})
	}
}

func TestTheProbeSeesARefusedChain(t *testing.T) {
	root, self := newAuthority(t, "Root", nil, nil), selfSigned(t, nil)
	seen := &script{}
	_, err := Connect(t.Context(), trusting(t, listen(t, sstpServer(presenting(self), okHead)), root), seen)
	wantFaultIn(t, err, fault.CertUntrusted)
	if len(seen.chain) != 1 || !seen.chain[0].Equal(self) {
		t.Error("the observer must see the certificates that were refused: the user decides over them")
	}
	seen.want(t, "resolve", "resolve ok: 192.0.2.1", "connect", "connect ok: 192.0.2.1:443",
		"tls", "certificates: ", "tls failed: The server's certificate is self-signed.")
}

func TestWhereTheAuthoritiesComeFrom(t *testing.T) {
	root, other := newAuthority(t, "Root", nil, nil), newAuthority(t, "Other", nil, nil)
	leaf := root.issue(t, nil)
	check := func(caFile string) error {
		policy := trust{name: "vpn.test", caFile: caFile, now: now}
		_, err := policy.check([]*x509.Certificate{leaf})
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

	system(file(t, other.cert, root.cert), emptyDir)
	good("the system's bundle", check(""))
	wantFaultIn(t, check(file(t, other.cert)), fault.CertUntrusted, "signed by Root") // ca_cert replaces the system's

	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "root.crt"), root.cert.Raw, 0o600)
	system(file(t, other.cert), emptyDir+":"+dir)
	good("a directory besides the bundle, a file in DER", check(""))

	system(emptyDir+"/missing", emptyDir)
	wantFaultIn(t, check(""), fault.CertUntrusted, "No CA certificates are installed", "ca-bundle", "sha256:")
	good("a file of ca_cert with text around the certificates", check(
		textFile(t, "ca.pem", "# the office's CA\n"+readFile(t, file(t, root.cert))+"\n# end")))
	good("ca_cert in DER", check(textFile(t, "ca.der", string(root.cert.Raw))))
	good("the server's own certificate as ca_cert", check(file(t, leaf)))

	wantFaultIn(t, check(emptyDir+"/missing"), fault.InvalidOptions, "ca_cert", "/missing")
	wantFaultIn(t, check(textFile(t, "ca.pem", "not a certificate")), fault.InvalidOptions, "holds no certificate")
	wantFaultIn(t, check(textFile(t, "key.pem", readFile(t, "testdata/rsa2048.key"))), fault.InvalidOptions, "holds no certificate")
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
	root := newAuthority(t, "Root", nil, nil)
	var others []*x509.Certificate
	for range 5 {
		others = append(others, newAuthority(t, "Other", nil, nil).cert)
	}
	p := picker{chain: []*x509.Certificate{root.issue(t, nil)}, pool: x509.NewCertPool()}
	p.pick([]byte(readFile(t, file(t, append(others, root.cert)...))))
	if p.seen != 6 || p.picked != 1 {
		t.Errorf("of %d certificates %d were kept, want 1 of 6: a router has no room for the rest", p.seen, p.picked)
	}
}

func TestHowACertificateWasVerifiedIsSaidInWords(t *testing.T) {
	for by, want := range map[string]string{
		VerifiedByCA: "verified by CA and name", VerifiedByPin + "sha256:00": "verified by pin", Unverified: "not verified",
	} {
		if got := VerifiedText(by); got != want {
			t.Errorf("%q is %q, want %q", by, got, want)
		}
	}
}
