//go:build packages

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// apk's own mkpkg makes a package of the same content from the same files and fields, except for the identity and the time, which it
// takes from the files.
func TestOurApkSaysWhatMkpkgSays(t *testing.T) {
	program := tool("APK", "apk")
	if program == "" {
		t.Skip("apk (apk-tools 3) is not installed: APK=/path/to/apk gives it")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, as mkpkg takes the files' owners")
	}
	p := sample()
	ourFile := filepath.Join(t.TempDir(), "ours.apk")
	f, err := apk(p, noon, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ourFile, f.data, 0o644); err != nil {
		t.Fatal(err)
	}
	tree, scripts := t.TempDir(), t.TempDir()
	os.Chmod(tree, 0o755)
	files := p.apkFiles()
	for _, name := range files.names() {
		at := filepath.Join(tree, name)
		if e := files[name]; e.mode.IsDir() {
			os.Mkdir(at, 0o755)
			os.Chmod(at, e.mode.Perm())
		} else if err := os.WriteFile(at, e.data, e.mode.Perm()); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(at, noon, noon)
	}
	args := []string{"mkpkg", "--info", "name:sample", "--info", "version:1.2.3-r1", "--info", "description:A sample of two lines.",
		"--info", "arch:mips_24kc", "--info", "license:Apache-2.0", "--info", "origin:sstp", "--info", "maintainer:Somebody",
		"--info", "depends:b a c", "--info", "provides:other", "--files", tree, "--output", filepath.Join(t.TempDir(), "theirs.apk")}
	theirFile := args[len(args)-1]
	post := strings.ReplaceAll(apkPostInstall, "NAME", p.name) + body(p.scripts["postinst"])
	for which, script := range map[string]string{
		"pre-install": p.scripts["preinst"], "pre-upgrade": apkUpgrade + body(p.scripts["preinst"]), "post-install": post,
		"post-upgrade": apkUpgrade + body(post), "pre-deinstall": strings.ReplaceAll(apkPreDeinstall, "NAME", p.name),
	} {
		file := filepath.Join(scripts, which)
		if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--script", which+":"+file)
	}
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dump := func(file string) string {
		out, err := exec.Command(program, "adbdump", "--allow-untrusted", file).Output()
		if err != nil {
			t.Fatalf("adbdump %s: %v", file, err)
		}
		return regexp.MustCompile(`(?m)^  hashes: .*$|^# (ADB|signature).*$|^# data block.*$`).ReplaceAllString(string(out), "")
	}
	if ours, theirs := dump(ourFile), dump(theirFile); ours != theirs {
		t.Errorf("ours says\n%s\nmkpkg's says\n%s", ours, theirs)
	}
}

// Without --allow-untrusted, apk accepts a repository whose index is signed with a key that it has, and refuses others.
func TestApkTrustsASignedRepository(t *testing.T) {
	r := newRoot(t)
	a := startAPK(t, r).(apkTools)
	key := newAPKKey(t)
	public, err := key.public()
	if err != nil {
		t.Fatal(err)
	}
	p := dummy("sample", "1-r1")
	for _, c := range []struct {
		key  *apkKey
		want bool
	}{{nil, false}, {key, true}} {
		f, err := apk(p, noon, c.key)
		if err != nil {
			t.Fatal(err)
		}
		index, err := apkIndex([]*apkFile{f}, c.key)
		if err != nil {
			t.Fatal(err)
		}
		r.write("feed/"+apkName(p), string(f.data), 0o644)
		r.write("feed/packages.adb", string(index), 0o644)
		r.write("etc/apk/keys/sstp.pem", string(public), 0o644)
		out, err := a.run("/usr/bin/apk", "--no-network", "add", "sample")
		if got := err == nil && r.has("usr/share/dummy/sample"); got != c.want {
			t.Errorf("signed: %v, installed: %v (%v)\n%s", c.key != nil, got, err, out)
		}
	}
}

// usign, which opkg uses to check an index, accepts our signature with the public key that we publish, under its name.
func TestUsignTakesOurSignature(t *testing.T) {
	program := tool("USIGN", "usign")
	if program == "" {
		t.Skip("usign is not installed: USIGN=/path/to/usign gives it")
	}
	key, err := readUsignKey("testdata/usign.sec")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"Packages": []byte("Package: x\n"), "Packages.sig": key.sign([]byte("Package: x\n")), "keys/" + key.name(): key.public()} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(program, "-V", "-P", filepath.Join(dir, "keys"), "-m", filepath.Join(dir, "Packages")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The same sources in another folder give the same bytes.
func TestWhereTheSourcesLieDoesNotMatter(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles everything twice, which takes longer than all other tests of the packages: not in make test")
	}
	elsewhere := t.TempDir()
	list, err := output(top, "git", "ls-files", "--cached", "--others", "--exclude-standard", "go.mod", "go.sum", "src", "files", "luci", "openwrt")
	if err != nil {
		t.Skipf("these sources are no git checkout: %v", err)
	}
	for name := range strings.SplitSeq(list, "\n") {
		data, err := os.ReadFile(filepath.Join(top, name))
		if os.IsNotExist(err) {
			continue
		}
		info, statErr := os.Stat(filepath.Join(top, name))
		if err != nil || statErr != nil {
			t.Fatal(err, statErr)
		}
		os.MkdirAll(filepath.Dir(filepath.Join(elsewhere, name)), 0o755)
		if err := os.WriteFile(filepath.Join(elsewhere, name), data, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	gcflags, err := output(top, "make", "-s", "-f", "openwrt/gcflags.mk", "--eval", "print:;@echo $(SSTP_GCFLAGS)", "print")
	if err != nil {
		t.Fatal(err)
	}
	var sums [2]string
	for i, from := range []string{top, elsewhere} {
		b := &builder{top: from, out: t.TempDir(), version: "1.2.3-r1", at: noon, gcflags: strings.Fields(gcflags), say: t.Logf}
		if err := b.run([]target{native()}); err != nil {
			t.Fatal(err)
		}
		if err := b.checksums(); err != nil {
			t.Fatal(err)
		}
		sums[i] = text(t, filepath.Join(b.out, "SHA256SUMS"))
	}
	if sums[0] != sums[1] {
		t.Errorf("here\n%s\nelsewhere\n%s", sums[0], sums[1])
	}
}

func TestAPackageThatApkRefusesIsNotDelivered(t *testing.T) {
	if tool("APK", "apk") == "" {
		t.Skip("apk (apk-tools 3) is not installed: APK=/path/to/apk gives it")
	}
	f, err := apk(sample(), noon, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{out: t.TempDir(), say: t.Logf}
	file := filepath.Join(b.out, native().arch, "sample.apk")
	os.Mkdir(filepath.Dir(file), 0o755)
	for _, c := range []struct {
		data []byte
		good bool
	}{{f.data, true}, {f.data[:len(f.data)-20], false}} {
		if err := os.WriteFile(file, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := b.askAPK([]target{native()}); (err == nil) != c.good {
			t.Errorf("good: %v, and apk says: %v", c.good, err)
		}
	}
}
