package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// child is a process of this program in namespaces of its own. It ends when its life line is cut: also when the process that
// holds the other end is killed.
type child struct {
	cmd     *exec.Cmd
	life    io.Closer
	answers *os.File // what the child says to its parent, apart from its output
	ended   chan struct{}
}

// ownNamespaces are those that a world and a router each have. A child with a process namespace is its first process: with it
// ends everything in it.
const ownNamespaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC

// spawn starts this program in a role. more are files that it finds from descriptor 4 on.
func spawn(role string, j job, output io.Writer, more ...*os.File) (*child, error) {
	task, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	answers, answer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"="+role, jobVariable+"="+string(task))
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = append([]*os.File{answer}, more...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: ownNamespaces, Setpgid: true}
	cmd.WaitDelay = 2 * time.Second
	life, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		answers.Close()
		return nil, fmt.Errorf("starting the %s: %w", role, err)
	}
	c := &child{cmd, life, answers, make(chan struct{})}
	go func() {
		cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// end ends the child and all that it started, and waits for it.
func (c *child) end() {
	c.life.Close()
	select {
	case <-c.ended:
	case <-time.After(2 * time.Second):
		c.cmd.Process.Kill()
		<-c.ended
	}
	c.answers.Close()
}

// begin is what each child does first: it reads its task, and ends with its life line.
func begin() job {
	var j job
	if err := json.Unmarshal([]byte(os.Getenv(jobVariable)), &j); err != nil {
		fmt.Fprintln(os.Stderr, "no task:", err)
		os.Exit(1)
	}
	os.Unsetenv(roleVariable)
	os.Unsetenv(jobVariable)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	return j
}

// answer is a child's way to its parent.
func answer() *os.File { return os.NewFile(3, "answer") }

// log collects output of several writers.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
	also io.Writer // nil: nowhere else
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.also != nil {
		l.also.Write(b)
	}
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// run runs a command and returns its output; an error holds it too.
func run(cmd *exec.Cmd, within time.Duration) (string, error) {
	var out log
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	if err := cmd.Start(); err != nil {
		return "", err
	}
	timer := time.AfterFunc(within, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // what it started in the background holds the output
	}
	if !timer.Stop() {
		err = fmt.Errorf("it did not end within %v", within)
	}
	if err != nil {
		err = fmt.Errorf("%v: %w: %s", cmd.Args, err, bytes.TrimSpace([]byte(out.String())))
	}
	return out.String(), err
}
