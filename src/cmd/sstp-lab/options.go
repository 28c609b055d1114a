package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"sstp/src/auth"
	"sstp/src/lab"
	"sstp/src/sstp"
)

var errHelp = errors.New("help is wanted")

// options is the command line.
type options struct {
	listen, names, users  list
	cert, key             string
	selfSigned, expired   bool
	rsa                   bool
	usersFile, auth       string
	hash                  string
	clientCA              string
	demandCert            bool
	writeCert, writeCA    string
	writeClientCert       string
	writeClientKey        string
	pool, pool6, dns      string
	fresh, single, noIPv6 bool
	tun                   string
	mtu                   int
	noOffload             bool
	tlsMin, tlsMax        string
	cipher                string
	tlsLegacy             bool
	pathSecret, misbehave string
	trace                 bool
	misdeeds              lab.Misbehaviour
}

// list is an option that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("sstp-lab", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Var(&o.listen, "listen", "")
	f.Var(&o.names, "name", "")
	f.Var(&o.users, "user", "")
	f.IntVar(&o.mtu, "mtu", 1400, "")
	for name, p := range map[string]*string{
		"cert": &o.cert, "key": &o.key, "users": &o.usersFile, "auth": &o.auth, "hash": &o.hash,
		"client-ca": &o.clientCA, "write-cert": &o.writeCert, "write-ca": &o.writeCA,
		"write-client-cert": &o.writeClientCert, "write-client-key": &o.writeClientKey,
		"pool": &o.pool, "pool6": &o.pool6, "dns": &o.dns, "tun": &o.tun, "tls-min": &o.tlsMin, "tls-max": &o.tlsMax, "cipher": &o.cipher,
		"path-secret": &o.pathSecret, "misbehave": &o.misbehave,
	} {
		f.StringVar(p, name, "", "")
	}
	for name, p := range map[string]*bool{
		"self-signed": &o.selfSigned, "expired": &o.expired, "rsa": &o.rsa, "demand-client-cert": &o.demandCert,
		"fresh-address": &o.fresh, "single-session": &o.single, "no-ipv6": &o.noIPv6, "no-offload": &o.noOffload,
		"tls-legacy": &o.tlsLegacy, "trace": &o.trace,
	} {
		f.BoolVar(p, name, false, "")
	}
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, errHelp
	case err != nil:
		return nil, err
	case f.NArg() > 0:
		return nil, fmt.Errorf("what is %q?", f.Arg(0))
	}
	if len(o.listen) == 0 {
		o.listen = list{":443"}
	}
	var err error
	if o.misdeeds, err = lab.ParseMisbehaviour(o.misbehave); err != nil {
		return nil, err
	}
	if (o.cert == "") != (o.key == "") {
		return nil, errors.New("--cert and --key belong together")
	}
	if (o.writeClientCert == "") != (o.writeClientKey == "") {
		return nil, errors.New("--write-client-cert and --write-client-key belong together")
	}
	if o.mtu < 576 || o.mtu > 4087 {
		return nil, fmt.Errorf("--mtu %d is not within 576 and 4087", o.mtu)
	}
	return o, nil
}

// config makes the server's configuration of the command line.
func (o *options) config() (cfg lab.Config, err error) {
	cfg = lab.Config{
		FreshAddress: o.fresh, SingleSession: o.single, NoIPv6: o.noIPv6, MRU: o.mtu, PathSecret: o.pathSecret, Misbehave: o.misdeeds,
	}
	if cfg.Certificate, err = o.certificate(); err != nil {
		return cfg, err
	}
	if cfg.Users, err = o.readUsers(); err != nil {
		return cfg, err
	}
	if cfg.TLSMin, err = tlsVersion("--tls-min", o.tlsMin); err != nil {
		return cfg, err
	}
	if cfg.TLSMax, err = tlsVersion("--tls-max", o.tlsMax); err != nil {
		return cfg, err
	}
	if o.tlsLegacy {
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			cfg.CipherSuites = append(cfg.CipherSuites, s.ID)
		}
	}
	if o.cipher != "" && cfg.TLSMin == tls.VersionTLS13 {
		if !lab.OnlySuite13(o.cipher) {
			return cfg, fmt.Errorf("--cipher: no cipher suite of TLS 1.3 has %q in its name", o.cipher)
		}
	} else if o.cipher != "" {
		cfg.CipherSuites = nil
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if strings.Contains(s.Name, o.cipher) && s.SupportedVersions[0] != tls.VersionTLS13 {
				cfg.CipherSuites = append(cfg.CipherSuites, s.ID)
			}
		}
		if len(cfg.CipherSuites) == 0 {
			return cfg, fmt.Errorf("--cipher: no cipher suite of TLS 1.2 has %q in its name", o.cipher)
		}
		if cfg.TLSMax == 0 {
			cfg.TLSMax = tls.VersionTLS12
		}
	}
	if cfg.HashMask, err = hashMask(o.hash); err != nil {
		return cfg, err
	}
	clients := cfg.Certificate.Roots()
	if o.clientCA != "" {
		if clients, err = readPool(o.clientCA); err != nil {
			return cfg, err
		}
	}
	if o.demandCert {
		cfg.ClientCAs = clients
	}
	if cfg.Methods, err = methods(o.auth); err != nil {
		return cfg, err
	}
	// The same certificates serve EAP-TLS, which is offered by default where the clients' CA is known.
	if o.clientCA != "" || o.writeClientCert != "" || strings.Contains(o.auth, string(auth.EAPTLS)) {
		cfg.EAPTLS = &tls.Config{Certificates: []tls.Certificate{cfg.Certificate.TLS}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	}
	if cfg.Pool, err = prefix("--pool", o.pool); err != nil {
		return cfg, err
	}
	if cfg.Pool6, err = prefix("--pool6", o.pool6); err != nil {
		return cfg, err
	}
	cfg.DNS, err = nameServers(o.dns)
	return cfg, err
}

func (o *options) certificate() (*lab.Certificate, error) {
	if o.cert != "" {
		return lab.LoadCertificate(o.cert, o.key)
	}
	// The addresses on which the server listens are names too, so that a client may dial them.
	names := append(list(nil), o.names...)
	if len(names) == 0 {
		names = list{"vpn.test"}
		for _, l := range o.listen {
			if host, _, err := net.SplitHostPort(l); err == nil && net.ParseIP(host) != nil && !net.ParseIP(host).IsUnspecified() {
				names = append(names, host)
			}
		}
	}
	return lab.NewCertificate(lab.CertificateOptions{Names: names, SelfSigned: o.selfSigned, Expired: o.expired, RSA: o.rsa})
}

// readUsers returns the users of --users and --user; without any there is user "demo" with password "demo".
func (o *options) readUsers() (map[string]string, error) {
	users := map[string]string{}
	lines := append(list(nil), o.users...)
	if o.usersFile != "" {
		text, err := os.ReadFile(o.usersFile)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	for i, line := range lines {
		name, password, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("user %d is not written NAME:PASSWORD", i+1)
		}
		users[name] = password
	}
	if len(lines) == 0 {
		users["demo"] = "demo"
	}
	return users, nil
}

func methods(text string) ([]auth.Method, error) {
	switch text {
	case "":
		return nil, nil
	case "none":
		return []auth.Method{}, nil
	}
	var list []auth.Method
	for name := range strings.SplitSeq(text, ",") {
		m := auth.Method(strings.TrimSpace(name))
		if p, _ := m.LCP(); p == 0 {
			return nil, fmt.Errorf("--auth: there is no method %q; there are eap-tls mschapv2 eap-mschapv2 chap pap, or none", name)
		}
		list = append(list, m)
	}
	return list, nil
}

func hashMask(text string) (sstp.HashProtocol, error) {
	switch text {
	case "":
		return 0, nil
	case "sha1":
		return sstp.HashSHA1, nil
	case "sha256":
		return sstp.HashSHA256, nil
	}
	return 0, fmt.Errorf("--hash is sha1 or sha256, not %q", text)
}

func tlsVersion(option, text string) (uint16, error) {
	v, ok := map[string]uint16{"": 0, "1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[text]
	if !ok {
		return 0, fmt.Errorf("%s is 1.0, 1.1, 1.2 or 1.3, not %q", option, text)
	}
	return v, nil
}

func prefix(option, text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%s: %w", option, err)
	}
	return p, nil
}

func nameServers(text string) ([]netip.Addr, error) {
	switch text {
	case "":
		return nil, nil
	case "none":
		return []netip.Addr{}, nil
	}
	var list []netip.Addr
	for s := range strings.SplitSeq(text, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("--dns: %w", err)
		}
		list = append(list, a)
	}
	return list, nil
}

func readPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

// writeFiles writes what clients need.
func (o *options) writeFiles(c *lab.Certificate) error {
	if err := write(o.writeCert, c.CertificatePEM(), 0o644); err != nil {
		return err
	}
	if err := write(o.writeCA, c.RootPEM(), 0o644); err != nil {
		return err
	}
	if o.writeClientCert == "" {
		return nil
	}
	if c.Authority == nil {
		return errors.New("--write-client-cert needs an authority: it goes neither with --self-signed nor with --cert")
	}
	client, err := lab.NewCertificate(lab.CertificateOptions{CommonName: "demo", Names: []string{}, Client: true, Authority: c.Authority, RSA: o.rsa})
	if err != nil {
		return err
	}
	key, err := client.KeyPEM()
	if err != nil {
		return err
	}
	if err := write(o.writeClientKey, key, 0o600); err != nil {
		return err
	}
	return write(o.writeClientCert, client.CertificatePEM(), 0o644)
}

func write(file string, text []byte, mode os.FileMode) error {
	if file == "" {
		return nil
	}
	return os.WriteFile(file, text, mode)
}

// carrier says where the clients' packets go.
func (o *options) carrier() string {
	if o.tun == "" {
		return "echoes answered here"
	}
	return "device " + o.tun
}
