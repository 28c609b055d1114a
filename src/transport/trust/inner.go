package trust

import (
	"crypto/tls"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
)

// InnerTLS returns the configuration of the TLS inside EAP-TLS (RFC 5216): the tunnel's client certificate, and the same
// policy for the login server's certificate as for the VPN server's. The two may be different machines. So with the user's own
// CA in option ca_cert, the certificate may have any name. The system's CAs sign for the whole world, so with them the name
// must be the VPN server's. An error is a *fault.Error.
//
// TLS 1.3 is used only when tls_min asks for it, because Windows Server 2022 fails with EAP-TLS over TLS 1.3.
func InnerTLS(t *config.Tunnel, server config.Server, now func() time.Time) (*tls.Config, error) {
	certificate, err := ClientCertificate(t.Cert, t.Key)
	if err != nil {
		return nil, err
	}
	if certificate == nil {
		return nil, fault.New(fault.InvalidOptions, fault.StageConfig, "Option auth has eap-tls, and there is no client certificate.").
			WithHint("Name the certificate and its key in options cert and key.")
	}
	return &tls.Config{
		Certificates:       []tls.Certificate{*certificate},
		Time:               now,
		MinVersion:         max(t.TLSMin, tls.VersionTLS12),
		MaxVersion:         max(t.TLSMin, tls.VersionTLS12),
		InsecureSkipVerify: true, // Policy.Check is the whole verification
		VerifyConnection: func(state tls.ConnectionState) error {
			policy := Policy{Verify: t.Verify, Pins: t.Pins, Name: t.VerifyName(server), CAFile: t.CACert, Now: now()}
			_, err := policy.Check(state.PeerCertificates)
			if f := fault.Of(err, "", ""); f != nil && f.Code == fault.CertNameMismatch && t.CACert != "" {
				return nil
			}
			return err
		},
	}, nil
}

// ClientCertificate reads a certificate and its key. An empty key means that the file cert has both, and an empty cert that
// there is none: then it returns nil. An error is a *fault.Error.
func ClientCertificate(cert, key string) (*tls.Certificate, error) {
	if cert == "" {
		return nil, nil
	}
	if key == "" {
		key = cert
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fault.Newf(fault.InvalidOptions, fault.StageConfig,
			"The client certificate cannot be used: %s.", err.Error()).
			WithHint("Options cert and key must name PEM files that belong together.").Wrap(err)
	}
	return &pair, nil
}
