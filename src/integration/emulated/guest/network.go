package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/hostnet"
	"sstp/src/integration/netkit"
	"sstp/src/transport"
)

const (
	outside  = "192.0.2.1" // the server, on the cable
	inside   = "10.99.0.1" // the server, in the tunnel
	patience = 20 * time.Second
)

// network is the client's network, which is the machine's own, and the server's at the other end of a cable.
type network struct {
	*netkit.Net
	server *netkit.Namespace
}

func newNetwork() (*network, error) {
	kit, err := netkit.New("guest")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(hostnet.SetUp("lo", 0), os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644)); err != nil {
		return nil, err
	}
	server, err := kit.Namespace("server")
	if err != nil {
		return nil, err
	}
	return &network{kit, server}, errors.Join(
		netkit.Join(netkit.End{In: kit.Here, Device: "wan", Addresses: []string{"192.0.2.2/24"}},
			netkit.End{In: server, Device: "wan", Addresses: []string{outside + "/24"}}),
		server.Do(func() error {
			// With buffers that hold seconds of traffic, the server would need as long to notice what a cut has lost.
			return os.WriteFile("/proc/sys/net/ipv4/tcp_wmem", []byte("4096 65536 262144"), 0o644)
		}),
		server.ServeTransfers(":5000"),
		server.Do(serveEcho))
}

// serve starts the SSTP server with one version of TLS and one cipher suite.
func (n *network) serve(version, suite string) (*netkit.Process, error) {
	return n.server.StartLab("sstp-lab", "--listen", outside+":443", "--tls-min", version, "--tls-max", version, "--cipher", suite)
}

// up starts the client on a path and waits until the tunnel is up. It returns where in the output that was said, and how long
// it took.
func (n *network) up(path string) (p *netkit.Process, seen int, took time.Duration, err error) {
	return n.upWith(map[string]string{transport.PathGo: "0", transport.PathKernel: "1"}[path])
}

// upWith starts the client with a value of option ktls.
func (n *network) upWith(ktls string) (p *netkit.Process, seen int, took time.Duration, err error) {
	dir, err := n.Config("config", "server="+outside, "ca_cert="+n.server.CA(), "ktls="+ktls)
	if err != nil {
		return nil, 0, 0, err
	}
	begin := time.Now()
	if p, err = n.Here.Start("sstp", "up", "vpn", "--config", dir); err != nil {
		return nil, 0, 0, err
	}
	seen, err = p.WaitFor(netkit.UpText, 0, patience)
	return p, seen, time.Since(begin), err
}

// command runs one of this program's commands and returns the number that it prints.
func (n *network) command(args ...string) (float64, error) {
	out, err := n.Here.Run(append([]string{"/init"}, args...)...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(out), 64)
}

// processorTime returns what a process has used, to the nanosecond (clock_getcpuclockid(3): the clock's number is made of the
// process's).
func processorTime(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// clientTime returns what a process and the kernel's own threads have used. Some kernels decipher in a thread of their own; the
// server here has no part in that, because its ciphers are Go's.
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
		if used, err := processorTime(n); err == nil { // otherwise it has just ended
			sum += used
		}
	}
	return sum, err
}

// timed returns the processor time that the client uses while f runs.
func timed(p *netkit.Process, f func() error) (time.Duration, error) {
	before, err := clientTime(p.Pid())
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, p.Output())
	}
	after, err := clientTime(p.Pid())
	return after - before, err
}

// note prints how far the run is, with the machine's own clock.
func note(format string, args ...any) {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	fmt.Printf("%6.2f s: %s\n", float64(t.Nano())/1e9, fmt.Sprintf(format, args...))
}

// result prints a figure for the program that started the machine: its row and column, and how much.
func result(row, column string, value any) { fmt.Printf("RESULT;%s;%s;%v\n", row, column, value) }
