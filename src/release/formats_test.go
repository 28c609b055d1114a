package main

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"
)

// sample returns a package with everything that a package can have.
func sample() *pack {
	p := &pack{
		name: "sample", version: "1.2.3-r1", arch: "mips_24kc", title: "Sample", description: "  A sample\n  of two lines.\n", section: "net",
		license: "Apache-2.0", maintainer: "Somebody", user: "sample:sample", depends: []string{"b", "a"}, recommends: []string{"c"},
		provides: []string{"other"}, conflicts: []string{"other"},
		scripts: map[string]string{"preinst": "#!/bin/sh\nexit 0\n", "postinst": "#!/bin/sh\necho done\n"}, files: payload{},
	}
	p.files.addFile("usr/sbin/sample", 0o755, bytes.Repeat([]byte("program "), 100))
	p.files.addFile("etc/empty", 0o644, nil)
	p.files.addFile("usr/sbin.d/x", 0o644, []byte("sorts differently by bytes and by parts\n"))
	p.files.addFolder("etc/sample", 0o700)
	return p
}

var noon = time.Unix(1700000000, 0)

func TestAnIpkHoldsWhatWasPutIn(t *testing.T) {
	p := sample()
	f, err := ipk(p, noon)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := untar(f.data)
	if err != nil || string(outer["debian-binary"].data) != "2.0\n" {
		t.Fatalf("%v, debian-binary is %q", err, outer["debian-binary"].data)
	}
	files, err := untar(outer["data.tar.gz"].data)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(files, p.files, func(a, b entry) bool { return a.mode == b.mode && bytes.Equal(a.data, b.data) }) {
		t.Errorf("unpacked is %v, packed was %v", files.names(), p.files.names())
	}
	control, err := untar(outer["control.tar.gz"].data)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"control": "Depends: b, a\nRecommends: c\nConflicts: other\nProvides: other\n", "preinst": "exit 0", "postinst": "default_postinst $0 $@",
		"postinst-pkg": "echo done", "prerm": "default_prerm $0 $@",
	} {
		if got := string(control[name].data); !strings.Contains(got, want) {
			t.Errorf("%s is\n%s, want in it %q", name, got, want)
		}
	}
	if mode := control["postinst-pkg"].mode; mode != 0o755 {
		t.Errorf("postinst-pkg has mode %v", mode)
	}
	if _, there := control["prerm-pkg"]; there {
		t.Error("there is a prerm-pkg, which the package has not")
	}
	if want := "Description:  A sample\n of two lines.\n"; !strings.HasSuffix(f.control, want) {
		t.Errorf("the description ends with\n%s, want %q", f.control, want)
	}
}

func TestTheSamePackageIsTheSameBytes(t *testing.T) {
	key := newAPKKey(t)
	make := func() []byte {
		i, err := ipk(sample(), noon)
		if err != nil {
			t.Fatal(err)
		}
		a, err := apk(sample(), noon, key)
		if err != nil {
			t.Fatal(err)
		}
		index, err := apkIndex([]*apkFile{a}, key)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Join([][]byte{i.data, a.data, opkgIndex([]*ipkFile{i}), index}, nil)
	}
	first := make()
	for range 20 { // maps are walked in another order each time
		if !bytes.Equal(make(), first) {
			t.Fatal("two runs gave different bytes")
		}
	}
}

func TestTheIndexForOpkgNamesSizeAndHash(t *testing.T) {
	f, err := ipk(sample(), noon)
	if err != nil {
		t.Fatal(err)
	}
	plain := opkgIndex([]*ipkFile{f})
	want := fmt.Sprintf("Filename: sample_1.2.3-r1_mips_24kc.ipk\nSize: %d\nSHA256sum: %x\nDescription:  A sample\n of two lines.\n\n",
		len(f.data), sha256.Sum256(f.data))
	if !strings.HasSuffix(string(plain), want) {
		t.Errorf("the index is\n%s, want at its end\n%s", plain, want)
	}
}

// The tests with tag packages let apk itself read our files.
func TestAnApkIsBlocksOfEightBytesWithTheFilesInOrder(t *testing.T) {
	f, err := apk(sample(), noon, nil)
	if err != nil {
		t.Fatal(err)
	}
	packed, ok := bytes.CutPrefix(f.data, []byte("ADBd"))
	if !ok {
		t.Fatalf("begins with %q", f.data[:4])
	}
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	blocks, ok := bytes.CutPrefix(plain, []byte("ADB.pckg"))
	if !ok {
		t.Fatalf("unpacked it begins with %q", plain[:8])
	}
	var kinds []uint32
	var last uint64
	for len(blocks) > 0 {
		head := binary.LittleEndian.Uint32(blocks)
		size := int(head &^ (3 << 30))
		kinds = append(kinds, head>>30)
		if head>>30 == blockADB && sha256.Sum256(blocks[4:size]) != f.tree {
			t.Error("the identity in the index is not the tree's hash")
		}
		if head>>30 == blockData {
			at := uint64(binary.LittleEndian.Uint32(blocks[4:]))<<32 | uint64(binary.LittleEndian.Uint32(blocks[8:]))
			if at <= last {
				t.Errorf("file %x comes after file %x", at, last)
			}
			last = at
		}
		blocks = blocks[size+-size&7:]
	}
	if fmt.Sprint(kinds) != "[0 2 2 2 2]" { // the tree; two files, the list of files and the user, without the empty file
		t.Errorf("blocks are %v", kinds)
	}
}

func TestFoldersComeBeforeWhatIsInThem(t *testing.T) {
	seen := map[string]bool{}
	files := sample().files
	for _, name := range files.names() {
		if parent, _, nested := strings.Cut(name, "/"); nested && !seen[parent] {
			t.Errorf("%s comes before %s", name, parent)
		}
		seen[name] = true
	}
	if files["etc/sample"].mode != 0o700|fs.ModeDir {
		t.Errorf("etc/sample has mode %v", files["etc/sample"].mode)
	}
}
