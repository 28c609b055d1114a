//go:build packages

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// root is a router's file system to install into: a folder in which the package manager and the packages' scripts run.
type root struct {
	t   *testing.T
	dir string
}

// functionsSH replaces OpenWrt's functions.sh. It does what our packages need: it runs their own scripts.
const functionsSH = `default_postinst() {
	[ -n "$pkgname" ] || pkgname="$(basename ${1%.*})"
	[ ! -f "/usr/lib/opkg/info/$pkgname.postinst-pkg" ] || ( . "/usr/lib/opkg/info/$pkgname.postinst-pkg" )
}
default_prerm() {
	[ -n "$pkgname" ] || pkgname="$(basename ${1%.*})"
	[ ! -f "/usr/lib/opkg/info/$pkgname.prerm-pkg" ] || ( . "/usr/lib/opkg/info/$pkgname.prerm-pkg" )
}
add_group_and_user() { :; }
ifdown() { echo ifdown "$@" >>/tmp/calls; } # busybox has one of its own, which its shell prefers to files
`

// network is a configuration that must survive every installation and removal.
const network = `
config interface 'vpn'
	option proto 'sstp'
	option server 'vpn.example.org'
	option password 'secret'

config interface 'lan'
	option proto 'static'
`

// newRoot makes a file system of busybox, or a copy of the one in ROOTFS: a folder, or the archive that OpenWrt publishes.
func newRoot(t *testing.T) *root {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to install into a root file system")
	}
	r := &root{t, t.TempDir()}
	os.Mkdir(filepath.Join(r.dir, "proc"), 0o755)
	switch given := os.Getenv("ROOTFS"); {
	case given == "":
		r.busybox()
	case strings.HasSuffix(given, ".tar.gz"):
		r.must(exec.Command("tar", "-xzf", given, "-C", r.dir))
	default:
		r.must(exec.Command("cp", "-a", given+"/.", r.dir))
	}
	for _, dir := range []string{"overlay", "proc", "tmp", "feed", "etc/config", "dev/net", "var/lock", "usr/lib/opkg/info", "sbin", "bin"} {
		os.MkdirAll(filepath.Join(r.dir, dir), 0o755)
	}
	os.Remove(filepath.Join(r.dir, "dev/net/tun"))
	unix.Mknod(filepath.Join(r.dir, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))
	r.write("etc/config/network", network, 0o600)
	r.write("etc/openwrt_release", "DISTRIB_ARCH='"+native().arch+"'\n", 0o644)
	// What the scripts ask of a router is noted, not done.
	r.write("bin/uci", "#!/bin/sh\necho network.vpn=interface\necho \"network.vpn.proto='sstp'\"\necho \"network.lan.proto='static'\"\n", 0o755)
	os.Remove(filepath.Join(r.dir, "sbin/uci"))
	os.Symlink("../bin/uci", filepath.Join(r.dir, "sbin/uci"))
	r.write("sbin/ifdown", "#!/bin/sh\necho ifdown \"$@\" >>/tmp/calls\n", 0o755)
	r.write("etc/init.d/rpcd", "#!/bin/sh\necho rpcd \"$@\" >>/tmp/calls\n", 0o755)
	r.write("etc/init.d/network", "#!/bin/sh\necho network \"$@\" >>/tmp/calls\n", 0o755)
	return r
}

func (r *root) busybox() {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		r.t.Skip("neither ROOTFS is given nor busybox (busybox-static) installed")
	}
	os.MkdirAll(filepath.Join(r.dir, "bin"), 0o755)
	os.MkdirAll(filepath.Join(r.dir, "usr/bin"), 0o755)
	os.MkdirAll(filepath.Join(r.dir, "sbin"), 0o755)
	os.MkdirAll(filepath.Join(r.dir, "usr/sbin"), 0o755)
	r.bring(busybox, "/bin/busybox")
	if out, err := r.run("/bin/busybox", "--install", "-s"); err != nil {
		r.t.Fatalf("busybox --install: %v\n%s", err, out)
	}
	r.write("lib/functions.sh", functionsSH, 0o644)
	r.write("etc/passwd", "root:x:0:0:root:/root:/bin/ash\n", 0o644)
	r.write("etc/group", "root:x:0:\n", 0o644)
}

// bring copies a program of this machine, and the libraries that it needs, into the root.
func (r *root) bring(program, to string) {
	r.t.Helper()
	r.copy(program, to)
	out, _ := exec.Command("ldd", program).Output() // fails for a static one
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			if _, err := os.Stat(filepath.Join(r.dir, word)); err != nil {
				r.copy(word, word)
			}
		}
	}
}

func (r *root) copy(from, to string) {
	r.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(to, string(data), 0o755)
}

func (r *root) write(name, text string, mode os.FileMode) {
	r.t.Helper()
	name = filepath.Join(r.dir, name)
	os.Remove(name) // maybe a symbolic link
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		r.t.Fatal(err)
	}
}

// read returns a file's text, or "" if there is no file.
func (r *root) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(r.dir, name))
	return string(text)
}

func (r *root) has(name string) bool {
	_, err := os.Lstat(filepath.Join(r.dir, name))
	return err == nil
}

// run runs a program in the root with a process and a network namespace of its own, because scripts send signals by name.
func (r *root) run(args ...string) (string, error) {
	cmd := exec.Command("unshare", append([]string{
		"--pid", "--fork", "--kill-child", "--net", "--mount-proc=" + filepath.Join(r.dir, "proc"), "chroot", r.dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r *root) must(cmd *exec.Cmd) {
	r.t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

// mount mounts an empty file system of some size.
func (r *root) mount(at string, kib int) {
	r.t.Helper()
	at = filepath.Join(r.dir, at)
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
}

// withTUN gives the root the device that tunnels need.
func (r *root) withTUN() {
	r.t.Helper()
	if err := unix.Mknod(filepath.Join(r.dir, "dev/net/tun"), unix.S_IFCHR|0o600, int(unix.Mkdev(10, 200))); err != nil {
		r.t.Fatal(err)
	}
}

// native returns the target that runs on this machine without an emulator.
func native() target {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64_generic", "riscv64": "riscv64_generic"}[runtime.GOARCH]
	i := slices.IndexFunc(targets, func(t target) bool { return t.arch == arch })
	if i < 0 {
		return target{}
	}
	return targets[i]
}
