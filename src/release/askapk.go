package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tool returns the path of a program, from a variable of the environment or by the first of the names that is installed.
func tool(environment string, names ...string) string {
	if given := os.Getenv(environment); given != "" {
		return given
	}
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	return ""
}

// askAPK lets apk itself verify its packages and indexes, where apk is installed, and says so in a line.
func (b *builder) askAPK(wanted []target) error {
	program := tool("APK", "apk")
	if program == "" {
		b.say("not checked with apk itself: apk-tools 3 is not installed (APK=/path/to/apk names it)")
		return nil
	}
	version, err := output(".", program, "--version")
	if err != nil {
		return err
	}
	version, _, _ = strings.Cut(version, ",")
	if !strings.HasPrefix(version, "apk-tools 3") {
		b.say("not checked with apk itself: %s is %s, which does not know packages of version 3", program, version)
		return nil
	}
	var files []string
	for _, t := range wanted {
		for _, pattern := range []string{"*.apk", "packages.adb"} {
			found, err := filepath.Glob(filepath.Join(b.out, t.arch, pattern))
			if err != nil {
				return err
			}
			files = append(files, found...)
		}
	}
	if out, err := exec.Command(program, slices.Concat([]string{"verify", "--allow-untrusted"}, files)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s finds fault with a package: %w\n%s", version, err, out)
	}
	b.say("%s has verified %d packages and indexes", version, len(files))
	return nil
}
