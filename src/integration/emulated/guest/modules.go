package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"sstp/src/transport"
)

// The modules come in three groups: devices, TLS, ciphers.
const (
	deviceModules = "1-"
	tlsModules    = "2-"
	cipherModules = "3-"
)

// loadModules loads a group of the kernel's modules in the order of their names. A module for another processor refuses to
// load, which is no failure.
func loadModules(group string) error {
	files, err := filepath.Glob("/modules/" + group + "*.ko")
	if err != nil {
		return err
	}
	var refused []string
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
			refused = append(refused, fmt.Sprintf("%s (%v)", strings.TrimSuffix(filepath.Base(name)[5:], ".ko"), err))
		}
		f.Close()
	}
	if len(refused) > 0 {
		fmt.Println("modules that do not load here:", strings.Join(refused, ", "))
	}
	return nil
}

// availability brings the tunnel up on a kernel without TLS, with TLS and no cipher, and with both. Each time the client must
// say which path it takes and why.
func (n *network) availability() error {
	server, err := n.serve("1.3", "CHACHA20_POLY1305")
	if err != nil {
		return err
	}
	defer server.End()
	auto := "Go: Go's own ciphers are fast on " + runtime.GOARCH
	if runtime.GOARCH != "arm64" {
		auto = "the kernel: the kernel's ciphers are faster than Go's on " + runtime.GOARCH
	}
	for _, step := range []struct{ load, ktls, want string }{
		{"", "1", "Go: the kernel has no TLS (OpenWrt: package kmod-tls)"},
		{tlsModules, "1", "Go: the kernel has no ChaCha20-Poly1305 (OpenWrt: package kmod-crypto-chacha20poly1305)"},
		{cipherModules, "1", "the kernel: option ktls is 1"},
		{"", "auto", auto},
		{"", "0", "Go: option ktls is 0"},
	} {
		if step.load != "" {
			if err := loadModules(step.load); err != nil {
				return err
			}
		}
		p, _, _, err := n.upWith(step.ktls)
		if err != nil {
			return err
		}
		said := p.Output()
		p.End()
		if !strings.Contains(said, "encrypted by "+step.want+"\n") {
			return fmt.Errorf("with ktls %s the client does not say that it is encrypted by %s:\n%s", step.ktls, step.want, said)
		}
		note("ktls %s: encrypted by %s", step.ktls, step.want)
	}
	return nil
}

// transportTests runs the tests of package transport that need the real kernel.
func transportTests() error {
	cmd := exec.Command("/bin/transport.test", "-test.run", "ThisMachinesKernel|HandOver/this_machine|KeyUpdate/this_machine|ATLSError/this_machine|OnlyTheKernel/this_machine")
	cmd.Env = append(os.Environ(), "SSTP_TEST_KTLS=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the tests of package transport: %w\n%s", err, out)
	}
	note("tickets, KeyUpdate, alerts, close_notify, bad records: passed on the path %s", transport.PathKernel)
	return nil
}
