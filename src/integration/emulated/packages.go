package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	suite   = "bookworm" // the last Debian that has mipsel
	keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// apt is a package manager for another architecture. It shares only the program and the keys with the machine's, and only
// downloads.
type apt struct {
	dir  string
	args []string
}

func newApt(dir, arch string) (*apt, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, errors.New("apt-get is needed to download Debian's kernels: run this on Debian or Ubuntu")
	}
	if _, err := os.Stat(keyring); err != nil {
		return nil, errors.New("the keys of Debian are missing: install the package debian-archive-keyring")
	}
	mirror := os.Getenv("DEBIAN_MIRROR")
	if mirror == "" {
		mirror = "http://deb.debian.org/debian"
	}
	state := filepath.Join(dir, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(state, d), 0o755); err != nil {
			return nil, err
		}
	}
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, suite)
	if err := errors.Join(os.WriteFile(filepath.Join(state, "status"), nil, 0o644),
		os.WriteFile(filepath.Join(state, "sources.list"), []byte(source), 0o644)); err != nil {
		return nil, err
	}
	a := &apt{dir: dir}
	for _, o := range []string{
		"APT::Architecture=" + arch, "APT::Architectures=" + arch, "APT::Sandbox::User=root", "Acquire::Languages=none",
		"Dir::State=" + state, "Dir::State::status=" + filepath.Join(state, "status"), "Dir::Cache=" + filepath.Join(state, "cache"),
		"Dir::Etc::sourcelist=" + filepath.Join(state, "sources.list"), "Dir::Etc::sourceparts=-",
	} {
		a.args = append(a.args, "-o", o)
	}
	return a, nil
}

func (a *apt) run(program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, append(append([]string(nil), a.args...), args...)...)
	cmd.Dir = a.dir
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}

// image returns the name of the package with the newest kernel.
func (a *apt) image(meta string) (string, error) {
	out, err := a.run("apt-cache", "show", meta)
	if err != nil {
		return "", err
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if depends, ok := strings.CutPrefix(lines.Text(), "Depends: "); ok {
			name, _, _ := strings.Cut(depends, " ")
			return strings.TrimSuffix(name, ","), nil
		}
	}
	return "", fmt.Errorf("the package %s depends on no kernel", meta)
}

// unpack downloads the machine's packages into dir and unpacks them below root, unless that has been done before.
func (m machine) unpack(dir, root string) error {
	done := filepath.Join(dir, "unpacked")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	fmt.Printf("downloading Debian's kernel for %s into %s\n", m.debian, dir)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(root, 0o755)); err != nil {
		return err
	}
	a, err := newApt(dir, m.debian)
	if err != nil {
		return err
	}
	if _, err := a.run("apt-get", "update", "-q"); err != nil {
		return err
	}
	image, err := a.image(m.kernel)
	if err != nil {
		return err
	}
	if _, err := a.run("apt-get", append([]string{"download", "-q", image}, m.packages...)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if out, err := exec.Command("dpkg-deb", "-x", f, root).CombinedOutput(); err != nil {
			return fmt.Errorf("unpacking %s: %w: %s", f, err, out)
		}
		os.Remove(f)
	}
	os.RemoveAll(filepath.Join(dir, "apt"))
	return os.WriteFile(done, []byte(image+"\n"), 0o644)
}
