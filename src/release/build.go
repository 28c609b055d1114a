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

// release follows the version in a package's version: PKG_RELEASE of the feed.
const release = "-r1"

// newBuilder asks the feed's script for the version, and git for the time of the newest commit. Everything that is written has
// that time, so that the same commit gives the same bytes. In an archive of the sources, all files have it.
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

// upstream returns the version without the package's release.
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
	if err := os.RemoveAll(filepath.Join(b.out, symbols)); err != nil {
		return err
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
		if err := b.keepSymbols(t, packs, filepath.Join(bins[t.env], linked)); err != nil {
			return err
		}
		if err := b.folder(t.arch, append(packs, web)); err != nil {
			return err
		}
	}
	return nil
}

// linked is the folder, beside the programs for a router, of the programs as they were linked, with their line tables.
const linked = "linked"

// symbols is the folder of the output that keeps the linked programs, for reading crashes.
const symbols = "symbols"

// compile builds the programs for an environment into a folder, as they go onto a router.
func (b *builder) compile(t target, bin string) error {
	if err := os.MkdirAll(filepath.Join(bin, linked), 0o755); err != nil {
		return err
	}
	overlay := filepath.Join(bin, "overlay")
	if err := b.goTool(nil, "run", "./src/cmd/sstp-overlay", overlay); err != nil {
		return err
	}
	args := slices.Concat([]string{"build", "-trimpath", "-buildvcs=false", "-overlay", filepath.Join(overlay, "overlay.json"), "-ldflags", "-s -w -X main.version=" + b.upstream()},
		b.gcflags, []string{"-o", filepath.Join(bin, linked) + "/", "./src/cmd/sstp", "./src/cmd/sstp-dbus"})
	if err := b.goTool(slices.Concat([]string{"CGO_ENABLED=0", "GOOS=linux"}, strings.Fields(t.env)), args...); err != nil {
		return err
	}
	return b.goTool(nil, "run", "./src/cmd/sstp-symbols", "clear", filepath.Join(bin, linked, "sstp"), filepath.Join(bin, linked, "sstp-dbus"), bin+"/")
}

// goTool runs go in the project.
func (b *builder) goTool(env []string, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = b.top, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	return cmd.Run()
}

// keepSymbols writes the programs as they were linked, compressed, under the names of their packages.
func (b *builder) keepSymbols(t target, packs []*pack, bin string) error {
	to := filepath.Join(b.out, symbols)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, p := range packs {
		program, err := os.ReadFile(filepath.Join(bin, p.name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, symbolsName(p)), gzipped(program), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// symbolsName returns the name of the file that reads crashes of a package's program.
func symbolsName(p *pack) string { return p.name + "_" + p.version + "_" + p.arch + ".gz" }

// folder writes the packages of an architecture and their indexes, which a router uses as a repository.
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
	index := opkgIndex(ipks)
	packagesADB, err := apkIndex(apks, b.apk)
	if err != nil {
		return err
	}
	files := map[string][]byte{"Packages": index, "Packages.gz": gzipped(index), "packages.adb": packagesADB}
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
