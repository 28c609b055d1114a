package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"sstp/src/config"
	"sstp/src/transport/proxy"
)

// The values of Info.Path.
const (
	PathGo     = "go"     // package crypto/tls does the records
	PathKernel = "kernel" // the kernel does, since the handshake is over
)

// Experience is what connections have taught about the kernel's TLS, for those that follow. Its zero value knows nothing;
// it may be used by several Connects at a time.
type Experience struct {
	mu   sync.Mutex
	goOn map[config.Server]string // servers with which the kernel's TLS did not work, and why
}

// of returns why the kernel's TLS must not be used with a server; empty: it may.
func (e *Experience) of(s config.Server) string {
	if e == nil {
		return ""
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.goOn[s]
}

func (e *Experience) note(s config.Server, reason string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.goOn == nil {
		e.goOn = map[config.Server]string{}
	}
	e.goOn[s] = reason
}

// kernelIsFaster names the architectures for which Go has no assembly for AES-GCM and little or none for
// ChaCha20-Poly1305, but the kernel has: on an emulated MIPS 24Kc Go needs 15 times the processor time of the kernel.
func kernelIsFaster(arch string) bool {
	switch arch {
	case "mips", "mipsle", "mips64", "mips64le", "arm", "riscv64", "loong64":
		return true
	}
	return false
}

// wantsKernel says whether the kernel's TLS is the first choice.
func (c *connector) wantsKernel() bool {
	return c.o.KTLS == config.On || c.o.KTLS == config.Auto && kernelIsFaster(runtime.GOARCH)
}

// whyGo says why crypto/tls must do the records; empty: the kernel is to be tried.
func (c *connector) whyGo() string {
	switch {
	case c.o.KTLS == config.Off:
		return "option ktls is 0"
	case !c.wantsKernel():
		return "Go's own ciphers are fast on " + runtime.GOARCH
	}
	return c.o.Experience.of(c.o.Server)
}

// whyKernel says why the kernel does them.
func (c *connector) whyKernel() string {
	if c.o.KTLS == config.On {
		return "option ktls is 1"
	}
	return "the kernel's ciphers are faster than Go's on " + runtime.GOARCH
}

// pathFinding says who does the records, behind what else was found.
func (c *connector) pathFinding(info *Info) string {
	switch {
	case info.Path == PathKernel:
		return ", in the kernel"
	case c.wantsKernel():
		return ", not in the kernel: " + info.PathReason
	}
	return ""
}

// watched is a handshake whose session may go to the kernel.
type watched struct {
	stepwise
	secrets secrets
}

// halfError is the error of a hand-over that got stuck half-way: the connection is of no more use.
type halfError struct{ reason string }

// Error returns why it got stuck.
func (e *halfError) Error() string { return e.reason }

// handOver gives an established session to the kernel. It returns nil where the session stays in Go, and says why.
func (c *connector) handOver(w *watched, state tls.ConnectionState) (k *kernelConn, reason string, err error) {
	suite, ok := kernelSuites[state.CipherSuite]
	if !ok || state.Version < tls.VersionTLS12 {
		return nil, "the kernel's TLS has no " + tls.VersionName(state.Version) + " with " + tls.CipherSuiteName(state.CipherSuite), nil
	}
	conn := proxy.Socket(w.Conn)
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil, "the connection is no socket", nil
	}
	random, seen := w.in.random()
	master, client, server := w.secrets.master.len, w.secrets.client.len, w.secrets.server.len
	complete := seen && master > 0
	if state.Version == tls.VersionTLS13 {
		complete = client > 0 && server > 0
	}
	if !complete || !w.in.between() || !w.out.between() {
		return nil, "the handshake did not end between two records", nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, "the connection is no socket", nil
	}
	tx, rx := w.secrets.schedule(state.Version, suite, random, w.out.after, w.in.after)
	defer clear(tx.key[:])
	defer clear(rx.key[:])
	var half bool
	controlErr := raw.Control(func(fd uintptr) { reason, half = c.giveKeys(int(fd), state, suite, &tx, &rx) })
	switch {
	case controlErr != nil:
		return nil, "the connection is closed", nil
	case half:
		return nil, reason, &halfError{reason}
	case reason != "":
		return nil, reason, nil
	}
	k = newKernelConn(conn, raw, c.kernel(), state.Version)
	k.clock, k.since = c.clock, c.clock()
	k.failed = func(err *kernelError) { c.o.Experience.note(c.o.Server, err.reason) }
	return k, "", nil
}

// giveKeys hands the keys to the kernel. A reason says why that failed; half: one direction is the kernel's by then.
//
// Receiving comes first: a kernel that can only send (Linux before 4.17) refuses with nothing lost.
func (c *connector) giveKeys(fd int, state tls.ConnectionState, suite kernelSuite, tx, rx *direction) (reason string, half bool) {
	k := c.kernel()
	if err := k.attach(fd); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return "the kernel has no TLS (OpenWrt: package kmod-tls)", false
		}
		return "the kernel refused TLS: " + err.Error(), false
	}
	var room [maxKernelKeys]byte
	defer clear(room[:])
	for _, half := range []struct {
		direction int
		keys      *direction
		does      string
	}{{tlsRX, rx, "receive"}, {tlsTX, tx, "send"}} {
		keys := appendKernelKeys(room[:0], state.Version, suite, half.keys)
		if err := k.setKeys(fd, half.direction, keys); err != nil {
			return keysRefused(state, suite, half.does, err), half.direction == tlsTX
		}
	}
	return "", false
}

// keysRefused explains why the kernel does not take the keys.
func keysRefused(state tls.ConnectionState, suite kernelSuite, does string, err error) string {
	name, packages := "AES-GCM", "kmod-crypto-gcm"
	if suite.cipher == kernelChaCha {
		name, packages = "ChaCha20-Poly1305", "kmod-crypto-chacha20poly1305"
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return "the kernel has no " + name + " (OpenWrt: package " + packages + ")"
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EOPNOTSUPP):
		return "this kernel is too old to " + does + " " + tls.VersionName(state.Version) + " with " + name
	}
	return "the kernel refused the keys to " + does + ": " + err.Error()
}

// kernel returns the machine's kernel, or the one of a test.
func (c *connector) kernel() kernel {
	if c.o.kernel != nil {
		return c.o.kernel
	}
	return linux{}
}

// anew takes a fresh connection in the place of one on which the kernel's TLS did not work, and leaves it to Go. The
// connection that it returns is opened's, or on failure what the caller has to close.
func (c *connector) anew(ctx context.Context, conn net.Conn, opened *Conn, reason string) (net.Conn, error) {
	c.goOnly = reason
	c.o.Experience.note(c.o.Server, reason)
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
