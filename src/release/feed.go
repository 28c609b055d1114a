package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// feed is a Makefile of the feed. OpenWrt's build system and this program read the same Makefiles, so that all facts about the
// packages are in one place. Only the syntax that our Makefiles use is understood: assignments of one line, define blocks, and
// $(NAME).
type feed struct {
	folder string // openwrt/
	values map[string]string
	blocks map[string]string
}

// readFeed reads one Makefile of the feed, and project.mk, which all of them include.
func readFeed(folder, makefile string) (*feed, error) {
	f := &feed{folder: folder, values: map[string]string{}, blocks: map[string]string{}}
	for _, name := range []string{"project.mk", makefile} {
		if err := f.parse(filepath.Join(folder, name)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// parse adds the assignments and define blocks of one file.
func (f *feed) parse(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	block := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		name, value, assigned := cutAssignment(line)
		switch {
		case block != "" && line == "endef":
			block = ""
		case block != "":
			f.blocks[block] += line + "\n"
		case strings.HasPrefix(line, "define "):
			block = strings.TrimPrefix(line, "define ")
			f.blocks[block] = ""
		case assigned && !strings.HasPrefix(line, "\t"):
			f.values[name] = value
		}
	}
	return nil
}

// cutAssignment splits NAME:=value and NAME=value.
func cutAssignment(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, "=")
	name = strings.TrimSpace(strings.TrimSuffix(name, ":"))
	return name, strings.TrimSpace(value), ok && name != "" && !strings.ContainsAny(name, " \t#")
}

// expand replaces each $(NAME) by its value, which is empty where the file does not assign one.
func (f *feed) expand(text string) string {
	for {
		before, rest, found := strings.Cut(text, "$(")
		name, after, closed := strings.Cut(rest, ")")
		if !found || !closed {
			return text
		}
		text = before + f.values[name] + after
	}
}

// fields returns the assignments of a package's define block.
func (f *feed) fields(name string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(f.blocks["Package/"+name]) {
		if key, value, ok := cutAssignment(line); ok {
			fields[key] = f.expand(value)
		}
	}
	return fields
}

// script returns one of the package's scripts, which the Makefile reads with $(file <...), or "" if there is none.
func (f *feed) script(name, which string) (string, error) {
	value := f.values["Package/"+name+"/"+which]
	file, ok := strings.CutPrefix(value, "$(file <$(SSTP_TOP)/openwrt/")
	if value == "" {
		return "", nil
	}
	if !ok {
		return "", fmt.Errorf("the script Package/%s/%s is not read from a file of openwrt/", name, which)
	}
	text, err := os.ReadFile(filepath.Join(f.folder, strings.TrimSuffix(file, ")")))
	return string(text), err
}

// read returns a package for an architecture as the Makefile describes it, without its files.
func (f *feed) read(name string, t target) (*pack, error) {
	fields := f.fields(name)
	if fields["TITLE"] == "" {
		return nil, fmt.Errorf("the feed has no package %s", name)
	}
	p := &pack{
		name: name, arch: t.arch, title: fields["TITLE"], section: fields["SECTION"], user: fields["USERID"],
		description: f.blocks["Package/"+name+"/description"], license: f.values["PKG_LICENSE"], maintainer: f.expand(f.values["PKG_MAINTAINER"]),
		provides: strings.Fields(strings.ReplaceAll(fields["PROVIDES"], "@", "")), conflicts: strings.Fields(fields["CONFLICTS"]),
		scripts: map[string]string{}, files: payload{},
	}
	if fields["PKGARCH"] != "" {
		p.arch = fields["PKGARCH"]
	}
	for _, dependency := range strings.Fields(fields["DEPENDS"]) {
		wanted, ok := strings.CutPrefix(dependency, "+")
		condition, conditional, _ := strings.Cut(wanted, ":")
		switch {
		case !ok: // @ symbols: what must be selected already
		case conditional == "":
			p.depends = append(p.depends, wanted)
		case slices.Contains(strings.Split(strings.Trim(condition, "()"), "||"), t.family()):
			p.recommends = append(p.recommends, conditional)
		}
	}
	for _, which := range []string{"preinst", "postinst", "prerm"} {
		text, err := f.script(name, which)
		if err != nil {
			return nil, err
		}
		if text != "" {
			p.scripts[which] = text
		}
	}
	return p, nil
}
