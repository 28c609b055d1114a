// Package ucifile reads sections of UCI files, for use off the router and for recovery: under netifd the options come from
// netifd, and where ubus answers from ubus, both exactly as libuci reads them.
//
// go-uci does the reading. It rejects or misreads some files that libuci takes, so a guard (guard.go) first goes through the
// file and refuses, by their form, the lines on which the two differ; the error names the line and the way out. Nothing is
// ever written. Changes that are staged but not committed are not seen.
package ucifile

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	uci "github.com/digineo/go-uci/v2"

	"sstp/src/config"
	"sstp/src/fault"
)

const (
	// DefaultDir is where OpenWrt has its configuration.
	DefaultDir = "/etc/config"

	maxSize = 1 << 20 // bytes of a file
)

// Read returns all options of the interface named section in the file DIR/network, those of netifd included. An empty dir
// means DefaultDir. Its errors are of type *fault.Error with code INVALID_OPTIONS. They name the file and the line, and never
// show a value.
func Read(dir, section string) (config.Values, error) {
	dir = cmp.Or(dir, DefaultDir)
	path := filepath.Join(dir, "network")
	if !isName(section) {
		return nil, failure("The name of an interface may have letters, digits and _ only; "+strconv.Quote(section)+" has others.", "")
	}
	tree, form, err := open(dir, "network", func(_, name string) bool { return name == section })
	if err != nil {
		return nil, err
	}
	switch typ, ok := form.types[section]; {
	case !ok:
		return nil, failure(path+" has no interface "+section+".", "Check the spelling of the interface's name.")
	case typ != "interface":
		return nil, failure("Section "+section+" in "+path+" is of type "+typ+", not interface.", "")
	}
	values := form.values(tree, "network", section)
	switch proto := values["proto"]; {
	case len(proto) != 1:
		return nil, failure("Interface "+section+" in "+path+" has no option proto.", "Set option proto to sstp.")
	case proto[0] != "sstp":
		return nil, failure("Interface "+section+" in "+path+" is of protocol "+strconv.Quote(proto[0])+", not sstp.",
			"Name an interface with option proto 'sstp'.")
	}
	return values, nil
}

// Section is a section of a UCI file. Sections without a name have a made-up one.
type Section struct {
	Name    string
	Options config.Values
}

// Sections returns the sections of one type in the file DIR/FILE. It returns none if the file cannot be read as libuci reads it.
func Sections(dir, file, typ string) (sections []Section) {
	tree, form, err := open(dir, file, func(t, _ string) bool { return t == typ })
	if err != nil {
		return nil
	}
	names, _ := tree.GetSections(file, typ)
	for _, name := range names {
		sections = append(sections, Section{name, form.values(tree, file, name)})
	}
	return sections
}

// Zone returns the name of the firewall zone that lists an interface in the file DIR/firewall, "" if none does.
func Zone(dir, iface string) string {
	for _, zone := range Sections(dir, "firewall", "zone") {
		networks := strings.Join(zone.Options["network"], " ")
		if slices.Contains(strings.Fields(networks), iface) {
			return strings.Join(zone.Options["name"], " ")
		}
	}
	return ""
}

// values reads the options of a wanted section.
func (f *form) values(tree uci.Tree, file, section string) config.Values {
	values := config.Values{}
	for option := range f.options {
		if list, ok := tree.Get(file, section, option.name); ok && len(list) > 0 {
			values[option.name] = list
		}
	}
	return values
}

// open has go-uci read a file that the guard lets pass. wanted chooses the sections whose options the caller reads.
func open(dir, file string, wanted func(typ, name string) bool) (uci.Tree, *form, error) {
	path := filepath.Join(dir, file)
	text, err := load(path)
	if err != nil {
		return nil, nil, err
	}
	form, p := examine(text, wanted)
	if p != nil {
		return nil, nil, failure(path+", line "+strconv.Itoa(form.lines)+": "+p.what+".", p.hint)
	}
	tree := uci.NewTree(dir)
	if err := tree.LoadConfig(file, false); err != nil {
		// The error's text may show a part of a value, so it is not passed on.
		return nil, nil, failure(path+" is rejected by the reader of UCI files.", hintRewrite)
	}
	return tree, form, nil
}

// load reads the file.
func load(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", unreadable(path, err)
	case !info.Mode().IsRegular():
		return "", failure(path+" is not a file.", "Name a directory with a UCI file network in it.")
	case info.Size() > maxSize:
		return "", failure(path+" is larger than 1 MiB.", "")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", unreadable(path, err)
	}
	return string(text), nil
}

func unreadable(path string, err error) error {
	reason := "cannot be read: " + err.Error()
	if e, ok := err.(*fs.PathError); ok {
		reason = "cannot be read: " + e.Err.Error()
	}
	return failure("The configuration file "+path+" "+reason+".", "Name a directory with a readable UCI file network in it.")
}

func failure(message, hint string) error {
	e := fault.Plain(fault.InvalidOptions, fault.StageConfig, message)
	if hint != "" {
		e.WithDetail(hint)
	}
	return e
}
