//go:build packages

package main

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// emulators run a target's programs as the target's processor: an instruction that it lacks, such as one of a floating-point unit,
// ends the program.
var emulators = map[string][]string{
	"mips_24kc":                {"qemu-mips", "-cpu", "24Kc"},
	"mipsel_24kc":              {"qemu-mipsel", "-cpu", "24Kc"},
	"mipsel_74kc":              {"qemu-mipsel", "-cpu", "74Kf"},
	"arm_cortex-a7_neon-vfpv4": {"qemu-arm", "-cpu", "cortex-a7"},
	"arm_cortex-a9_vfpv3-d16":  {"qemu-arm", "-cpu", "cortex-a9"},
	"arm_arm926ej-s":           {"qemu-arm", "-cpu", "arm926"},
	"aarch64_cortex-a53":       {"qemu-aarch64", "-cpu", "cortex-a53"},
	"aarch64_generic":          {"qemu-aarch64", "-cpu", "cortex-a53"},
	"x86_64":                   {"qemu-x86_64", "-cpu", "qemu64"},
	"riscv64_generic":          {"qemu-riscv64", "-cpu", "rv64"},
}

// lab starts sstp-lab on a port of the loopback device and returns its address, and the file with its certificate authority.
func lab(t *testing.T) (server, ca string) {
	t.Helper()
	dir := t.TempDir()
	program, ca := filepath.Join(dir, "sstp-lab"), filepath.Join(dir, "ca.pem")
	if out, err := exec.Command("go", "build", "-o", program, "sstp/src/cmd/sstp-lab").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, "--listen", "127.0.0.1:0", "--write-ca", ca)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		for word := range strings.FieldsSeq(lines.Text()) {
			if strings.HasPrefix(word, "127.0.0.1:") {
				go func() {
					for lines.Scan() { // a full pipe must not stop it
					}
				}()
				return strings.TrimRight(word, ",.;"), ca
			}
		}
	}
	t.Fatal("sstp-lab does not say where it listens")
	return "", ""
}

func TestEachArchitecturesProgramRunsAndLogsIn(t *testing.T) {
	server, ca := lab(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("demo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, of := range targets {
		t.Run(of.arch, func(t *testing.T) {
			emulator := emulators[of.arch]
			if _, err := exec.LookPath(emulator[0]); err != nil {
				if of.arch != native().arch {
					t.Skipf("%s is not installed (qemu-user)", emulator[0])
				}
				t.Logf("%s is not installed: the program runs on %s itself", emulator[0], runtime.GOARCH)
				emulator = nil
			}
			run := func(name string, args ...string) string {
				t.Helper()
				program := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(program, built(t, of, name), 0o755); err != nil {
					t.Fatal(err)
				}
				command := append(append([]string{}, emulator...), append([]string{program}, args...)...)
				cmd := exec.Command(command[0], command[1:]...)
				cmd.WaitDelay = time.Second
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
				}
				return string(out)
			}
			for _, name := range []string{"sstp", "sstp-dbus"} {
				if out := run(name, "version"); !strings.HasPrefix(out, name+" ") {
					t.Errorf("%s version prints %q", name, out)
				}
			}
			wantReadableCrash(t, of, emulator)
			out := run("sstp", "probe", server, "--user", "demo", "--password-file", password, "-o", "ca_cert="+ca)
			for _, stage := range []string{"tls", "sstp", "auth"} {
				if !strings.Contains(out, "ok     "+stage) {
					t.Errorf("the probe did not get through stage %s:\n%s", stage, out)
				}
			}
		})
	}
}

// wantReadableCrash lets the program of a package print its goroutines while it waits for a silent server, and reads them with the
// package's symbols.
func wantReadableCrash(t *testing.T, of target, emulator []string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sstp")
	if err := os.WriteFile(program, built(t, of, "sstp"), 0o755); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	command := append(slices.Clone(emulator), program, "probe", silent.Addr().String(), "--user", "demo", "-o", "verify=none")
	var log bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Stdin = strings.NewReader("secret\n")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil { // its hello: it waits for an answer now
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGQUIT)
	cmd.Wait()
	if !strings.Contains(log.String(), "\t?:0 +0x") || strings.Contains(log.String(), ".go:") {
		t.Fatalf("this is no traceback of a program without line tables:\n%s", log.String())
	}
	packed, err := filepath.Glob(filepath.Join(top, "build/packages", symbols, "sstp_*_"+of.arch+".gz"))
	if err != nil || len(packed) != 1 {
		t.Fatalf("the files to read crashes with are %v, %v", packed, err)
	}
	read := exec.Command("go", "run", "sstp/src/cmd/sstp-symbols", "read", packed[0])
	read.Stdin = &log
	out, err := read.Output()
	if err != nil || !regexp.MustCompile(`\n\tsstp/src/transport/\w+\.go:[1-9]\d* \+0x`).Match(out) || bytes.Contains(out, []byte("?:0")) {
		t.Errorf("%v; read with the symbols, the log is\n%s", err, out)
	}
}
