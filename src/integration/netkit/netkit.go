// Package netkit is what the tests and measurements of this folder share: network namespaces joined by cables, processes
// and their output, transfers with checked content, pings, and tables. It needs root.
package netkit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/hostnet"
)

// Net is a set of network namespaces, the processes in them, and a folder for files. Close removes all of it.
type Net struct {
	Dir  string
	Here *Namespace // the network of this process

	mu        sync.Mutex
	processes []*Process
	closers   []io.Closer
}

// New returns an empty Net. The name shows in its folder's.
func New(name string) (*Net, error) {
	dir, err := os.MkdirTemp("", "sstp-"+name+"-")
	if err != nil {
		return nil, err
	}
	n := &Net{Dir: dir}
	n.Here = &Namespace{Name: "here", net: n}
	n.Here.file, err = os.Open("/proc/self/ns/net")
	n.closeLater(n.Here.file)
	return n, err
}

func (n *Net) closeLater(c io.Closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closers = append(n.closers, c)
}

// Close ends the processes, the newest first, and removes the namespaces and the folder.
func (n *Net) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range slices.Backward(n.processes) {
		p.End()
	}
	for _, c := range n.closers {
		c.Close()
	}
	os.RemoveAll(n.Dir)
}

// File writes a file in the folder, readable by its owner only, and returns its path.
func (n *Net) File(name, content string) (string, error) {
	path := filepath.Join(n.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(content), 0o600)
}

// Namespace is a network namespace. It lives as long as this process or a process in it.
type Namespace struct {
	Name string

	net   *Net
	file  *os.File
	hosts string // the file that its programs see as /etc/hosts; "" is the machine's
}

// Namespace makes a network namespace whose loopback device is up.
func (n *Net) Namespace(name string) (*Namespace, error) {
	s := &Namespace{Name: name, net: n}
	err := onOwnThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("a network namespace: %w", err)
		}
		if s.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return hostnet.SetUp("lo", 0)
	})
	n.closeLater(s.file)
	return s, err
}

// Do runs f in the namespace. The sockets that f opens belong there for good.
func (s *Namespace) Do(f func() error) error {
	if s == s.net.Here {
		return f()
	}
	return onOwnThread(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering %s: %w", s.Name, err)
		}
		return f()
	})
}

// exec runs f, which starts a program, in the namespace, with a view of /sys and /etc/hosts that belongs to it.
func (s *Namespace) exec(f func() error) error {
	return s.Do(func() error {
		if s == s.net.Here {
			return f()
		}
		err := errors.Join(
			unix.Unshare(unix.CLONE_NEWNS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""),
			unix.Mount("sysfs", "/sys", "sysfs", 0, ""))
		if s.hosts != "" && err == nil {
			err = unix.Mount(s.hosts, "/etc/hosts", "", unix.MS_BIND, "")
		}
		if err != nil {
			return fmt.Errorf("the file systems of %s: %w", s.Name, err)
		}
		return f()
	})
}

// Hosts gives names to addresses, in the form of hosts(5), for the programs that start in the namespace from now on.
func (s *Namespace) Hosts(text string) (err error) {
	s.hosts, err = s.net.File(s.Name+".hosts", text)
	return err
}

// onOwnThread runs f on a thread that ends with it, because a thread that was moved to a namespace must do nothing else.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- f()
			return
		}
		// The main thread cannot end: occupy it until another one has done it.
		err := onOwnThread(f)
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

// Eventually calls f until it succeeds or the time is up, and returns its last error.
func Eventually(within time.Duration, f func() error) error {
	for end := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if err := f(); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// Missing returns an error that names the first of the programs that is not installed.
func Missing(programs ...string) error {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is not installed", p)
		}
	}
	return nil
}
