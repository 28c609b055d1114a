package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	cut     = syscall.SIGUSR1 // the lab server cuts all TCP connections
	silence = syscall.SIGUSR2 // it lets all calls fall silent
	hangup  = syscall.SIGHUP  // it disconnects all clients in an orderly way
)

// running is a tunnel with what must outlive a lost call.
type running struct {
	w            *world
	conversation *conversation
	device       string // with its index
	hotplug      []string
	daemon       int
}

// up starts a router and waits until its tunnel is up, with a TCP connection through it.
func (w *world) up(s setup) *running {
	w.start(s)
	w.waitUp("vpn", upLimit)
	from := w.lan
	if !w.router.hasFirewall() || s.noZone {
		from = w.router.net
	}
	w.reaches(from, insideAddress, upLimit) // the firewall hears of the new interface a little later
	r := &running{w: w, conversation: w.converse(from)}
	r.device = w.router.must("ip -o link show dev %s | cut -d: -f1,2", device)
	w.until(upLimit, "scripts have heard of it", func() string {
		if r.hotplug = w.router.hotplug("vpn"); len(r.hotplug) == 0 {
			return "nothing"
		}
		return ""
	})
	w.oneDaemon("vpn")
	r.daemon = w.router.daemons("vpn")[0].pid
	return r
}

// reconnected waits for the nth reconnection.
func (r *running) reconnected(n int, within time.Duration) time.Duration {
	return r.w.until(within, fmt.Sprintf("up again, reconnection %d", n), func() string {
		if t := r.w.tunnel("vpn"); t.Reconnects < n {
			return fmt.Sprintf("%d reconnections, state %s", t.Reconnects, t.State)
		}
		return r.w.notUp("vpn")
	})
}

// livedOn checks that nobody noticed that the call was lost.
func (r *running) livedOn() {
	w := r.w
	begin := time.Now()
	w.must(r.conversation.say(20 * time.Second))
	w.say("the TCP connection lives on (answer after %.2f s)", time.Since(begin).Seconds())
	now := w.router.must("ip -o link show dev %s | cut -d: -f1,2", device)
	w.check(now == r.device, "the device was made anew: %s, before %s", now, r.device)
	w.check(slices.Equal(w.router.hotplug("vpn"), r.hotplug), "scripts heard %v, before %v", w.router.hotplug("vpn"), r.hotplug)
	w.oneDaemon("vpn")
	w.check(w.router.daemons("vpn")[0].pid == r.daemon, "it is another daemon")
	w.check(w.netifd("vpn").code() == "", "netifd shows %s", w.netifd("vpn").code())
}

func aCutCall(w *world) {
	r := w.up(setup{})
	for n := 1; n <= 2; n++ {
		w.must(w.lab.Signal(cut))
		r.reconnected(n, upLimit)
		r.livedOn()
	}
	t := w.tunnel("vpn")
	w.check(t.LastError.Code != "", "the status does not tell why the call was lost")
}

func aSilentServer(w *world) {
	r := w.up(setup{vpn: options{"keepalive": "2 1"}})
	w.must(w.lab.Signal(silence))
	r.reconnected(1, upLimit)
	w.check(w.tunnel("vpn").LastError.Code == "PEER_SILENT", "the last error is %s", w.tunnel("vpn").LastError.Code)
	r.livedOn()
}

func backWithinHold(w *world) {
	r := w.up(setup{})
	w.killServer()
	w.until(10*time.Second, "it was tried in vain a few times", func() string {
		t := w.tunnel("vpn")
		if t.State != "holding" || t.Attempt < 3 {
			return fmt.Sprintf("state %s, attempt %d", t.State, t.Attempt)
		}
		return ""
	})
	w.check(w.netifd("vpn").Up, "netifd says it is down")
	w.serveVPN()
	r.reconnected(1, upLimit)
	r.livedOn()
}

func backWithinHoldByName(w *world) {
	r := w.up(setup{noForwarder: true, vpn: options{"dns_metric": "0"}, wan: options{"dns_metric": "100"}})
	first := strings.Fields(w.router.must("grep nameserver /etc/resolv.conf"))[1]
	w.check(first == insideAddress, "the first name server is %s, not the tunnel's", first)
	w.killServer()
	w.until(10*time.Second, "the loss was noticed", func() string { return is(w.tunnel("vpn").State, "holding") })
	w.serveVPN()
	took := r.reconnected(1, 20*time.Second)
	w.check(took < 5*time.Second, "it took %.1f s: names were asked for through the lost tunnel", took.Seconds())
	r.livedOn()
}

// is returns "" where two texts are the same.
func is(got, want string) string {
	if got != want {
		return fmt.Sprintf("it is %q, not %q", got, want)
	}
	return ""
}

func goneBeyondHold(w *world) {
	r := w.up(setup{vpn: options{"hold": "2"}})
	w.killServer()
	w.until(10*time.Second, "netifd says it is down, with an error", func() string {
		n := w.netifd("vpn")
		switch {
		case n.Up:
			return "up"
		case n.code() == "":
			return "no error"
		}
		return ""
	})
	w.until(3*time.Second, "the device is gone", func() string {
		if w.router.hasDevice(device) {
			return "it is there"
		}
		return ""
	})
	w.oneDaemon("vpn")
	w.check(w.router.daemons("vpn")[0].pid == r.daemon, "it is another daemon")
	w.serveVPN()
	w.waitUp("vpn", 20*time.Second)
	w.reaches(w.router.net, insideAddress, upLimit)
	w.check(w.netifd("vpn").code() == "", "netifd still shows %s", w.netifd("vpn").code())
	w.check(slices.Equal(w.router.hotplug("vpn"), []string{"ifup", "ifdown", "ifup"}), "scripts heard %v", w.router.hotplug("vpn"))
}

func anotherAddress(w *world) {
	r := w.up(setup{})
	w.killServer()
	w.serveVPN("--pool", "10.98.0.0/24")
	r.reconnected(1, upLimit)
	w.until(5*time.Second, "netifd has the new address alone", func() string {
		n := w.netifd("vpn")
		if len(n.IPv4) != 1 || n.IPv4[0] != (address{"10.98.0.2", 32, "10.98.0.1"}) || !slices.Equal(n.DNS, []string{"10.98.0.1"}) {
			return fmt.Sprintf("%+v, name servers %v", n.IPv4, n.DNS)
		}
		return ""
	})
	out := w.router.must("ip -4 addr show dev %s", device)
	w.check(strings.Contains(out, "10.98.0.2") && !strings.Contains(out, insideClient), "the kernel has\n%s", out)
	w.reaches(w.router.net, "10.98.0.1", upLimit)
	w.check(!slices.Contains(w.router.hotplug("vpn"), "ifdown"), "scripts heard %v: it went down", w.router.hotplug("vpn"))
}

func theDaemonIsKilled(w *world) {
	r := w.up(setup{})
	w.must(syscall.Kill(r.daemon, syscall.SIGKILL))
	w.until(upLimit, "another daemon runs and the tunnel is up", func() string {
		if list := w.router.daemons("vpn"); len(list) != 1 || list[0].pid == r.daemon {
			return fmt.Sprintf("daemons %v", list)
		}
		return w.notUp("vpn")
	})
	w.always(2*time.Second, "one daemon, up", func() string { return w.notOneUp("vpn") })
	w.reaches(w.router.net, insideAddress, upLimit)
}
