//go:build namespaces

package namespaces

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sstp/src/integration/netkit"
)

func TestTheTunnelCarriesIPv4AndIPv6(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up()
	s.wait(p, upText, 0, 5*time.Second)
	s.run(s.client, "ping", "-c", "3", "-i", "0.1", "-W", "2", inside)
	s.run(s.client, "ping", "-c", "1", "-W", "2", "-s", "1372", "-M", "do", inside)
	peer := strings.Fields(s.run(s.server, "ip", "-o", "-6", "addr", "show", "dev", "lab0", "scope", "link"))
	s.run(s.client, "ping", "-c", "3", "-i", "0.1", "-W", "2", strings.TrimSuffix(peer[3], "/64")+"%sstp-vpn")
	if mtu := s.run(s.client, "ip", "link", "show", "sstp-vpn"); !strings.Contains(mtu, "mtu 1400") {
		t.Errorf("want MTU 1400:\n%s", mtu)
	}
	s.serveTransfers()
	s.transfer(64 << 20)
	s.stop(p)
}

func TestConformance12OneGiBEachWay(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up()
	s.wait(p, upText, 0, 5*time.Second)
	s.serveTransfers()
	s.transfer(1 << 30)
	s.stop(p)
}

// memoryLimitKiB is the budget of an idle tunnel; sstpc and pppd together take 13.1 MB.
const memoryLimitKiB = 9000

func TestResidentMemoryOfAnIdleTunnel(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up()
	s.wait(p, upText, 0, 5*time.Second)
	s.run(s.client, "ping", "-c", "20", "-i", "0.1", "-W", "2", inside)
	memory, err := netkit.MemoryOf(p.Pid())
	s.must(err)
	kib := memory.Resident >> 10
	fmt.Printf("resident memory, idle, amd64: %d KiB (budget %d KiB)\n", kib, memoryLimitKiB)
	if kib > memoryLimitKiB {
		t.Errorf("%d KiB resident, the budget is %d", kib, memoryLimitKiB)
	}
	s.stop(p)
}

func TestTheServerCanBeReachedByIPv6(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up("server=[2001:db8::1]:443")
	s.wait(p, upText, 0, 5*time.Second)
	s.run(s.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", inside)
	if mtu := s.run(s.client, "ip", "link", "show", "sstp-vpn"); !strings.Contains(mtu, "mtu 1380") {
		t.Errorf("want MTU 1380 over IPv6:\n%s", mtu)
	}
	s.stop(p)
}

func TestATCPConnectionSurvivesACutCall(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up()
	n := s.wait(p, upText, 0, 5*time.Second)
	s.serveTransfers()
	transferred := make(chan error, 1)
	go func() {
		_, err := s.client.Transfer(inside+":5000", netkit.Up, (300<<20)/int64(slow), 60*time.Second*slow)
		transferred <- err
	}()
	before := s.run(s.client, "ip", "-o", "link", "show", "sstp-vpn")
	s.must(s.lab.Signal(syscall.SIGUSR1))
	n = s.wait(p, " holding ", n, 5*time.Second)
	s.wait(p, upText, n, 10*time.Second)
	if err := <-transferred; err != nil {
		t.Errorf("the transfer did not survive: %v", err)
	}
	if after := s.run(s.client, "ip", "-o", "link", "show", "sstp-vpn"); strings.Fields(after)[0] != strings.Fields(before)[0] {
		t.Errorf("it is another device:\n%s%s", before, after)
	}
	s.stop(p)
}

func TestTheDefaultRouteGoesThroughTheTunnelAndComesBack(t *testing.T) {
	s := newSetup(t)
	router := s.namespace("router")
	s.join(s.client, "isp", "198.51.100.2/24", router, "client", "198.51.100.1/24")
	s.join(s.server, "isp", "203.0.113.2/24", router, "server", "203.0.113.1/24")
	s.run(router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	s.run(s.client, "ip", "route", "add", "default", "via", "198.51.100.1")
	s.run(s.server, "ip", "route", "add", "default", "via", "203.0.113.1")
	s.run(s.server, "ip", "addr", "add", "172.31.255.1/32", "dev", "lo")
	s.serve("--listen", "203.0.113.2:443")
	before := s.run(s.client, "ip", "route")
	p := s.up("server=203.0.113.2", "defaultroute=1")
	s.wait(p, upText, 0, 5*time.Second)
	s.run(s.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", "172.31.255.1")
	if route := s.run(s.client, "ip", "route", "get", "203.0.113.2", "oif", "isp"); !strings.Contains(route, "via 198.51.100.1 dev isp") {
		t.Errorf("the tunnel's own socket must not go into the tunnel: %s", route)
	}
	if route := s.run(s.client, "ip", "route", "get", "8.8.8.8"); !strings.Contains(route, "dev sstp-vpn") {
		t.Errorf("everything else must: %s", route)
	}
	s.stop(p)
	if after := s.run(s.client, "ip", "route"); after != before {
		t.Errorf("the routes are not as before:\n%swant\n%s", after, before)
	}
}

func TestAKilledClientTakesItsDeviceAlongAndCanStartAgain(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up()
	s.wait(p, upText, 0, 5*time.Second)
	s.must(p.Signal(syscall.SIGKILL))
	_, err := p.Wait(5 * time.Second)
	s.must(err)
	again := s.up()
	s.wait(again, upText, 0, 5*time.Second)
	s.stop(again)
}

// TestACrashOfTheClientIsRead lets a running client print its goroutines. The router's program has no line tables, so the
// program that was kept when it was built must give each position.
func TestACrashOfTheClientIsRead(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up()
	s.wait(p, upText, 0, 5*time.Second)
	s.run(s.client, "ping", "-c", "1", "-W", "2", inside)
	s.must(p.Signal(syscall.SIGQUIT))
	_, err := p.Wait(5 * time.Second * slow)
	s.must(err)
	log := p.Output()
	if !strings.Contains(log, "SIGQUIT") || !strings.Contains(log, "\nsstp/src/session.") || strings.Contains(log, ".go:") {
		t.Fatalf("this is no traceback of a program without line tables:\n%s", log)
	}
	file, err := s.net.File("crash.log", log)
	s.must(err)
	read := s.run(s.client, s.build+"/sstp-symbols", "read", s.build+"/symbols/sstp", file)
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
			s := newSetup(t)
			s.serve(c.serve...)
			p := s.up(c.options...)
			n := s.wait(p, c.code, 0, 15*time.Second)
			s.wait(p, "hint:", n, time.Second)
			s.wait(p, " waiting ", n, 5*time.Second)
			s.stop(p)
		})
	}
}

func TestThePasswordIsNowhereToBeSeen(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up("log_level=4")
	s.wait(p, upText, 0, 5*time.Second)
	for _, file := range []string{"cmdline", "environ"} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.Pid(), file))
		s.must(err)
		if strings.Contains(string(content), "secret") {
			t.Errorf("the password stands in the process's %s", file)
		}
	}
	if strings.Contains(p.Output(), "secret") {
		t.Error("the password stands in the log")
	}
	s.stop(p)
}

func TestTheProbeGoesThroughTheStagesAndLeavesTheNetworkAlone(t *testing.T) {
	s := newSetup(t)
	s.serve()
	out := s.run(s.client, s.build+"/sstp", "probe", "vpn", "--config", s.config())
	for _, want := range []string{"ok     connect", "ok     tls", "ok     http", "ok     sstp", "ok     ppp", "ok     auth", "sha256:"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, err := s.client.Run(s.build+"/sstp", "probe", serverOuter)
	if err == nil || !strings.Contains(out, "CERT_") || !strings.Contains(out, "hint:") {
		t.Errorf("a certificate of nobody's must fail with a hint:\n%s", out)
	}
}

func TestCommandsServeATunnelThatRunsWithoutNetifd(t *testing.T) {
	s := newSetup(t)
	s.serve()
	p := s.up()
	n := s.wait(p, upText, 0, 5*time.Second)
	out := s.run(s.client, s.sstp("status", "vpn")...)
	for _, want := range []string{"vpn: up", serverOuter + ":443", "TLS 1.3", "10.99.0.", "sstp-vpn, MTU 1400"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q:\n%s", want, out)
		}
	}
	watching, err := s.client.Start(s.sstp("watch")...)
	s.must(err)
	s.wait(watching, "vpn: up, 10.99.0.", 0, 5*time.Second)
	s.run(s.client, s.sstp("reconnect", "vpn")...)
	s.wait(p, upText, n, 5*time.Second)
	out = s.run(s.client, s.sstp("status")...)
	if !strings.Contains(out, "reconnects  1") {
		t.Errorf("status after a reconnection:\n%s", out)
	}
	s.stop(p)
	if code, err := watching.Wait(5 * time.Second); err != nil || code != 1 {
		t.Errorf("watch goes on after the last tunnel has ended: exit code %d, %v\n%s", code, err, watching.Output())
	}
	if out, err := s.client.Run(s.sstp("status", "vpn")...); err == nil || !strings.Contains(out, "sstp up vpn") {
		t.Errorf("status of a tunnel that has ended:\n%s", out)
	}
}
