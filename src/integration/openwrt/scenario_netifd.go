package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// sameCall checks that the tunnel is still the same call.
func (r *running) sameCall() {
	w := r.w
	t := w.tunnel("vpn")
	w.check(t.State == "up" && t.Reconnects == 0 && w.events("auth") == 1, "it was dialed anew: state %s, %d reconnections, %d logins",
		t.State, t.Reconnects, w.events("auth"))
	w.must(r.conversation.say(5 * time.Second))
	w.oneDaemon("vpn")
	w.check(w.router.daemons("vpn")[0].pid == r.daemon, "it is another daemon")
}

func liveToggles(w *world) {
	const ownResolver = "192.0.2.53"
	r := w.up(setup{noZone: true, vpn: options{"metric": "5"}, wan: options{"metric": "10"}})
	way := func() string { return w.router.must("ip route get %s", behindAddress) }
	w.check(strings.Contains(way(), "dev "+device), "the way out is %s", way())

	toggle := func(option, value, what string, so func() string) {
		w.setOption("vpn", option, value)
		w.reload()
		w.until(5*time.Second, option+"="+value+": "+what, so)
		r.sameCall()
	}
	goes := func(text string) func() string {
		return func() string {
			if !strings.Contains(way(), text) {
				return way()
			}
			return ""
		}
	}
	toggle("defaultroute", "0", "the default route is the WAN's", goes("dev eth1"))
	w.check(hasRoute(w.netifd("vpn").Inactive.Routes, "0.0.0.0", 0, ""), "netifd does not list it as inactive")
	toggle("defaultroute", "1", "the default route is the tunnel's", goes("dev "+device))
	resolver := func(there bool) func() string {
		return func() string {
			if text := w.router.read("tmp/resolv.conf.d/resolv.conf.auto"); strings.Contains(text, insideAddress) != there {
				return text
			}
			return ""
		}
	}
	toggle("peerdns", "0", "the tunnel's name server is gone", resolver(false))
	toggle("peerdns", "1", "the tunnel's name server is back", resolver(true))
	toggle("dns", ownResolver, "a name server of one's own is there", func() string {
		if text := w.router.read("tmp/resolv.conf.d/resolv.conf.auto"); !strings.Contains(text, ownResolver) {
			return text
		}
		return ""
	})
	toggle("metric", "50", "the WAN comes first", goes("dev eth1"))
	toggle("metric", "5", "the tunnel comes first", goes("dev "+device))
	toggle("ip4table", "100", "the tunnel's routes are in table 100", func() string {
		out, _ := w.router.sh("ip route show table 100")
		if !strings.Contains(out, "default") || !strings.Contains(way(), "dev eth1") {
			return out + way()
		}
		return ""
	})
}

func thePasswordChanges(w *world) {
	w.start(setup{vpn: options{"password": "not yet " + secret}})
	w.waitFailed("vpn", "AUTH_FAILED", upLimit)
	w.setOption("vpn", "password", password)
	w.reload()
	took := w.waitUp("vpn", upLimit)
	w.say("up %.1f s after the password was corrected", took.Seconds())
	w.oneDaemon("vpn")
	w.check(w.netifd("vpn").code() == "", "netifd still shows %s", w.netifd("vpn").code())
}

func aReloadOfNothing(w *world) {
	r := w.up(setup{})
	for range 3 {
		w.router.must("ubus call network reload")
	}
	w.setOption("lan", "delegate", "0")
	w.reload()
	w.always(2*time.Second, "up", func() string { return w.notUp("vpn") })
	r.sameCall()
}

// backAfter waits until the tunnel is up again after netifd was restarted, and stays so: netifd starts its interfaces a first
// time before it ends.
func (w *world) backAfter(old int) {
	var since time.Time
	w.until(30*time.Second, "one other daemon, whose tunnel has been up for three seconds", func() string {
		list := w.router.daemons("vpn")
		why := w.notUp("vpn")
		if len(list) != 1 || list[0].pid == old {
			why = fmt.Sprintf("daemons %v", list)
		}
		switch {
		case why != "":
			since = time.Time{}
			return why
		case since.IsZero():
			since = time.Now()
		}
		if steady := time.Since(since); steady < 3*time.Second {
			return fmt.Sprintf("for %.1f s", steady.Seconds())
		}
		return ""
	})
	w.reaches(w.router.net, insideAddress, upLimit)
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 10*time.Second)
}

func networkRestart(w *world) {
	r := w.up(setup{})
	w.restartNetwork()
	w.backAfter(r.daemon)
}

// restartNetwork makes netifd replace itself. Where a child of the old one, such as a hotplug script, ends while the new one
// reads what a protocol handler can do, netifd 25.12 takes the interrupted read for the end and does without that protocol.
// Then it is made to begin again.
func (w *world) restartNetwork() {
	for range 5 {
		old := w.router.busID("network")
		w.router.must("ubus call network restart")
		w.until(10*time.Second, "netifd has replaced itself", func() string {
			if id := w.router.busID("network"); id == "" || id == old {
				return "not yet"
			}
			return ""
		})
		if strings.Contains(w.router.must("ubus call network get_proto_handlers"), `"sstp"`) {
			return
		}
		w.say("netifd was interrupted when it read the protocol handlers: it begins again")
	}
	w.fail("netifd does not know the protocol sstp")
}

// busID returns the number of an object on the bus, another one each time it is registered; "" where there is none.
func (r *router) busID(path string) string {
	out, _ := r.run("ubus", "-v", "list", path)
	_, id, _ := strings.Cut(out, "@")
	id, _, _ = strings.Cut(id, "\n")
	return id
}

func serviceRestart(w *world) {
	r := w.up(setup{})
	if !w.router.procd {
		w.skip("without procd there are no services")
	}
	w.router.must("/etc/init.d/network restart")
	w.backAfter(r.daemon)
}

func netifdIsKilled(w *world) {
	r := w.up(setup{})
	w.router.kill("netifd", syscall.SIGKILL)
	if !w.router.procd {
		w.router.daemon("", "netifd")
	}
	w.until(15*time.Second, "netifd is there again", func() string {
		if !w.router.onBus("network.interface.vpn") {
			return "not yet"
		}
		return ""
	})
	w.backAfter(r.daemon)
}

func ubusdIsRestarted(w *world) {
	r := w.up(setup{})
	w.router.kill("ubusd", syscall.SIGKILL)
	w.must(r.conversation.say(5 * time.Second))
	w.router.startUbusd()
	w.until(35*time.Second, "netifd and the daemon are back on the bus", func() string {
		for _, object := range []string{"network.interface.vpn", "sstp.vpn"} {
			if !w.router.onBus(object) {
				return object + " is not"
			}
		}
		return w.notUp("vpn")
	})
	r.sameCall()
	w.must(w.lab.Signal(cut))
	r.reconnected(1, upLimit)
	r.livedOn()
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
}

// startedTwice is what a netifd does that has just replaced itself: a handler that the old one called makes the new one start
// a daemon, and so does its own.
func startedTwice(w *world) {
	r := w.up(setup{})
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", r.daemon))
	w.must(err)
	var handed []string
	for _, e := range strings.Split(string(environment), "\x00") {
		if strings.HasPrefix(e, "SSTP_") {
			handed = append(handed, e)
		}
	}
	w.must(w.router.call(nil, "network.interface", "notify_proto",
		map[string]any{"action": 1, "interface": "vpn", "command": []string{"/usr/sbin/sstp", "daemon", "vpn"}, "env": handed}))
	w.until(upLimit, "one other daemon, up", func() string {
		if list := w.router.daemons("vpn"); len(list) == 1 && list[0].pid == r.daemon {
			return "it is still the first one"
		}
		return w.notOneUp("vpn")
	})
	w.reaches(w.router.net, insideAddress, upLimit)
	out := w.router.must("ip addr show dev %s", device)
	w.check(strings.Contains(out, "inet "+insideClient+" "), "the device has no address:\n%s", out)
}

func takeOver(w *world) {
	r := w.up(setup{})
	w.router.daemon("", "/usr/sbin/sstp", "daemon", "vpn")
	w.until(3*time.Second, "the second daemon has started", func() string {
		if len(w.router.daemons("vpn")) < 2 && w.router.daemons("vpn")[0].pid == r.daemon {
			return "not yet"
		}
		return ""
	})
	w.backAfter(r.daemon)
}
