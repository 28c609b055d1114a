package main

import (
	"fmt"
	"strings"
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
	r := w.up(setup{serving: []string{"--single-session"}, wan: options{"metric": "20"}, wanb: options{"metric": "10", "auto": "0", "force_link": "0"}})
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

func theWANIsLost(w *world) {
	r := w.up(setup{serving: []string{"--single-session"}})
	w.router.must("ifdown wan")
	w.until(upLimit, "the daemon says that there is no uplink", func() string { return is(w.tunnel("vpn").LastError.Code, "NO_UPLINK") })
	w.oneDaemon("vpn")
	w.router.must("ifup wan")
	took := r.reconnected(1, upLimit)
	w.check(took < 4*time.Second, "up only %.1f s after the WAN", took.Seconds())
	r.livedOn()
}
