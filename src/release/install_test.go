//go:build packages

package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// router is a router with a repository of our packages and those that they depend on.
type router struct {
	*testing.T
	root *root
	manager
	packs map[string]*pack
}

// oldClient and oldWeb stand for the packages that ours replace.
func oldClient() *pack {
	p := dummy("sstp-client", "1.0.20-r1")
	p.files.addFile("usr/bin/sstpc", 0o755, []byte("#!/bin/sh\n"))
	p.files.addFile("lib/netifd/proto/sstp.sh", 0o755, []byte("#!/bin/sh\n# of sstp-client\n"))
	return p
}

func oldWeb() *pack {
	p := dummy("luci-proto-sstp", "26.1-r1")
	p.depends = []string{"sstp-client"}
	p.files.addFile("www/luci-static/resources/protocol/sstp.js", 0o644, []byte("// of luci-proto-sstp\n"))
	return p
}

func dummy(name, version string) *pack {
	p := &pack{name: name, version: version, arch: all, title: name, description: name + "\n", section: "test", license: "none", files: payload{}}
	p.files.addFile("usr/share/dummy/"+name, 0o644, []byte(name+"\n"))
	return p
}

// ours returns our packages in some version, with the programs that were built.
func ours(t *testing.T, version string) map[string]*pack {
	t.Helper()
	b := &builder{top: "../..", version: version}
	bin := t.TempDir()
	for _, name := range []string{"sstp", "sstp-dbus"} {
		if err := os.WriteFile(filepath.Join(bin, name), built(t, native(), name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	packs, err := b.programs(native(), bin)
	if err != nil {
		t.Fatal(err)
	}
	web, err := b.web()
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]*pack{}
	for _, p := range append(packs, web) {
		named[p.name] = p
	}
	return named
}

// onEach runs a test with each package manager.
func onEach(t *testing.T, test func(*router)) {
	for _, m := range managers {
		t.Run(m.name, func(t *testing.T) {
			r := newRoot(t)
			s := &router{T: t, root: r, manager: m.start(t, r), packs: ours(t, "1.2.3-r1")}
			s.repository()
			test(s)
		})
	}
}

// repository offers our packages in their present version, and the others.
func (s *router) repository() {
	packs := []*pack{oldClient(), oldWeb()}
	for _, name := range []string{"kmod-tun", "ca-bundle", "luci-base", "dbus", "kmod-tls", "kmod-crypto-chacha20poly1305", "kmod-crypto-gcm"} {
		packs = append(packs, dummy(name, "1-r1"))
	}
	for p := range maps.Values(s.packs) {
		packs = append(packs, p)
	}
	s.offer(packs...)
}

// withoutOurs leaves only the other packages in the repository, so that ours are installed from a file.
func (s *router) withoutOurs() {
	s.packs = nil
	s.repository()
}

func (s *router) must(out string, err error) string {
	s.Helper()
	if err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	return out
}

// wantFiles compares the files in the root with those of the packages.
func (s *router) wantFiles(packs ...*pack) {
	s.Helper()
	for _, p := range packs {
		for name, e := range p.files {
			info, err := os.Lstat(filepath.Join(s.root.dir, name))
			switch {
			case err != nil:
				s.Errorf("%s: %v", p.name, err)
			case e.mode.IsDir() != info.IsDir():
				s.Errorf("%s: /%s is %v", p.name, name, info.Mode())
			case !info.IsDir() && info.Mode() != e.mode, strings.HasPrefix(name, "etc/sstp") && info.Mode().Perm() != 0o700:
				s.Errorf("%s: /%s has mode %v, want %v", p.name, name, info.Mode(), e.mode)
			case !info.IsDir() && s.root.read(name) != string(e.data):
				s.Errorf("%s: /%s has other contents", p.name, name)
			}
		}
	}
}

func (s *router) wantConfiguration() {
	s.Helper()
	if s.root.read("etc/config/network") != network {
		s.Error("/etc/config/network was changed")
	}
}

func TestInstallingPutsEverythingInPlaceAndSaysWhatIsLeftToDo(t *testing.T) {
	onEach(t, func(s *router) {
		s.root.withTUN()
		out := s.must(s.install("luci-app-sstp", "sstp-dbus"))
		s.wantFiles(s.packs["sstp"], s.packs["luci-app-sstp"], s.packs["sstp-dbus"])
		if !strings.Contains(out, "service network restart") {
			s.Errorf("the network service must learn of the protocol, and nobody says so:\n%s", out)
		}
		if strings.Contains(out, "/dev/net/tun") {
			s.Errorf("/dev/net/tun is there, and is complained about:\n%s", out)
		}
		if calls := s.root.read("tmp/calls"); strings.Contains(calls, "network") || !strings.Contains(calls, "rpcd reload") {
			s.Errorf("called was %q: rpcd reads its plugins anew, the network is left alone", calls)
		}
		if got := s.must(s.root.run("/usr/sbin/sstp", "version")); !strings.HasPrefix(got, "sstp ") {
			s.Errorf("sstp version prints %q", got)
		}
		if keep := s.root.read("lib/upgrade/keep.d/sstp"); !strings.Contains(keep, "/etc/sstp") {
			s.Errorf("a firmware upgrade keeps %q", keep)
		}
		s.wantConfiguration()
	})
}

func TestInstallingWithoutTheTUNDeviceSaysWhatToInstall(t *testing.T) {
	onEach(t, func(s *router) {
		if out := s.must(s.install("sstp")); !strings.Contains(out, "kmod-tun") {
			s.Errorf("nobody says that /dev/net/tun is missing:\n%s", out)
		}
	})
}

func TestUpgradingKeepsWhatTheUserHasAndRestartsNothing(t *testing.T) {
	onEach(t, func(s *router) {
		s.root.withTUN()
		now := s.packs
		s.packs = ours(s.T, "1.2.2-r1")
		s.packs["sstp"].files.addFile("usr/share/sstp-old", 0o644, []byte("went away in 1.2.3\n"))
		s.repository()
		s.must(s.install("sstp", "luci-app-sstp"))
		s.root.write("etc/sstp/ca.pem", "a certificate\n", 0o600)
		s.root.write("tmp/calls", "", 0o644)

		s.packs = now
		s.repository()
		out := s.must(s.upgrade("sstp", "luci-app-sstp"))
		if got := s.installed("sstp"); got != "1.2.3-r1" {
			s.Errorf("installed is sstp %q after\n%s", got, out)
		}
		s.wantFiles(s.packs["sstp"], s.packs["luci-app-sstp"])
		if s.root.has("usr/share/sstp-old") {
			s.Error("a file that the new version does not have is still there")
		}
		if s.root.read("etc/sstp/ca.pem") != "a certificate\n" {
			s.Error("the user's certificate is gone")
		}
		if !strings.Contains(out, "ifup NAME") || strings.Contains(out, "service network restart") {
			s.Errorf("a running tunnel goes on with the old program, and the protocol is known already:\n%s", out)
		}
		if calls := s.root.read("tmp/calls"); strings.Contains(calls, "ifdown") {
			s.Errorf("upgrading took a tunnel down: %q", calls)
		}
		s.wantConfiguration()
	})
}

func TestBesideSstpClientIsRefusedWithWhatToRemove(t *testing.T) {
	onEach(t, func(s *router) {
		// From files, as apk keeps to what was installed from one.
		s.must(s.installFile(oldClient()))
		s.must(s.installFile(oldWeb()))
		out, err := s.install("sstp")
		if err == nil || s.installed("sstp") != "" {
			s.Errorf("both are installed:\n%s", out)
		}
		if !strings.Contains(out, "sstp-client") {
			s.Errorf("the refusal does not name what is in the way:\n%s", out)
		}
		s.Logf("refused with:\n%s", out)
		if out, _ := s.install("luci-app-sstp"); s.installed("luci-app-sstp") != "" {
			s.Errorf("luci-app-sstp is installed beside luci-proto-sstp:\n%s", out)
		}
		s.wantFiles(oldClient(), oldWeb())

		// As the notes of the release say.
		s.must(s.remove("luci-proto-sstp", "sstp-client"))
		s.must(s.install("sstp", "luci-app-sstp"))
		s.wantFiles(s.packs["sstp"], s.packs["luci-app-sstp"])
		s.wantConfiguration()
	})
}

// apk replaces a conflicting package when it is asked for ours by name, and says so; opkg refuses.
func TestSstpClientGivesWayOnlyWhenAsked(t *testing.T) {
	onEach(t, func(s *router) {
		s.must(s.install("luci-proto-sstp", "sstp-client"))
		if out, _ := s.upgrade(); s.installed("sstp-client") == "" || s.installed("sstp") != "" {
			s.Errorf("sstp-client went away in an upgrade that nobody asked us into:\n%s", out)
		}
		s.wantFiles(oldClient(), oldWeb())
		out, _ := s.install("luci-app-sstp")
		switch {
		case s.installed("sstp-client") == "" && strings.Contains(out, "Purging sstp-client"):
			s.wantFiles(s.packs["sstp"], s.packs["luci-app-sstp"])
		case s.installed("sstp") == "":
			s.wantFiles(oldClient(), oldWeb())
		default:
			s.Errorf("neither refused nor replaced:\n%s", out)
		}
		s.wantConfiguration()
	})
}

func TestSstpClientBesideOursIsRefusedToo(t *testing.T) {
	onEach(t, func(s *router) {
		s.must(s.install("sstp", "luci-app-sstp"))
		if out, _ := s.install("sstp-client"); s.root.has("usr/bin/sstpc") {
			s.Errorf("sstp-client came beside sstp:\n%s", out)
		}
		s.wantFiles(s.packs["sstp"], s.packs["luci-app-sstp"])
	})
}

// The package manager refuses first. This is what users see who force it, or whose sstpc came another way.
func TestThePackagesOwnCheckNamesTheCommand(t *testing.T) {
	onEach(t, func(s *router) {
		s.root.write("usr/bin/sstpc", "#!/bin/sh\n", 0o755)
		s.root.write("www/luci-static/resources/protocol/sstp.js", "", 0o644)
		out, err := s.install("sstp")
		if !strings.Contains(out, " luci-proto-sstp sstp-client") || !strings.Contains(out, "Remove that first") {
			s.Errorf("no command to remove what is in the way:\n%s", out)
		}
		s.wantStopped(out, err)
	})
}

func TestRemovingTakesTheTunnelsDownAndLeavesTheUsersFiles(t *testing.T) {
	onEach(t, func(s *router) {
		s.must(s.install("sstp", "luci-app-sstp", "sstp-dbus"))
		s.root.write("etc/sstp/ca.pem", "a certificate\n", 0o600)
		s.must(s.remove("luci-app-sstp", "sstp-dbus", "sstp"))
		for _, p := range s.packs {
			for _, name := range p.files.files() {
				if s.root.has(name) {
					s.Errorf("/%s of %s is still there", name, p.name)
				}
			}
		}
		if calls := s.root.read("tmp/calls"); !strings.Contains(calls, "ifdown vpn\n") || strings.Contains(calls, "ifdown lan") {
			s.Errorf("called was %q, want the tunnel taken down", calls)
		}
		if s.root.read("etc/sstp/ca.pem") != "a certificate\n" {
			s.Error("the user's certificate is gone")
		}
		s.wantConfiguration()
	})
}

func TestAnotherArchitecturesPackageIsRefused(t *testing.T) {
	onEach(t, func(s *router) {
		foreign := *s.packs["sstp"]
		foreign.arch = "mips_24kc"
		s.withoutOurs()
		out, err := s.installFile(&foreign)
		if err == nil && s.installed("sstp") != "" || s.root.has("usr/sbin/sstp") {
			s.Errorf("a package for mips_24kc was installed on %s:\n%s", native().arch, out)
		}
		s.Logf("refused with (%v):\n%s", err, out)
	})
}

// The package has our name and another processor's program: someone repacked it, or forced the architecture.
func TestAProgramForAnotherProcessorIsFoundOut(t *testing.T) {
	onEach(t, func(s *router) {
		wrong := *s.packs["sstp"]
		s.withoutOurs()
		wrong.files = maps.Clone(wrong.files)
		wrong.files.addFile("usr/sbin/sstp", 0o755, []byte("\x7fELF no program of this machine"))
		out, err := s.installFile(&wrong)
		if err == nil && !strings.Contains(out, "rror") || !strings.Contains(out, "another architecture") || !strings.Contains(out, native().arch) {
			s.Errorf("nobody says that the program does not run and which package to take (%v):\n%s", err, out)
		}
	})
}

func TestTooLittleFlashIsSaidBeforeAnythingIsWritten(t *testing.T) {
	onEach(t, func(s *router) {
		s.root.mount("overlay", 1024)
		out, err := s.install("sstp")
		s.wantStopped(out, err)
		if !strings.Contains(out, "needs") {
			s.Errorf("nobody says how much is needed:\n%s", out)
		}
		s.Logf("refused with:\n%s", out)
	})
}

// wantStopped checks that a package's script has stopped its installation. With apk it cannot: its message is shown, and the
// installation counts as failed.
func (s *router) wantStopped(out string, err error) {
	s.Helper()
	if _, isAPK := s.manager.(apkTools); isAPK && err != nil {
		return
	}
	if s.root.has("usr/sbin/sstp") {
		s.Errorf("sstp was installed all the same (%v):\n%s", err, out)
	}
}

// built returns a program from the package that was built for a target.
func built(t *testing.T, of target, name string) []byte {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(top, "build/packages", of.arch, name+"_*.ipk"))
	switch {
	case err != nil || len(found) > 1:
		t.Fatalf("packages of %s for %s: %v, %v", name, of.arch, found, err)
	case len(found) == 0:
		t.Skip("packages of this architecture were not built now: make packages builds all")
	}
	packed, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	outer, err := untar(packed)
	if err != nil {
		t.Fatal(err)
	}
	files, err := untar(outer["data.tar.gz"].data)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := files["usr/sbin/"+name]
	if !ok || e.mode != fs.FileMode(0o755) {
		t.Fatal(fmt.Errorf("%s has no program usr/sbin/%s", found[0], name))
	}
	return e.data
}
