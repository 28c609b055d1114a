package transport

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
)

// innerTunnel has a client certificate in files.
func innerTunnel(t *testing.T) *config.Tunnel {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	return &config.Tunnel{
		Cert: file(t, newAuthority(t, "client CA", nil, nil).issue(t, nil)),
		Key:  textFile(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))),
	}
}

func clock() time.Time { return now }

func TestTheLogInServersCertificateIsVerifiedLikeTheVPNServers(t *testing.T) {
	ours, other := newAuthority(t, "our CA", nil, nil), newAuthority(t, "other CA", nil, nil)
	named := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = []string{name} }
	}
	for _, c := range []struct {
		name   string
		caFile bool
		leaf   *x509.Certificate
		want   fault.Code
	}{
		{"our CA and the VPN server's name", true, ours.issue(t, named(vpn.Host)), ""},
		{"our CA vouches for another machine", true, ours.issue(t, named("radius.test")), ""},
		{"another CA", true, other.issue(t, named(vpn.Host)), fault.CertUntrusted},
		{"our CA, expired", true, ours.issue(t, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }), fault.CertExpired},
		{"no CA configured: the system's do not know it", false, ours.issue(t, named(vpn.Host)), fault.CertUntrusted},
	} {
		t.Run(c.name, func(t *testing.T) {
			tunnel := innerTunnel(t)
			if c.caFile {
				tunnel.CACert = file(t, ours.cert)
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
			wantFaultIn(t, err, c.want)
		})
	}
}

func TestEAPTLSWithoutACertificateIsAConfigurationError(t *testing.T) {
	_, err := InnerTLS(&config.Tunnel{}, vpn, clock)
	wantFaultIn(t, err, fault.InvalidOptions, "cert", "key")
	_, err = InnerTLS(&config.Tunnel{Cert: "/does/not/exist"}, vpn, clock)
	wantFaultIn(t, err, fault.InvalidOptions, "/does/not/exist")
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
