package linetables

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// magic begins the section since Go 1.20.
const magic = 0xfffffff1

// The fields of a function's record, runtime._func, by their offsets.
const (
	fieldEntry     = 0
	fieldName      = 4
	fieldPCSP      = 16
	fieldPCFile    = 20
	fieldPCLine    = 24
	fieldPCData    = 28 // how many tables of pcdata follow the record
	fieldCU        = 32
	fieldStartLine = 36
	fieldFuncData  = 43 // how many offsets of funcdata follow those; one byte
	recordSize     = 44
)

// What the runtime numbers, internal/abi/symtab.go.
const (
	pcdataInlTree      = 2
	pcdataArgLiveIndex = 3
	funcdataInlTree    = 3
	funcdataArgInfo    = 5
	funcdataArgLive    = 6
	noFuncdata         = 1<<32 - 1
	// maxTables is more than any release has numbered. A record with more is not what we take it for.
	maxTables = 16
)

// errTable says that the section does not have the layout that its header announces.
var errTable = errors.New("the table of functions does not have the layout that it announces")

// table is the section .gopclntab.
type table struct {
	data    []byte
	order   binary.ByteOrder
	quantum uint64 // smallest size of an instruction
	// What the header points to. They follow each other in this order.
	names, units, files, pcs, funcs []byte
	records                         []record
	end                             uint64 // of the last function, as offset in the text
}

// record is a function's record. It begins at the offset at in table.funcs.
type record struct {
	at                 int
	entry              uint64 // as offset in the text
	npcdata, nfuncdata int
}

// parseTable reads the header and finds all records. It checks all offsets and counts that the records contain, except those
// into the pc tables, which decode checks.
func parseTable(data []byte) (*table, error) {
	if len(data) < 8 {
		return nil, errTable
	}
	t := &table{data: data, order: binary.LittleEndian}
	if t.order.Uint32(data) != magic {
		t.order = binary.BigEndian
	}
	size := int(data[7])
	t.quantum = uint64(data[6])
	switch {
	case t.order.Uint32(data) != magic:
		return nil, unknown("the table of functions has the unknown magic number %x", data[:4])
	case data[4] != 0 || data[5] != 0, size != 4 && size != 8, t.quantum != 1 && t.quantum != 2 && t.quantum != 4, len(data) < 8+8*size:
		return nil, errTable
	}
	word := func(i int) uint64 {
		if size == 4 {
			return uint64(t.order.Uint32(data[8+4*i:]))
		}
		return t.order.Uint64(data[8+8*i:])
	}
	// The words are: functions, files, an unused one, and five offsets.
	begin := uint64(8 + 8*size)
	for i, part := range []*[]byte{&t.names, &t.units, &t.files, &t.pcs, &t.funcs} {
		from, to := word(3+i), uint64(len(data))
		if i < 4 {
			to = word(4 + i)
		}
		if from < begin || to < from || to > uint64(len(data)) {
			return nil, errTable
		}
		*part = data[from:to:to]
	}
	count := word(0)
	if len(t.pcs) == 0 || count == 0 || count > uint64(len(t.funcs))/8 || 8*count+4 > uint64(len(t.funcs)) {
		return nil, errTable
	}
	return t, t.findRecords(int(count))
}

// findRecords reads the list of functions: a pair of entry and record for each, and the end of the last one.
func (t *table) findRecords(count int) error {
	free := 8*count + 4 // the records follow the list and each other
	for i := range count {
		r := record{entry: uint64(t.word(8 * i)), at: int(t.word(8*i + 4))}
		if r.at < free || r.at > len(t.funcs)-recordSize || t.word(r.at+fieldEntry) != t.word(8*i) {
			return errTable
		}
		npcdata := t.word(r.at + fieldPCData)
		r.nfuncdata = int(t.funcs[r.at+fieldFuncData])
		if npcdata > maxTables || r.nfuncdata > maxTables || t.word(r.at+fieldName) >= uint32(len(t.names)) {
			return errTable
		}
		r.npcdata = int(npcdata)
		free = r.at + recordSize + 4*(r.npcdata+r.nfuncdata)
		if free > len(t.funcs) || i > 0 && r.entry < t.records[i-1].entry {
			return errTable
		}
		t.records = append(t.records, r)
	}
	t.end = uint64(t.word(8 * count))
	if t.end < t.records[count-1].entry {
		return errTable
	}
	return nil
}

// word returns the 32-bit word at an offset in t.funcs.
func (t *table) word(at int) uint32 { return t.order.Uint32(t.funcs[at:]) }

// size returns how many bytes of text a function has.
func (t *table) size(i int) uint64 {
	if i+1 < len(t.records) {
		return t.records[i+1].entry - t.records[i].entry
	}
	return t.end - t.records[i].entry
}

// name returns a function's name.
func (t *table) name(r record) string { return cString(t.names, t.word(r.at+fieldName)) }

// kept returns the offsets of a function's pc tables that the runtime works with: stack sizes, and all pcdata but that for
// the arguments in tracebacks. Zero stands for no table.
func (t *table) kept(r record) []uint32 {
	offsets := []uint32{t.word(r.at + fieldPCSP)}
	for i := range r.npcdata {
		if i != pcdataArgLiveIndex {
			offsets = append(offsets, t.word(r.at+recordSize+4*i))
		}
	}
	return offsets
}

// tracebackOnly returns the words of a function's record that only serve what a traceback prints, each with the value that stands
// for nothing: file, line, and where the values of the arguments are.
func (t *table) tracebackOnly(r record) map[int]uint32 {
	words := map[int]uint32{r.at + fieldPCFile: 0, r.at + fieldPCLine: 0, r.at + fieldCU: 0, r.at + fieldStartLine: 0}
	if pcdataArgLiveIndex < r.npcdata {
		words[r.at+recordSize+4*pcdataArgLiveIndex] = 0
	}
	for _, i := range []int{funcdataArgInfo, funcdataArgLive} {
		if i < r.nfuncdata {
			words[r.at+recordSize+4*(r.npcdata+i)] = noFuncdata
		}
	}
	return words
}

// funcdata returns an offset of a function's funcdata.
func (t *table) funcdata(r record, i int) uint32 {
	if i >= r.nfuncdata {
		return noFuncdata
	}
	return t.word(r.at + recordSize + 4*(r.npcdata+i))
}

// span is what a pc table says: value is valid up to pc, which counts from the function's entry.
type span struct {
	pc    uint64
	value int32
}

// decode reads the pc table that begins at an offset. It returns its contents, and the offset of the byte behind it.
func (t *table) decode(offset uint32) (spans []span, end int, err error) {
	if uint64(offset) >= uint64(len(t.pcs)) {
		return nil, 0, errTable
	}
	at, pc, value := int(offset), uint64(0), int32(-1)
	for {
		delta, n := uvarint32(t.pcs[at:])
		if n == 0 {
			return nil, 0, errTable
		}
		at += n
		if delta == 0 && len(spans) > 0 {
			return spans, at, nil
		}
		value += int32(-(delta & 1) ^ delta>>1)
		advance, n := uvarint32(t.pcs[at:])
		if n == 0 {
			return nil, 0, errTable
		}
		at += n
		pc += uint64(advance) * t.quantum
		spans = append(spans, span{pc, value})
	}
}

// value looks up a pc, which counts from the function's entry, in the pc table at an offset. It returns -1 where there is
// none.
func (t *table) value(offset uint32, pc uint64) int32 {
	if offset == 0 {
		return -1
	}
	spans, _, _ := t.decode(offset)
	for _, s := range spans {
		if pc < s.pc {
			return s.value
		}
	}
	return -1
}

// uvarint32 reads a number of up to 32 bits, 7 bits a byte. A length of 0 means that there is none.
func uvarint32(b []byte) (uint32, int) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > 1<<32-1 {
		return 0, 0
	}
	return uint32(v), n
}

// cString returns the text up to the next zero byte.
func cString(b []byte, offset uint32) string {
	if uint64(offset) >= uint64(len(b)) {
		return ""
	}
	text, _, _ := bytes.Cut(b[offset:], []byte{0})
	return string(text)
}
