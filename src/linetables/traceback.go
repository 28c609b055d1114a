package linetables

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Symbols is a program with its line tables, which knows file and line of every instruction of the program that was cleared.
type Symbols struct {
	p       *program
	byNames map[string][]int // functions by the names that tracebacks show
}

// Open reads a program that has its line tables.
func Open(file []byte) (*Symbols, error) {
	p, err := parse(file)
	if err != nil {
		return nil, err
	}
	if p.cleared() {
		return nil, errors.New("this file has no line tables: give the one that was kept when it was built")
	}
	return newSymbols(p), nil
}

func newSymbols(p *program) *Symbols {
	s := &Symbols{p: p, byNames: map[string][]int{}}
	for i, r := range p.records {
		name := printed(p.name(r))
		s.byNames[name] = append(s.byNames[name], i)
	}
	return s
}

// Lookup returns the functions that contain the instruction at an address, innermost first, or nil where there is none.
func (s *Symbols) Lookup(address uint64) []Frame {
	i, pc, ok := s.p.at(address)
	if !ok {
		return nil
	}
	return s.p.frames(i, pc)
}

var (
	// calleeLine names a function, behind whatever a log puts before it: main.f(0x1, {0x2, 0x3}), created by main.f in goroutine 1.
	calleeLine = regexp.MustCompile(`(?:^|[ \t])(\S+)\([^()]*\)$`)
	createdBy  = regexp.MustCompile(`created by (\S+)(?: in goroutine \d+)?$`)
	// positionLine is the line after it, with the offset in the function, unless that was inlined or has not begun.
	positionLine = regexp.MustCompile(`\?:0( \+0x([0-9a-f]+))?( fp=0x[0-9a-f]+ sp=0x[0-9a-f]+ pc=0x[0-9a-f]+)?$`)
	// faultLine has the address of the instruction that a signal stopped.
	faultLine = regexp.MustCompile(`(?:\[signal .* pc=|(?:^|[ \t])PC=)0x([0-9a-f]+)\b`)
)

// Annotate returns a log with file and line in the place of each ?:0 of a traceback. Of the inlined functions in a traceback
// only the one that they were inlined into has an offset, and it comes last: it gives the position of all.
func (s *Symbols) Annotate(log string) string {
	lines := strings.Split(log, "\n")
	stopped := map[uint64]bool{}  // addresses that signals stopped at
	var inlined []positionedFrame // since the last frame with an offset
	for n, line := range lines {
		text := strings.TrimRight(line, "\r")
		m := positionLine.FindStringSubmatchIndex(text)
		if m == nil {
			if pc := faultLine.FindStringSubmatch(text); pc != nil {
				address, _ := strconv.ParseUint(pc[1], 16, 64)
				stopped[address] = true
				if frames := s.Lookup(address); frames != nil {
					lines[n] = text + "  " + frames[0].Function + " " + frames[0].position() + line[len(text):]
				}
			}
			continue
		}
		name := ""
		if n > 0 {
			name = callee(strings.TrimRight(lines[n-1], "\r"))
		}
		if m[2] < 0 {
			inlined = append(inlined, positionedFrame{n, name})
			continue
		}
		offset, _ := strconv.ParseUint(text[m[4]:m[5]], 16, 64)
		s.place(lines, inlined, positionedFrame{n, name}, offset, stopped)
		inlined = nil
	}
	s.place(lines, inlined, positionedFrame{}, 0, nil)
	return strings.Join(lines, "\n")
}

// positionedFrame is a frame of a traceback: the line that says ?:0, and the function's name from the line before it.
type positionedFrame struct {
	line int
	name string
}

// callee returns the function's name that a line of a traceback has.
func callee(line string) string {
	if m := createdBy.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	if m := calleeLine.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// place writes the position of a frame with an offset, and of those before it that were inlined into it.
func (s *Symbols) place(lines []string, inlined []positionedFrame, outer positionedFrame, offset uint64, stopped map[uint64]bool) {
	var positions []string
	var inner []Frame // of the only function that it can be
	for _, i := range s.byNames[outer.name] {
		if offset >= s.p.size(i) && offset != 0 {
			continue
		}
		// A frame's address is where it goes on when the call returns, unless a signal stopped it there.
		pc := offset
		if offset > 0 && !stopped[s.p.text+s.p.records[i].entry+offset] {
			pc--
		}
		frames := s.p.frames(i, pc)
		if position := frames[len(frames)-1].position(); !slices.Contains(positions, position) {
			positions = append(positions, position)
			inner = frames[:len(frames)-1]
		}
	}
	for _, f := range inlined {
		k := slices.IndexFunc(inner, func(in Frame) bool { return printed(in.Function) == f.name })
		if k >= 0 && len(positions) == 1 {
			replace(lines, f.line, inner[k].position())
			inner = inner[k+1:]
		} else if at := s.byNames[f.name]; len(at) == 1 { // a goroutine that has not begun has no offset either
			frames := s.p.frames(at[0], 0)
			replace(lines, f.line, frames[len(frames)-1].position())
		}
	}
	if len(positions) > 0 {
		replace(lines, outer.line, strings.Join(positions, " or "))
	}
}

func replace(lines []string, n int, position string) {
	i := strings.LastIndex(lines[n], "?:0")
	lines[n] = lines[n][:i] + position + lines[n][i+len("?:0"):]
}
