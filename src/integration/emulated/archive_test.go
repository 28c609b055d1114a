package main

import (
	"bytes"
	"fmt"
	"testing"
)

// TestTheArchiveIsReadAsTheKernelReadsIt: a header of 110 characters, name and content each padded to four bytes, the
// folders before what is in them.
func TestTheArchiveIsReadAsTheKernelReadsIt(t *testing.T) {
	a := &archive{}
	a.add("init", 0o100755, []byte("first"))
	a.add("lib/deep/er", 0o100644, []byte("12345678"))
	a.add("lib/deep/empty", 0o100644, nil)
	var got []string
	for b := a.bytes(); len(b) > 0; {
		if !bytes.HasPrefix(b, []byte("070701")) {
			t.Fatalf("a header begins with %q", b[:min(6, len(b))])
		}
		var field [13]int
		for i := range field {
			fmt.Sscanf(string(b[6+8*i:][:8]), "%08x", &field[i])
		}
		mode, size, nameLen := field[1], field[6], field[11]
		name := string(b[110:][:nameLen-1])
		at := (110 + nameLen + 3) &^ 3
		if name == "TRAILER!!!" {
			break
		}
		got = append(got, fmt.Sprintf("%s %o %s", name, mode, b[at:][:size]))
		b = b[at+(size+3)&^3:]
	}
	want := []string{"init 100755 first", "lib 40755 ", "lib/deep 40755 ", "lib/deep/er 100644 12345678", "lib/deep/empty 100644 "}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestOnlyTheLibrariesThatProgramsNeed(t *testing.T) {
	for name, want := range map[string]bool{
		"ld.so.1": true, "ld-linux-armhf.so.3": true, "libc.so.6": true, "libcrypto.so.3": true, "libatomic.so.1": true,
		"libnss_files.so.2": false, "libcidn.so.1": false,
	} {
		if wantedLibrary(name) != want {
			t.Errorf("%s: %v, want %v", name, !want, want)
		}
	}
}
