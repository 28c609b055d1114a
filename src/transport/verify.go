package transport

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"net/netip"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/text"
)

// trust is the certificate policy of one connection.
type trust struct {
	verify config.Verify
	pins   []config.Pin
	name   string // that the certificate must have; an address is looked for among its addresses
	caFile string // replaces the system's CAs
	now    time.Time
}

// check is the whole of the server's verification: nothing else decides whom we talk to. crypto/tls calls it in every
// handshake with what the server sent, leaf first, and proves by the same handshake that the server has the leaf's key.
// verifiedBy is for people and for deciding which passwords may be sent; an error is a *fault.Error and ends the
// connection before anything of ours was sent.
//
//   - A pin that matches is enough by itself, whatever name, age and issuer the certificate has.
//   - verify pin: nothing else is enough.
//   - verify none: anything is, and counts as unverified.
//   - verify full, and any value unknown here: a chain to a trusted CA, good now and for TLS servers or any use, and the
//     name.
func (t *trust) check(chain []*x509.Certificate) (verifiedBy string, err error) {
	if len(chain) == 0 {
		return "", fault.New(fault.CertUntrusted, fault.StageTLS, "The server sent no certificate.")
	}
	leaf := chain[0]
	if pin, found := t.pinOf(leaf); found {
		return VerifiedByPin + pin.String(), nil
	}
	switch t.verify {
	case config.VerifyPin:
		return "", pinFault(leaf)
	case config.VerifyNone:
		return Unverified, nil
	}

	roots, err := loadRoots(t.caFile, chain)
	if err != nil {
		return "", err
	}
	options := x509.VerifyOptions{
		Roots:         roots.pool,
		Intermediates: x509.NewCertPool(),
		CurrentTime:   t.now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, // which anyExtendedKeyUsage and none at all include
	}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(options); err != nil {
		return "", t.chainFault(chain, options, roots, err)
	}
	if err := leaf.VerifyHostname(withoutZone(t.name)); err != nil {
		return "", nameFault(leaf, t.name, err)
	}
	return VerifiedByCA, nil
}

// pinOf returns the pin that the leaf matches.
func (t *trust) pinOf(leaf *x509.Certificate) (pin config.Pin, found bool) {
	whole, key := sha256.Sum256(leaf.Raw), sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	for _, p := range t.pins {
		sum := &whole
		if p.Kind == config.PinSPKI {
			sum = &key
		}
		if subtle.ConstantTimeCompare(p.Sum[:], sum[:]) == 1 {
			return p, true
		}
	}
	return config.Pin{}, false
}

// chainFault tells what is wrong with a chain that did not verify.
func (t *trust) chainFault(chain []*x509.Certificate, options x509.VerifyOptions, roots roots, err error) error {
	leaf := chain[0]
	if c := t.untimely(chain, options, err); c != nil {
		return timeFault(leaf, c, t.now, err)
	}
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return untrusted(leaf, "The server's certificate is not meant for a TLS server.", err)
	case len(t.pins) > 0:
		return pinFault(leaf).Wrap(err)
	case roots.empty:
		return untrusted(leaf, "No CA certificates are installed that could vouch for the server.", err).
			WithHint("Install the package ca-bundle, or store the server's fingerprint " + Fingerprint(leaf) + " as cert_pin.")
	case isSelfSigned(leaf):
		return untrusted(leaf, "The server's certificate is self-signed.", err)
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		last := chain[len(chain)-1]
		return untrusted(leaf, "The server's certificate is signed by "+issuerName(last)+", which is not a known authority.", err)
	}
	return untrusted(leaf, "The server's certificate cannot be verified: "+text.Phrase(err.Error())+".", err)
}

// untimely returns the certificate whose dates alone are what is wrong; nil: there is none.
func (t *trust) untimely(chain []*x509.Certificate, options x509.VerifyOptions, err error) *x509.Certificate {
	if outOfTime(chain[0], t.now) {
		return chain[0]
	}
	for _, c := range chain[1:] {
		if !outOfTime(c, t.now) {
			continue
		}
		options.CurrentTime = c.NotAfter
		if t.now.Before(c.NotBefore) {
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

// isSelfSigned tells whether the certificate says that nobody but itself vouches for it.
func isSelfSigned(c *x509.Certificate) bool { return string(c.RawIssuer) == string(c.RawSubject) }

// withoutZone takes the zone off a link-local address, which no certificate has.
func withoutZone(name string) string {
	if a, err := netip.ParseAddr(name); err == nil {
		return a.WithZone("").String()
	}
	return name
}
