package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/text"
)

// LeafPin returns the pin of the whole certificate.
func LeafPin(c *x509.Certificate) config.Pin {
	return config.Pin{Kind: config.PinLeaf, Sum: sha256.Sum256(c.Raw)}
}

// KeyPin returns the pin of the certificate's public key.
func KeyPin(c *x509.Certificate) config.Pin {
	return config.Pin{Kind: config.PinSPKI, Sum: sha256.Sum256(c.RawSubjectPublicKeyInfo)}
}

// Fingerprint returns the certificate's SHA-256 as option cert_pin takes it.
func Fingerprint(c *x509.Certificate) string { return LeafPin(c).String() }

func untrusted(leaf *x509.Certificate, message string, cause error) *fault.Error {
	return fault.New(fault.CertUntrusted, fault.StageTLS, message).Wrap(cause).
		WithHint("If it is your server, store its fingerprint " + Fingerprint(leaf) + " as cert_pin, or its CA as ca_cert.")
}

func pinFault(leaf *x509.Certificate) *fault.Error {
	return fault.New(fault.CertPinMismatch, fault.StageTLS,
		"The server's certificate is none of those in cert_pin: it is "+Fingerprint(leaf)+".").
		WithHint("If the server's certificate was renewed, replace cert_pin by " + Fingerprint(leaf) +
			"; otherwise somebody may be in between.")
}

// nameFault reports that the certificate does not have the name, and lists the names that it has.
func nameFault(leaf *x509.Certificate, want string, cause error) *fault.Error {
	const most = 8
	names := Names(leaf)
	if len(names) > most {
		names = append(names[:most], "and others")
	}
	message := "The server's certificate is for " + strings.Join(names, ", ") + ", not for " + text.Phrase(want) + "."
	hint := "Set server or server_name to a name that the certificate has, or store its fingerprint " +
		Fingerprint(leaf) + " as cert_pin."
	if len(names) == 0 {
		// The common name does not count since RFC 6125, but old Windows servers have nothing else.
		message = "The server's certificate has no name that counts"
		if cn := leaf.Subject.CommonName; cn != "" {
			message += ", only the outdated common name " + text.Phrase(cn)
		}
		message += "."
		hint = "If it is your server, store its fingerprint " + Fingerprint(leaf) + " as cert_pin."
	}
	return fault.New(fault.CertNameMismatch, fault.StageTLS, message).WithHint(hint).Wrap(cause)
}

// Names returns the names and addresses that a certificate is for, in a form that can be shown.
func Names(c *x509.Certificate) []string {
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, text.Phrase(n))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// timeFault reports that c, which is the leaf or a certificate above it, is not valid now.
func timeFault(leaf, c *x509.Certificate, now time.Time, cause error) *fault.Error {
	which := "The server's certificate"
	if c != leaf {
		which = "The certificate of " + commonName(c.Subject) + " above the server's"
	}
	pin := " Storing the fingerprint " + Fingerprint(leaf) + " as cert_pin makes its dates not matter."
	if now.Before(c.NotBefore) {
		return fault.New(fault.CertExpired, fault.StageTLS,
			which+" is not valid before "+date(c.NotBefore)+", and here it is "+date(now)+".").
			WithHint("The router's clock is probably wrong: check it and its time servers (NTP)." + pin).Wrap(cause)
	}
	return fault.New(fault.CertExpired, fault.StageTLS,
		which+" expired on "+date(c.NotAfter)+", and here it is "+date(now)+".").
		WithHint("Renew the certificate on the server; check the router's clock too." + pin).Wrap(cause)
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func issuerName(c *x509.Certificate) string { return commonName(c.Issuer) }

// commonName returns the name by which people know the holder of a certificate.
func commonName(n pkix.Name) string {
	switch {
	case n.CommonName != "":
		return text.Phrase(n.CommonName)
	case len(n.Organization) > 0:
		return text.Phrase(n.Organization[0])
	}
	return "somebody without a name"
}
