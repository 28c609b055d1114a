package linetables

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// emulators run programs of the processors that have both byte orders and both sizes of a word. An empty one is this machine.
var emulators = map[string]string{"mips": "qemu-mips", "mipsle": "qemu-mipsel", "arm": "qemu-arm", "arm64": "qemu-aarch64", runtime.GOARCH: ""}

// onEachProcessor builds testdata/crash for each processor, and gives a test the program as it was linked and as it was
// cleared.
func onEachProcessor(t *testing.T, test func(t *testing.T, run func(cleared bool, mode string) string, linked []byte)) {
	for arch, emulator := range emulators {
		t.Run(arch, func(t *testing.T) {
			if emulator != "" {
				if testing.Short() {
					t.Skip("not in short mode: the runtime is compiled for another processor")
				}
				if _, err := exec.LookPath(emulator); err != nil {
					t.Skipf("%s is not installed (qemu-user)", emulator)
				}
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "linked")
			build := exec.Command("go", "build", "-ldflags=-s -w", "-o", file, "./testdata/crash")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOMIPS=softfloat")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			linked := read(t, file)
			cleared, err := Clear(linked)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "cleared"), cleared, 0o755); err != nil {
				t.Fatal(err)
			}
			test(t, func(cleared bool, mode string) string {
				name := "linked"
				if cleared {
					name = "cleared"
				}
				return runProgram(t, emulator, filepath.Join(dir, name), mode)
			}, linked)
		})
	}
}

// runProgram returns all that a program prints. One that says that it waits gets SIGQUIT.
func runProgram(t *testing.T, emulator, file, mode string) string {
	t.Helper()
	args := []string{file, mode}
	if emulator != "" {
		args = append([]string{emulator}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	var text bytes.Buffer
	for buffer := make([]byte, 4096); ; {
		n, err := out.Read(buffer)
		text.Write(buffer[:n])
		if strings.HasSuffix(text.String(), "waiting\n") {
			cmd.Process.Signal(syscall.SIGQUIT)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
	}
	cmd.Wait()
	return text.String()
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAClearedProgramDoesItsWork(t *testing.T) {
	onEachProcessor(t, func(t *testing.T, run func(bool, string) string, linked []byte) {
		const want = "8004 runtime error: index out of range [8004] with length 0 "
		if got := run(false, "work"); got != want+"true\n" {
			t.Errorf("the program as it was linked prints %q, want %q", got, want+"true\n")
		}
		if got := run(true, "work"); got != want+"false\n" {
			t.Errorf("cleared, it prints %q; it should be %q, where it knows no line of its own any more", got, want+"false\n")
		}
	})
}

// numbers are what differs between two runs of one program: addresses of memory, threads and goroutines.
var numbers = regexp.MustCompile(`0x[0-9a-f]+\??|m=\d+|goroutine \d+|\d+ minutes`)

// arguments are the values behind a function's name in a traceback. Those of an inlined function are (...) anyway.
var arguments = regexp.MustCompile(`(?m)\((0x|\{|_)[^()]*\)$`)

// TestTracebacksOfAClearedProgramBecomeThoseOfTheLinkedOne takes the runtime's own word for file and line.
func TestTracebacksOfAClearedProgramBecomeThoseOfTheLinkedOne(t *testing.T) {
	onEachProcessor(t, func(t *testing.T, run func(bool, string) string, linked []byte) {
		symbols, err := Open(linked)
		if err != nil {
			t.Fatal(err)
		}
		for _, mode := range []string{"panic", "fault", "index", "goroutine", "wait"} {
			want, log := run(false, mode), run(true, mode)
			if !strings.Contains(want, "main.go:") || strings.Contains(log, "main.go:") || !strings.Contains(log, "\t?:0 +0x") {
				t.Fatalf("%s: no traceback with lines, and one without:\n%s\n%s", mode, want, log)
			}
			got := symbols.Annotate(log)
			// The linked program's own log gets positions at the addresses of signals, and nothing else.
			want = symbols.Annotate(want)
			if mode == "wait" {
				// Which threads were idle, and which of the runtime's goroutines ran, differs from run to run.
				got, want = goroutines(got), goroutines(want)
			}
			want = arguments.ReplaceAllString(want, "()")
			got, want = numbers.ReplaceAllString(got, "N"), numbers.ReplaceAllString(want, "N")
			if got != want {
				t.Errorf("%s: the log of the cleared program reads\n%s\nand that of the linked one\n%s", mode, got, want)
			}
		}
	})
}

// goroutines returns the parts of a traceback that are about the two goroutines that wait for ever.
func goroutines(log string) string {
	var kept []string
	for part := range strings.SplitSeq(log, "\n\n") {
		if strings.HasPrefix(part, "goroutine ") && (strings.Contains(part, "\nmain.main()\n") || strings.Contains(part, "\nmain.park(")) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "\n\n")
}

func TestALogWithWhatSyslogPutsBeforeEachLine(t *testing.T) {
	linked := read(t, buildHere(t))
	symbols, err := Open(linked)
	if err != nil {
		t.Fatal(err)
	}
	var element uint64
	for _, i := range symbols.byNames["main.element"] {
		element = symbols.p.text + symbols.p.records[i].entry
	}
	const syslog = "Mon Nov 30 12:00:00 2026 daemon.notice netifd: vpn (2345): "
	log := fmt.Sprintf("%sgoroutine 1 [running]:\n%smain.element({0xc000012345, 0x1}, ...)\n%s\t?:0 +0x5 fp=0x1 sp=0x2 pc=%#x\nnothing else ?:0\n",
		syslog, syslog, syslog, element+5)
	got := strings.Split(symbols.Annotate(log), "\n")
	if !regexp.MustCompile(`\): \t\S+/main\.go:\d+ \+0x5 fp=`).MatchString(got[2]) {
		t.Errorf("with the head of each line: %q", got[2])
	}
	if got[3] != "nothing else ?:0" {
		t.Errorf("a line that is no traceback became %q", got[3])
	}
}

func buildHere(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "linked")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", file, "./testdata/crash").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

func TestWhatIsNotKnownIsLeftAlone(t *testing.T) {
	linked := read(t, buildHere(t))
	wrongMagic := bytes.Clone(linked)
	p, err := parse(linked)
	if err != nil {
		t.Fatal(err)
	}
	wrongMagic[p.section.Offset] = 0xf0
	for what, file := range map[string][]byte{
		"a text": []byte("#!/bin/sh\n"), "nothing": nil, "a program with another magic number": wrongMagic,
		"a later release": bytes.ReplaceAll(linked, []byte(runtime.Version()), []byte("go9.99.9 "[:len(runtime.Version())])),
	} {
		cleared, err := Clear(file)
		var unknown *UnknownError
		if cleared != nil || !errors.As(err, &unknown) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAClearedProgramIsKnownAsSuch(t *testing.T) {
	linked := read(t, buildHere(t))
	cleared, err := Clear(linked)
	if err != nil || Cleared(linked) || !Cleared(cleared) {
		t.Fatalf("%v; the linked one is cleared: %v, the cleared one: %v", err, Cleared(linked), Cleared(cleared))
	}
	if again, err := Clear(cleared); err != nil || !bytes.Equal(again, cleared) {
		t.Errorf("clearing it again changes it: %v", err)
	}
	if _, err := Open(cleared); err == nil {
		t.Error("it is opened for its lines, and has none")
	}
}

func TestReleases(t *testing.T) {
	for version, want := range map[string]bool{
		"go1.26": true, "go1.26.8": true, "go1.26.8 X:nogreenteagc": true, "go1.260": false, "go1.27": false, "go1.2": false, "devel +abc": false, "": false,
	} {
		if knownRelease(version) != want {
			t.Errorf("%q is known: %v", version, !want)
		}
	}
}
