//go:build namespaces

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const farServer, victim = "203.0.113.2", "203.0.113.66"

// newRouted is a client with an uplink to a router, behind which are the server and, as a dead end, the victim.
func newRouted(t *testing.T) *lines {
	t.Helper()
	l := newLines(t)
	router := l.space("router")
	l.must(l.bed.Join(l.client, "isp", "198.51.100.2/24", router, "client", "198.51.100.1/24"))
	l.must(l.bed.Join(l.server, "isp", farServer+"/24", router, "server", "203.0.113.1/24"))
	l.run(router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	l.run(router, "ip", "route", "add", "blackhole", victim)
	l.run(l.client, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	l.run(l.client, "ip", "route", "add", "default", "via", "198.51.100.1")
	l.run(l.server, "ip", "route", "add", "default", "via", "203.0.113.1")
	l.serve("--listen", farServer+":443")
	return l
}

// hosts gives names to addresses in the client's namespace.
func (l *lines) hosts(text string) {
	l.t.Helper()
	dir := filepath.Join("/etc/netns", l.client.name)
	l.must(os.MkdirAll(dir, 0o755))
	l.t.Cleanup(func() { os.RemoveAll(dir) })
	l.must(os.WriteFile(filepath.Join(dir, "hosts"), []byte(text), 0o644))
}

// mainRoutes returns the lines of "ip monitor route" that are about the main table.
func mainRoutes(monitored string) (main []string) {
	for line := range strings.Lines(monitored) {
		if !strings.Contains(line, " table ") {
			main = append(main, line)
		}
	}
	return main
}

// A name server that gives a victim's address beside the server's must not make anything else leave by the uplink.
func TestADialedAddressLeavesNoRouteOutsideTheTunnel(t *testing.T) {
	l := newRouted(t)
	l.hosts(victim + " vpn.test\n" + farServer + " vpn.test\n")
	monitor, err := l.client.Start("", "ip", "monitor", "route")
	l.must(err)
	before := l.run(l.client, "ip", "route")
	p := l.up("server=vpn.test", "defaultroute=1")
	l.wait(p, upWord, 0, 5*time.Second)
	for _, to := range []string{victim, farServer} {
		if route := l.run(l.client, "ip", "route", "get", to); !strings.Contains(route, "dev sstp-vpn") {
			t.Errorf("what is not the tunnel's own connection must go to %s by the tunnel: %s", to, route)
		}
		if forwarded := l.run(l.client, "ip", "route", "get", to, "from", "192.0.2.7", "iif", "wan"); !strings.Contains(forwarded, "dev sstp-vpn") {
			t.Errorf("what others send to %s must go by the tunnel: %s", to, forwarded)
		}
	}
	all := l.run(l.client, "ip", "route", "show", "table", "all")
	if strings.Contains(all, victim) {
		t.Errorf("the address that did not answer still has a route:\n%s", all)
	}
	l.stop(p)
	for _, line := range mainRoutes(monitor.Output()) {
		if strings.Contains(line, victim) || strings.Contains(line, farServer) {
			t.Errorf("there was a route in the main table: %s", line)
		}
	}
	if after := l.run(l.client, "ip", "route"); after != before {
		t.Errorf("the routes are not as before:\n%swant\n%s", after, before)
	}
	l.wantNothingOfOurs()
}

// The kernel looks up the way back of what comes in, and finds the tunnel: what the server sends must be let in all the same.
func TestAStrictReversePathFilterDoesNotStopTheTunnel(t *testing.T) {
	l := newRouted(t)
	l.run(l.client, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=1")
	p := l.up("server="+farServer, "defaultroute=1", "keepalive=2 1")
	n := l.wait(p, upWord, 0, 5*time.Second)
	l.run(l.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", "10.99.0.1")
	l.must(l.lab.Signal(syscall.SIGUSR1))
	n = l.wait(p, " holding ", n, 5*time.Second)
	l.wait(p, upWord, n, 10*time.Second)
	l.run(l.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", "10.99.0.1")
	if route := l.run(l.client, "ip", "route", "get", farServer); !strings.Contains(route, "dev sstp-vpn") {
		t.Errorf("what others send to the server must go by the tunnel: %s", route)
	}
	l.stop(p)
	l.wantNothingOfOurs()
}

// With equal metrics, netifd puts the tunnel's default route in the place of the uplink's: the main table has no way by
// the uplink any more when a lost call is dialed again.
func TestALostCallIsDialedAgainWhereTheTunnelReplacedTheUplinksDefaultRoute(t *testing.T) {
	l := newRouted(t)
	p := l.up("server="+farServer, "defaultroute=1")
	n := l.wait(p, upWord, 0, 5*time.Second)
	l.run(l.client, "ip", "route", "replace", "default", "via", "10.99.0.1", "dev", "sstp-vpn")
	l.run(l.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", "10.99.0.1")
	for range 2 {
		l.must(l.lab.Signal(syscall.SIGUSR1))
		n = l.wait(p, " holding ", n, 5*time.Second)
		n = l.wait(p, upWord, n, 10*time.Second)
	}
	l.run(l.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", "10.99.0.1")
	l.stop(p)
	l.wantNothingOfOurs()
}

func TestTheNextStartRemovesTheWaysOfAKilledOne(t *testing.T) {
	l := newRouted(t)
	p := l.up("server="+farServer, "defaultroute=1")
	l.wait(p, upWord, 0, 5*time.Second)
	l.must(p.Signal(syscall.SIGKILL))
	_, err := p.Wait(5 * time.Second)
	l.must(err)
	if rules := l.run(l.client, "ip", "rule"); !strings.Contains(rules, "83:") {
		t.Fatalf("the test is worth nothing: the killed one left nothing\n%s", rules)
	}
	again := l.up() // to another address, on the link
	l.wait(again, upWord, 0, 5*time.Second)
	l.stop(again)
	l.wantNothingOfOurs()
}

// wantNothingOfOurs checks that no private rule or route is left in the client's namespace.
func (l *lines) wantNothingOfOurs() {
	l.t.Helper()
	for _, family := range []string{"-4", "-6"} {
		if rules := l.run(l.client, "ip", family, "rule"); strings.Contains(rules, "83:") {
			l.t.Errorf("rules are left:\n%s", rules)
		}
		routes, _ := l.client.Run("ip", family, "route", "show", "table", "all", "proto", "83")
		if strings.Contains(routes, " via ") {
			l.t.Errorf("routes are left:\n%s", routes)
		}
	}
}

func TestWhatSomebodyRemovesInTheKernelIsPutBackAndSaid(t *testing.T) {
	l := newRouted(t)
	p := l.up("server="+farServer, "defaultroute=1")
	n := l.wait(p, upWord, 0, 5*time.Second)
	time.Sleep(time.Second) // what the start itself causes has been looked at
	l.run(l.client, "ip", "route", "del", "0.0.0.0/1", "dev", "sstp-vpn")
	n = l.wait(p, "repaired: the route to 0.0.0.0/1", n, 5*time.Second)
	l.run(l.client, "ip", "addr", "flush", "dev", "sstp-vpn")
	n = l.wait(p, "repaired: the address 10.99.0.2", n, 5*time.Second)
	l.run(l.client, "ip", "rule", "del", "pref", "83")
	l.run(l.client, "ip", "route", "replace", "default", "via", "10.99.0.1", "dev", "sstp-vpn")
	time.Sleep(2 * time.Second)
	if route := l.run(l.client, "ip", "route", "get", farServer, "oif", "isp"); !strings.Contains(route, "via 198.51.100.1") {
		t.Errorf("the tunnel's own socket lost its way: %s", route)
	}
	l.run(l.client, "ping", "-c", "1", "-W", "2", "10.99.0.1")
	l.stop(p)
	l.wantNothingOfOurs()
}

func TestRoutesStayWhileALostCallIsHeldForEver(t *testing.T) {
	l := newRouted(t)
	p := l.up("server="+farServer, "defaultroute=1", "hold=forever", "keepalive=2 1")
	n := l.wait(p, upWord, 0, 5*time.Second)
	l.lab.End()
	n = l.wait(p, " holding ", n, 10*time.Second)
	for range 20 {
		time.Sleep(200 * time.Millisecond)
		if route, err := l.client.Run("ip", "route", "get", "8.8.8.8"); err == nil && !strings.Contains(route, "dev sstp-vpn") {
			t.Fatalf("packets leave by another way while the call is lost: %s", route)
		}
	}
	l.serve("--listen", farServer+":443")
	l.wait(p, upWord, n, 70*time.Second)
	l.run(l.client, "ping", "-c", "1", "-W", "2", "10.99.0.1")
	l.stop(p)
	l.wantNothingOfOurs()
}
