// Package ucifile reads one interface section of a UCI file, for use off the router and for recovery: under netifd the
// options come from netifd, and where ubus answers from ubus, both exactly as libuci reads them.
//
// The reading is done by go-uci, which rejects or misreads some files that are good for libuci. So the file is first
// gone through line by line (scan.go); what go-uci would not read as libuci does is refused with the line and the way
// out, and in the end go-uci's values must be the ones that stand in the lines. Nothing is ever written, and changes that
// are staged but not committed are not seen.
package ucifile

import (
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

	file    = "network"
	maxSize = 1 << 20
)

// Read returns the options of the interface named section in the file DIR/network, all of them, those of netifd
// included; an empty dir means DefaultDir. Its errors are of type *fault.Error with code INVALID_OPTIONS; they name the
// file and the line and never show a value.
func Read(dir, section string) (config.Values, error) {
	if dir == "" {
		dir = DefaultDir
	}
	path := filepath.Join(dir, file)
	if !isName(section) {
		return nil, failure("The name of an interface may have letters, digits and _ only; "+strconv.Quote(section)+" has others.", "")
	}
	text, err := load(path)
	if err != nil {
		return nil, err
	}
	values, kinds, err := scan(path, section, text)
	if err != nil {
		return nil, err
	}
	if err := check(path, section, values, kinds); err != nil {
		return nil, err
	}
	return compare(dir, path, section, values)
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

// kind is what the lines of our section say about one option.
type kind struct {
	line   int     // the last one
	typ    keyword // option or list
	mixed  bool    // option and list of the same name
	double bool    // a list has an item twice
}

// scan goes through the whole file and returns what the lines of our section say. A section that stands twice is one
// section, and of an option that stands twice the last line counts. kinds is nil where our section is not there.
func scan(path, section, text string) (values config.Values, kinds map[string]*kind, err error) {
	types := map[string]string{} // of the named sections
	inside, ours := false, false
	values = config.Values{}
	line := 0
	for more := true; more; {
		line++
		var this string
		this, text, more = strings.Cut(text, "\n")
		s, p := scanLine(this, !more)
		switch {
		case p != nil:
		case s.keyword == kwConfig:
			inside, ours = true, s.value == section
			known, again := types[s.value]
			if again && s.value != "" && known != s.name {
				p = &problem{"section " + s.value + " is already there with another type", hintSyntax}
			}
			types[s.value] = s.name
			if ours && kinds == nil {
				kinds = map[string]*kind{}
			}
		case s.keyword == kwNone:
		case !inside:
			p = &problem{s.keyword.String() + " " + s.name + " stands before the first section", hintSyntax}
		case !ours:
		case s.escapes:
			p = &problem{"the value of " + s.name + " has a backslash that stands for something else",
				"Write the value in single quotation marks, in which a backslash is a backslash."}
		default:
			add(values, kinds, s, line)
		}
		if p != nil {
			return nil, nil, at(path, line, p)
		}
	}
	if kinds == nil {
		return nil, nil, failure(path+" has no interface "+section+".", "Check the spelling of the interface's name.")
	}
	if t := types[section]; t != "interface" {
		return nil, nil, failure("Section "+section+" in "+path+" is of type "+t+", not interface.", "")
	}
	return values, kinds, nil
}

func add(values config.Values, kinds map[string]*kind, s statement, line int) {
	k := kinds[s.name]
	if k == nil {
		k = &kind{typ: s.keyword}
		kinds[s.name] = k
	}
	k.line = line
	k.mixed = k.mixed || k.typ != s.keyword
	if s.keyword == kwOption {
		values[s.name] = []string{s.value}
		return
	}
	k.double = k.double || slices.Contains(values[s.name], s.value)
	values[s.name] = append(values[s.name], s.value)
}

// check refuses what go-uci reads in another way although each line by itself is plain, and sections of others.
func check(path, section string, values config.Values, kinds map[string]*kind) error {
	var worst *problem
	line := 0
	note := func(k *kind, what, hint string) {
		if worst == nil || k.line < line {
			worst, line = &problem{what, hint}, k.line
		}
	}
	for name, k := range kinds {
		switch {
		case k.mixed:
			note(k, name+" stands as option and as list", "Keep the lines of one kind.")
		case k.double:
			note(k, "list "+name+" has the same value twice", "Remove one of the lines.")
		}
	}
	if worst != nil {
		return at(path, line, worst)
	}
	switch proto := values["proto"]; {
	case len(proto) != 1:
		return failure("Interface "+section+" in "+path+" has no option proto.", "Set option proto to sstp.")
	case proto[0] != "sstp":
		return failure("Interface "+section+" in "+path+" is of protocol "+strconv.Quote(proto[0])+", not sstp.",
			"Name an interface with option proto 'sstp'.")
	}
	return nil
}

// compare reads the section through go-uci and returns its values if they are the ones that stand in the lines.
func compare(dir, path, section string, lines config.Values) (config.Values, error) {
	tree := uci.NewTree(dir)
	if err := tree.LoadConfig(file, false); err != nil {
		// Its text can show a part of a value, so it is not passed on.
		return nil, failure(path+" is rejected by the reader of UCI files.", hintRewrite)
	}
	names := make([]string, 0, len(lines))
	for name := range lines {
		names = append(names, name)
	}
	for _, o := range config.Options() {
		names = append(names, o.Name)
	}
	values := config.Values{}
	for _, name := range names {
		got, ok := tree.Get(file, section, name)
		if !ok || !slices.Equal(got, lines[name]) {
			return nil, failure("Option "+name+" of interface "+section+" in "+path+" is not read as it is written, or the file has just been changed.", hintRewrite)
		}
		if len(got) > 0 {
			values[name] = got
		}
	}
	return values, nil
}

func at(path string, line int, p *problem) error {
	return failure(path+", line "+strconv.Itoa(line)+": "+p.what+".", p.hint)
}

func failure(message, hint string) error {
	e := fault.New(fault.InvalidOptions, fault.StageConfig, message)
	if hint != "" {
		e.Hint = hint
	}
	return e
}
