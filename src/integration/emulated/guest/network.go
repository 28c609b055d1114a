package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/integration"
)

const (
	outside = "192.0.2.1" // the server, on the cable
	inside  = "10.99.0.1" // the server, in the tunnel
	patient = 20 * time.Second
)

// bed is a server in a network namespace at the other end of a cable.
type bed struct {
	*integration.Bed
	holder string // process id of the namespace
}

func newBed() (*bed, error) {
	b, err := integration.New("guest")
	if err != nil {
		return nil, err
	}
	holder := exec.Command("/init", "hold")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := holder.Start(); err != nil {
		return nil, err
	}
	pid := strconv.Itoa(holder.Process.Pid)
	s := &bed{b, pid}
	err = errors.Join(
		os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644),
		s.ip("link", "set", "lo", "up"), s.ip("link", "add", "wan", "type", "veth"), s.ip("link", "set", "veth0", "netns", pid),
		s.ip("addr", "add", "192.0.2.2/24", "dev", "wan"), s.ip("link", "set", "wan", "up"),
		// A server whose buffers hold seconds of traffic would need as many to notice what a cut has taken away.
		run("/init", "in", pid, "busybox", "sh", "-c", "echo 4096 65536 262144 >/proc/sys/net/ipv4/tcp_wmem"),
		s.ipThere("link", "set", "lo", "up"), s.ipThere("addr", "add", outside+"/24", "dev", "veth0"), s.ipThere("link", "set", "veth0", "up"),
	)
	return s, err
}

func (b *bed) ip(args ...string) error { return run(append([]string{"busybox", "ip"}, args...)...) }

func (b *bed) ipThere(args ...string) error {
	return run(append([]string{"/init", "in", b.holder, "busybox", "ip"}, args...)...)
}

func run(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// there starts a program at the server's end and waits until it says a word.
func (b *bed) there(word string, args ...string) (*integration.Process, error) {
	p, err := b.Start("", append([]string{"/init", "in", b.holder}, args...)...)
	if err == nil {
		_, err = p.WaitFor(word, 0, patient)
	}
	return p, err
}

// here runs one of this program's commands at the client's end and returns the number behind a word that it prints.
func (b *bed) here(word string, args ...string) (int64, error) {
	cmd := exec.Command("/init", args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	// One that hangs says where.
	watchdog := time.AfterFunc(patient, func() {
		blame()
		cmd.Process.Signal(syscall.SIGQUIT)
	})
	err := cmd.Wait()
	watchdog.Stop()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out.String())
	}
	_, number, _ := strings.Cut(out.String(), word+" ")
	number, _, _ = strings.Cut(number, "\n")
	n, err := strconv.ParseInt(number, 10, 64)
	if word == "" {
		return 0, nil
	}
	return n, err
}

// blame prints what each process has used and where in the kernel it is.
func blame() {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		line, _ := os.ReadFile(d + "/cmdline")
		if len(line) == 0 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(d))
		used, _ := processorTime(pid)
		fmt.Printf("%s used %v\n", strings.ReplaceAll(string(line), "\x00", " "), used)
		tasks, _ := filepath.Glob(d + "/task/*/stack")
		for _, t := range tasks {
			stack, _ := os.ReadFile(t)
			fmt.Printf("%s: %s\n", t, strings.ReplaceAll(string(stack), "\n", " "))
		}
	}
}

// processorTime returns what a process has used, to the nanosecond (clock_getcpuclockid(3): the clock's number is made
// of the process's).
func processorTime(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// clientTime returns what a process and the kernel's own threads have used: some kernels decipher in a thread of theirs,
// and the server here, whose ciphers are Go's, has none of that.
func clientTime(pid int) (time.Duration, error) {
	sum, err := processorTime(pid)
	if err != nil {
		return 0, err
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		n, _ := strconv.Atoi(filepath.Base(d))
		if line, _ := os.ReadFile(d + "/cmdline"); len(line) > 0 || n == pid {
			continue
		}
		if used, err := processorTime(n); err == nil { // else it has just ended
			sum += used
		}
	}
	return sum, err
}

// residentKiB returns how much memory of a process is in use now.
func residentKiB(pid int) (resident, anonymous int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch n, _ := strconv.Atoi(fields[1]); fields[0] {
		case "VmRSS:":
			resident = n
		case "RssAnon:":
			anonymous = n
		}
	}
	return resident, anonymous
}
