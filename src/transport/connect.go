package transport

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/transport/ktls"
	"sstp/src/transport/proxy"
	"sstp/src/transport/trust"
)

// connector is the state of one Connect.
type connector struct {
	o      Options // with the defaults filled in
	obs    Observer
	clock  func() time.Time
	client *tls.Certificate // nil means none

	// Where the connection goes, and by which device. A proxy that closes after asking for credentials is dialed again at the
	// same address.
	dialed netip.AddrPort
	device string

	askedForCertificate bool   // the server asked for ours in the TLS handshake
	fallback            string // why Go must do the records; empty means to try the kernel
}

// Connect runs the stages in order and returns the open connection. Its error is a *fault.Error; when ctx ended, it wraps ctx's
// cause.
func Connect(ctx context.Context, o Options, obs Observer) (*Conn, error) {
	c := &connector{o: o, obs: obs, clock: o.Now}
	if c.obs == nil {
		c.obs = noObserver{}
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.o.Rand == nil {
		c.o.Rand = rand.Reader
	}
	if c.o.ServerName == "" {
		c.o.ServerName = strings.TrimSuffix(o.Server.Host, ".")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.fallback = c.whyGo()

	target := o.Server
	if o.Proxy != nil {
		target = config.Server{Host: o.Proxy.Host, Port: o.Proxy.Port}
	}
	var addrs []netip.Addr
	err := c.stage(ctx, fault.StageResolve, resolveLimit, func(ctx context.Context) (finding phrase.Phrase, err error) {
		addrs, finding, err = c.resolve(ctx, target.Host)
		return finding, err
	})
	if err != nil {
		return nil, err
	}
	var conn net.Conn
	err = c.stage(ctx, fault.StageConnect, connectLimit, func(ctx context.Context) (finding phrase.Phrase, err error) {
		conn, finding, err = c.dial(ctx, target, addrs)
		return finding, err
	})
	if err != nil {
		return nil, err
	}
	opened, err := c.openOn(ctx, conn)
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// openOn runs the stages that follow the TCP connection. It owns conn: when it fails it closes conn, or the connection that
// replaced it.
func (c *connector) openOn(ctx context.Context, conn net.Conn) (opened *Conn, err error) {
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	if c.o.Proxy != nil {
		err = c.stage(ctx, fault.StageProxy, proxyLimit, func(ctx context.Context) (finding phrase.Phrase, err error) {
			conn, finding, err = c.proxy().Connect(ctx, conn)
			return finding, err
		})
		if err != nil {
			return nil, err
		}
	}
	opened = &Conn{tcp: conn, info: Info{Server: c.dialed}}
	if c.o.Proxy != nil {
		opened.info.Proxy = c.o.Proxy.Address()
	}
	err = c.stage(ctx, fault.StageTLS, tlsLimit, func(ctx context.Context) (finding phrase.Phrase, err error) {
		opened.tls, err = c.secure(ctx, conn, &opened.info)
		var partial *ktls.PartialHandoverError
		if errors.As(err, &partial) {
			conn, err = c.redialWithGo(ctx, conn, opened, partial.Reason)
		}
		if err != nil {
			return finding, err
		}
		return c.tlsFinding(&opened.info), nil
	})
	if err != nil {
		return nil, err
	}
	err = c.stage(ctx, fault.StageHTTP, httpLimit, func(ctx context.Context) (finding phrase.Phrase, err error) {
		opened.early, finding, err = c.open(ctx, opened.tls)
		var failed *ktls.Error
		if errors.As(err, &failed) {
			if conn, err = c.redialWithGo(ctx, conn, opened, failed.Reason); err == nil {
				opened.early, finding, err = c.open(ctx, opened.tls)
				if c.prefersKernel() {
					finding = phrase.Of("%s, not in the kernel: %s", finding.Text, opened.info.PathReason)
				}
			}
		}
		return finding, err
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// stage runs one stage under its limit and reports it to the observer. When the caller's context ended, that is the reason of
// the failure, whatever failed because of it.
func (c *connector) stage(ctx context.Context, s fault.Stage, limit time.Duration,
	run func(context.Context) (finding phrase.Phrase, err error)) error {
	c.obs.Stage(s)
	begun := c.clock()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var finding phrase.Phrase
	err := ctx.Err()
	if err == nil {
		finding, err = run(limited)
	}
	if err != nil && ctx.Err() != nil {
		err = fault.New(codes[s], s, "Connecting was given up.").Wrap(context.Cause(ctx))
	}
	c.obs.Done(s, c.clock().Sub(begun), finding, err)
	return err
}

// codes are the codes of stages that fail without a code of their own.
var codes = map[fault.Stage]fault.Code{
	fault.StageResolve: fault.PeerResolveFail,
	fault.StageConnect: fault.ConnectFailed,
	fault.StageProxy:   fault.ProxyFailed,
	fault.StageTLS:     fault.TLSFailed,
	fault.StageHTTP:    fault.NotSSTP,
}

// check refuses options that would break out of their place in a request, and reads the client certificate.
func (c *connector) check() error {
	texts := [...]struct{ option, value string }{
		{"server", c.o.Server.Host}, {"server_name", c.o.ServerName}, {"sni", c.o.SNI}, {"path_secret", c.o.PathSecret},
	}
	for _, t := range texts {
		if !isWord(t.value) {
			return fault.Newf(fault.InvalidOptions, fault.StageConfig, "Option %s holds a blank or a control character.", t.option)
		}
	}
	if p := c.o.Proxy; p != nil && (!isWord(p.Host) || hasControl(p.User) || hasControl(p.Password)) {
		return fault.Newf(fault.InvalidOptions, fault.StageConfig, "Option %s holds a blank or a control character.", "proxy")
	}
	if c.o.Server.Host == "" {
		return fault.New(fault.InvalidOptions, fault.StageConfig, "Option server is empty.")
	}
	var err error
	c.client, err = trust.ClientCertificate(c.o.Cert, c.o.Key)
	return err
}

// proxy returns the client of the proxy that conn leads to.
func (c *connector) proxy() *proxy.Client {
	return &proxy.Client{Proxy: c.o.Proxy, Server: c.o.Server, Rand: c.o.Rand, Redial: c.redial}
}

// kernel returns the kernel whose TLS is used: this machine's, or a test's.
func (c *connector) kernel() ktls.Kernel {
	if c.o.kernel != nil {
		return c.o.kernel
	}
	return ktls.Linux{}
}

// noObserver ignores all reports.
type noObserver struct{}

func (noObserver) Stage(fault.Stage)                                     {}
func (noObserver) Done(fault.Stage, time.Duration, phrase.Phrase, error) {}
func (noObserver) Certificates([]*x509.Certificate, string)              {}

// isWord reports whether s can be a word of a request line or of a header.
func isWord(s string) bool { return !hasControl(s) && !strings.Contains(s, " ") }

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
