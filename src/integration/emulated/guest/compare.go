package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// memory is where the root for the bench is made.
const memory = "/run/memory"

// compare runs the bench, a short one because a second of this processor takes many of its host's. The bench's root is in
// memory, because the clock jumps ahead while the processor waits for its host.
func compare(here string) error {
	if err := errors.Join(os.MkdirAll(memory, 0o755), unix.Mount("tmpfs", memory, "tmpfs", 0, ""), mountKernels(memory),
		os.MkdirAll(memory+"/dev/pts", 0o755), unix.Mount("devpts", memory+"/dev/pts", "devpts", 0, "")); err != nil {
		return fmt.Errorf("a root in memory: %w", err)
	}
	bench := filepath.Join(here, "build/emulated/pc/bench")
	for _, program := range []string{bench, filepath.Join(here, "build/sstp"), filepath.Join(here, "build/sstp-lab"),
		"ip", "env", "sh", "ping", "wg", "wireguard-go", "openvpn", "sstpc", "pppd"} {
		if err := remember(program); err != nil {
			return err
		}
	}
	for _, pattern := range []string{"/etc/passwd", "/etc/group", "/etc/ppp/options", "/usr/lib/pppd/*/sstp-pppd-plugin.so", "/usr/lib/*/ossl-modules/legacy.so"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := copyWithLibraries(file); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(memory+"/var", 0o755); err != nil {
		return err
	}
	if err := os.Symlink("/run", memory+"/var/run"); err != nil {
		return err
	}
	if err := unix.Chroot(memory); err != nil {
		return err
	}
	note("everything is in memory")
	cmd := exec.Command(bench, "-core", "-rounds", "1", "-window", "1s")
	cmd.Dir = here
	cmd.Env = append(os.Environ(), "HOME=/tmp")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	return cmd.Run()
}

// remember copies a program and its libraries into memory. A program that is not installed is left out.
func remember(program string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil
	}
	return copyWithLibraries(path)
}

func copyWithLibraries(path string) error {
	libraries, _ := exec.Command("ldd", path).Output() // fails for what needs none
	for _, file := range append(strings.Fields(string(libraries)), path) {
		if !strings.HasPrefix(file, "/") {
			continue
		}
		if err := copyFile(memory+file, file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, in)
	return err
}
