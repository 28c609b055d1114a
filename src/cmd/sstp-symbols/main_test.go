package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestACrashOfTheClearedProgramIsRead goes the whole way: this very program is built, cleared and crashed, and its
// traceback read with the compressed file that a release keeps.
func TestACrashOfTheClearedProgramIsRead(t *testing.T) {
	dir := t.TempDir()
	linked, cleared := filepath.Join(dir, "linked"), filepath.Join(dir, "cleared")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", linked, "sstp/src/linetables/testdata/crash")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var notes bytes.Buffer
	if err := clearAll([]string{linked}, cleared, &notes); err != nil || notes.Len() > 0 {
		t.Fatalf("%v %s", err, notes.String())
	}
	log, _ := exec.Command(cleared, "fault").CombinedOutput()
	if !bytes.Contains(log, []byte("main.outer(...)\n\t?:0\n")) {
		t.Fatalf("this is no traceback without lines:\n%s", log)
	}
	program, err := os.ReadFile(linked)
	if err != nil {
		t.Fatal(err)
	}
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	z.Write(program)
	z.Close()
	if err := os.WriteFile(linked+".gz", compressed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{linked, linked + ".gz"} {
		var read bytes.Buffer
		if err := readLog(file, bytes.NewReader(log), &read); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"main.outer(...)\n\tsstp/src/linetables/testdata/crash/main.go:", "  main.inner sstp/src/linetables/testdata/crash/main.go:"} {
			if !strings.Contains(read.String(), want) {
				t.Errorf("%q is missing in what %s makes of the log:\n%s", want, filepath.Base(file), read.String())
			}
		}
	}
	if err := readLog(cleared, bytes.NewReader(log), &notes); err == nil || !strings.Contains(err.Error(), "no line tables") {
		t.Errorf("the cleared program is taken for the one with lines: %v", err)
	}
}

func TestAProgramOfUnknownLayoutIsCopied(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to", "from")
	if err := os.WriteFile(from, []byte("#!/bin/sh\necho hello\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	var notes bytes.Buffer
	if err := clearAll([]string{from}, filepath.Dir(to)+"/", &notes); err != nil || strings.Count(notes.String(), "\n") != 1 {
		t.Fatalf("%v, with %q, want one line that says so", err, notes.String())
	}
	if out, err := exec.Command(to).Output(); err != nil || string(out) != "hello\n" {
		t.Errorf("the copy prints %q, %v", out, err)
	}
	if left, _ := filepath.Glob(to + ".new"); left != nil {
		t.Errorf("%v is left behind", left)
	}
}
