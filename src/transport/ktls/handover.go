// Package ktls hands an established TLS session to the kernel, which from then on encrypts and decrypts its records
// (Documentation/networking/tls.rst). The handshake stays with crypto/tls. A HandshakeTap around the socket sees that no byte
// behind the handshake is read too early, and keeps the secrets from which the keys are made. What the kernel leaves to us
// besides data, alerts and handshake messages, a Conn handles.
package ktls

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"sstp/src/config"
)

// FasterThanGo reports whether the kernel's ciphers are faster than Go's on an architecture: Go has no assembly for AES-GCM
// there and little or none for ChaCha20-Poly1305, but the kernel has. On an emulated MIPS 24Kc Go needs 15 times the
// processor time of the kernel.
func FasterThanGo(arch string) bool {
	switch arch {
	case "mips", "mipsle", "mips64", "mips64le", "arm", "riscv64", "loong64":
		return true
	}
	return false
}

// Memory remembers the servers with which the kernel's TLS did not work, so that later connections fall back to Go at once.
// Its zero value is empty. Several connections may use it at a time; a nil Memory remembers nothing.
type Memory struct {
	mu        sync.Mutex
	fallbacks map[config.Server]string // and why
}

// Fallback returns why connections to a server must fall back to Go, or "" when they need not.
func (m *Memory) Fallback(s config.Server) (reason string) {
	if m == nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fallbacks[s]
}

// Remember makes later connections to a server fall back to Go.
func (m *Memory) Remember(s config.Server, reason string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fallbacks == nil {
		m.fallbacks = map[config.Server]string{}
	}
	m.fallbacks[s] = reason
}

// PartialHandoverError reports that the kernel took the keys of one direction and refused those of the other. The
// connection cannot be used any more, by the kernel or by Go.
type PartialHandoverError struct{ Reason string }

// Error returns why the kernel refused.
func (e *PartialHandoverError) Error() string { return e.Reason }

// HandOver gives the session of a finished handshake to the kernel. socket is the connection that the tap is around. Where
// the session has to stay in Go, HandOver returns no Conn and the reason. Then, or after an error, the tap lets all bytes
// through.
func (t *HandshakeTap) HandOver(socket net.Conn, state tls.ConnectionState, k Kernel) (c *Conn, reason string, err error) {
	t.done = true
	suite, ok := kernelSuites[state.CipherSuite]
	if !ok || state.Version < tls.VersionTLS12 {
		return nil, "the kernel's TLS has no " + tls.VersionName(state.Version) + " with " + tls.CipherSuiteName(state.CipherSuite), nil
	}
	withDescriptor, ok := socket.(syscall.Conn)
	if !ok {
		return nil, "the connection is no socket", nil
	}
	serverRandom, ok := t.in.helloRandom()
	if !ok || !t.secrets.complete(state.Version) || !t.in.atBoundary() || !t.out.atBoundary() {
		return nil, "the handshake did not end between two records", nil
	}
	raw, err := withDescriptor.SyscallConn()
	if err != nil {
		return nil, "the connection is no socket", nil
	}
	tx, rx := t.secrets.schedule(state.Version, suite, serverRandom, t.out.sealedRecords, t.in.sealedRecords)
	defer clear(tx.key[:])
	defer clear(rx.key[:])
	var partial bool
	controlErr := raw.Control(func(fd uintptr) { reason, partial = installKeys(k, int(fd), state, suite, &tx, &rx) })
	switch {
	case controlErr != nil:
		return nil, "the connection is closed", nil
	case partial:
		return nil, reason, &PartialHandoverError{reason}
	case reason != "":
		return nil, reason, nil
	}
	return NewConn(socket, raw, k, state.Version), "", nil
}

// installKeys gives the keys of both directions to the kernel. A reason says why that failed; partial reports that the
// kernel has the keys of one direction nevertheless.
//
// Receiving comes first: a kernel that can only send (Linux before 4.17) refuses before anything is lost.
func installKeys(k Kernel, fd int, state tls.ConnectionState, suite kernelSuite, tx, rx *direction) (reason string, partial bool) {
	if err := k.Attach(fd); err != nil {
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
		verb      string
	}{{tlsRX, rx, "receive"}, {tlsTX, tx, "send"}} {
		keys := appendKernelKeys(room[:0], state.Version, suite, half.keys)
		if err := k.SetKeys(fd, half.direction, keys); err != nil {
			return whyKeysRefused(state, suite, half.verb, err), half.direction == tlsTX
		}
	}
	return "", false
}

// whyKeysRefused explains why the kernel did not take the keys to receive or to send.
func whyKeysRefused(state tls.ConnectionState, suite kernelSuite, verb string, err error) string {
	name, kmod := "AES-GCM", "kmod-crypto-gcm"
	if suite.cipher == kernelChaCha {
		name, kmod = "ChaCha20-Poly1305", "kmod-crypto-chacha20poly1305"
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return "the kernel has no " + name + " (OpenWrt: package " + kmod + ")"
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EOPNOTSUPP):
		return "this kernel is too old to " + verb + " " + tls.VersionName(state.Version) + " with " + name
	}
	return "the kernel refused the keys to " + verb + ": " + err.Error()
}
