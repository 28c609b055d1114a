package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
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

func untrusted(leaf *x509.Certificate, cause error, format phrase.Format, args ...string) *fault.Error {
	return fault.Newf(fault.CertUntrusted, fault.StageTLS, format, args...).Wrap(cause).
		WithDetail("If it is your server, store its fingerprint " + Fingerprint(leaf) + " as cert_pin, or its CA as ca_cert.")
}

func pinFault(leaf *x509.Certificate) *fault.Error {
	return fault.Newf(fault.CertPinMismatch, fault.StageTLS,
		"The server's certificate is none of those in cert_pin: it is %s.", Fingerprint(leaf)).
		WithDetail("If the server's certificate was renewed, replace cert_pin by " + Fingerprint(leaf) +
			"; otherwise somebody may be in between.")
}

// nameFault reports that the certificate does not have the name, and lists the names that it has.
func nameFault(leaf *x509.Certificate, want string, cause error) *fault.Error {
	const most = 8
	names := Names(leaf)
	if len(names) > most {
		names = append(names[:most], "and others")
	}
	f := fault.Newf(fault.CertNameMismatch, fault.StageTLS, "The server's certificate is for %s, not for %s.", strings.Join(names, ", "), text.Phrase(want))
	hint := "Set server or server_name to a name that the certificate has, or store its fingerprint " +
		Fingerprint(leaf) + " as cert_pin."
	if len(names) == 0 {
		// The common name does not count since RFC 6125, but old Windows servers have nothing else.
		f.Say("The server's certificate has no name that counts.")
		if cn := leaf.Subject.CommonName; cn != "" {
			f.Say("The server's certificate has no name that counts, only the outdated common name %s.", text.Phrase(cn))
		}
		hint = "If it is your server, store its fingerprint " + Fingerprint(leaf) + " as cert_pin."
	}
	return f.WithDetail(hint).Wrap(cause)
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
	pin := " Storing the fingerprint " + Fingerprint(leaf) + " as cert_pin makes its dates not matter."
	if now.Before(c.NotBefore) {
		f := fault.Newf(fault.CertExpired, fault.StageTLS,
			"The server's certificate is not valid before %s, and here it is %s.", date(c.NotBefore), date(now))
		if c != leaf {
			f.Say("The certificate of %s above the server's is not valid before %s, and here it is %s.", commonName(c.Subject), date(c.NotBefore), date(now))
		}
		return f.WithDetail("The router's clock is probably wrong: check it and its time servers (NTP)." + pin).Wrap(cause)
	}
	f := fault.Newf(fault.CertExpired, fault.StageTLS, "The server's certificate expired on %s, and here it is %s.", date(c.NotAfter), date(now))
	if c != leaf {
		f.Say("The certificate of %s above the server's expired on %s, and here it is %s.", commonName(c.Subject), date(c.NotAfter), date(now))
	}
	return f.WithDetail("Renew the certificate on the server; check the router's clock too." + pin).Wrap(cause)
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
