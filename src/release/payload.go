package main

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// payload is the files of a package: entries by their path on the router, without the leading slash.
type payload map[string]entry

// entry is a folder or a file.
type entry struct {
	mode fs.FileMode // permissions, and fs.ModeDir
	data []byte
}

// addFile adds a file and the folders above it.
func (p payload) addFile(name string, mode fs.FileMode, data []byte) {
	p.addFolders(path.Dir(name))
	p[name] = entry{mode: mode, data: data}
}

// addFolder adds a folder with other permissions than usual.
func (p payload) addFolder(name string, mode fs.FileMode) {
	p.addFolders(path.Dir(name))
	p[name] = entry{mode: mode | fs.ModeDir}
}

func (p payload) addFolders(name string) {
	for ; name != "."; name = path.Dir(name) {
		if _, there := p[name]; !there {
			p[name] = entry{mode: 0o755 | fs.ModeDir}
		}
	}
}

// addTree adds the files of a project's folder below a folder of the router. Of the permissions it keeps what git keeps.
func (p payload) addTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		p.addFile(path.Join(to, filepath.ToSlash(relative)), mode, data)
		return nil
	})
}

// names returns all paths in the order of their parts, a folder before its contents.
func (p payload) names() []string {
	return slices.SortedFunc(maps.Keys(p), func(a, b string) int {
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
}

// files returns the paths of the files without the folders.
func (p payload) files() []string {
	return slices.DeleteFunc(p.names(), func(name string) bool { return p[name].mode.IsDir() })
}

// size returns the sum of the files' sizes.
func (p payload) size() (n int) {
	for _, e := range p {
		n += len(e.data)
	}
	return n
}
