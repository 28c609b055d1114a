package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTheProjectMovesByOneCommand publishes a copy of the sources elsewhere: all of it has the new path, and vet still
// understands the packages that know the path as text.
func TestTheProjectMovesByOneCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles packages")
	}
	const module, url, maintainer = "example.org/x/sstp-client", "https://example.org/x", "A. Name <a@example.org>"
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	run("git", "clone", "-q", top, ".")
	run("sh", "src/release/project.sh", module, url, maintainer)
	left := exec.Command("git", "grep", "-nE", `(^|[^a-z/-]|\\[nt])sstp/src/[a-z]`, "--", "*.go", "*.mk", "*Makefile")
	left.Dir = dir
	if out, _ := left.Output(); len(out) > 0 { // git grep finds nothing: an error to it
		t.Errorf("the old path is left:\n%s", out)
	}
	run("go", "vet", "./src", "./src/fault", "./src/sstp")
	run("go", "test", "-run", "Layer|Import|Pure", "./src")
	f, err := readFeed(filepath.Join(dir, "openwrt"), "sstp/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.expand(f.values["PKG_MAINTAINER"]); got != maintainer {
		t.Errorf("the maintainer is %q, want %q", got, maintainer)
	}
	if got := f.fields("sstp")["URL"]; got != url {
		t.Errorf("the address is %q, want %q", got, url)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Error(err)
	}
}
