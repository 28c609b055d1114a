package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const top = "../.."

func readPack(t *testing.T, makefile, name string, of target) *pack {
	t.Helper()
	f, err := readFeed(top+"/openwrt", makefile)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.read(name, of)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheFeedSaysWhatPackagesNeed(t *testing.T) {
	mips := readPack(t, "sstp/Makefile", "sstp", target{arch: "mips_24kc"})
	if got := strings.Join(mips.depends, " "); got != "kmod-tun ca-bundle" {
		t.Errorf("sstp depends on %q", got)
	}
	if got := strings.Join(mips.recommends, " "); got != "kmod-tls kmod-crypto-chacha20poly1305 kmod-crypto-gcm" {
		t.Errorf("on mips, where kernel TLS pays, sstp recommends %q", got)
	}
	for arch, pays := range map[string]bool{"mipsel_74kc": true, "arm_cortex-a9_vfpv3-d16": true, "aarch64_generic": false, "x86_64": false, "riscv64_generic": false} {
		if p := readPack(t, "sstp/Makefile", "sstp", target{arch: arch}); (len(p.recommends) > 0) != pays {
			t.Errorf("on %s sstp recommends %v", arch, p.recommends)
		}
	}
	for _, of := range []struct{ makefile, name, instead string }{
		{"sstp/Makefile", "sstp", "sstp-client"}, {"luci-app-sstp/Makefile", "luci-app-sstp", "luci-proto-sstp"},
	} {
		p := readPack(t, of.makefile, of.name, target{arch: "x86_64"})
		if !slices.Equal(p.provides, []string{of.instead}) || !slices.Equal(p.conflicts, []string{of.instead}) {
			t.Errorf("%s provides %v and conflicts with %v, want %s both times", of.name, p.provides, p.conflicts, of.instead)
		}
	}
	if p := readPack(t, "sstp/Makefile", "sstp-dbus", target{arch: "x86_64"}); !slices.Equal(p.depends, []string{"sstp", "dbus"}) || p.user != "sstp:sstp" {
		t.Errorf("sstp-dbus depends on %v, as user %q", p.depends, p.user)
	}
	if p := readPack(t, "luci-app-sstp/Makefile", "luci-app-sstp", target{}); p.arch != all || !slices.Equal(p.depends, []string{"luci-base", "sstp"}) {
		t.Errorf("luci-app-sstp is for %s and depends on %v", p.arch, p.depends)
	}
}

func TestScriptsAreThoseOfTheFeed(t *testing.T) {
	p := readPack(t, "sstp/Makefile", "sstp", target{arch: "x86_64"})
	if got := slices.Sorted(maps.Keys(p.scripts)); !slices.Equal(got, []string{"postinst", "preinst", "prerm"}) {
		t.Errorf("sstp has scripts %v", got)
	}
	for name, script := range p.scripts {
		if !strings.HasPrefix(script, "#!/bin/sh\n") || body(script) == script {
			t.Errorf("%s does not begin with its interpreter", name)
		}
	}
}

func TestVersionsSortTheSameForOpkg(t *testing.T) {
	for version, want := range map[string]string{"1.2.3-r1": "1.2.3-r1", "1.2.0_rc1-r1": "1.2.0~rc1-r1", "1.2.3_p5~1a2b3c4d-r1": "1.2.3_p5~1a2b3c4d-r1"} {
		if got := opkgVersion(version); got != want {
			t.Errorf("opkg knows %s as %s, want %s", version, got, want)
		}
	}
}

func TestAnArchiveOfTheSourcesKnowsItsVersionAndTime(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	archive := t.TempDir()
	script, err := os.ReadFile(top + "/openwrt/version.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"version.sh": script, "VERSION": []byte("1.2.3\n")} {
		file := filepath.Join(archive, "openwrt", name)
		os.Mkdir(filepath.Dir(file), 0o755)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(file, noon, noon)
	}
	if b, err := newBuilder(archive, ""); err != nil || b.version != "1.2.3-r1" || !b.at.Equal(noon) {
		t.Errorf("%+v, %v, want version 1.2.3-r1 of %v", b, err, noon)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	if b, err := newBuilder(archive, ""); err != nil || b.at.Unix() != 86400 {
		t.Errorf("%+v, %v, want the time that SOURCE_DATE_EPOCH gives", b, err)
	}
}

func TestArchitecturesAreChosenByName(t *testing.T) {
	if got, err := choose(""); err != nil || len(got) != len(targets) {
		t.Errorf("without a list: %v, %v", got, err)
	}
	if got, err := choose("x86_64,mips_24kc"); err != nil || len(got) != 2 || got[1].arch != "mips_24kc" {
		t.Errorf("two: %v, %v", got, err)
	}
	if _, err := choose("vax"); err == nil || !strings.Contains(err.Error(), "mips_24kc") {
		t.Errorf("the refusal of an unknown architecture does not list the known ones: %v", err)
	}
}

func TestOpenWrtAndWeCompileAlike(t *testing.T) {
	ours, err := output(top, "make", "-s", "--eval", "print:;@echo $(GO_BUILD)", "print")
	if err != nil {
		t.Fatal(err)
	}
	feeds, err := output(top, "make", "-s", "-f", "openwrt/gcflags.mk", "--eval", "print:;@echo $(SSTP_GCFLAGS)", "print")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(ours, feeds) {
		t.Errorf("the Makefile builds with\n%s\nand the feed with\n%s", ours, feeds)
	}
}
