package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// moduleOrder returns the files of the wanted kernel modules, each after those that it depends on, and adds them to seen. It
// leaves out modules that have been seen and modules that have no file: they are built in, or the architecture has none.
func moduleOrder(root string, wanted []string, seen map[string]bool) ([]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, "lib", "modules"), func(path string, d fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(path), ".ko"); ok && err == nil {
			files[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return inOrder(files, wanted, seen, moduleDepends)
}

// inOrder is moduleOrder with the modules' files by name.
func inOrder(files map[string]string, wanted []string, seen map[string]bool, depends func(path string) ([]string, error)) ([]string, error) {
	var order []string
	var add func(name string) error
	add = func(name string) error {
		path, ok := files[name]
		if !ok || seen[name] {
			return nil
		}
		seen[name] = true
		before, err := depends(path)
		if err != nil {
			return err
		}
		for _, d := range before {
			if err := add(moduleName(d)); err != nil {
				return err
			}
		}
		order = append(order, path)
		return nil
	}
	for _, name := range wanted {
		if err := add(moduleName(name)); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// moduleName returns the kernel's name of a module's file, in which hyphens are underscores.
func moduleName(file string) string { return strings.ReplaceAll(file, "-", "_") }

// moduleDepends returns the names of the modules that a module's description says it depends on.
func moduleDepends(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%s describes itself nowhere", path)
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	return dependsIn(info), nil
}

// dependsIn returns the names in a module's description (.modinfo).
func dependsIn(info []byte) []string {
	for _, entry := range bytes.Split(info, []byte{0}) {
		if names, ok := strings.CutPrefix(string(entry), "depends="); ok && names != "" {
			return strings.Split(names, ",")
		}
	}
	return nil
}
