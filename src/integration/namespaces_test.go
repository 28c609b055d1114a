//go:build namespaces

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const serverOuter, clientOuter = "192.0.2.1", "192.0.2.2"

// upWord is what the client says when packets flow.
const upWord = " on sstp-vpn, MTU"

// What the tests are told about a machine that is not this one: whether TLS in the kernel must work (1) or must not be
// used (0), and how many times slower than usual it is: things may take longer there, and less is moved.
var (
	ktls        = os.Getenv("SSTP_TEST_KTLS")
	patience, _ = strconv.Atoi(os.Getenv("SSTP_TEST_PATIENCE"))
)

// TestMain serves transfers when the test binary is started inside of a namespace for that.
func TestMain(m *testing.M) {
	if addr := os.Getenv("SSTP_TEST_SERVE"); addr != "" {
		fmt.Println(Serve(addr, func() { fmt.Println("serving") }))
		os.Exit(1)
	}
	if addr := os.Getenv("SSTP_TEST_TRANSFER"); addr != "" {
		var n int64
		var direction string
		fmt.Sscan(os.Getenv("SSTP_TEST_SIZE"), &direction, &n)
		took, err := Transfer(addr, direction == "up", n)
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("moved in", took)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// lines is a client and a server in two namespaces on one cable.
type lines struct {
	t              *testing.T
	bed            *Bed
	client, server *Space
	build          string
	lab            *Process
}

func newLines(t *testing.T) *lines {
	t.Helper()
	build, err := filepath.Abs("../../build")
	if err != nil {
		t.Fatal(err)
	}
	bed, err := New("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bed.Close)
	l := &lines{t: t, bed: bed, build: build}
	l.client, l.server = l.space("client"), l.space("server")
	l.must(bed.Join(l.client, "wan", clientOuter+"/24", l.server, "wan", serverOuter+"/24"))
	l.must(bed.Join(l.client, "wan6", "2001:db8::2/64", l.server, "wan6", "2001:db8::1/64"))
	return l
}

func (l *lines) space(name string) *Space {
	l.t.Helper()
	s, err := l.bed.Space(name)
	l.must(err)
	_, err = s.Run("sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
	l.must(err)
	return s
}

func (l *lines) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lines) run(s *Space, args ...string) string {
	l.t.Helper()
	out, err := s.Run(args...)
	l.must(err)
	return out
}

// serve starts the lab server and waits until it listens.
func (l *lines) serve(args ...string) {
	l.t.Helper()
	ca := filepath.Join(l.bed.Dir, "ca.pem")
	users, err := l.bed.File("users", "demo:secret\n")
	l.must(err)
	l.lab, err = l.server.Start("", append([]string{l.build + "/sstp-lab", "--listen", serverOuter + ":443", "--listen", "[2001:db8::1]:443",
		"--tun", "lab0", "--users", users, "--write-ca", ca, "--pool", "10.99.0.0/24"}, args...)...)
	l.must(err)
	_, err = l.lab.WaitFor("listening", 0, 20*time.Second)
	l.must(err)
}

// sstp is a command line of the client, whose socket is out of the way of other tunnels of this machine.
func (l *lines) sstp(args ...string) []string {
	return append([]string{"env", "SSTP_SOCKETS=" + l.bed.Dir, "UBUS_SOCKET=" + l.bed.Dir + "/none", l.build + "/sstp"}, args...)
}

// up starts the client with a UCI file.
func (l *lines) up(options ...string) *Process {
	l.t.Helper()
	p, err := l.client.Start("", l.sstp("up", "vpn", "--config", l.config(options...))...)
	l.must(err)
	return p
}

func (l *lines) config(options ...string) string {
	l.t.Helper()
	text := "config interface 'vpn'\n\toption proto 'sstp'\n\toption username 'demo'\n\toption password 'secret'\n\toption ca_cert '" +
		filepath.Join(l.bed.Dir, "ca.pem") + "'\n\toption server_name 'vpn.test'\n\toption defaultroute '0'\n"
	server := false
	if ktls != "" {
		options = append(options, "ktls="+ktls)
	}
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		server = server || name == "server"
		text += fmt.Sprintf("\toption %s '%s'\n", name, value)
	}
	if !server {
		text += "\toption server '" + serverOuter + "'\n"
	}
	path, err := l.bed.File("config/network", text)
	l.must(err)
	return filepath.Dir(path)
}

func (l *lines) wait(p *Process, text string, skip int, within time.Duration) int {
	l.t.Helper()
	n, err := p.WaitFor(text, skip, within*time.Duration(max(patience, 1)))
	l.must(err)
	if path := map[string]string{"0": "encrypted by Go", "1": "encrypted by the kernel"}[ktls]; text == upWord && !strings.Contains(p.Output(), path) {
		l.t.Errorf("it is not %s:\n%s", path, p.Output())
	}
	return n
}

// transfer moves bytes through the tunnel in both directions and compares them.
func (l *lines) transfer(size int) {
	l.t.Helper()
	size /= max(patience, 1)
	for _, direction := range []string{"up", "down"} {
		l.run(l.client, "env", "SSTP_TEST_TRANSFER=10.99.0.1:5000", fmt.Sprintf("SSTP_TEST_SIZE=%s %d", direction, size), os.Args[0])
	}
}

func (l *lines) serveTransfers() {
	l.t.Helper()
	p, err := l.server.Start("", "env", "SSTP_TEST_SERVE=:5000", os.Args[0])
	l.must(err)
	l.wait(p, "serving", 0, 5*time.Second)
}

// stop ends the client as Ctrl-C does and checks that it leaves nothing behind.
func (l *lines) stop(p *Process) {
	l.t.Helper()
	l.must(p.Signal(syscall.SIGINT))
	code, err := p.Wait(4 * time.Second * time.Duration(max(patience, 1)))
	l.must(err)
	if code != 0 {
		l.t.Errorf("exit code %d after Ctrl-C, want 0:\n%s", code, p.Output())
	}
	if links := l.run(l.client, "ip", "-o", "link"); strings.Contains(links, "sstp-") {
		l.t.Errorf("the device is still there:\n%s", links)
	}
}

func TestTheTunnelCarriesIPv4AndIPv6(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up()
	l.wait(p, upWord, 0, 5*time.Second)
	l.run(l.client, "ping", "-c", "3", "-i", "0.1", "-W", "2", "10.99.0.1")
	l.run(l.client, "ping", "-c", "1", "-W", "2", "-s", "1372", "-M", "do", "10.99.0.1")
	peer := strings.Fields(l.run(l.server, "ip", "-o", "-6", "addr", "show", "dev", "lab0", "scope", "link"))
	l.run(l.client, "ping", "-c", "3", "-i", "0.1", "-W", "2", strings.TrimSuffix(peer[3], "/64")+"%sstp-vpn")
	if mtu := l.run(l.client, "ip", "link", "show", "sstp-vpn"); !strings.Contains(mtu, "mtu 1400") {
		t.Errorf("want MTU 1400:\n%s", mtu)
	}
	l.serveTransfers()
	l.transfer(64 << 20)
	l.stop(p)
}

func TestConformance12OneGiBEachWay(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up()
	l.wait(p, upWord, 0, 5*time.Second)
	l.serveTransfers()
	l.transfer(1 << 30)
	l.stop(p)
}

// memoryLimitKiB is the budget of an idle tunnel; sstpc and pppd together take 13.1 MB.
const memoryLimitKiB = 9000

func TestResidentMemoryOfAnIdleTunnel(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up()
	l.wait(p, upWord, 0, 5*time.Second)
	l.run(l.client, "ping", "-c", "20", "-i", "0.1", "-W", "2", "10.99.0.1")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	l.must(err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatalf("no VmRSS in\n%s", status)
	}
	fmt.Printf("resident memory, idle, amd64: %d KiB (budget %d KiB)\n", kib, memoryLimitKiB)
	if kib > memoryLimitKiB {
		t.Errorf("%d KiB resident, the budget is %d", kib, memoryLimitKiB)
	}
	l.stop(p)
}

func TestTheServerCanBeReachedByIPv6(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up("server=[2001:db8::1]:443")
	l.wait(p, upWord, 0, 5*time.Second)
	l.run(l.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", "10.99.0.1")
	if mtu := l.run(l.client, "ip", "link", "show", "sstp-vpn"); !strings.Contains(mtu, "mtu 1380") {
		t.Errorf("want MTU 1380 over IPv6:\n%s", mtu)
	}
	l.stop(p)
}

func TestATCPConnectionSurvivesACutCall(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up()
	n := l.wait(p, upWord, 0, 5*time.Second)
	l.serveTransfers()
	transfer, err := l.client.Start("", "env", "SSTP_TEST_TRANSFER=10.99.0.1:5000", fmt.Sprintf("SSTP_TEST_SIZE=up %d", (300<<20)/max(patience, 1)), os.Args[0])
	l.must(err)
	before := l.run(l.client, "ip", "-o", "link", "show", "sstp-vpn")
	l.must(l.lab.Signal(syscall.SIGUSR1))
	n = l.wait(p, " holding ", n, 5*time.Second)
	l.wait(p, upWord, n, 10*time.Second)
	if code, err := transfer.Wait(60 * time.Second * time.Duration(max(patience, 1))); err != nil || code != 0 {
		t.Errorf("the transfer did not live on: code %d, %v\n%s", code, err, transfer.Output())
	}
	if after := l.run(l.client, "ip", "-o", "link", "show", "sstp-vpn"); strings.Fields(after)[0] != strings.Fields(before)[0] {
		t.Errorf("the device was made anew:\n%s%s", before, after)
	}
	l.stop(p)
}

func TestTheDefaultRouteGoesThroughTheTunnelAndComesBack(t *testing.T) {
	l := newLines(t)
	router := l.space("router")
	l.must(l.bed.Join(l.client, "isp", "198.51.100.2/24", router, "client", "198.51.100.1/24"))
	l.must(l.bed.Join(l.server, "isp", "203.0.113.2/24", router, "server", "203.0.113.1/24"))
	l.run(router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	l.run(l.client, "ip", "route", "add", "default", "via", "198.51.100.1")
	l.run(l.server, "ip", "route", "add", "default", "via", "203.0.113.1")
	l.run(l.server, "ip", "addr", "add", "172.31.255.1/32", "dev", "lo")
	l.serve("--listen", "203.0.113.2:443")
	before := l.run(l.client, "ip", "route")
	p := l.up("server=203.0.113.2", "defaultroute=1")
	l.wait(p, upWord, 0, 5*time.Second)
	l.run(l.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", "172.31.255.1")
	if route := l.run(l.client, "ip", "route", "get", "203.0.113.2", "oif", "isp"); !strings.Contains(route, "via 198.51.100.1 dev isp") {
		t.Errorf("the tunnel's own socket must not go into the tunnel: %s", route)
	}
	if route := l.run(l.client, "ip", "route", "get", "8.8.8.8"); !strings.Contains(route, "dev sstp-vpn") {
		t.Errorf("everything else must: %s", route)
	}
	l.stop(p)
	if after := l.run(l.client, "ip", "route"); after != before {
		t.Errorf("the routes are not as before:\n%swant\n%s", after, before)
	}
}

func TestAKilledClientTakesItsDeviceAlongAndCanStartAgain(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up()
	l.wait(p, upWord, 0, 5*time.Second)
	l.must(p.Signal(syscall.SIGKILL))
	_, err := p.Wait(5 * time.Second)
	l.must(err)
	again := l.up()
	l.wait(again, upWord, 0, 5*time.Second)
	l.stop(again)
}

// TestACrashOfTheClientIsRead lets a running client print its goroutines. The router's program has no line tables: what was
// kept of it when it was built must give each position.
func TestACrashOfTheClientIsRead(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up()
	l.wait(p, upWord, 0, 5*time.Second)
	l.run(l.client, "ping", "-c", "1", "-W", "2", "10.99.0.1")
	l.must(p.Signal(syscall.SIGQUIT))
	_, err := p.Wait(5 * time.Second * time.Duration(max(patience, 1)))
	l.must(err)
	log := p.Output()
	if !strings.Contains(log, "SIGQUIT") || !strings.Contains(log, "\nsstp/src/session.") || strings.Contains(log, ".go:") {
		t.Fatalf("this is no traceback of a program without line tables:\n%s", log)
	}
	file, err := l.bed.File("crash.log", log)
	l.must(err)
	read := l.run(l.client, l.build+"/sstp-symbols", "read", l.build+"/symbols/sstp", file)
	for _, source := range []string{"main", "session", "datapath"} {
		if !regexp.MustCompile(`\n\tsstp/src/(cmd/sstp/)?` + source + `\S*\.go:[1-9]\d* \+0x`).MatchString(read) {
			t.Errorf("there is no line of %s", source)
		}
	}
	if strings.Contains(read, "?:0") || t.Failed() {
		t.Errorf("read with the symbols, the log is\n%s", read)
	}
}

func TestFailuresSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name, code string
		serve      []string
		options    []string
	}{
		{"wrong password", "AUTH_FAILED", nil, []string{"password=wrong"}},
		{"nobody listens", "CONNECT_FAILED", nil, []string{"port=444"}},
		{"another authority", "CERT_UNTRUSTED", nil, []string{"ca_cert=/etc/ssl/certs/ca-certificates.crt"}},
		{"another name", "CERT_NAME_MISMATCH", nil, []string{"server_name=other.test"}},
		{"a web server", "NOT_SSTP", []string{"--misbehave", "http-status=404"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLines(t)
			l.serve(c.serve...)
			p := l.up(c.options...)
			n := l.wait(p, c.code, 0, 15*time.Second)
			l.wait(p, "hint:", n, time.Second)
			l.wait(p, " waiting ", n, 5*time.Second)
			l.stop(p)
		})
	}
}

func TestThePasswordIsNowhereToBeSeen(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up("log_level=4")
	l.wait(p, upWord, 0, 5*time.Second)
	for _, file := range []string{"cmdline", "environ"} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.Pid(), file))
		l.must(err)
		if strings.Contains(string(content), "secret") {
			t.Errorf("the password stands in the process's %s", file)
		}
	}
	if strings.Contains(p.Output(), "secret") {
		t.Error("the password stands in the log")
	}
	l.stop(p)
}

func TestTheProbeGoesThroughTheStagesAndLeavesTheNetworkAlone(t *testing.T) {
	l := newLines(t)
	l.serve()
	out := l.run(l.client, l.build+"/sstp", "probe", "vpn", "--config", l.config())
	for _, want := range []string{"ok     connect", "ok     tls", "ok     http", "ok     sstp", "ok     ppp", "ok     auth", "sha256:"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, err := l.client.Run(l.build+"/sstp", "probe", serverOuter)
	if err == nil || !strings.Contains(out, "CERT_") || !strings.Contains(out, "hint:") {
		t.Errorf("a certificate of nobody's must fail with a hint:\n%s", out)
	}
}

func TestCommandsServeATunnelThatRunsWithoutNetifd(t *testing.T) {
	l := newLines(t)
	l.serve()
	p := l.up()
	n := l.wait(p, " on sstp-vpn, MTU", 0, 5*time.Second)
	out := l.run(l.client, l.sstp("status", "vpn")...)
	for _, want := range []string{"vpn: up", serverOuter + ":443", "TLS 1.3", "10.99.0.", "sstp-vpn, MTU 1400"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q:\n%s", want, out)
		}
	}
	watching, err := l.client.Start("", l.sstp("watch")...)
	l.must(err)
	l.wait(watching, "vpn: up, 10.99.0.", 0, 5*time.Second)
	l.run(l.client, l.sstp("reconnect", "vpn")...)
	l.wait(p, " on sstp-vpn, MTU", n, 5*time.Second)
	out = l.run(l.client, l.sstp("status")...)
	if !strings.Contains(out, "reconnects  1") {
		t.Errorf("status after a reconnection:\n%s", out)
	}
	l.stop(p)
	if code, err := watching.Wait(5 * time.Second); err != nil || code != 1 {
		t.Errorf("watch goes on after the last tunnel has ended: exit code %d, %v\n%s", code, err, watching.Output())
	}
	if out, err := l.client.Run(l.sstp("status", "vpn")...); err == nil || !strings.Contains(out, "sstp up vpn") {
		t.Errorf("status of a tunnel that has ended:\n%s", out)
	}
}
