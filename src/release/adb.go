package main

import (
	"bytes"

	"compress/flate"
	"crypto/sha512"
	"encoding/binary"
	"slices"
)

// ADB is the container of apk version 3: a header and blocks. The first block holds a tree of values that refer to each other by
// offset. Everything is little-endian. apk-tools 3.0.6, src/adb.h and src/apk_adb.h.
const (
	adbMagic = "ADB."

	schemaPackage = "pckg"
	schemaIndex   = "indx"

	blockADB       = 0
	blockSignature = 1
	blockData      = 2

	// A value's kind is in its upper four bits, an offset or a small number below.
	kindInt    = 0x10000000
	kindInt32  = 0x20000000
	kindInt64  = 0x30000000
	kindBlob8  = 0x80000000
	kindBlob16 = 0x90000000
	kindBlob32 = 0xa0000000
	kindArray  = 0xd0000000
	kindObject = 0xe0000000

	maxInlineInt = 0x10000000
	offsetMask   = 0x0fffffff
)

// value is a reference into an adb; 0 is no value.
type value uint32

// adb is a tree of values under construction, from the leaves to the root.
type adb struct {
	buf  []byte
	seen map[string]int // offsets of what is there already, so that equal things are written once
}

// newADB returns an empty tree: compatible version 0, version 0, two reserved bytes and the root.
func newADB() *adb { return &adb{buf: make([]byte, 8), seen: map[string]int{}} }

// put writes bytes at a multiple of align and returns the offset.
func (a *adb) put(b []byte, align int) int {
	for len(a.buf)%align != 0 {
		a.buf = append(a.buf, 0)
	}
	at := len(a.buf)
	a.buf = append(a.buf, b...)
	return at
}

// once is put, but returns the offset of equal bytes that are already there.
func (a *adb) once(b []byte, align int) value {
	if at, ok := a.seen[string(b)]; ok && at%align == 0 {
		return value(at)
	}
	at := a.put(b, align)
	a.seen[string(b)] = at
	return value(at)
}

// blob writes bytes with their length before them.
func (a *adb) blob(b []byte) value {
	switch n := len(b); {
	case n == 0:
		return 0
	case n <= 0xff:
		return kindBlob8 | a.once(append([]byte{byte(n)}, b...), 1)
	case n <= 0xffff:
		return kindBlob16 | a.once(append(binary.LittleEndian.AppendUint16(nil, uint16(n)), b...), 2)
	default:
		return kindBlob32 | a.once(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), b...), 4)
	}
}

func (a *adb) text(s string) value { return a.blob([]byte(s)) }

func (a *adb) number(n uint64) value {
	switch {
	case n < maxInlineInt:
		return kindInt | value(n)
	case n <= 0xffffffff:
		return kindInt32 | a.once(binary.LittleEndian.AppendUint32(nil, uint32(n)), 4)
	default:
		return kindInt64 | a.once(binary.LittleEndian.AppendUint64(nil, n), 4)
	}
}

// object writes fields by their number, without trailing fields that have no value.
func (a *adb) object(fields map[int]value) value {
	last := 0
	for i, v := range fields {
		if v != 0 {
			last = max(last, i)
		}
	}
	slots := make([]value, last)
	for i, v := range fields {
		if v != 0 {
			slots[i-1] = v
		}
	}
	return a.slots(kindObject, slots)
}

// array writes values, which the caller must sort.
func (a *adb) array(values []value) value { return a.slots(kindArray, values) }

func (a *adb) slots(kind value, slots []value) value {
	if len(slots) == 0 {
		return 0
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(slots)+1))
	for _, v := range slots {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return kind | a.once(b, 4)
}

// finish sets the root and returns the tree's bytes.
func (a *adb) finish(root value) []byte {
	binary.LittleEndian.PutUint32(a.buf[4:], uint32(root))
	return a.buf
}

// dependencies writes names of packages of any version.
func (a *adb) dependencies(names []string) value {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	values := make([]value, 0, len(names))
	for _, name := range names {
		values = append(values, a.object(map[int]value{dependencyName: a.text(name)}))
	}
	return a.array(values)
}

// appendBlock appends a block, padded to a multiple of eight bytes.
func appendBlock(dst []byte, kind uint32, parts ...[]byte) []byte {
	size := 4
	for _, p := range parts {
		size += len(p)
	}
	dst = binary.LittleEndian.AppendUint32(dst, kind<<30|uint32(size))
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return append(dst, make([]byte, -size&7)...)
}

// container wraps a tree and the blocks after it into a file, signed where there is a key.
func container(schema string, tree []byte, key *apkKey, blocks []byte) ([]byte, error) {
	plain := append([]byte(adbMagic), schema...)
	plain = appendBlock(plain, blockADB, tree)
	if key != nil {
		signature, err := key.sign(schema, sha512.Sum512(tree))
		if err != nil {
			return nil, err
		}
		plain = appendBlock(plain, blockSignature, signature)
	}
	plain = append(plain, blocks...)
	out := bytes.NewBufferString("ADBd") // compressed by deflate, without a header of its own
	z, err := flate.NewWriter(out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
