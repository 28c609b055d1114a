package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// ipkFile is a written package, with its description.
type ipkFile struct {
	pack    *pack
	data    []byte
	control string
}

// ipk writes a package as opkg takes it: a gzip-compressed tar with debian-binary, data.tar.gz and control.tar.gz, as
// scripts/ipkg-build of OpenWrt makes it.
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
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	w := tar.NewWriter(z)
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
	if err := z.Close(); err != nil {
		return nil, err
	}
	return &ipkFile{p, out.Bytes(), description}, nil
}

// ipkName is the name of a package's file.
func ipkName(p *pack) string {
	return fmt.Sprintf("%s_%s_%s.ipk", p.name, opkgVersion(p.version), p.arch)
}

// control returns the text that describes the package. installedSize is the size of the unpacked tar, as elsewhere in
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

// tarball packs files into a compressed tar, the same for the same files, and says how large it was before compression.
func tarball(files payload, at time.Time) (packed []byte, size int, err error) {
	var plain, out bytes.Buffer
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
	size = plain.Len()
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if _, err := plain.WriteTo(z); err != nil {
		return nil, 0, err
	}
	if err := z.Close(); err != nil {
		return nil, 0, err
	}
	return out.Bytes(), size, nil
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
