package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// openRoot returns the folder of a root file system: rootfs itself, or dir/root, where an archive is unpacked.
func openRoot(rootfs, dir string) (string, error) {
	root, err := filepath.Abs(rootfs)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(root)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		archive := root
		root = filepath.Join(dir, "root")
		if err := os.Mkdir(root, 0o755); err != nil {
			return "", err
		}
		// Device nodes are made by us; a file system without them is all the same.
		out, err := exec.Command("tar", "-x", "-p", "--numeric-owner", "--exclude=./dev/*", "-f", archive, "-C", root).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("unpacking %s: %w: %s", rootfs, err, strings.TrimSpace(string(out)))
		}
	}
	return root, checkRoot(root)
}

// checkRoot says what is missing where a folder is no OpenWrt root that this machine can run.
func checkRoot(root string) error {
	for _, need := range []string{"sbin/ubusd", "sbin/netifd", "sbin/uci", "bin/ubus", "lib/netifd/netifd-proto.sh"} {
		if _, err := os.Lstat(filepath.Join(root, need)); err != nil {
			return fmt.Errorf("%s is no OpenWrt root file system: it has no %s", root, need)
		}
	}
	f, err := elf.Open(filepath.Join(root, "sbin/netifd"))
	if err != nil {
		return fmt.Errorf("%s/sbin/netifd: %w", root, err)
	}
	defer f.Close()
	if f.Machine != elf.EM_X86_64 {
		return fmt.Errorf("%s is for %v, this needs one for x86-64", root, f.Machine)
	}
	return nil
}

// copyTree copies a folder's files over another folder, owned by root and readable by all. A source that does not exist is
// nothing to copy.
func copyTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			os.Remove(target)
			return os.Symlink(link, target)
		}
		return copyFile(path, target)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyFile copies a file; it is executable where the source is.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	os.Remove(to)
	if err := os.WriteFile(to, content, mode); err != nil {
		return err
	}
	return os.Chmod(to, mode)
}
