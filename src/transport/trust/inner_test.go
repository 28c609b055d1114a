package trust

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/transport/testkit"
)

// innerTunnel has a client certificate in files.
func innerTunnel(t *testing.T) *config.Tunnel {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(testkit.Key())
	if err != nil {
		t.Fatal(err)
	}
	return &config.Tunnel{
		Cert: testkit.CertFile(t, testkit.NewAuthority(t, "client CA", nil, nil).Issue(t, nil)),
		Key:  testkit.File(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))),
	}
}

// vpn is the server of the tunnel whose login is verified.
var vpn = config.Server{Host: "vpn.test", Port: 443}

func clock() time.Time { return testkit.Now }

func TestTheLogInServersCertificateIsVerifiedLikeTheVPNServers(t *testing.T) {
	ours, other := testkit.NewAuthority(t, "our CA", nil, nil), testkit.NewAuthority(t, "other CA", nil, nil)
	named := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = []string{name} }
	}
	for _, c := range []struct {
		name   string
		caFile bool
		leaf   *x509.Certificate
		want   fault.Code
	}{
		{"our CA and the VPN server's name", true, ours.Issue(t, named(vpn.Host)), ""},
		{"our CA vouches for another machine", true, ours.Issue(t, named("radius.test")), ""},
		{"another CA", true, other.Issue(t, named(vpn.Host)), fault.CertUntrusted},
		{"our CA, expired", true, ours.Issue(t, func(c *x509.Certificate) { c.NotAfter = testkit.Now.Add(-time.Hour) }), fault.CertExpired},
		{"no CA configured: the system's do not know it", false, ours.Issue(t, named(vpn.Host)), fault.CertUntrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			tunnel := innerTunnel(t)
			if c.caFile {
				tunnel.CACert = testkit.CertFile(t, ours.Cert)
			}
			cfg, err := InnerTLS(tunnel, vpn, clock)
			if err != nil {
				t.Fatal(err)
			}
			err = cfg.VerifyConnection(tls.ConnectionState{PeerCertificates: []*x509.Certificate{c.leaf}})
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			testkit.WantFault(t, err, c.want)
		})
	}
}

func TestEAPTLSWithoutACertificateIsAConfigurationError(t *testing.T) {
	_, err := InnerTLS(&config.Tunnel{}, vpn, clock)
	testkit.WantFault(t, err, fault.InvalidOptions, "cert", "key")
	_, err = InnerTLS(&config.Tunnel{Cert: "/does/not/exist"}, vpn, clock)
	testkit.WantFault(t, err, fault.InvalidOptions, "/does/not/exist")
}

func TestEAPTLSUsesTLS12UnlessToldOtherwise(t *testing.T) {
	tunnel := innerTunnel(t)
	if cfg, err := InnerTLS(tunnel, vpn, clock); err != nil || cfg.MinVersion != tls.VersionTLS12 || cfg.MaxVersion != tls.VersionTLS12 {
		t.Errorf("versions %x to %x (%v), want 1.2 alone: Windows Server 2022 fails with 1.3", cfg.MinVersion, cfg.MaxVersion, err)
	}
	tunnel.TLSMin = tls.VersionTLS13
	if cfg, err := InnerTLS(tunnel, vpn, clock); err != nil || cfg.MinVersion != tls.VersionTLS13 {
		t.Errorf("tls_min 1.3 gave %x (%v)", cfg.MinVersion, err)
	}
}
