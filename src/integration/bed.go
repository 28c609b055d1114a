// Package integration runs the built programs as people run them: in network namespaces, with real TUN devices, real
// sockets and real signals. Its tests need root and the build tag namespaces; the test bed here also serves the program
// interop, which tries the client against servers of others.
package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bed is a set of network namespaces joined by virtual cables, and the programs that run in them. Close takes all of it
// away.
type Bed struct {
	Dir    string // a folder of its own for files
	prefix string
	spaces []*Space
	procs  []*Process
}

// New returns an empty bed; name tells its namespaces from those of others on the machine.
func New(name string) (*Bed, error) {
	dir, err := os.MkdirTemp("", "sstp-"+name+"-")
	if err != nil {
		return nil, err
	}
	return &Bed{Dir: dir, prefix: fmt.Sprintf("%s-%d", name, os.Getpid())}, nil
}

// Close ends the programs, newest first, and removes the namespaces and the folder.
func (b *Bed) Close() {
	for i := len(b.procs) - 1; i >= 0; i-- {
		b.procs[i].End()
	}
	for _, s := range b.spaces {
		exec.Command("ip", "netns", "del", s.name).Run()
	}
	os.RemoveAll(b.Dir)
}

// File writes a file of the bed's folder, readable by its owner only, and returns its path.
func (b *Bed) File(name, content string) (string, error) {
	path := filepath.Join(b.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(content), 0o600)
}

// Space is one network namespace.
type Space struct {
	bed  *Bed
	name string
}

// Space makes a network namespace with its loopback up.
func (b *Bed) Space(name string) (*Space, error) {
	s := &Space{b, b.prefix + "-" + name}
	if _, err := command("ip", "netns", "add", s.name); err != nil {
		return nil, err
	}
	b.spaces = append(b.spaces, s)
	_, err := s.Run("ip", "link", "set", "lo", "up")
	return s, err
}

// Join lays a cable between two namespaces. The ends are devices named dev with the given addresses (CIDR).
func (b *Bed) Join(left *Space, leftDev, leftAddr string, right *Space, rightDev, rightAddr string) error {
	if _, err := command("ip", "link", "add", leftDev, "netns", left.name, "type", "veth", "peer", "name", rightDev, "netns", right.name); err != nil {
		return err
	}
	for _, end := range []struct {
		space     *Space
		dev, addr string
	}{{left, leftDev, leftAddr}, {right, rightDev, rightAddr}} {
		add := []string{"ip", "addr", "add", end.addr, "dev", end.dev}
		if strings.Contains(end.addr, ":") {
			add = append(add, "nodad") // without it nobody can listen there until the kernel finds the time to check it
		}
		if _, err := end.space.Run(add...); err != nil {
			return err
		}
		if _, err := end.space.Run("ip", "link", "set", end.dev, "up"); err != nil {
			return err
		}
	}
	return nil
}

// Run runs a program in the namespace and returns what it printed.
func (s *Space) Run(args ...string) (string, error) {
	return s.bed.Run(append([]string{"ip", "netns", "exec", s.name}, args...)...)
}

// Run runs a program in the machine's own network and returns what it printed.
func (b *Bed) Run(args ...string) (string, error) { return command(args[0], args[1:]...) }

func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), err
}

// Process is a program that was started in the bed.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu     sync.Mutex
	output bytes.Buffer
	more   chan struct{} // closed and made anew with each output
}

// Start starts a program in the namespace; dir is its working folder, "" for this one's.
func (s *Space) Start(dir string, args ...string) (*Process, error) {
	return s.bed.Start(dir, append([]string{"ip", "netns", "exec", s.name}, args...)...)
}

// Start starts a program in the machine's own network.
func (b *Bed) Start(dir string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p, p
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	b.procs = append(b.procs, p)
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
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

// Pid is the program's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// WaitFor waits until the program has printed text behind the first skip bytes of its output, and returns how much it
// had printed by then.
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
			return 0, fmt.Errorf("it ended without saying %q:\n%s", text, out)
		}
		select {
		case <-more:
		case <-p.ended:
			ended = true
		case <-timeout:
			return 0, fmt.Errorf("it did not say %q within %v:\n%s", text, within, out)
		}
	}
}

// Signal sends a signal to the program.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// Wait waits for the program's end and returns its exit code.
func (p *Process) Wait(within time.Duration) (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(within):
		return -1, fmt.Errorf("it still runs after %v:\n%s", within, p.Output())
	}
}

// End asks the program to end, and makes it after five seconds.
func (p *Process) End() {
	p.Signal(syscall.SIGTERM)
	if _, err := p.Wait(5 * time.Second); err != nil {
		p.cmd.Process.Kill()
		<-p.ended
	}
}
