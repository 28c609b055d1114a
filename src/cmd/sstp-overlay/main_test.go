package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestWithoutTheTableP256ComputesTheSame(t *testing.T) {
	dir := t.TempDir()
	overlay := writeOverlay(t, filepath.Join(dir, "overlay"))
	// As it is, and with assembly where this machine's processor has some.
	want := build(t, filepath.Join(dir, "as-it-is"), nil, "").run(t)
	for _, c := range []struct{ arch, emulator, tags string }{
		{runtime.GOARCH, "", "-tags=purego"}, {"mips", "qemu-mips", "-tags="}, {"mipsle", "qemu-mipsel", "-tags="},
	} {
		t.Run(c.arch, func(t *testing.T) {
			if c.emulator != "" {
				if testing.Short() {
					t.Skip("not in short mode: the runtime is compiled for another processor")
				}
				if _, err := exec.LookPath(c.emulator); err != nil {
					t.Skipf("%s is not installed (qemu-user)", c.emulator)
				}
			}
			env := []string{"GOARCH=" + c.arch, "GOMIPS=softfloat"}
			with := build(t, filepath.Join(dir, "with-"+c.arch), env, c.emulator, c.tags)
			without := build(t, filepath.Join(dir, "without-"+c.arch), env, c.emulator, c.tags, "-overlay", overlay)
			if got, want := firstDifference(without.run(t), want); got != want {
				t.Errorf("the program prints\n%s\nand should print\n%s", got, want)
			}
			if !with.contains(t, generator) || without.contains(t, generator) {
				t.Error("the table of the generator's multiples is in the program, or was not in it before")
			}
		})
	}
	if !strings.Contains(want, " true false\n") || strings.Count(want, "CurveP256") != 2 {
		t.Errorf("no signature was right, or a handshake was on another curve:\n%s", want)
	}
}

// generator is how the table begins: with the generator's x coordinate as Go stores it.
var generator = []byte{0x3c, 0x14, 0xa9, 0x18, 0xd4, 0x30, 0xe7, 0x79, 0x01, 0xb6, 0xed, 0x5f, 0xfc, 0x95, 0xba, 0x75}

// program is testdata/curve, built one way or the other.
type program struct{ file, emulator string }

func build(t *testing.T, file string, env []string, emulator string, args ...string) program {
	t.Helper()
	args = append(append([]string{"build", "-ldflags=-s -w", "-o", file}, args...), "./testdata/curve")
	cmd := exec.Command("go", args...)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program{file, emulator}
}

func (p program) run(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(p.file)
	if p.emulator != "" {
		cmd = exec.Command(p.emulator, p.file)
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// firstDifference returns the first lines that differ, or nothing.
func firstDifference(a, b string) (string, string) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return as[i], bs[i]
		}
	}
	return strings.Join(as[min(len(as), len(bs)):], "\n"), strings.Join(bs[min(len(as), len(bs)):], "\n")
}

func (p program) contains(t *testing.T, data []byte) bool {
	t.Helper()
	return bytes.Contains([]byte(text(t, p.file)), data)
}

func writeOverlay(t *testing.T, folder string) string {
	t.Helper()
	installed, err := installedGo()
	if err != nil {
		t.Fatal(err)
	}
	var notes bytes.Buffer
	if err := write(installed, folder, &notes); err != nil {
		t.Fatal(err)
	}
	if notes.Len() > 0 {
		t.Fatalf("this Go is not known: %s", notes.String())
	}
	return filepath.Join(folder, "overlay.json")
}

// nothing is an overlay that replaces no file.
const nothing = "{\n\t\"Replace\": {}\n}\n"

func TestAGoThatIsNotKnownIsLeftAsItIs(t *testing.T) {
	installed, err := installedGo()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(installed.root, filepath.FromSlash(curveFile)))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(from, to string) []byte { return bytes.Replace(source, []byte(from), []byte(to), 1) }
	for what, c := range map[string]struct {
		version string
		source  []byte
	}{
		"a later release":      {"go1.27.0", source},
		"a development tree":   {"devel go1.27-abcdef", source},
		"another window":       {installed.version, changed("index := 251", "index := 250")},
		"another ScalarMult":   {installed.version, changed("index := 254", "index := 253")},
		"another preparation":  {installed.version, changed("if cpu.BigEndian {", "if !cpu.BigEndian {")},
		"no preparation":       {installed.version, changed("func init()", "func prepare()")},
		"what is no Go source": {installed.version, []byte("nothing")},
		"no file":              {installed.version, nil},
	} {
		t.Run(what, func(t *testing.T) {
			if c.source != nil {
				if out, err := withoutTable(c.version, c.source); out != nil || !errors.Is(err, errUnknown) {
					t.Fatalf("it is replaced, or the error is another one: %v", err)
				}
			}
			root, folder := t.TempDir(), filepath.Join(t.TempDir(), "overlay")
			file := filepath.Join(root, filepath.FromSlash(curveFile))
			if c.source != nil {
				os.MkdirAll(filepath.Dir(file), 0o755)
				if err := os.WriteFile(file, c.source, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var notes bytes.Buffer
			if err := write(goTree{root, c.version}, folder, &notes); err != nil || strings.Count(notes.String(), "\n") != 1 {
				t.Fatalf("%v, with %q, want one line that says so", err, notes.String())
			}
			if overlay := text(t, filepath.Join(folder, "overlay.json")); overlay != nothing {
				t.Errorf("the overlay is %q and should be %q", overlay, nothing)
			}
		})
	}
}

func TestAnOverlayThatReplacesNothingBuilds(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "overlay.json"), []byte(nothing), 0o644); err != nil {
		t.Fatal(err)
	}
	build(t, filepath.Join(folder, "program"), nil, "", "-overlay", filepath.Join(folder, "overlay.json"))
}

func text(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestReleases(t *testing.T) {
	for version, known := range map[string]bool{"go1.26": true, "go1.26.8": true, "go1.26.8 X:nogreenteagc": true, "go1.260": false, "go1.2": false, "": false} {
		if knownRelease(version) != known {
			t.Errorf("%q is known: %v", version, !known)
		}
	}
}
