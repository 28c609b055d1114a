package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// What the guest says first, and what its last line begins with; the exit code follows. The kernel talks before and
// behind it.
const (
	greeting = "GUEST BEGINS"
	verdict  = "GUEST ENDED "
)

// boot starts the guest, shows what it prints, and waits for its verdict.
func (m machine) boot(kernel, initrd, part string, f *figures) error {
	ctx, cancel := context.WithTimeout(context.Background(), m.limit)
	defer cancel()
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
	begun, said, boots := false, "", ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), "\r")
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
