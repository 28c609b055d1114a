package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// builder makes all packages of one version.
type builder struct {
	top     string // of the project
	out     string
	version string // of the packages, with the release: 1.2.3-r1
	at      time.Time
	gcflags []string
	usign   *usignKey
	apk     *apkKey
	say     func(format string, args ...any)
}

// release is what stands behind the version in a package's version; PKG_RELEASE of the feed.
const release = "-r1"

// newBuilder asks the feed's script for the version and git for the time of the newest commit, which everything that is
// written carries: the same commit gives the same bytes. In an archive of the sources, all files have that time.
func newBuilder(top, out string) (*builder, error) {
	version, err := output(top, "sh", "openwrt/version.sh")
	if err != nil {
		return nil, err
	}
	b := &builder{top: top, out: out, version: version + release, at: time.Unix(0, 0)}
	archived, notArchived := os.Stat(filepath.Join(top, "openwrt", "VERSION"))
	stamp := os.Getenv("SOURCE_DATE_EPOCH")
	switch {
	case stamp != "":
	case notArchived == nil:
		b.at = archived.ModTime()
	default:
		stamp, _ = output(top, "git", "log", "-1", "--format=%ct") // neither archive nor git: 1970
	}
	if seconds, err := strconv.ParseInt(stamp, 10, 64); err == nil {
		b.at = time.Unix(seconds, 0)
	}
	return b, nil
}

// upstream is the version without the package's release.
func (b *builder) upstream() string { return strings.TrimSuffix(b.version, release) }

// run builds the packages of some architectures into a folder each, with an index for opkg and one for apk.
func (b *builder) run(wanted []target) error {
	web, err := b.web()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "sstp-packages")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, t := range targets { // none of another version or run stays among the new ones
		if err := os.RemoveAll(filepath.Join(b.out, t.arch)); err != nil {
			return err
		}
	}
	bins := map[string]string{}
	for _, t := range wanted {
		if bins[t.env] == "" {
			b.say("building the programs for %s", t.env)
			bins[t.env] = filepath.Join(work, fmt.Sprint(len(bins)))
			if err := b.compile(t, bins[t.env]); err != nil {
				return err
			}
		}
		packs, err := b.programs(t, bins[t.env])
		if err != nil {
			return err
		}
		if err := b.folder(t.arch, append(packs, web)); err != nil {
			return err
		}
	}
	return nil
}

// compile builds the programs for an environment into a folder.
func (b *builder) compile(t target, bin string) error {
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	args := slices.Concat([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=" + b.upstream()},
		b.gcflags, []string{"-o", bin + "/", "./src/cmd/sstp", "./src/cmd/sstp-dbus"})
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = b.top, os.Stderr
	cmd.Env = slices.Concat(os.Environ(), []string{"CGO_ENABLED=0", "GOOS=linux"}, strings.Fields(t.env))
	return cmd.Run()
}

// folder writes the packages of an architecture and their indexes: what a router takes as a repository.
func (b *builder) folder(arch string, packs []*pack) error {
	to := filepath.Join(b.out, arch)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	write := func(name string, data []byte) error { return os.WriteFile(filepath.Join(to, name), data, 0o644) }
	var ipks []*ipkFile
	var apks []*apkFile
	for _, p := range packs {
		forOpkg, err := ipk(p, b.at)
		if err != nil {
			return err
		}
		ipks = append(ipks, forOpkg)
		if err := write(ipkName(p), forOpkg.data); err != nil {
			return err
		}
		forAPK, err := apk(p, b.at, b.apk)
		if err != nil {
			return err
		}
		apks = append(apks, forAPK)
		if err := write(apkName(p), forAPK.data); err != nil {
			return err
		}
		b.say("%-26s %-14s ipk %4d KiB, apk %4d KiB", arch, p.name, len(forOpkg.data)/1024, len(forAPK.data)/1024)
	}
	index, compressed, err := opkgIndex(ipks)
	if err != nil {
		return err
	}
	packagesADB, err := apkIndex(apks, b.apk)
	if err != nil {
		return err
	}
	files := map[string][]byte{"Packages": index, "Packages.gz": compressed, "packages.adb": packagesADB}
	if b.usign != nil {
		files["Packages.sig"] = b.usign.sign(index)
	}
	for name, data := range files {
		if err := write(name, data); err != nil {
			return err
		}
	}
	return nil
}

// output runs a program and returns what it prints, without the last newline.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
