package linetables

import (
	"bytes"
	"errors"
	"slices"
)

// Clear returns a copy of a linked Go program whose line tables are zero, and whose tracebacks have no arguments. The error is an *UnknownError where the program
// is none that this package knows; any other error means that it is damaged, or that this package is.
func Clear(file []byte) ([]byte, error) {
	before, err := parse(file)
	if err != nil {
		return nil, err
	}
	return before.clear()
}

// Cleared reports whether a program has no line tables, for it was cleared already.
func Cleared(file []byte) bool {
	p, err := parse(file)
	return err == nil && p.cleared()
}

func (t *table) cleared() bool {
	return !slices.ContainsFunc(t.records, func(r record) bool {
		return t.word(r.at+fieldPCFile) != 0 || t.word(r.at+fieldPCLine) != 0
	})
}

func (p *program) clear() ([]byte, error) {
	file := bytes.Clone(p.file)
	after, err := parseELF(file)
	if err != nil {
		return nil, err
	}
	if err := after.table.clear(); err != nil {
		return nil, err
	}
	// What counts is what a reader of the new file finds.
	again, err := parseELF(file)
	if err != nil {
		return nil, errChanged
	}
	from, to := p.section.Offset, p.section.Offset+p.section.Size
	if !bytes.Equal(file[:from], p.file[:from]) || !bytes.Equal(file[to:], p.file[to:]) || !p.sameButLines(again.table) {
		return nil, errChanged
	}
	return file, nil
}

var errChanged = errors.New("clearing the line tables changed something else: this is a bug, and the file stays as it is")

// clear sets to zero what only serves tracebacks, in place.
func (t *table) clear() error {
	live := make([]bool, len(t.pcs))
	live[0] = true // offset 0 stands for no table
	done := map[uint32]bool{0: true}
	for _, r := range t.records {
		for _, offset := range t.kept(r) {
			if done[offset] {
				continue
			}
			done[offset] = true
			_, end, err := t.decode(offset)
			if err != nil {
				return err
			}
			for i := int(offset); i < end; i++ {
				live[i] = true
			}
		}
	}
	for i := range t.pcs {
		if !live[i] {
			t.pcs[i] = 0
		}
	}
	for _, r := range t.records {
		for at, nothing := range t.tracebackOnly(r) {
			t.order.PutUint32(t.funcs[at:], nothing)
		}
	}
	clear(t.units)
	clear(t.files)
	return nil
}

// sameButLines reports whether a cleared table is the same for everything but tracebacks: all that the runtime works with has
// the same contents, each table of each function decodes to the same, and what is gone has the value that stands for nothing.
func (t *table) sameButLines(o *table) bool {
	header := len(t.data) - len(t.names) - len(t.units) - len(t.files) - len(t.pcs) - len(t.funcs)
	if len(t.data) != len(o.data) || !bytes.Equal(t.data[:header], o.data[:header]) || !bytes.Equal(t.names, o.names) ||
		len(t.records) != len(o.records) {
		return false
	}
	funcs := bytes.Clone(t.funcs)
	same := map[[2]uint32]bool{{0, 0}: true}
	for i, r := range t.records {
		if r != o.records[i] {
			return false
		}
		for k, offset := range t.kept(r) {
			other := o.kept(r)[k]
			if same[[2]uint32{offset, other}] {
				continue
			}
			mine, _, err := t.decode(offset)
			theirs, _, otherErr := o.decode(other)
			if err != nil || otherErr != nil || !slices.Equal(mine, theirs) {
				return false
			}
			same[[2]uint32{offset, other}] = true
		}
		for at, nothing := range t.tracebackOnly(r) {
			t.order.PutUint32(funcs[at:], nothing)
		}
	}
	return bytes.Equal(funcs, o.funcs)
}
