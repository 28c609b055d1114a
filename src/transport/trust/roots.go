package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"

	"sstp/src/fault"
)

// Where systems keep their CAs: the places that crypto/x509 knows, OpenWrt's first. crypto/x509 itself would keep all CAs in
// memory for ever.
var (
	bundleFiles = []string{
		"/etc/ssl/certs/ca-certificates.crt", // OpenWrt (ca-bundle), Debian
		"/etc/ssl/cert.pem",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	}
	bundleDirs = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"} // OpenWrt: ca-certificates
)

// roots are the trusted CAs that one chain can lead to.
type roots struct {
	pool  *x509.CertPool
	empty bool // no CA is installed at all, not even for other servers
}

// loadRoots loads the trusted CAs that are in the chain or may have signed a certificate of it. No path from this leaf can lead
// to the others, so their 140 certificates are neither parsed nor held.
func loadRoots(caFile string, chain []*x509.Certificate) (roots, error) {
	p := picker{chain: chain, pool: x509.NewCertPool()}
	if caFile != "" {
		text, err := os.ReadFile(caFile)
		if err != nil {
			return roots{}, fault.Newf(fault.InvalidOptions, fault.StageTLS, "Option ca_cert: %s.", err.Error()).
				WithHint("Option ca_cert must name a file with certificates in PEM.").Wrap(err)
		}
		if p.pick(text); p.seen == 0 {
			return roots{}, fault.Newf(fault.InvalidOptions, fault.StageTLS, "Option ca_cert: %s holds no certificate.", caFile).
				WithHint("Option ca_cert must name a file with certificates in PEM.")
		}
		return roots{pool: p.pool}, nil
	}

	files, dirs := bundleFiles, bundleDirs
	if file := os.Getenv("SSL_CERT_FILE"); file != "" {
		files = []string{file}
	}
	if list := os.Getenv("SSL_CERT_DIR"); list != "" {
		dirs = filepath.SplitList(list)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			p.pick(text)
			break
		}
	}
	// The directories mostly hold the same CAs again, and those that an administrator added.
	for i := 0; i < len(dirs) && p.picked == 0; i++ {
		entries, _ := os.ReadDir(dirs[i])
		for _, e := range entries {
			if text, err := os.ReadFile(filepath.Join(dirs[i], e.Name())); err == nil {
				p.pick(text)
			}
		}
	}
	return roots{pool: p.pool, empty: p.seen == 0}, nil
}

// picker looks through certificates and keeps those that the chain can lead to.
type picker struct {
	chain        []*x509.Certificate
	pool         *x509.CertPool
	seen, picked int
}

// pick reads a PEM file, or a single certificate in DER.
func (p *picker) pick(text []byte) {
	found := false
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" && len(block.Headers) == 0 {
			found = true
			p.one(block.Bytes)
		}
	}
	if !found && len(text) > 0 && text[0] == 0x30 { // a DER SEQUENCE
		p.one(text)
	}
}

func (p *picker) one(der []byte) {
	p.seen++
	for _, c := range p.chain {
		// A CA's encoding contains its name exactly as what it signed contains the issuer's name. This check spares parsing.
		if !bytes.Contains(der, c.RawIssuer) {
			continue
		}
		ca, err := x509.ParseCertificate(der)
		if err == nil && (bytes.Equal(ca.RawSubject, c.RawIssuer) || bytes.Equal(ca.Raw, c.Raw)) {
			p.picked++
			p.pool.AddCert(ca)
			return
		}
	}
}
