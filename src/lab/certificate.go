package lab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// The validity of what this file makes. It begins before the year 2000, where testing/synctest starts its clock, so that
// a certificate made outside such a test is valid within it, and a certificate that is expired there is expired everywhere.
var (
	validFrom   = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	expiredAt   = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)
	validBefore = time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)
)

// CertificateOptions says what certificate to make. The zero value is a P-256 leaf for "vpn.test" of a new authority.
type CertificateOptions struct {
	// Names are the DNS names and IP addresses of the certificate; nil: "vpn.test". For a wrong name give another one.
	Names []string
	// CommonName is the subject; empty: the first name.
	CommonName string
	// Authority signs the certificate; nil: a new authority is made.
	Authority *Authority
	// SelfSigned makes a certificate that no authority signed.
	SelfSigned bool
	// Expired makes a certificate that was valid in 1999.
	Expired bool
	// RSA makes an RSA key of 2048 bits instead of a P-256 key.
	RSA bool
	// Client makes a certificate for a client (EAP-TLS, or the outer TLS) instead of a server's.
	Client bool
}

// Authority is a certificate authority.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Certificate is a certificate with its key and what trusts it.
type Certificate struct {
	TLS  tls.Certificate
	Leaf *x509.Certificate
	// Authority signed the certificate; nil: self-signed.
	Authority *Authority
}

// NewAuthority makes a certificate authority with a P-256 key.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t, err := template(name)
	if err != nil {
		return nil, err
	}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	cert, err := sign(t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Authority{Certificate: cert, Key: key}, nil
}

// NewCertificate makes a certificate.
func NewCertificate(o CertificateOptions) (*Certificate, error) {
	names := o.Names
	if names == nil {
		names = []string{"vpn.test"}
	}
	subject := o.CommonName
	if subject == "" && len(names) > 0 {
		subject = names[0]
	}
	t, err := template(subject)
	if err != nil {
		return nil, err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if o.Client {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if o.Expired {
		t.NotAfter = expiredAt
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	key, err := newKey(o.RSA)
	if err != nil {
		return nil, err
	}
	c := &Certificate{Authority: o.Authority}
	switch {
	case o.SelfSigned:
		c.Authority = nil
		c.Leaf, err = sign(t, t, key.Public(), key)
	default:
		if c.Authority == nil {
			if c.Authority, err = NewAuthority("sstp-lab authority"); err != nil {
				return nil, err
			}
		}
		c.Leaf, err = sign(t, c.Authority.Certificate, key.Public(), c.Authority.Key)
	}
	if err != nil {
		return nil, err
	}
	c.TLS = tls.Certificate{Certificate: [][]byte{c.Leaf.Raw}, PrivateKey: key, Leaf: c.Leaf}
	return c, nil
}

// Roots returns the pool in which the certificate is trusted: its authority, or itself when it is self-signed.
func (c *Certificate) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.anchor())
	return pool
}

// RootPEM returns what a client must trust, as a file for option ca_cert.
func (c *Certificate) RootPEM() []byte { return certificatePEM(c.anchor()) }

// CertificatePEM returns the certificate itself.
func (c *Certificate) CertificatePEM() []byte { return certificatePEM(c.Leaf) }

// KeyPEM returns the private key in PKCS #8.
func (c *Certificate) KeyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.TLS.PrivateKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func (c *Certificate) anchor() *x509.Certificate {
	if c.Authority == nil {
		return c.Leaf
	}
	return c.Authority.Certificate
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func newKey(useRSA bool) (crypto.Signer, error) {
	if useRSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func template(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    validFrom,
		NotAfter:     validBefore,
	}, nil
}

func sign(t, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// LoadCertificate reads a certificate, with its chain, and its key from files in PEM.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &Certificate{TLS: pair, Leaf: pair.Leaf}, nil
}
