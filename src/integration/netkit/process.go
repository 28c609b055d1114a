package netkit

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Run runs a program in the namespace and returns what it printed. An error holds that too.
func (s *Namespace) Run(args ...string) (string, error) {
	var out []byte
	err := s.exec(func() (err error) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.WaitDelay = time.Second
		if out, err = cmd.CombinedOutput(); errors.Is(err, exec.ErrWaitDelay) {
			err = nil // the program has ended; one that it started holds the output
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), err
}

// Process is a program that was started in a namespace.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu     sync.Mutex
	output bytes.Buffer
	more   chan struct{} // closed and replaced at each output
}

// Start starts a program in the namespace.
func (s *Namespace) Start(args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := s.exec(p.cmd.Start); err != nil {
		return nil, err
	}
	s.net.mu.Lock()
	s.net.processes = append(s.net.processes, p)
	s.net.mu.Unlock()
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// StartAnd starts a program and waits until it prints a text. A program that does not is ended.
func (s *Namespace) StartAnd(text string, within time.Duration, args ...string) (*Process, error) {
	p, err := s.Start(args...)
	if err != nil {
		return nil, err
	}
	if _, err := p.WaitFor(text, 0, within); err != nil {
		p.End()
		return nil, err
	}
	return p, nil
}

// Write collects the program's output.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.output.Write(b)
	close(p.more)
	p.more = make(chan struct{})
	return len(b), nil
}

// Output returns what the program has printed.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Pid returns the program's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// WaitFor waits until the text appears in the program's output after the first skip bytes, and returns where it ends.
func (p *Process) WaitFor(text string, skip int, within time.Duration) (int, error) {
	timeout := time.After(within)
	for ended := false; ; {
		p.mu.Lock()
		out, more := p.output.String(), p.more
		p.mu.Unlock()
		if skip <= len(out) {
			if i := strings.Index(out[skip:], text); i >= 0 {
				return skip + i + len(text), nil
			}
		}
		if ended {
			return 0, fmt.Errorf("%s ended without printing %q:\n%s", p.cmd.Args[0], text, out)
		}
		select {
		case <-more:
		case <-p.ended:
			ended = true
		case <-timeout:
			return 0, fmt.Errorf("%s did not print %q within %v:\n%s", p.cmd.Args[0], text, within, out)
		}
	}
}

// Signal sends a signal to the program.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// Wait waits until the program ends, and returns its exit code.
func (p *Process) Wait(within time.Duration) (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(within):
		return -1, fmt.Errorf("%s still runs after %v:\n%s", p.cmd.Args[0], within, p.Output())
	}
}

// End asks the program to end, and kills it after five seconds.
func (p *Process) End() {
	p.Signal(syscall.SIGTERM)
	if _, err := p.Wait(5 * time.Second); err != nil {
		p.cmd.Process.Kill()
		<-p.ended
	}
}
