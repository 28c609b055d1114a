package main

import (
	"fmt"
	"strings"
	"syscall"
	"time"
)

// by waits until the tunnel is up by an uplink, as the daemon and as the server see it.
func (w *world) by(uplink, address string, within time.Duration) {
	w.until(within, "the tunnel is up by "+uplink, func() string {
		if t := w.tunnel("vpn"); t.Uplink != uplink {
			return fmt.Sprintf("uplink %q, state %s, last error %s", t.Uplink, t.State, t.LastError.Code)
		}
		if from := w.lastPeer(); from != address {
			return "the server was reached last from " + from
		}
		return w.notUp("vpn")
	})
}

func aSecondWAN(w *world) {
	r := w.up(setup{serving: []string{"--single-session"}, wan: options{"metric": "20"}, wanb: options{"metric": "10", "auto": "0"}})
	w.by("wan", wanAddress, upLimit)
	w.router.must("ifup wanb")
	w.by("wanb", wanbAddress, 15*time.Second)
	r.livedOn()
	way := w.router.must("ip route get %s oif eth2", serverAddress)
	w.check(strings.Contains(way, "via "+wanbGateway), "the way to the server is %s", way)

	_, err := w.internet.run("ip", "link", "set", "wanb", "down")
	w.must(err)
	w.say("the cable of wanb is pulled")
	w.by("wan", wanAddress, upLimit)
	r.livedOn()

	_, err = w.internet.run("ip", "link", "set", "wanb", "up")
	w.must(err)
	w.say("the cable of wanb is back")
	w.by("wanb", wanbAddress, 20*time.Second)
	r.livedOn()

	w.router.must("ifdown wanb")
	w.by("wan", wanAddress, upLimit)
	r.livedOn()
}

// atOnce checks that the tunnel came up because its uplink did, and not because it was time for another attempt. On a busy
// machine only the log can tell.
func (w *world) atOnce(took time.Duration) {
	w.check(took < 3*time.Second || strings.Contains(w.router.must("logread -e sstp"), "uplink wan is up"), "up only %.1f s after the WAN", took.Seconds())
}

func theWANIsLost(w *world) {
	r := w.up(setup{serving: []string{"--single-session"}})
	w.router.must("ifdown wan")
	w.until(upLimit, "the daemon says that there is no uplink", func() string { return is(w.tunnel("vpn").LastError.Code, "NO_UPLINK") })
	w.oneDaemon("vpn")
	w.router.must("ifup wan")
	took := r.reconnected(1, upLimit)
	w.atOnce(took)
	r.livedOn()
}

func theWANComesLater(w *world) {
	w.start(setup{vpn: options{"auto": "0"}})
	w.router.must("ifdown wan; ifup vpn")
	w.waitFailed("vpn", "NO_UPLINK", upLimit)
	w.always(3*time.Second, "one daemon, which says that there is no uplink", func() string {
		if list := w.router.daemons("vpn"); len(list) != 1 {
			return fmt.Sprintf("daemons %v", list)
		}
		return is(w.tunnel("vpn").LastError.Code, "NO_UPLINK")
	})
	w.router.must("ifup wan")
	took := w.waitUp("vpn", upLimit)
	w.atOnce(took)
	w.check(w.netifd("vpn").code() == "", "netifd still shows %s", w.netifd("vpn").code())
}

func anotherWANAddress(w *world) {
	r := w.up(setup{serving: []string{"--single-session"}})
	const other = "203.0.113.77"
	w.setOption("wan", "ipaddr", []string{other + "/24"})
	w.reload()
	w.by("wan", other, upLimit)
	r.livedOn()
}

func aNamedUplink(w *world) {
	w.up(setup{wan: options{"metric": "10"}, wanb: options{"metric": "20"}, vpn: options{"tunlink": "wanb"}})
	w.by("wanb", wanbAddress, upLimit)
	w.router.must("ifdown wanb")
	w.until(upLimit, "the daemon says that there is no uplink", func() string { return is(w.tunnel("vpn").LastError.Code, "NO_UPLINK") })
	w.router.must("ifup wanb")
	w.by("wanb", wanbAddress, upLimit)
}

// equalMetrics is the configuration of nearly everybody. The kernel has one default route of a metric: netifd replaces the
// WAN's by the tunnel's, and does not lay it again when the tunnel's goes.
func equalMetrics(w *world) {
	r := w.up(setup{vpn: options{"hold": "2"}})
	byWAN := func() string {
		out, err := w.router.sh("ip route get %s", publicAddress)
		if err != nil || !strings.Contains(out, "dev eth1") {
			return fmt.Sprintf("%s (%v)", strings.TrimSpace(out), err)
		}
		return ""
	}
	w.setOption("vpn", "defaultroute", "0")
	w.reload()
	w.until(3*time.Second, "without option defaultroute it is the WAN's", byWAN)
	r.sameCall()
	w.setOption("vpn", "defaultroute", "1")
	w.reload()
	w.until(3*time.Second, "with it again the tunnel's", func() string {
		if byWAN() == "" {
			return "it is the WAN's"
		}
		return ""
	})
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
	w.until(3*time.Second, "after ifdown the default route is the WAN's", byWAN)
	w.router.must("ifup vpn")
	w.waitUp("vpn", upLimit)
	w.killServer()
	w.until(upLimit, "netifd says it is down", func() string {
		if w.netifd("vpn").Up {
			return "up"
		}
		return ""
	})
	w.until(3*time.Second, "beyond hold the default route is the WAN's", byWAN)
	w.serveVPN()
	w.waitUp("vpn", 20*time.Second)
	old := w.router.daemons("vpn")[0].pid
	w.check(old != r.daemon, "it is the daemon of before ifdown")
	w.must(syscall.Kill(old, syscall.SIGKILL))
	w.until(upLimit, "up again after the daemon was killed", func() string {
		if list := w.router.daemons("vpn"); len(list) != 1 || list[0].pid == old {
			return fmt.Sprintf("daemons %v", list)
		}
		return w.notUp("vpn")
	})
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
	w.until(3*time.Second, "after all that the default route is the WAN's", byWAN)
	w.reaches(w.router.net, publicAddress, upLimit)
}
