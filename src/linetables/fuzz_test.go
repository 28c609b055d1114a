package linetables

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"testing"
)

// section writes a table of three functions, as the linker would.
func section(order binary.AppendByteOrder, ptrSize int) []byte {
	u32 := order.AppendUint32
	names := []byte("main.f\x00main.g\x00main.h\x00\x00\x00\x00")
	units := u32(u32(nil, 0), 5)
	files := []byte("a.go\x00b.go\x00\x00\x00")
	pcs := bytes.Join([][]byte{
		{0},                           // offset 0 stands for no table
		{34, 6, 0},                    // 1: a stack of 16 bytes up to pc 24, which is six instructions
		{16, 1, 2, 1, 0xc0, 15, 4, 0}, // 4: lines 7, 8 and 1000, up to pc 4, 8 and 24
		{4, 6, 0},                     // 12: the second file
		{6, 3, 1, 3, 0},               // 15: pcdata 2 up to pc 12, then 1
		{8, 6, 0},                     // 20: arguments that are alive
	}, nil)
	var funcs []byte
	const count = 3
	record := func(entry, name uint32, withData bool) (r []byte) {
		for _, field := range []uint32{entry, name, 8, 0, 1, 12, 4} {
			r = u32(r, field)
		}
		if !withData {
			return append(u32(u32(u32(r, 0), 0), 3), 0, 0, 0, 0)
		}
		r = append(u32(u32(u32(r, 4), 0), 3), 0, 0, 0, 7)
		for _, word := range []uint32{15, 0, 0, 20, noFuncdata, 11, 12, 13, 14, 15, 16} {
			r = u32(r, word)
		}
		return r
	}
	var records []byte
	for i := range uint32(count) {
		funcs = u32(u32(funcs, 24*i), uint32(8*count+4+len(records)))
		records = append(records, record(24*i, 7*i, i != 1)...)
	}
	funcs = append(u32(funcs, 24*count), records...)

	header := append(u32(nil, magic), 0, 0, 4, byte(ptrSize))
	begin := 8 + 8*ptrSize
	words := []int{count, 2, 0}
	parts := [][]byte{names, units, files, pcs, funcs}
	for i := range parts {
		words = append(words, begin+len(bytes.Join(parts[:i], nil)))
	}
	for _, w := range words {
		if ptrSize == 4 {
			header = u32(header, uint32(w))
		} else {
			header = order.AppendUint64(header, uint64(w))
		}
	}
	return append(header, bytes.Join(parts, nil)...)
}

// variants are the byte orders and word sizes of the routers' processors.
func variants() map[string][]byte {
	return map[string][]byte{
		"mips": section(binary.BigEndian, 4), "mipsle": section(binary.LittleEndian, 4),
		"arm64": section(binary.LittleEndian, 8), "mips64": section(binary.BigEndian, 8),
	}
}

func TestOnlyTheLinesAreCleared(t *testing.T) {
	for name, data := range variants() {
		before, err := parseTable(bytes.Clone(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		after, _ := parseTable(bytes.Clone(data))
		if err := after.clear(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := append(append([]byte{0, 34, 6, 0}, make([]byte, 11)...), 6, 3, 1, 3, 0, 0, 0, 0); !bytes.Equal(after.pcs, want) {
			t.Errorf("%s: of the pc tables % x are left, want % x", name, after.pcs, want)
		}
		if !before.sameButLines(after) || !after.cleared() || before.cleared() {
			t.Errorf("%s: it is not the same without lines", name)
		}
		r := after.records[0]
		for i, want := range []uint32{15, 0, 0, 0, noFuncdata, 11, 12, 13, 14, noFuncdata, noFuncdata} {
			if got := after.word(r.at + recordSize + 4*i); got != want {
				t.Errorf("%s: word %d behind a record is %#x, want %#x", name, i, got, want)
			}
		}
		p := &program{table: before}
		for pc, want := range map[uint64]int{0: 7, 3: 7, 4: 8, 8: 1000, 23: 1000} {
			if file, line := p.line(before.records[1], pc); file != "b.go" || line != want {
				t.Errorf("%s: main.g+%#x is in %s, line %d, want line %d", name, pc, file, line, want)
			}
		}
	}
}

// TestWhatElseChangesIsNoticed changes each byte of a cleared table, and wants the comparison to see all changes that a
// running program could.
func TestWhatElseChangesIsNoticed(t *testing.T) {
	for name, data := range variants() {
		before, _ := parseTable(bytes.Clone(data))
		cleared, _ := parseTable(bytes.Clone(data))
		if err := cleared.clear(); err != nil {
			t.Fatal(err)
		}
		free := map[int]bool{} // bytes that nothing but lines used
		at := func(part []byte) int { return bytes.Index(data, part) }
		pcs := at(before.pcs)
		for i := range before.pcs {
			free[pcs+i] = i == 0 || i >= 4 && i < 15 || i >= 20
		}
		for i := range len(before.units) + len(before.files) {
			free[at(before.units)+i] = true
		}
		for i := range data {
			spoilt := bytes.Clone(cleared.data)
			spoilt[i] ^= 1
			after, err := parseTable(spoilt)
			if same := err == nil && before.sameButLines(after); same && !free[i] {
				t.Errorf("%s: a change of byte %d goes unnoticed", name, i)
			}
		}
	}
}

// FuzzTable clears arbitrary sections: each is refused, or differs from what it was by lines only.
func FuzzTable(f *testing.F) {
	for _, data := range variants() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before, err := parseTable(bytes.Clone(data))
		if err != nil {
			return
		}
		p := &program{table: before, inlines: before.data}
		for i := range before.records {
			p.frames(i, uint64(i))
		}
		after, _ := parseTable(bytes.Clone(data))
		if err := after.clear(); err != nil {
			return
		}
		again, err := parseTable(after.data)
		if err != nil || !before.sameButLines(again) {
			t.Fatalf("clearing changed more than lines: %v", err)
		}
	})
}

// elfFile wraps a section into the smallest ELF file.
func elfFile(order binary.AppendByteOrder, class elf.Class, data []byte) []byte {
	names := []byte("\x00.text\x00.gopclntab\x00.shstrtab\x00")
	endian := elf.ELFDATA2LSB
	if order.String() == "BigEndian" {
		endian = elf.ELFDATA2MSB
	}
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(class), byte(endian), byte(elf.EV_CURRENT)}
	var out []byte
	put := func(v any) { out, _ = binary.Append(out, order.(binary.ByteOrder), v) }
	type part struct {
		name       uint32
		kind       elf.SectionType
		addr, size int
		offset     int
	}
	head, entry := 52, 40
	if class == elf.ELFCLASS64 {
		head, entry = 64, 64
	}
	parts := []part{{}, {1, elf.SHT_PROGBITS, 0x1000, 0, head}, {7, elf.SHT_PROGBITS, 0x2000, len(data), head}, {18, elf.SHT_STRTAB, 0, len(names), head + len(data)}}
	sections := head + len(data) + len(names)
	if class == elf.ELFCLASS64 {
		put(elf.Header64{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_AARCH64), Version: 1, Shoff: uint64(sections), Ehsize: 64,
			Shentsize: uint16(entry), Shnum: uint16(len(parts)), Shstrndx: 3})
	} else {
		put(elf.Header32{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_MIPS), Version: 1, Shoff: uint32(sections), Ehsize: 52,
			Shentsize: uint16(entry), Shnum: uint16(len(parts)), Shstrndx: 3})
	}
	out = append(append(out, data...), names...)
	for _, p := range parts {
		if class == elf.ELFCLASS64 {
			put(elf.Section64{Name: p.name, Type: uint32(p.kind), Addr: uint64(p.addr), Off: uint64(p.offset), Size: uint64(p.size)})
		} else {
			put(elf.Section32{Name: p.name, Type: uint32(p.kind), Addr: uint32(p.addr), Off: uint32(p.offset), Size: uint32(p.size)})
		}
	}
	return out
}

// FuzzFile clears arbitrary files: none makes it panic, and only the section ever changes.
func FuzzFile(f *testing.F) {
	f.Add(elfFile(binary.BigEndian, elf.ELFCLASS32, section(binary.BigEndian, 4)))
	f.Add(elfFile(binary.LittleEndian, elf.ELFCLASS64, section(binary.LittleEndian, 8)))
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, file []byte) {
		original := bytes.Clone(file)
		if cleared, err := Clear(file); err == nil && len(cleared) != len(file) {
			t.Fatalf("cleared, a file of %d bytes has %d", len(file), len(cleared))
		}
		p, err := parseELF(file) // also files that do not say which release made them
		if err == nil {
			var cleared []byte
			if cleared, err = p.clear(); errors.Is(err, errChanged) {
				t.Fatal(err)
			}
			if err == nil && len(cleared) != len(file) {
				t.Fatalf("cleared, a file of %d bytes has %d", len(file), len(cleared))
			}
			(&Symbols{p: p}).Lookup(p.text + 1)
		}
		if !bytes.Equal(file, original) {
			t.Fatal("the file that was given has changed")
		}
	})
}

func TestTheSmallestFilesAreCleared(t *testing.T) {
	for _, file := range [][]byte{
		elfFile(binary.BigEndian, elf.ELFCLASS32, section(binary.BigEndian, 4)), elfFile(binary.LittleEndian, elf.ELFCLASS64, section(binary.LittleEndian, 8)),
	} {
		p, err := parseELF(file)
		if err != nil {
			t.Fatal(err)
		}
		if cleared, err := p.clear(); err != nil || bytes.Equal(cleared, file) {
			t.Errorf("%v", err)
		}
	}
}

// FuzzAnnotate reads arbitrary logs: what it returns has as many lines, and only those of tracebacks are others.
func FuzzAnnotate(f *testing.F) {
	f.Add("main.f(0x1)\n\t?:0 +0x5\ncreated by main.g in goroutine 1\n\t?:0 +0xffffffffffffffffff\n[signal SIGSEGV: pc=0x1003]\nPC=0x1 m=0")
	p, err := parseELF(elfFile(binary.BigEndian, elf.ELFCLASS32, section(binary.BigEndian, 4)))
	if err != nil {
		f.Fatal(err)
	}
	s := newSymbols(p)
	f.Fuzz(func(t *testing.T, log string) {
		got := s.Annotate(log)
		if bytes.Count([]byte(got), []byte("\n")) != bytes.Count([]byte(log), []byte("\n")) {
			t.Fatalf("%q became %q", log, got)
		}
	})
}
