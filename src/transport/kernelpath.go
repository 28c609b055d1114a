package transport

import (
	"context"
	"net"
	"runtime"

	"sstp/src/config"
	"sstp/src/phrase"
	"sstp/src/transport/ktls"
	"sstp/src/transport/trust"
)

// The values of Info.Path: who encrypts and decrypts the TLS records.
const (
	PathGo     = "go"     // package crypto/tls
	PathKernel = "kernel" // the kernel, since the end of the handshake
)

// prefersKernel reports whether the kernel's TLS is the first choice.
func (c *connector) prefersKernel() bool {
	return c.o.KTLS == config.On || c.o.KTLS == config.Auto && ktls.FasterThanGo(runtime.GOARCH)
}

// whyGo returns why crypto/tls must do the records, or "" when the kernel is to be tried.
func (c *connector) whyGo() string {
	switch {
	case c.o.KTLS == config.Off:
		return "option ktls is 0"
	case !c.prefersKernel():
		return "Go's own ciphers are fast on " + runtime.GOARCH
	}
	return c.o.KTLSMemory.Fallback(c.o.Server)
}

// whyKernel returns why the kernel does the records.
func (c *connector) whyKernel() string {
	if c.o.KTLS == config.On {
		return "option ktls is 1"
	}
	return "the kernel's ciphers are faster than Go's on " + runtime.GOARCH
}

// tlsFinding returns what the TLS stage found, with who does the records where that is worth a word.
func (c *connector) tlsFinding(info *Info) phrase.Phrase {
	args := []string{info.TLSVersion, info.CipherSuite, string(trust.VerifiedText(info.VerifiedBy))}
	switch {
	case info.Path == PathKernel:
		return phrase.Of("%s, %s, %s, in the kernel", args...)
	case c.prefersKernel():
		return phrase.Of("%s, %s, %s, not in the kernel: %s", append(args, info.PathReason)...)
	}
	return phrase.Of("%s, %s, %s", args...)
}

// redialWithGo replaces a connection on which the kernel's TLS failed by a new one, whose records Go does. The connection
// that it returns is the one below opened, or on failure the one that the caller has to close.
func (c *connector) redialWithGo(ctx context.Context, conn net.Conn, opened *Conn, reason string) (net.Conn, error) {
	c.fallback = reason
	c.o.KTLSMemory.Remember(c.o.Server, reason)
	conn, err := c.redial(ctx, conn)
	if err != nil {
		return conn, c.tlsFault(ctx, err, false)
	}
	if c.o.Proxy != nil {
		if conn, _, err = c.proxy().Connect(ctx, conn); err != nil {
			return conn, err
		}
	}
	opened.tcp = conn
	opened.tls, err = c.secure(ctx, conn, &opened.info)
	return conn, err
}
