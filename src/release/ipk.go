package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// ipkFile is a written package, with its description.
type ipkFile struct {
	pack    *pack
	data    []byte
	control string
}

// ipk writes a package for opkg: a gzip-compressed tar with debian-binary, data.tar.gz and control.tar.gz, like OpenWrt's
// scripts/ipkg-build.
func ipk(p *pack, at time.Time) (*ipkFile, error) {
	data, size, err := tarball(p.files, at)
	if err != nil {
		return nil, err
	}
	description := p.control(size)
	control := payload{
		"control":  {mode: 0o644, data: []byte(description)},
		"postinst": {mode: 0o755, data: []byte(opkgPostinst)},
		"prerm":    {mode: 0o755, data: []byte(opkgPrerm)},
	}
	for which, as := range map[string]string{"preinst": "preinst", "postinst": "postinst-pkg", "prerm": "prerm-pkg"} {
		if p.scripts[which] != "" {
			control[as] = entry{mode: 0o755, data: []byte(p.scripts[which])}
		}
	}
	controls, _, err := tarball(control, at)
	if err != nil {
		return nil, err
	}
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, member := range []struct {
		name string
		data []byte
	}{{"./debian-binary", []byte("2.0\n")}, {"./data.tar.gz", data}, {"./control.tar.gz", controls}} {
		if err := writeEntry(w, member.name, entry{mode: 0o644, data: member.data}, at); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &ipkFile{p, gzipped(plain.Bytes()), description}, nil
}

// ipkName returns the name of a package's file.
func ipkName(p *pack) string {
	return fmt.Sprintf("%s_%s_%s.ipk", p.name, opkgVersion(p.version), p.arch)
}

// control returns the text that describes the package. installedSize is the size of the unpacked tar, as in all packages of
// OpenWrt: opkg compares it with the free flash.
func (p *pack) control(installedSize int) string {
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	field("Package", p.name)
	field("Version", opkgVersion(p.version))
	field("Depends", strings.Join(p.depends, ", "))
	field("Recommends", strings.Join(p.recommends, ", "))
	field("Conflicts", strings.Join(p.conflicts, ", "))
	field("Provides", strings.Join(p.provides, ", "))
	field("License", p.license)
	field("Section", p.section)
	field("Require-User", p.user)
	field("Maintainer", p.maintainer)
	field("Architecture", p.arch)
	field("Installed-Size", fmt.Sprint(installedSize))
	field("Description", " "+strings.Join(p.lines(), "\n "))
	return b.String()
}

// tarball packs files into a compressed tar and returns its size before compression too. The same files give the same bytes.
func tarball(files payload, at time.Time) (packed []byte, size int, err error) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := writeEntry(w, "./", entry{mode: 0o755 | fs.ModeDir}, at); err != nil {
		return nil, 0, err
	}
	for _, name := range files.names() {
		if err := writeEntry(w, "./"+name, files[name], at); err != nil {
			return nil, 0, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, 0, err
	}
	return gzipped(plain.Bytes()), plain.Len(), nil
}

// gzipped returns data compressed as well as gzip can.
func gzipped(data []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	z.Write(data) // a buffer takes everything
	z.Close()
	return out.Bytes()
}

func writeEntry(w *tar.Writer, name string, e entry, at time.Time) error {
	h := &tar.Header{Name: name, Mode: int64(e.mode.Perm()), ModTime: at, Typeflag: tar.TypeReg, Size: int64(len(e.data)), Format: tar.FormatGNU}
	if e.mode.IsDir() {
		h.Typeflag = tar.TypeDir
		h.Name = strings.TrimSuffix(name, "/") + "/"
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(e.data)
	return err
}

// opkgIndex returns the file Packages of a folder: the description of each package, with the name, size and hash of its file
// before the text.
func opkgIndex(packages []*ipkFile) []byte {
	packages = slices.SortedFunc(slices.Values(packages), func(x, y *ipkFile) int { return strings.Compare(x.pack.name, y.pack.name) })
	var b bytes.Buffer
	for _, f := range packages {
		fields, description, _ := strings.Cut(f.control, "Description:")
		fmt.Fprintf(&b, "%sFilename: %s\nSize: %d\nSHA256sum: %x\nDescription:%s\n",
			fields, ipkName(f.pack), len(f.data), sha256.Sum256(f.data), description)
	}
	return b.Bytes()
}
