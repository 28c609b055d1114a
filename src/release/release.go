package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// releasable returns an error that says why these sources cannot be released.
func (b *builder) releasable() error {
	changed, err := output(b.top, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return errors.New("a release is made of what is committed, and these files have changes:\n" + changed)
	}
	if strings.Contains(b.version, "~") {
		b.say("no tag vX.Y.Z is on this commit: the release is called %s", b.upstream())
	}
	return nil
}

// clean removes the files of an earlier release from the folder, which must hold nothing else.
func (b *builder) clean() error {
	if _, err := os.Stat(filepath.Join(b.out, "SHA256SUMS")); err == nil {
		return os.RemoveAll(b.out)
	}
	if inside, _ := os.ReadDir(b.out); len(inside) > 0 {
		return fmt.Errorf("%s holds something that is no release: give an empty folder", b.out)
	}
	return nil
}

// releaseFiles writes the sources, the public keys and the notes.
func (b *builder) releaseFiles(wanted []target) error {
	sources, err := b.sources()
	if err != nil {
		return err
	}
	notes, err := b.notes(wanted)
	if err != nil {
		return err
	}
	files := map[string][]byte{"sstp-" + b.upstream() + ".tar.gz": sources, "NOTES.md": notes}
	if b.usign != nil {
		files["usign-"+b.usign.name()+".pub"] = b.usign.public()
	}
	if b.apk != nil {
		if files["apk.pem"], err = b.apk.public(); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(b.out, name), data, 0o644); err != nil {
			return err
		}
	}
	b.say("sources and notes: %s", filepath.Join(b.out, "NOTES.md"))
	return nil
}

// sources packs the commit, with its version in openwrt/VERSION for builds without git.
func (b *builder) sources() ([]byte, error) {
	cmd := exec.Command("git", "archive", "--format=tar", "--prefix=sstp-"+b.upstream()+"/",
		"--add-virtual-file=sstp-"+b.upstream()+"/openwrt/VERSION:"+b.upstream()+"\n", "HEAD")
	cmd.Dir, cmd.Stderr = b.top, os.Stderr
	plain, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git archive: %w", err)
	}
	return gzipped(plain), nil
}

// notes returns the text of the release page: the changes since the last tag, which file is for which router, how to install.
func (b *builder) notes(wanted []target) ([]byte, error) {
	changes, err := b.changes()
	if err != nil {
		return nil, err
	}
	var n bytes.Buffer
	fmt.Fprintf(&n, "# sstp %s\n\n## Changes\n\n%s\n## Which files\n\n", b.upstream(), changes)
	n.WriteString("On the router, `. /etc/openwrt_release; echo $DISTRIB_ARCH` prints the architecture.\n\n")
	n.WriteString("| architecture | routers, among others |\n|---|---|\n")
	for _, t := range wanted {
		fmt.Fprintf(&n, "| %s | %s |\n", t.arch, t.of)
	}
	example := &pack{name: "sstp", version: b.version, arch: wanted[0].arch}
	web := &pack{name: "luci-app-sstp", version: b.version, arch: all}
	fmt.Fprintf(&n, "\nOpenWrt 21.02 to 24.10 (opkg), from the architecture's folder:\n\n    opkg update\n    opkg install ./%s ./%s\n",
		ipkName(example), ipkName(web))
	fmt.Fprintf(&n, "\nOpenWrt 25.12 and later (apk):\n\n    apk update\n    apk add --allow-untrusted ./%s ./%s\n", apkName(example), apkName(web))
	fmt.Fprintf(&n, "\nA crash in the router's log shows ?:0 in place of files and lines. From the sources of the release,\n\n"+
		"    go run ./src/cmd/sstp-symbols read symbols/%s LOG\n\nprints the log with them.\n", symbolsName(example))
	n.WriteString("\n`sha256sum -c SHA256SUMS` checks what was downloaded. Coming from the packages sstp-client and luci-proto-sstp:\n")
	n.WriteString("remove both first; the settings in /etc/config/network stay and are used.\n")
	return n.Bytes(), nil
}

// changes returns the subjects of the commits since the tag before, the newest first.
func (b *builder) changes() (string, error) {
	span := "HEAD"
	if last, err := output(b.top, "git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^"); err == nil {
		span = last + "..HEAD"
	}
	log, err := output(b.top, "git", "log", "--no-merges", "--format=- %s", span)
	return log + "\n", err
}

// checksums writes SHA256SUMS of all files, and its signature where there is a key.
func (b *builder) checksums() error {
	var sums bytes.Buffer
	err := filepath.WalkDir(b.out, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() || strings.HasPrefix(d.Name(), "SHA256SUMS"):
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(b.out, name)
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), filepath.ToSlash(relative))
		return err
	})
	if err != nil {
		return err
	}
	if b.usign != nil {
		if err := os.WriteFile(filepath.Join(b.out, "SHA256SUMS.sig"), b.usign.sign(sums.Bytes()), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(b.out, "SHA256SUMS"), sums.Bytes(), 0o644)
}
