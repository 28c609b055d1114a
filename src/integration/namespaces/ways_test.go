//go:build namespaces

package namespaces

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"sstp/src/integration/netkit"
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

// refused connects to an address and returns what connect said; it fails the test when that took long.
func (s *setup) refused(in *netkit.Namespace, to string) string {
	s.t.Helper()
	begin := time.Now()
	out, err := in.Run("timeout", "5", "bash", "-c", "exec 3<>/dev/tcp/"+to+"/80")
	if err == nil {
		s.t.Errorf("something answered at %s", to)
	}
	if took := time.Since(begin); took > 2*time.Second*slow {
		s.t.Errorf("connecting to %s took %v, want to be refused at once", to, took)
	}
	return out + fmt.Sprint(err)
}

// TestWhatEntersATunnelThatIsHeldForEverIsRefusedAtOnce asks the kernel whether it takes our ICMP answers, also from behind
// the router and with a strict reverse path filter.
func TestWhatEntersATunnelThatIsHeldForEverIsRefusedAtOnce(t *testing.T) {
	for _, filter := range []string{"0", "1"} {
		t.Run("rp_filter "+filter, func(t *testing.T) {
			s := newRouted(t)
			s.run(s.client, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter="+filter, "net.ipv6.conf.all.forwarding=1")
			lan := s.namespace("lan")
			s.join(s.client, "lan", "192.168.1.1/24", lan, "lan", "192.168.1.7/24")
			s.join(s.client, "lan6", "2001:db8:1::1/64", lan, "lan6", "2001:db8:1::7/64")
			s.run(lan, "ip", "route", "add", "default", "via", "192.168.1.1")
			s.run(lan, "ip", "-6", "route", "add", "default", "via", "2001:db8:1::1")
			p := s.up("server="+farServer, "defaultroute=1", "hold=forever", "keepalive=2 1")
			n := s.wait(p, upText, 0, 5*time.Second)
			s.run(s.client, "ip", "-6", "addr", "add", "2001:db8:9::2/64", "dev", "sstp-vpn")
			s.run(s.client, "ip", "-6", "route", "add", "2000::/3", "dev", "sstp-vpn")
			s.lab.End()
			s.wait(p, " holding ", n, 10*time.Second)
			time.Sleep(200 * time.Millisecond)
			for _, from := range []*netkit.Namespace{s.client, lan} {
				if out := s.refused(from, "9.9.9.9"); !strings.Contains(out, "No route to host") {
					t.Errorf("IPv4: %s", out)
				}
				if out := s.refused(from, "2620:fe::fe"); !strings.Contains(out, "Permission denied") {
					t.Errorf("IPv6: %s", out)
				}
			}
			s.stop(p)
		})
	}
}
