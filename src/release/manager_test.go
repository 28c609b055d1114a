//go:build packages

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// manager is a package manager in a root.
type manager interface {
	// offer makes these packages the repository.
	offer(packs ...*pack)
	install(names ...string) (string, error)
	installFile(p *pack) (string, error)
	upgrade(names ...string) (string, error)
	remove(names ...string) (string, error)
	installed(name string) string // version, "" when it is not
}

// managers returns the package managers that are installed on this machine.
var managers = []struct {
	name  string
	start func(*testing.T, *root) manager
}{{"opkg", startOpkg}, {"apk", startAPK}}

// opkg is the package manager of OpenWrt up to 24.10.
type opkg struct{ *root }

func startOpkg(t *testing.T, r *root) manager {
	t.Helper()
	if !r.has("bin/opkg") {
		program := tool("OPKG", "opkg", "opkg-cl")
		if program == "" {
			t.Skip("opkg is not installed: OPKG=/path/to/opkg or ROOTFS of a release up to 24.10 gives it")
		}
		r.bring(program, "/bin/opkg")
	}
	r.write("etc/opkg.conf", "dest root /\ndest ram /tmp\nlists_dir ext /var/opkg-lists\noption overlay_root /overlay\n"+
		"arch all 1\narch noarch 1\narch "+native().arch+" 10\nsrc/gz sstp file:///feed\n", 0o644)
	os.RemoveAll(filepath.Join(r.dir, "etc/opkg")) // the release's own feeds cannot be reached
	return opkg{r}
}

func (o opkg) offer(packs ...*pack) {
	o.t.Helper()
	var files []*ipkFile
	for _, p := range packs {
		f, err := ipk(p, time.Unix(0, 0))
		if err != nil {
			o.t.Fatal(err)
		}
		files = append(files, f)
		o.write("feed/"+ipkName(p), string(f.data), 0o644)
	}
	o.write("feed/Packages.gz", string(gzipped(opkgIndex(files))), 0o644)
	if out, err := o.run("/bin/opkg", "update"); err != nil {
		o.t.Fatalf("opkg update: %v\n%s", err, out)
	}
}

func (o opkg) call(command string, names ...string) (string, error) {
	return o.run(append([]string{"/bin/opkg", command}, names...)...)
}

func (o opkg) install(names ...string) (string, error) { return o.call("install", names...) }
func (o opkg) upgrade(names ...string) (string, error) { return o.call("upgrade", names...) }
func (o opkg) remove(names ...string) (string, error)  { return o.call("remove", names...) }

func (o opkg) installFile(p *pack) (string, error) {
	f, err := ipk(p, time.Unix(0, 0))
	if err != nil {
		return "", err
	}
	o.write("tmp/"+ipkName(p), string(f.data), 0o644)
	return o.call("install", "/tmp/"+ipkName(p))
}

func (o opkg) installed(name string) string {
	out, _ := o.call("list-installed")
	for line := range strings.Lines(out) {
		if version, ok := strings.CutPrefix(line, name+" - "); ok {
			return strings.TrimSpace(version)
		}
	}
	return ""
}

// apkTools is the package manager since 25.12.
type apkTools struct{ *root }

func startAPK(t *testing.T, r *root) manager {
	t.Helper()
	if !r.has("usr/bin/apk") {
		program := tool("APK", "apk")
		if program == "" {
			t.Skip("apk (apk-tools 3) is not installed: APK=/path/to/apk or ROOTFS of a release since 25.12 gives it")
		}
		r.bring(program, "/usr/bin/apk")
	}
	r.write("etc/apk/arch", native().arch+"\n", 0o644)
	os.RemoveAll(filepath.Join(r.dir, "etc/apk/repositories.d"))
	r.write("etc/apk/repositories", "/feed/packages.adb\n", 0o644)
	if !r.has("lib/apk/db/installed") {
		if out, err := r.run("/usr/bin/apk", "add", "--initdb", "--no-network"); err != nil {
			t.Fatalf("apk add --initdb: %v\n%s", err, out)
		}
	}
	return apkTools{r}
}

func (a apkTools) offer(packs ...*pack) {
	a.t.Helper()
	var files []*apkFile
	for _, p := range packs {
		f, err := apk(p, time.Unix(0, 0), nil)
		if err != nil {
			a.t.Fatal(err)
		}
		files = append(files, f)
		a.write("feed/"+apkName(p), string(f.data), 0o644)
	}
	index, err := apkIndex(files, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("feed/packages.adb", string(index), 0o644)
}

func (a apkTools) call(command string, names ...string) (string, error) {
	return a.run(append([]string{"/usr/bin/apk", "--allow-untrusted", "--no-network", command}, names...)...)
}

func (a apkTools) install(names ...string) (string, error) { return a.call("add", names...) }
func (a apkTools) upgrade(names ...string) (string, error) {
	return a.call("upgrade", names...)
}
func (a apkTools) remove(names ...string) (string, error) { return a.call("del", names...) }

func (a apkTools) installFile(p *pack) (string, error) {
	f, err := apk(p, time.Unix(0, 0), nil)
	if err != nil {
		return "", err
	}
	a.write("tmp/"+apkName(p), string(f.data), 0o644)
	return a.call("add", "/tmp/"+apkName(p))
}

func (a apkTools) installed(name string) string {
	out, _ := a.call("list", "--installed", "--manifest", name)
	version, _ := strings.CutPrefix(strings.TrimSpace(out), name+" ")
	return version
}
