//go:build openwrt

package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// openwrtTree is an OpenWrt build tree or SDK, with the packages feed in it: make openwrt-check TOPDIR=...
func openwrtTree(t *testing.T) string {
	t.Helper()
	tree := os.Getenv("TOPDIR")
	if tree == "" {
		t.Fatal("TOPDIR=/path/to/openwrt is needed: a build tree or SDK of OpenWrt, after ./scripts/feeds update packages")
	}
	if _, err := os.Stat(tree + "/include/package.mk"); err != nil {
		t.Fatalf("%s is no build tree of OpenWrt: %v", tree, err)
	}
	return tree
}

// ask lets OpenWrt's make read a Makefile of the feed in metadata mode.
func ask(t *testing.T, makefile string, more ...string) string {
	t.Helper()
	args := append([]string{"-s", "--no-print-directory", "-r", "-C", top + "/openwrt/" + makefile, "DUMP=1", "TOPDIR=" + openwrtTree(t), "FEED=sstp"}, more...)
	cmd := exec.Command("make", args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS") })
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// dump returns the fields of each package that a Makefile defines.
func dump(t *testing.T, makefile string) map[string]map[string]string {
	t.Helper()
	packages := map[string]map[string]string{}
	var fields map[string]string
	for line := range strings.Lines(ask(t, makefile)) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		if ok && name == "Package" {
			fields = map[string]string{}
			packages[value] = fields
		}
		if ok && fields != nil && fields[name] == "" {
			fields[name] = value
		}
	}
	return packages
}

func TestOpenWrtReadsTheFeedAsWeDo(t *testing.T) {
	version, err := output(top, "sh", "openwrt/version.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []struct{ makefile, name string }{{"sstp", "sstp"}, {"sstp", "sstp-dbus"}, {"luci-app-sstp", "luci-app-sstp"}} {
		fields := dump(t, of.makefile)[of.name]
		if fields == nil {
			t.Errorf("OpenWrt finds no package %s", of.name)
			continue
		}
		// Before 25.12 the release is not written with an r.
		if got := fields["Version"]; got != version+release && got != version+strings.Replace(release, "r", "", 1) {
			t.Errorf("%s has version %s, the tag says %s", of.name, got, version)
		}
		for _, on := range targets {
			p := readPack(t, of.makefile+"/Makefile", of.name, on)
			want := slices.Sorted(slices.Values(slices.Concat(p.depends, p.recommends)))
			if got := dependencies(fields["Depends"], on.family()); !slices.Equal(got, want) {
				t.Errorf("%s depends on %s upon %v, we say %v", of.name, on.arch, got, want)
			}
			if got := names(fields["Provides"], of.name); !slices.Equal(got, p.provides) {
				t.Errorf("%s provides %v, we say %v", of.name, got, p.provides)
			}
			if got := strings.Fields(fields["Conflicts"]); !slices.Equal(got, p.conflicts) {
				t.Errorf("%s conflicts with %v, we say %v", of.name, got, p.conflicts)
			}
			if got := fields["Require-User"]; got != p.user {
				t.Errorf("%s wants user %q, we say %q", of.name, got, p.user)
			}
		}
	}
}

// dependencies returns the packages that a package needs on an architecture.
func dependencies(all, family string) []string {
	var found []string
	for word := range strings.FieldsSeq(all) {
		name, ok := strings.CutPrefix(word, "+")
		if condition, conditional, has := strings.Cut(name, ":"); has {
			ok, name = ok && slices.Contains(strings.Split(strings.Trim(condition, "()"), "||"), family), conditional
		}
		if ok && name != "libc" {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// names returns the names that a package provides, without those that OpenWrt gives to every package.
func names(all, own string) []string {
	var found []string
	for word := range strings.FieldsSeq(all) {
		if name := strings.TrimPrefix(word, "@"); name != own+"-any" {
			found = append(found, name)
		}
	}
	return found
}

func TestOpenWrtBuildsStaticProgramsWithOurFlags(t *testing.T) {
	out := ask(t, "sstp", "--eval", "print:;@: $(info vars $(GO_PKG_TARGET_VARS))$(info args $(GO_PKG_INSTALL_ARGS) $(SSTP_GCFLAGS))$(info pie $(GO_PKG_ENABLE_PIE).)", "print")
	gcflags, err := output(top, "make", "-s", "-f", "openwrt/gcflags.mk", "--eval", "print:;@echo $(SSTP_GCFLAGS)", "print")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "-s -w -X main.version=", gcflags, "pie ."} {
		if !strings.Contains(out, want) {
			t.Errorf("not there: %s", want)
		}
	}
	for _, unwanted := range []string{"CGO_ENABLED=1", "-linkmode", "-extldflags", "-buildmode"} {
		if strings.Contains(out, unwanted) {
			t.Errorf("there: %s", unwanted)
		}
	}
}
