package linetables

import (
	"fmt"
	"sort"
	"strings"
)

// Frame is a function and a line in it.
type Frame struct {
	Function string
	File     string
	Line     int
}

func (f Frame) position() string { return fmt.Sprintf("%s:%d", f.File, f.Line) }

// inlinedCallSize is the size of runtime.inlinedCall: identity, name, position of the call, first line.
const inlinedCallSize = 16

// frames returns the functions that contain an instruction, innermost first: those that the compiler inlined, and the one
// that they were inlined into. The pc counts from the beginning of function i.
func (p *program) frames(i int, pc uint64) []Frame {
	r := p.records[i]
	var frames []Frame
	for {
		f := Frame{Function: p.name(r)}
		call, inlined := p.inlinedCall(r, pc)
		if inlined {
			f.Function = cString(p.names, p.order.Uint32(call[4:]))
		}
		f.File, f.Line = p.line(r, pc)
		frames = append(frames, f)
		if !inlined || len(frames) > 1000 {
			return frames
		}
		pc = uint64(p.order.Uint32(call[8:]))
	}
}

// inlinedCall returns the innermost inlined call that a pc belongs to.
func (p *program) inlinedCall(r record, pc uint64) ([]byte, bool) {
	tree := p.funcdata(r, funcdataInlTree)
	if tree == noFuncdata || r.npcdata <= pcdataInlTree {
		return nil, false
	}
	index := p.value(p.word(r.at+recordSize+4*pcdataInlTree), pc)
	at := uint64(tree) + uint64(index)*inlinedCallSize
	if index < 0 || at+inlinedCallSize > uint64(len(p.inlines)) {
		return nil, false
	}
	return p.inlines[at:], true
}

// line returns file and line of a pc.
func (p *program) line(r record, pc uint64) (string, int) {
	file := p.value(p.word(r.at+fieldPCFile), pc)
	line := p.value(p.word(r.at+fieldPCLine), pc)
	at := 4 * (uint64(p.word(r.at+fieldCU)) + uint64(file))
	if file < 0 || line < 0 || at+4 > uint64(len(p.units)) {
		return "?", 0
	}
	return cString(p.files, p.order.Uint32(p.units[at:])), int(line)
}

// at returns the function that contains an address, and the address in it.
func (p *program) at(address uint64) (i int, pc uint64, ok bool) {
	offset := address - p.text
	if address < p.text || offset >= p.end {
		return 0, 0, false
	}
	i = sort.Search(len(p.records), func(i int) bool { return p.records[i].entry > offset }) - 1
	if i < 0 {
		return 0, 0, false
	}
	return i, offset - p.records[i].entry, true
}

// printed writes a function's name as tracebacks do: without the types of a generic function, and with panic for what
// panic calls.
func printed(name string) string {
	if name == "runtime.gopanic" {
		return "panic"
	}
	from, to := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if from < 0 || to < from {
		return name
	}
	return name[:from] + "[...]" + name[to+1:]
}
