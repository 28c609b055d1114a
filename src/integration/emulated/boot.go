package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// What the guest says first, and what its last line begins with; the exit code follows. The kernel talks before and
// behind it.
const (
	greeting = "GUEST BEGINS"
	verdict  = "GUEST ENDED "
)

// stall is how much processor time the emulator may use without a word of the guest: now and then QEMU 7.2 spins, and its
// MIPS processor gets no further.
const stall = 90 * time.Second

var errStalled = errors.New("the emulator stands still")

// bootAgain starts the guest, and anew where the emulator stands still.
func (m machine) bootAgain(kernel, initrd, part string, f *figures) error {
	for range 2 {
		err := m.boot(kernel, initrd, part, f)
		if err == nil || !errors.Is(err, errStalled) {
			return err
		}
		fmt.Println("  the emulator stands still: once more")
	}
	return m.boot(kernel, initrd, part, f)
}

// boot starts the guest, shows what it prints, and waits for its verdict.
func (m machine) boot(kernel, initrd, part string, f *figures) error {
	ctx, cancel := context.WithTimeout(context.Background(), m.limit)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	args := append(m.qemu[1:len(m.qemu):len(m.qemu)], "-nographic", "-no-reboot", "-nic", "none", "-kernel", kernel, "-initrd", initrd,
		"-append", "console="+m.console+" rdinit=/init quiet panic=-1 loglevel=1 BENCH_PART="+part)
	cmd := exec.CommandContext(ctx, m.qemu[0], args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	var word atomic.Int64 // the emulator's processor time when the guest spoke last
	if m.stalls {
		go watch(ctx, cmd.Process.Pid, &word, stop)
	}
	begun, said, boots := false, "", ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), "\r")
		word.Store(int64(usedBy(cmd.Process.Pid)))
		code, over := strings.CutPrefix(line, verdict)
		switch {
		case over:
			said = code
		case said != "":
		case strings.HasSuffix(line, greeting):
			begun = true
		case !begun:
			boots += "  " + line + "\n"
		case !f.take(line):
			fmt.Println("  " + line)
		}
	}
	err = cmd.Wait()
	switch {
	case errors.Is(context.Cause(ctx), errStalled):
		return errStalled
	case ctx.Err() != nil:
		return fmt.Errorf("not through after %v", m.limit)
	case said == "0":
		return nil
	case said != "":
		return errors.New("a test failed, see above")
	}
	if begun {
		boots = ""
	}
	return fmt.Errorf("the machine ended without a verdict: %v\n%s", err, boots)
}

// watch stops an emulator that stands still.
func watch(ctx context.Context, pid int, word *atomic.Int64, stop context.CancelCauseFunc) {
	for tick := time.Tick(time.Second); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		if usedBy(pid)-time.Duration(word.Load()) > stall {
			stop(errStalled)
		}
	}
}

// usedBy returns the processor time of a process (proc(5): fields 14 and 15 of stat, in hundredths of a second).
func usedBy(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return ticks(string(text)) * 10 * time.Millisecond
}

// ticks reads the processor time out of a line of stat. The program's name in it is in brackets and may be anything.
func ticks(stat string) time.Duration {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user + system)
}
