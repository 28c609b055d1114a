package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sstp/src/integration/netkit"
)

const device = "sstp-vpn"

func bootBringsItUp(w *world) {
	w.start(setup{})
	took := w.waitUp("vpn", upLimit)
	w.oneDaemon("vpn")
	w.check(w.events("auth") == 1, "%d logins, want one", w.events("auth"))
	w.say("up %.2f s after the WAN", took.Seconds())
	w.reaches(w.router.net, insideAddress, upLimit)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.router.daemons("vpn")[0].pid))
	w.must(err)
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	if f := strings.Fields(rss); len(f) > 1 {
		w.find("resident memory of the daemon, just up: %s %s", f[0], f[1])
	}
}

func theNetworkIsComplete(w *world) {
	w.start(setup{})
	w.waitUp("vpn", upLimit)
	n := w.netifd("vpn")
	w.check(n.L3Device == device, "netifd's device is %q", n.L3Device)
	w.check(len(n.IPv4) == 1 && n.IPv4[0] == address{insideClient, 32, insideAddress}, "netifd's IPv4 addresses: %+v", n.IPv4)
	w.check(len(n.IPv6) == 1 && strings.HasPrefix(n.IPv6[0].Address, "fe80:"), "netifd's IPv6 addresses: %+v", n.IPv6)
	w.check(hasRoute(n.Routes, "0.0.0.0", 0, ""), "netifd has no default route by the tunnel: %+v", n.Routes)
	w.check(slices.Equal(n.DNS, []string{insideAddress}), "netifd's name servers: %v", n.DNS)
	w.check(n.code() == "", "netifd shows the error %s", n.code())

	kernel := func(what, script string, want ...string) {
		out := w.router.must("%s", script)
		for _, text := range want {
			w.check(strings.Contains(out, text), "%s: no %q in\n%s", what, text, out)
		}
	}
	kernel("the kernel's address", "ip addr show dev "+device, "inet "+insideClient+" peer "+insideAddress+"/32", "mtu 1400", "inet6 fe80:", ",UP,")
	kernel("the way of the tunnel's socket to the server", "ip route get "+serverAddress+" oif eth1", "via "+wanGateway, "dev eth1")
	kernel("the way to everything else", "ip route get "+behindAddress, "dev "+device, "src "+insideClient)
	kernel("resolv.conf.auto", "cat /tmp/resolv.conf.d/resolv.conf.auto", "# Interface vpn\nnameserver "+insideAddress, "nameserver "+wanGateway)

	t := w.tunnel("vpn")
	w.check(t.Interface == "vpn" && t.Device == device && t.MTU == 1400 && t.Server == serverName+":443" &&
		t.ServerAddress == serverAddress+":443" && t.Uplink == "wan" && t.IPv4.Address == insideClient && t.IPv4.Peer == insideAddress &&
		slices.Equal(t.IPv4.DNS, []string{insideAddress}) && strings.HasPrefix(t.IPv6.Address, "fe80:") && t.TLS.Version == "TLS 1.3" &&
		t.TLS.VerifiedBy == "full" && t.Auth == "mschapv2" && t.LastError.Code == "" && t.Reconnects == 0 && t.Version != "",
		"the daemon's status is %+v", t)
	w.reaches(w.router.net, behindAddress, upLimit)
	w.until(5*time.Second, "the counters count", func() string {
		if c := w.tunnel("vpn").Counters; c.RxBytes == 0 || c.TxBytes == 0 {
			return fmt.Sprintf("%+v", c)
		}
		return ""
	})
	w.until(upLimit, "scripts heard one ifup", func() string {
		if heard := w.router.hotplug("vpn"); !slices.Equal(heard, []string{"ifup"}) {
			return fmt.Sprintf("%v", heard)
		}
		return ""
	})
}

func downAndUp(w *world) {
	w.start(setup{})
	w.waitUp("vpn", upLimit)
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
	w.until(3*time.Second, "the server heard a goodbye", func() string {
		for line := range strings.Lines(w.lab.Output()) {
			if f := strings.Fields(line); len(f) > 1 && f[1] == "ended" {
				if strings.Contains(line, ": ") {
					return line
				}
				return ""
			}
		}
		return "the call has not ended"
	})
	out := w.router.read("tmp/resolv.conf.d/resolv.conf.auto")
	w.check(!strings.Contains(out, insideAddress), "the tunnel's name server is still there:\n%s", out)
	w.router.must("ifup vpn")
	w.waitUp("vpn", upLimit)

	for range 5 {
		w.router.must("ifup vpn; ifdown vpn; ifup vpn")
	}
	w.until(20*time.Second, "after fifteen commands in a row it is up", func() string { return w.notUp("vpn") })
	w.always(2*time.Second, "one daemon, up", func() string { return w.notOneUp("vpn") })
	w.router.must("ifup vpn; ifdown vpn")
	w.waitDown("vpn", device, 10*time.Second)
}

// notOneUp says what is wrong where there should be one daemon whose tunnel is up.
func (w *world) notOneUp(name string) string {
	if list := w.router.daemons(name); len(list) != 1 {
		return fmt.Sprintf("%d daemons: %v", len(list), list)
	}
	return w.notUp(name)
}

func theLANGoesThrough(w *world) {
	if !w.router.hasFirewall() {
		w.skip("the root has no firewall that masquerades")
	}
	w.start(setup{})
	w.waitUp("vpn", upLimit)
	w.reaches(w.lan, insideAddress, upLimit)
	w.reaches(w.lan, behindAddress, upLimit)
	const size = 64 << 20
	for _, d := range netkit.Directions {
		took, err := netkit.Transfer(insideAddress+":5000", d, size, time.Minute)
		w.must(err)
		w.find("%sload of %d MiB through router and tunnel: %.0f Mbit/s, checksum right", d, size>>20, size*8/took.Seconds()/1e6)
	}
}

// hasFirewall says whether the root has a firewall.
func (r *router) hasFirewall() bool { return r.has("sbin/fw4") || r.has("sbin/fw3") }

func theIPv6Child(w *world) {
	w.start(setup{})
	w.waitUp("vpn", upLimit)
	if !w.router.has("lib/netifd/proto/dhcpv6.sh") {
		w.skip("the root has no DHCPv6 client")
	}
	const prefix = "fd53:5354:5000:"
	check := func() {
		// odhcp6c waits ten seconds for a DHCPv6 server beside the advertisement, and asks for that each four.
		w.until(time.Minute, "vpn_6 is up with an address of the server's network", func() string {
			n, err := w.interfaceStatus("vpn_6")
			switch {
			case err != nil:
				return err.Error()
			case !n.Up:
				return fmt.Sprintf("not up: %+v", n)
			case !slices.ContainsFunc(n.IPv6, func(a address) bool { return strings.HasPrefix(a.Address, prefix) }):
				return fmt.Sprintf("addresses %+v", n.IPv6)
			}
			return ""
		})
		n := w.netifd("vpn_6")
		w.check(n.Proto == "dhcpv6" && n.Dynamic && n.L3Device == device, "vpn_6 is %+v", n)
		if w.router.has("sbin/fw4") {
			w.check(n.Data["zone"] == "wan", "vpn_6 is in zone %v", n.Data["zone"])
		}
		for _, a := range n.IPv6 {
			if strings.HasPrefix(a.Address, prefix) { // the route is for packets from there
				w.router.must("ping6 -c 1 -W 3 -I %s fd53:5354:5000::1", a.Address)
			}
		}
	}
	check()
	w.must(w.lab.Signal(hangup)) // the server disconnects
	w.until(10*time.Second, "it was disconnected and is up again", func() string {
		if w.tunnel("vpn").Reconnects == 0 {
			return "no reconnection"
		}
		return w.notUp("vpn")
	})
	check()
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
	w.check(!w.router.onBus("network.interface.vpn_6"), "vpn_6 is still there after ifdown")
	w.router.must("ifup vpn")
	w.waitUp("vpn", upLimit)
	check()
}

func aServerByIPv6(w *world) {
	w.start(setup{vpn: options{"server": serverName6}})
	w.waitUp("vpn", upLimit)
	w.check(w.tunnel("vpn").MTU == 1380, "MTU %d, want 1380 over IPv6", w.tunnel("vpn").MTU)
	way := w.router.must("ip -6 route get %s", serverAddress6)
	w.check(strings.Contains(way, "via "+wanGateway6) && strings.Contains(way, "dev eth1"), "the way to the server is %s", way)
	w.reaches(w.router.net, insideAddress, upLimit)
}

func twoTunnels(w *world) {
	w.start(setup{serving: []string{"--user", "second:" + password}, vpn: options{"metric": "5"},
		more: "config interface 'branch'\n\toption proto sstp\n\toption server " + serverName + "\n\toption username second\n\toption password " +
			quote(password) + "\n\toption ca_cert /etc/vpn-ca.pem\n\toption defaultroute 0\n\toption peerdns 0\n"})
	w.waitUp("vpn", upLimit)
	w.waitUp("branch", upLimit)
	w.oneDaemon("vpn")
	w.oneDaemon("branch")
	for _, name := range []string{"vpn", "branch"} {
		t := w.tunnel(name)
		w.check(t.Uplink == "wan" && t.Device == "sstp-"+name, "%s: device %s, uplink %s", name, t.Device, t.Uplink)
		w.router.must("ping -c 1 -W 3 -I %s %s", t.Device, insideAddress)
	}
	w.check(w.tunnel("vpn").IPv4.Address != w.tunnel("branch").IPv4.Address, "both have the same address")
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
	w.check(w.notUp("branch") == "", "%s", w.notUp("branch"))
	w.check(w.tunnel("branch").Reconnects == 0, "branch was disturbed when vpn ended")
}

// sectionOf is the configuration of a tunnel of another name.
func sectionOf(name string) string {
	return "config interface '" + name + "'\n\toption proto sstp\n\toption server " + serverName +
		"\n\toption username " + user + "\n\toption password " + quote(password) + "\n\toption ca_cert /etc/vpn-ca.pem\n"
}

func aLongName(w *world) {
	const name = "the_vpn_of_the_branch"
	w.start(setup{noVPN: true, more: sectionOf(name)})
	w.waitUp(name, upLimit)
	n := w.netifd(name)
	w.check(len(n.L3Device) <= 15 && strings.HasPrefix(n.L3Device, "sstp-"), "the device is called %q", n.L3Device)
	w.reaches(w.router.net, insideAddress, upLimit)
	w.router.must("ifdown %s", name)
	w.waitDown(name, n.L3Device, 5*time.Second)
}

func oddNames(w *world) {
	w.start(setup{noVPN: true, more: sectionOf("0") + sectionOf("_") + "\toption defaultroute 0\n"})
	for _, name := range []string{"0", "_"} {
		w.waitUp(name, upLimit)
		w.oneDaemon(name)
	}
	// Interfaces that other programs add may have any name.
	for _, name := range []string{"a b", "a.b-c", "a/b", "-v"} {
		w.must(w.router.call(nil, "network", "add_dynamic", map[string]any{"name": name, "proto": "sstp", "server": serverName,
			"username": user, "password": password, "ca_cert": "/etc/vpn-ca.pem", "defaultroute": false}))
	}
	w.waitUp("a.b-c", upLimit)
	starts := func() int { return strings.Count(w.router.must("logread"), "is setting up now") }
	w.until(upLimit, "nothing is started any more", func() string {
		before := starts()
		time.Sleep(2 * time.Second)
		if n := starts() - before; n > 0 {
			return fmt.Sprintf("%d starts in two seconds", n)
		}
		return ""
	})
	w.waitFailed("a b", "INVALID_OPTIONS", upLimit)
	for _, name := range []string{"a/b", "-v"} {
		n := w.netifd(name)
		w.check(!n.Up, "%s is up", name)
	}
	for _, name := range []string{"0", "_", "a.b-c"} {
		w.check(w.notUp(name) == "", "%s: %s", name, w.notUp(name))
	}
}
