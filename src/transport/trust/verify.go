// Package trust decides whether the server's certificate is accepted: by a pin, or by a chain to a trusted CA and the name. It
// explains every refusal, with the fingerprint that the user may want to store, and loads the client's own certificate.
package trust

import (
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"net/netip"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/text"
)

// The values of verifiedBy besides a pin's text, which stands behind VerifiedByPin.
const (
	VerifiedByCA  = "full" // chain, name and time against the trusted CAs
	VerifiedByPin = "pin " // and the pin, as option cert_pin has it
	Unverified    = "none" // accepted unseen because option verify says so
)

// VerifiedText returns, for people, what a server's certificate was accepted by.
func VerifiedText(by string) phrase.Format {
	switch {
	case by == VerifiedByCA:
		return "verified by CA and name"
	case by == Unverified:
		return "not verified"
	}
	return "verified by pin"
}

// Policy is the certificate policy of one connection.
type Policy struct {
	Verify config.Verify
	Pins   []config.Pin
	Name   string // the name or address that the certificate must have
	CAFile string // file that replaces the system's CAs; empty means the system's
	Now    time.Time
}

// Check verifies the server; nothing else decides whom we talk to. It is called in every handshake with the certificates that
// the server sent, leaf first. crypto/tls proves by the same handshake that the server has the leaf's key. verifiedBy says how
// the certificate was accepted, which people see and which decides whether a password may be sent. An error is a *fault.Error
// and ends the connection before we have sent anything.
//
//   - A pin that matches is enough, whatever name, age and issuer the certificate has.
//   - verify pin: only a pin is enough.
//   - verify none: any certificate is accepted, as unverified.
//   - verify full, and any value unknown here: the chain must lead to a trusted CA, be valid now and for TLS servers or any
//     use, and the leaf must have the name.
func (p *Policy) Check(chain []*x509.Certificate) (verifiedBy string, err error) {
	if len(chain) == 0 {
		return "", fault.New(fault.CertUntrusted, fault.StageTLS, "The server sent no certificate.")
	}
	leaf := chain[0]
	if pin, found := p.pinOf(leaf); found {
		return VerifiedByPin + pin.String(), nil
	}
	switch p.Verify {
	case config.VerifyPin:
		return "", pinFault(leaf)
	case config.VerifyNone:
		return Unverified, nil
	}

	roots, err := loadRoots(p.CAFile, chain)
	if err != nil {
		return "", err
	}
	options := x509.VerifyOptions{
		Roots:         roots.pool,
		Intermediates: x509.NewCertPool(),
		CurrentTime:   p.Now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, // also matched by anyExtendedKeyUsage and by no usage at all
	}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(options); err != nil {
		return "", p.chainFault(chain, options, roots, err)
	}
	if err := leaf.VerifyHostname(withoutZone(p.Name)); err != nil {
		return "", nameFault(leaf, p.Name, err)
	}
	return VerifiedByCA, nil
}

// pinOf returns the pin that the leaf matches.
func (p *Policy) pinOf(leaf *x509.Certificate) (pin config.Pin, found bool) {
	whole, key := LeafPin(leaf), KeyPin(leaf)
	for _, pin := range p.Pins {
		found := &whole
		if pin.Kind == config.PinSPKI {
			found = &key
		}
		if subtle.ConstantTimeCompare(pin.Sum[:], found.Sum[:]) == 1 {
			return pin, true
		}
	}
	return config.Pin{}, false
}

// chainFault explains what is wrong with a chain that did not verify.
func (p *Policy) chainFault(chain []*x509.Certificate, options x509.VerifyOptions, roots roots, err error) error {
	leaf := chain[0]
	if c := p.untimely(chain, options, err); c != nil {
		return timeFault(leaf, c, p.Now, err)
	}
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return untrusted(leaf, err, "The server's certificate is not meant for a TLS server.")
	case len(p.Pins) > 0:
		return pinFault(leaf).Wrap(err)
	case roots.empty:
		return untrusted(leaf, err, "No CA certificates are installed that could vouch for the server.").
			WithHintf("Install the package ca-bundle, or store the server's fingerprint %s as cert_pin.", Fingerprint(leaf))
	case isSelfSigned(leaf):
		return untrusted(leaf, err, "The server's certificate is self-signed.")
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		last := chain[len(chain)-1]
		return untrusted(leaf, err, "The server's certificate is signed by %s, which is not a known authority.", issuerName(last))
	}
	return untrusted(leaf, err, "The server's certificate cannot be verified: %s.", text.Phrase(err.Error()))
}

// untimely returns the certificate whose dates are the only thing wrong with the chain, or nil.
func (p *Policy) untimely(chain []*x509.Certificate, options x509.VerifyOptions, err error) *x509.Certificate {
	if outOfTime(chain[0], p.Now) {
		return chain[0]
	}
	for _, c := range chain[1:] {
		if !outOfTime(c, p.Now) {
			continue
		}
		options.CurrentTime = c.NotAfter
		if p.Now.Before(c.NotBefore) {
			options.CurrentTime = c.NotBefore
		}
		if _, err := chain[0].Verify(options); err == nil {
			return c
		}
	}
	return nil
}

func outOfTime(c *x509.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) || now.After(c.NotAfter)
}

// isSelfSigned reports whether the certificate names itself as its issuer.
func isSelfSigned(c *x509.Certificate) bool { return string(c.RawIssuer) == string(c.RawSubject) }

// withoutZone removes the zone of a link-local address, which no certificate has.
func withoutZone(name string) string {
	if a, err := netip.ParseAddr(name); err == nil {
		return a.WithZone("").String()
	}
	return name
}
