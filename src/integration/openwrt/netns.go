package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// space is a network namespace. It lives as long as this process or a process in it.
type space struct {
	name string
	file *os.File
}

// newSpace makes a network namespace with its loopback up.
func newSpace(name string) (*space, error) {
	s := &space{name: name}
	err := onOwnThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			s.file, err = os.Open("/proc/thread-self/ns/net")
		}
		return err
	})
	if err == nil {
		_, err = s.run("ip", "link", "set", "lo", "up")
	}
	return s, err
}

// spaceOf returns the network namespace of a process; 0 is this one.
func spaceOf(name string, pid int) (*space, error) {
	path := "/proc/self/ns/net"
	if pid != 0 {
		path = fmt.Sprintf("/proc/%d/ns/net", pid)
	}
	file, err := os.Open(path)
	return &space{name, file}, err
}

// do runs f in the namespace: the sockets that it opens and the programs that it starts belong there and stay there.
func (s *space) do(f func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering %s: %w", s.name, err)
		}
		return f()
	})
}

// onOwnThread runs f on a thread that ends with it.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// run runs a program of this machine in the namespace and returns what it printed.
func (s *space) run(args ...string) (out string, err error) {
	err = s.do(func() error {
		out, err = run(exec.Command(args[0], args[1:]...), 10*time.Second)
		return err
	})
	return out, err
}

// path is a name of the namespace for programs that this process starts.
func (s *space) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.file.Fd()) }

// end is one end of a cable.
type end struct {
	in        *space
	device    string
	addresses []string // CIDR; without any the device is left down, for its owner to configure
}

// join lays a cable between two namespaces.
func join(a, b end) error {
	if _, err := a.in.run("ip", "link", "add", a.device, "type", "veth", "peer", "name", b.device, "netns", b.in.path()); err != nil {
		return err
	}
	for _, e := range []end{a, b} {
		for _, address := range e.addresses {
			args := []string{"ip", "addr", "add", address, "dev", e.device}
			if isIPv6(address) {
				args = append(args, "nodad")
			}
			if _, err := e.in.run(args...); err != nil {
				return err
			}
		}
		if len(e.addresses) > 0 {
			if _, err := e.in.run("ip", "link", "set", e.device, "up"); err != nil {
				return err
			}
		}
	}
	return nil
}

func isIPv6(address string) bool {
	for _, c := range address {
		if c == ':' {
			return true
		}
	}
	return false
}
