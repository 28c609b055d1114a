package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Scenarios about where packets go while uplinks, calls and addresses change. That the kernel agrees in the end is what every
// scenario checks; these bring about the moments in which it did not.

// staysRight looks for a while whether the tunnel stays up, in the kernel too.
func (w *world) staysRight() {
	w.always(3*time.Second, "up, in the kernel too", func() string { return w.notOneUp("vpn") })
}

// theSamePeer: the server still holds the old call and gives another address of its own network. The kernel takes two
// addresses of one network for one and its secondary.
func theSamePeer(w *world) {
	r := w.up(setup{serving: []string{"--fresh-address"}})
	w.router.must("ifdown wan")
	time.Sleep(time.Second)
	w.router.must("ifup wan")
	r.reconnected(1, upLimit)
	t := w.tunnel("vpn")
	w.check(t.IPv4.Address != insideClient && t.IPv4.Peer == insideAddress, "the server gave %+v: want another address with the same peer", t.IPv4)
	w.staysRight()
	w.reaches(w.lan, behindAddress, upLimit)
	w.killServer()
	w.serveVPN("--fresh-address")
	r.reconnected(2, upLimit)
	for n := 3; n <= 4; n++ {
		before := w.tunnel("vpn").IPv4.Address
		w.router.must("sstp reconnect vpn")
		r.reconnected(n, upLimit)
		w.check(w.tunnel("vpn").IPv4.Address != before, "the address is %s again", before)
	}
	w.staysRight()
	w.reaches(w.lan, behindAddress, upLimit)
}

// theWANComesBack: the uplink's default route has the metric of the tunnel's, as nearly everybody has it, and netifd lays it
// anew when the uplink comes back.
func theWANComesBack(w *world) {
	w.up(setup{serving: []string{"--single-session"}, wan: options{"force_link": "0"}})
	for _, deed := range []struct {
		name string
		do   func()
	}{
		{"ifdown wan, and at once ifup wan", func() { w.router.must("ifdown wan; ifup wan") }},
		{"ifup wan", func() { w.router.must("ifup wan") }},
		{"another address of the WAN", func() {
			w.setOption("wan", "ipaddr", []string{"203.0.113.77/24"})
			w.reload()
			w.until(5*time.Second, "the WAN has it", func() string {
				if n := w.netifd("wan"); len(n.IPv4) != 1 || n.IPv4[0].Address != "203.0.113.77" {
					return fmt.Sprintf("%v", n.IPv4)
				}
				return ""
			})
		}},
		{"the cable of the WAN out for three seconds", func() {
			w.plug("wan", false)
			time.Sleep(3 * time.Second)
			w.plug("wan", true)
		}},
		{"network reload", func() { w.router.must("ubus call network reload") }},
	} {
		w.say("-- %s", deed.name)
		deed.do()
		time.Sleep(500 * time.Millisecond) // the WAN may still be on its way down
		w.until(upLimit, "up again", func() string { return w.notOneUp("vpn") })
		w.staysRight()
		w.reaches(w.lan, behindAddress, upLimit)
	}
}

// plug puts a cable of the router in, or pulls it out. The provider's end forgets its IPv6 without a cable.
func (w *world) plug(cable string, in bool) {
	_, err := w.internet.run("ip", "link", "set", cable, map[bool]string{true: "up", false: "down"}[in])
	w.must(err)
	if in && cable == "wan" {
		w.wan6()
	}
}

// wan6 gives the provider's end of the WAN its IPv6 address and the route to the LAN's network.
func (w *world) wan6() {
	for _, args := range [][]string{
		{"addr", "replace", wanGateway6 + "/64", "dev", "wan", "nodad"},
		{"route", "replace", "2001:db8:2::/64", "via", wanAddress6, "dev", "wan"},
	} {
		_, err := w.internet.run(append([]string{"ip", "-6"}, args...)...)
		w.must(err)
	}
}

// aStuckLog: nobody reads what the daemon writes to the log.
func aStuckLog(w *world) {
	r := w.up(setup{vpn: options{"log_level": "4"}})
	list := w.router.processes("logd")
	if len(list) == 0 {
		w.skip("the root has no logd")
	}
	for _, p := range list {
		w.must(syscall.Kill(p.pid, syscall.SIGSTOP))
	}
	for n := 1; n <= 3; n++ {
		w.must(w.lab.Signal(cut))
		r.reconnected(n, upLimit)
		begin := time.Now()
		w.tunnel("vpn")
		w.check(time.Since(begin) < time.Second, "the status took %.1f s", time.Since(begin).Seconds())
		w.must(r.conversation.say(5 * time.Second))
	}
	for _, p := range list {
		w.must(syscall.Kill(p.pid, syscall.SIGCONT))
	}
	r.livedOn()
}

// aLyingNameServer answers with the address of somebody else before the server's, another one each time. Traffic to that one
// must not leave the tunnel.
func aLyingNameServer(w *world) {
	victim := func(n int) string { return fmt.Sprintf("198.18.66.%d", n+1) }
	round := 0
	lie := func() {
		w.names.set(serverName, victim(round), serverAddress)
		round++
	}
	lie()
	w.start(setup{})
	seen := map[string]bool{}
	look := func(why string) string {
		for _, r := range w.routesOf("-4") {
			// While an address is dialed it has a private route, which only sockets take that are bound to the uplink.
			if strings.HasPrefix(r.Dst, "198.18.66.") && r.Protocol != "83" && !seen[r.Dst] {
				seen[r.Dst] = true
				w.check(false, "there is a route to %s by %s %s", r.Dst, r.Gateway, r.Device)
			}
		}
		return why
	}
	w.until(upLimit, "up", func() string { return look(w.notUp("vpn")) })
	for n := 1; n <= 4; n++ {
		lie()
		w.router.must("sstp reconnect vpn")
		w.until(upLimit, "up again", func() string {
			if w.tunnel("vpn").Reconnects < n {
				return look("not yet")
			}
			return look(w.notUp("vpn"))
		})
		for _, to := range []string{victim(round - 1), serverAddress} {
			for _, from := range [][]string{nil, {"from", lanAddress, "iif", lanDevice}} {
				w.check(w.way(to, from...) == device, "packets %v to %s, of which the name server told, leave by %s", from, to, w.way(to, from...))
			}
		}
	}
}

// killedBeforeTheMove: a daemon is killed, and the server has another address when the next one starts.
func killedBeforeTheMove(w *world) {
	const moved = "192.0.2.11"
	_, err := w.server.run("ip", "addr", "add", moved+"/24", "dev", "eth0")
	w.must(err)
	r := w.up(setup{serving: []string{"--listen", moved + ":443"}})
	w.must(syscall.Kill(r.daemon, syscall.SIGKILL))
	w.names.set(serverName, moved)
	w.until(upLimit, "another daemon runs and the tunnel is up at the other address", func() string {
		if list := w.router.daemons("vpn"); len(list) != 1 || list[0].pid == r.daemon {
			return fmt.Sprintf("daemons %v", list)
		}
		if t, err := w.tunnelStatus("vpn"); t.ServerAddress != moved+":443" {
			return fmt.Sprintf("it is connected to %q (%v)", t.ServerAddress, err)
		}
		return w.notUp("vpn")
	})
	w.staysRight()
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
}

// addressesOfOthers: the server gives addresses that are the router's, the LAN's, or nobody's to give.
func addressesOfOthers(w *world) {
	w.start(setup{silent: true, vpn: options{"auto": "0"}})
	for _, c := range []struct {
		pool, wrong string
	}{
		{"203.0.113.0/24", wanAddress},  // the router's own, with its gateway for a peer
		{"192.168.1.0/24", lanAddress},  // a host of the LAN, with the router's own for a peer
		{"127.9.9.0/24", "127.9.9.2"},   // loopback
		{"240.9.9.0/24", "240.9.9.2"},   // reserved
		{"224.9.9.0/24", "224.9.9.2"},   // multicast
		{"0.9.9.0/24", "0.9.9.2"},       // this network
		{"203.0.113.64/26", ""},         // the uplink's network
		{"198.51.100.0/24", "-"},        // of nobody here: fine
		{"169.254.77.0/24", "-warning"}, // what RRAS gives when its DHCP fails: up, with a warning
	} {
		w.say("-- the server gives addresses of %s", c.pool)
		w.serveVPN("--pool", c.pool)
		w.router.must("ifup vpn")
		if strings.HasPrefix(c.wrong, "-") {
			w.waitUp("vpn", upLimit)
			if c.wrong == "-warning" {
				w.check(len(w.tunnel("vpn").Warned) > 0 || strings.Contains(w.router.must("logread -e sstp"), "169.254."), "nothing warns of an address of 169.254.0.0/16")
			}
		} else {
			w.waitFailed("vpn", "NO_ADDRESS", upLimit)
			message := w.tunnel("vpn").LastError.Message
			w.check(strings.Contains(message, c.wrong), "the message does not name the address %s: %s", c.wrong, message)
		}
		for to, by := range map[string]string{lanAddress: lanDevice, wanGateway: "eth1"} {
			w.check(w.way(to) == by, "packets to %s leave by %s, not by %s", to, w.way(to), by)
		}
		w.router.must("ifdown vpn")
		w.waitDown("vpn", device, 10*time.Second)
		w.killServer()
	}
}

// badHold: what is no time is refused, and nothing is half done.
func badHold(w *world) {
	w.start(setup{vpn: options{"hold": "for ever and ever"}})
	w.until(upLimit, "netifd shows INVALID_OPTIONS and names the option", func() string {
		n := w.netifd("vpn")
		if n.code() != "INVALID_OPTIONS" {
			return fmt.Sprintf("netifd shows %q", n.code())
		}
		if text := fmt.Sprint(n.Errors[0].Data); !strings.Contains(text, "hold") || !strings.Contains(text, "forever") {
			return "the message does not name the option and what is allowed: " + text
		}
		return ""
	})
	w.check(!w.router.hasDevice(device), "there is a device")
	for _, value := range []string{"forever", "0", "7"} {
		w.setOption("vpn", "hold", value)
		w.reload()
		w.until(upLimit, "up with hold "+value, func() string { return w.notOneUp("vpn") })
	}
}

// heldForever: with option hold 'forever' a lost call's device stays, traffic is refused at once, and none takes another way.
func heldForever(w *world) {
	r := w.up(setup{vpn: options{"hold": "forever", "keepalive": "2 1"}})
	w.killServer()
	w.until(10*time.Second, "the loss was noticed", func() string { return is(w.tunnel("vpn").State, "holding") })
	begin := time.Now()
	out, err := w.lan.run("ping", "-n", "-c", "1", "-W", "3", behindAddress)
	w.check(err != nil && time.Since(begin) < 2*time.Second && strings.Contains(fmt.Sprint(out, err), "+1 errors"),
		"a ping from the LAN is not refused at once (after %.1f s): %v", time.Since(begin).Seconds(), err)
	w.always(40*time.Second, "it is held", func() string {
		n := w.netifd("vpn")
		if !n.Up {
			return "netifd says it is down"
		}
		if why := w.wrongInKernel("vpn"); why != "" {
			return why
		}
		return is(w.tunnel("vpn").State, "holding")
	})
	key := w.tunnel("vpn").Reach.Internet.Key
	w.check(key == "reach_refused", "the status says %q of a held tunnel", key)
	w.serveVPN()
	r.reconnected(1, 90*time.Second)
	r.livedOn()
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
	w.check(!slices.Contains(w.router.hotplug("vpn"), "ifupdate"), "scripts heard %v", w.router.hotplug("vpn"))
}
