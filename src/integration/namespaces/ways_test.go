//go:build namespaces

package namespaces

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

const farServer, victim = "203.0.113.2", "203.0.113.66"

// newRouted returns a client whose uplink leads to a router. Behind that are the server and the victim, a dead end.
func newRouted(t *testing.T) *setup {
	t.Helper()
	s := newSetup(t)
	router := s.namespace("router")
	s.join(s.client, "isp", "198.51.100.2/24", router, "client", "198.51.100.1/24")
	s.join(s.server, "isp", farServer+"/24", router, "server", "203.0.113.1/24")
	s.run(router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	s.run(router, "ip", "route", "add", "blackhole", victim)
	s.run(s.client, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	s.run(s.client, "ip", "route", "add", "default", "via", "198.51.100.1")
	s.run(s.server, "ip", "route", "add", "default", "via", "203.0.113.1")
	s.serve("--listen", farServer+":443")
	return s
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

// A name server that lists a victim's address beside the server's must not send anything else out by the uplink.
func TestADialedAddressLeavesNoRouteOutsideTheTunnel(t *testing.T) {
	s := newRouted(t)
	s.must(s.client.Hosts(victim + " vpn.test\n" + farServer + " vpn.test\n"))
	monitor, err := s.client.Start("ip", "monitor", "route")
	s.must(err)
	before := s.run(s.client, "ip", "route")
	p := s.up("server=vpn.test", "defaultroute=1")
	s.wait(p, upText, 0, 5*time.Second)
	for _, to := range []string{victim, farServer} {
		if route := s.run(s.client, "ip", "route", "get", to); !strings.Contains(route, "dev sstp-vpn") {
			t.Errorf("what is not the tunnel's own connection must go to %s by the tunnel: %s", to, route)
		}
		if forwarded := s.run(s.client, "ip", "route", "get", to, "from", "192.0.2.7", "iif", "wan"); !strings.Contains(forwarded, "dev sstp-vpn") {
			t.Errorf("what others send to %s must go by the tunnel: %s", to, forwarded)
		}
	}
	all := s.run(s.client, "ip", "route", "show", "table", "all")
	if strings.Contains(all, victim) {
		t.Errorf("the address that did not answer still has a route:\n%s", all)
	}
	s.stop(p)
	for _, line := range mainRoutes(monitor.Output()) {
		if strings.Contains(line, victim) || strings.Contains(line, farServer) {
			t.Errorf("there was a route in the main table: %s", line)
		}
	}
	if after := s.run(s.client, "ip", "route"); after != before {
		t.Errorf("the routes are not as before:\n%swant\n%s", after, before)
	}
	s.wantNothingOfOurs()
}

// A strict filter looks up the way back of each packet and finds the tunnel. It must let the server's packets in all the same.
func TestAStrictReversePathFilterDoesNotStopTheTunnel(t *testing.T) {
	s := newRouted(t)
	s.run(s.client, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=1")
	p := s.up("server="+farServer, "defaultroute=1", "keepalive=2 1")
	n := s.wait(p, upText, 0, 5*time.Second)
	s.run(s.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", inside)
	s.must(s.lab.Signal(syscall.SIGUSR1))
	n = s.wait(p, " holding ", n, 5*time.Second)
	s.wait(p, upText, n, 10*time.Second)
	s.run(s.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", inside)
	if route := s.run(s.client, "ip", "route", "get", farServer); !strings.Contains(route, "dev sstp-vpn") {
		t.Errorf("what others send to the server must go by the tunnel: %s", route)
	}
	s.stop(p)
	s.wantNothingOfOurs()
}

// With equal metrics, netifd replaces the uplink's default route by the tunnel's. The main table then has no way to the server
// when a lost call is dialed again.
func TestALostCallIsDialedAgainWhereTheTunnelReplacedTheUplinksDefaultRoute(t *testing.T) {
	s := newRouted(t)
	p := s.up("server="+farServer, "defaultroute=1")
	n := s.wait(p, upText, 0, 5*time.Second)
	s.run(s.client, "ip", "route", "replace", "default", "via", inside, "dev", "sstp-vpn")
	s.run(s.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", inside)
	for range 2 {
		s.must(s.lab.Signal(syscall.SIGUSR1))
		n = s.wait(p, " holding ", n, 5*time.Second)
		n = s.wait(p, upText, n, 10*time.Second)
	}
	s.run(s.client, "ping", "-c", "2", "-i", "0.1", "-W", "2", inside)
	s.stop(p)
	s.wantNothingOfOurs()
}

func TestTheNextStartRemovesTheWaysOfAKilledOne(t *testing.T) {
	s := newRouted(t)
	p := s.up("server="+farServer, "defaultroute=1")
	s.wait(p, upText, 0, 5*time.Second)
	s.must(p.Signal(syscall.SIGKILL))
	_, err := p.Wait(5 * time.Second)
	s.must(err)
	if rules := s.run(s.client, "ip", "rule"); !strings.Contains(rules, "83:") {
		t.Fatalf("the test is worth nothing: the killed one left nothing\n%s", rules)
	}
	again := s.up() // to another address, on the link
	s.wait(again, upText, 0, 5*time.Second)
	s.stop(again)
	s.wantNothingOfOurs()
}

// wantNothingOfOurs checks that the client has left no rule and no route of its own.
func (s *setup) wantNothingOfOurs() {
	s.t.Helper()
	for _, family := range []string{"-4", "-6"} {
		if rules := s.run(s.client, "ip", family, "rule"); strings.Contains(rules, "83:") {
			s.t.Errorf("rules are left:\n%s", rules)
		}
		routes, _ := s.client.Run("ip", family, "route", "show", "table", "all", "proto", "83")
		if strings.Contains(routes, " via ") {
			s.t.Errorf("routes are left:\n%s", routes)
		}
	}
}

func TestWhatSomebodyRemovesInTheKernelIsPutBackAndSaid(t *testing.T) {
	s := newRouted(t)
	p := s.up("server="+farServer, "defaultroute=1")
	n := s.wait(p, upText, 0, 5*time.Second)
	time.Sleep(time.Second) // what the start itself causes has been looked at
	s.run(s.client, "ip", "route", "del", "0.0.0.0/1", "dev", "sstp-vpn")
	n = s.wait(p, "repaired: the route to 0.0.0.0/1", n, 5*time.Second)
	s.run(s.client, "ip", "addr", "flush", "dev", "sstp-vpn")
	n = s.wait(p, "repaired: the address 10.99.0.2", n, 5*time.Second)
	s.run(s.client, "ip", "rule", "del", "pref", "83")
	s.run(s.client, "ip", "route", "replace", "default", "via", inside, "dev", "sstp-vpn")
	time.Sleep(2 * time.Second)
	if route := s.run(s.client, "ip", "route", "get", farServer, "oif", "isp"); !strings.Contains(route, "via 198.51.100.1") {
		t.Errorf("the tunnel's own socket lost its way: %s", route)
	}
	s.run(s.client, "ping", "-c", "1", "-W", "2", inside)
	s.stop(p)
	s.wantNothingOfOurs()
}

func TestRoutesStayWhileALostCallIsHeldForEver(t *testing.T) {
	s := newRouted(t)
	p := s.up("server="+farServer, "defaultroute=1", "hold=forever", "keepalive=2 1")
	n := s.wait(p, upText, 0, 5*time.Second)
	s.lab.End()
	n = s.wait(p, " holding ", n, 10*time.Second)
	for range 20 {
		time.Sleep(200 * time.Millisecond)
		if route, err := s.client.Run("ip", "route", "get", "8.8.8.8"); err == nil && !strings.Contains(route, "dev sstp-vpn") {
			t.Fatalf("packets leave by another way while the call is lost: %s", route)
		}
	}
	s.serve("--listen", farServer+":443")
	s.wait(p, upText, n, 70*time.Second)
	s.run(s.client, "ping", "-c", "1", "-W", "2", inside)
	s.stop(p)
	s.wantNothingOfOurs()
}
