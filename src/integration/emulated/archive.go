package main

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// archive is the guest's first file system, in the format that the kernel unpacks: "newc" of
// Documentation/driver-api/early-userspace.
type archive struct {
	out  bytes.Buffer
	dirs map[string]bool
	last int // inode
}

// add adds a file, link or device, after the folders above it. mode is as in stat(2).
func (a *archive) add(name string, mode uint32, content []byte) {
	if dir := path.Dir(name); dir != "." && !a.dirs[dir] {
		if a.dirs == nil {
			a.dirs = map[string]bool{}
		}
		a.dirs[dir] = true
		a.add(dir, 0o040755, nil)
	}
	a.last++
	fmt.Fprintf(&a.out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.last, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	a.out.WriteString(name + "\x00")
	a.align()
	a.out.Write(content)
	a.align()
}

func (a *archive) align() {
	for a.out.Len()%4 != 0 {
		a.out.WriteByte(0)
	}
}

// addFile adds a file of this machine, executable.
func (a *archive) addFile(name, from string) error {
	content, err := os.ReadFile(from)
	if err == nil {
		a.add(name, 0o100755, content)
	}
	return err
}

// addPrograms adds Debian's programs and the libraries that they need.
func (a *archive) addPrograms(root string) error {
	for name, pattern := range map[string]string{
		"bin/busybox": "bin/busybox", "bin/openssl": "usr/bin/openssl",
	} {
		if err := a.addFile(name, filepath.Join(root, pattern)); err != nil {
			return err
		}
	}
	a.add("etc/openssl.cnf", 0o100644, nil)
	for _, pattern := range []string{"lib/*/lib*.so.*", "usr/lib/*/lib*.so.*", "lib/ld*.so*", "lib/*/ld*.so*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			name := path.Base(f)
			if !wantedLibrary(name) {
				continue
			}
			// The folder does not matter to the loader, whose own path is written in each program.
			if err := a.addFile("lib/"+name, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func wantedLibrary(name string) bool {
	for _, begin := range []string{"ld", "libc.so", "libssl.so", "libcrypto.so", "libatomic.so.1", "libgcc_s", "libpthread", "libdl", "libm.so"} {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	return false
}

// bytes ends the archive and returns it.
func (a *archive) bytes() []byte {
	a.add("TRAILER!!!", 0, nil)
	return a.out.Bytes()
}
