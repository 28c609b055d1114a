//go:build namespaces

// Package namespaces tests the built programs in network namespaces, with real TUN devices, sockets and signals. Its tests
// need root and the build tag namespaces.
package namespaces

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sstp/src/integration/netkit"
)

const (
	serverOuter, clientOuter = "192.0.2.1", "192.0.2.2"

	inside = "10.99.0.1" // the server's address in the tunnel
	upText = netkit.UpText
)

// What the tests are told about a machine that is not this one: whether TLS in the kernel must work (1) or must not be
// used (0), and how many times slower than usual it is: things may take longer there, and less is moved.
var (
	ktls        = os.Getenv("SSTP_TEST_KTLS")
	patience, _ = strconv.Atoi(os.Getenv("SSTP_TEST_PATIENCE"))
	slow        = time.Duration(max(patience, 1))
)

// setup is a client and a server in two namespaces on one cable.
type setup struct {
	t              *testing.T
	net            *netkit.Net
	client, server *netkit.Namespace
	build          string
	lab            *netkit.Process
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	s := &setup{t: t}
	var err error
	s.build, err = filepath.Abs("../../../build")
	s.must(err)
	s.net, err = netkit.New("test")
	s.must(err)
	t.Cleanup(s.net.Close)
	s.client, s.server = s.namespace("client"), s.namespace("server")
	s.join(s.client, "wan", clientOuter+"/24", s.server, "wan", serverOuter+"/24")
	s.join(s.client, "wan6", "2001:db8::2/64", s.server, "wan6", "2001:db8::1/64")
	return s
}

func (s *setup) namespace(name string) *netkit.Namespace {
	s.t.Helper()
	n, err := s.net.Namespace(name)
	s.must(err)
	s.run(n, "sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
	return n
}

// join lays a cable.
func (s *setup) join(a *netkit.Namespace, aDevice, aAddress string, b *netkit.Namespace, bDevice, bAddress string) {
	s.t.Helper()
	s.must(netkit.Join(netkit.End{In: a, Device: aDevice, Addresses: []string{aAddress}}, netkit.End{In: b, Device: bDevice, Addresses: []string{bAddress}}))
}

func (s *setup) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *setup) run(in *netkit.Namespace, args ...string) string {
	s.t.Helper()
	out, err := in.Run(args...)
	s.must(err)
	return out
}

// serve starts the lab server and waits until it listens.
func (s *setup) serve(args ...string) {
	s.t.Helper()
	var err error
	s.lab, err = s.server.StartLab(s.build+"/sstp-lab", append([]string{"--listen", serverOuter + ":443", "--listen", "[2001:db8::1]:443"}, args...)...)
	s.must(err)
}

// sstp returns a command line of the client. Its sockets are apart from those of other tunnels of this machine.
func (s *setup) sstp(args ...string) []string {
	return append([]string{"env", "SSTP_SOCKETS=" + s.net.Dir, "UBUS_SOCKET=" + s.net.Dir + "/none", s.build + "/sstp"}, args...)
}

// up starts the client with a UCI file.
func (s *setup) up(options ...string) *netkit.Process {
	s.t.Helper()
	p, err := s.client.Start(s.sstp("up", "vpn", "--config", s.config(options...))...)
	s.must(err)
	return p
}

func (s *setup) config(options ...string) string {
	s.t.Helper()
	dir, err := s.net.Config("config", append([]string{"server=" + serverOuter, "ca_cert=" + s.server.CA(), "ktls=" + ktls}, options...)...)
	s.must(err)
	return dir
}

func (s *setup) wait(p *netkit.Process, text string, skip int, within time.Duration) int {
	s.t.Helper()
	n, err := p.WaitFor(text, skip, within*slow)
	s.must(err)
	if path := map[string]string{"0": netkit.EncryptedByGo, "1": netkit.EncryptedKernel}[ktls]; text == upText && !strings.Contains(p.Output(), path) {
		s.t.Errorf("it is not %s:\n%s", path, p.Output())
	}
	return n
}

// transfer moves bytes through the tunnel in both directions and compares them.
func (s *setup) transfer(size int64) {
	s.t.Helper()
	for _, d := range netkit.Directions {
		_, err := s.client.Transfer(inside+":5000", d, size/int64(slow), 2*time.Minute*slow)
		s.must(err)
	}
}

func (s *setup) serveTransfers() {
	s.t.Helper()
	s.must(s.server.ServeTransfers(":5000"))
}

// stop ends the client as Ctrl-C does and checks that it leaves nothing behind.
func (s *setup) stop(p *netkit.Process) {
	s.t.Helper()
	s.must(p.Signal(syscall.SIGINT))
	code, err := p.Wait(4 * time.Second * slow)
	s.must(err)
	if code != 0 {
		s.t.Errorf("exit code %d after Ctrl-C, want 0:\n%s", code, p.Output())
	}
	if links := s.run(s.client, "ip", "-o", "link"); strings.Contains(links, "sstp-") {
		s.t.Errorf("the device is still there:\n%s", links)
	}
}
