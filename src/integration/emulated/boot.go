package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sstp/src/integration/netkit"
)

// The guest's first line, and the beginning of its last, which ends with the exit code. The kernel prints before and after.
const (
	greeting = "GUEST BEGINS"
	verdict  = "GUEST ENDED "
)

// stall is how much processor time the emulator may use while the guest prints nothing: now and then QEMU 7.2 spins, and its
// MIPS processor gets no further.
const stall = 90 * time.Second

var errStalled = errors.New("the emulator stands still")

// bootAgain starts the guest, up to three times where the emulator stands still.
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

// boot starts the guest, prints its output, and waits for its verdict.
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
	var spoke atomic.Int64 // the emulator's processor time when the guest last printed a line
	if m.stalls {
		go watch(ctx, cmd.Process.Pid, &spoke, stop)
	}
	begun, code, boots := false, "", ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), "\r")
		used, _ := netkit.CPUTime(cmd.Process.Pid)
		spoke.Store(int64(used))
		end, ended := strings.CutPrefix(line, verdict)
		switch {
		case ended:
			code = end
		case code != "":
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
		return fmt.Errorf("it did not end within %v", m.limit)
	case code == "0":
		return nil
	case code != "":
		return errors.New("a test failed, see above")
	}
	if begun {
		boots = ""
	}
	return fmt.Errorf("the machine ended without a verdict: %v\n%s", err, boots)
}

// watch stops an emulator that stands still.
func watch(ctx context.Context, pid int, spoke *atomic.Int64, stop context.CancelCauseFunc) {
	for tick := time.Tick(time.Second); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		if used, _ := netkit.CPUTime(pid); used-time.Duration(spoke.Load()) > stall {
			stop(errStalled)
		}
	}
}
