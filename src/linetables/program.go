package linetables

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// releases are those of Go whose layout this package knows and has been tried with. 1.26 stands for 1.26.1 as well.
var releases = []string{"1.26"}

// UnknownError says why a file is left as it is: nothing is wrong with it, but this package does not know it.
type UnknownError struct{ reason string }

func (e *UnknownError) Error() string { return e.reason }

func unknown(format string, args ...any) error { return &UnknownError{fmt.Sprintf(format, args...)} }

// program is a linked Go program.
type program struct {
	*table
	file    []byte
	section *elf.Section // .gopclntab
	text    uint64       // address of the code
	inlines []byte       // go:func.*, where the inlining trees are; nil where it cannot be found
}

// parse finds the table of functions in an ELF file and checks that its layout is known.
func parse(file []byte) (*program, error) {
	info, err := buildinfo.Read(bytes.NewReader(file))
	if err != nil {
		return nil, unknown("it is not a Go program: %v", err)
	}
	if !knownRelease(info.GoVersion) {
		return nil, unknown("it was built by %s, and the layout is known of go%s only", info.GoVersion, strings.Join(releases, ", go"))
	}
	return parseELF(file)
}

// knownRelease reports whether a version such as go1.26.8 or go1.26.8 X:nodwarf5 is one of releases.
func knownRelease(version string) bool {
	version, _, _ = strings.Cut(version, " ")
	return slices.ContainsFunc(releases, func(r string) bool { return version == "go"+r || strings.HasPrefix(version, "go"+r+".") })
}

func parseELF(file []byte) (*program, error) {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, unknown("it is not an ELF file: %v", err)
	}
	p := &program{file: file, section: f.Section(".gopclntab")}
	data := contents(file, p.section)
	text := f.Section(".text")
	if data == nil || text == nil {
		return nil, unknown("it has no sections .text and .gopclntab")
	}
	if p.table, err = parseTable(data); err != nil {
		return nil, err
	}
	if p.order != f.ByteOrder {
		return nil, errTable
	}
	p.text = text.Addr
	p.findInlines(f)
	return p, nil
}

// The words of runtime.moduledata that we need.
const (
	moduleText   = 22
	moduleGoFunc = 40
)

// findInlines finds the trees of inlined calls. The section .go.module tells where they are.
func (p *program) findInlines(f *elf.File) {
	module := contents(p.file, f.Section(".go.module"))
	size := int(p.data[7])
	if len(module) < (moduleGoFunc+1)*size {
		return
	}
	word := func(i int) uint64 {
		if size == 4 {
			return uint64(p.order.Uint32(module[4*i:]))
		}
		return p.order.Uint64(module[8*i:])
	}
	at := word(moduleGoFunc) - p.section.Addr
	if word(moduleText) == p.text && at < uint64(len(p.data)) {
		p.inlines = p.data[at:]
	}
}

// contents returns the bytes of a section in the file, or nil where there are none.
func contents(file []byte, s *elf.Section) []byte {
	if s == nil || s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_COMPRESSED != 0 || s.Offset > uint64(len(file)) || s.Size > uint64(len(file))-s.Offset {
		return nil
	}
	return file[s.Offset : s.Offset+s.Size : s.Offset+s.Size]
}
