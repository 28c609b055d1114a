package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Each of chaosRounds rounds does something to the router, its networks or the server, at a moment that is left to chance, and
// then the tunnel must be up again.
const (
	chaosRounds = 25
	chaosLimit  = 30 * time.Second // for each round
)

// chaosSeed makes chance repeatable: SSTP_CHAOS is another seed.
func chaosSeed() uint64 {
	n, err := strconv.ParseUint(os.Getenv("SSTP_CHAOS"), 10, 64)
	if err != nil {
		return 1
	}
	return n
}

func everythingAtOnce(w *world) {
	w.start(setup{serving: []string{"--single-session"}, wan: options{"metric": "20"}, wanb: options{"metric": "10"},
		vpn: options{"keepalive": "2 1", "hold": "3"}})
	w.waitUp("vpn", upLimit)
	chance := rand.New(rand.NewPCG(chaosSeed(), 0))
	moment := func(most time.Duration) { time.Sleep(time.Duration(chance.Int64N(int64(most)))) }
	bounce := func(name string) {
		w.router.must("ifdown %s", name)
		moment(time.Second)
		w.router.must("ifup %s", name)
	}
	serverEnds := 0 // of this daemon: one whose calls keep being ended by the server waits for minutes, and shall
	deeds := []struct {
		name string
		do   func()
	}{
		{"cut", func() { serverEnds++; w.must(w.lab.Signal(cut)) }},
		{"disconnect", func() { serverEnds++; w.must(w.lab.Signal(hangup)) }},
		{"silence", func() { w.must(w.lab.Signal(silence)) }},
		{"kill the server and start it", func() {
			serverEnds++
			w.killServer()
			moment(5 * time.Second)
			w.serveVPN("--single-session")
		}},
		{"ifup vpn", func() { w.router.must("ifup vpn") }},
		{"ifdown vpn, ifup vpn", func() { bounce("vpn") }},
		{"reload", func() { w.router.must("ubus call network reload") }},
		{"reconnect", func() { w.router.sh("sstp reconnect vpn") }}, // there may be no daemon at this moment
		{"ifdown wanb", func() { w.router.must("ifdown wanb") }},
		{"ifup wanb", func() { w.router.must("ifup wanb") }},
		{"ifdown wan, ifup wan", func() { bounce("wan") }},
		{"pull both cables", func() {
			for _, state := range []string{"down", "up"} {
				for _, cable := range []string{"wan", "wanb"} {
					_, err := w.internet.run("ip", "link", "set", cable, state)
					w.must(err)
				}
				moment(2 * time.Second)
			}
		}},
		{"kill the daemon", func() {
			for _, p := range w.router.daemons("vpn") {
				syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}},
		{"restart ubusd", func() {
			w.router.kill("ubusd", syscall.SIGKILL)
			moment(time.Second)
			w.router.startUbusd()
			for _, object := range []string{"network", "network.interface.vpn"} {
				if !w.router.appears(object, chaosLimit) {
					w.fail("%s is not back on the bus", object)
				}
			}
		}},
		{"another mtu", func() { w.setOption("vpn", "mtu", strconv.Itoa(1300+chance.IntN(100))); w.reload() }},
		{"defaultroute", func() { w.setOption("vpn", "defaultroute", strconv.Itoa(chance.IntN(2))); w.reload() }},
		// A netifd that loses the bus while it starts does not find back to it, so nothing comes into the middle of this.
		{"network restart", func() {
			w.restartNetwork()
			w.until(chaosLimit, "one daemon, up", func() string { return w.notOneUp("vpn") })
		}},
	}
	daemon := 0
	for round := range chaosRounds {
		if list := w.router.daemons("vpn"); len(list) == 1 && list[0].pid != daemon {
			daemon, serverEnds = list[0].pid, 0
		}
		deed := deeds[chance.IntN(len(deeds))]
		if serverEnds >= 2 {
			deed = deeds[4]
		}
		w.say("round %d: %s", round+1, deed.name)
		if !w.router.appears("network.interface.vpn", chaosLimit) { // netifd is being restarted
			w.fail("netifd is not back on the bus")
		}
		deed.do()
		if chance.IntN(3) == 0 {
			continue // the next one comes into the middle of it
		}
		moment(200 * time.Millisecond)
		w.until(chaosLimit, "one daemon, up", func() string { return w.notOneUp("vpn") })
		w.reaches(w.router.net, insideAddress, chaosLimit)
	}
	w.backAfter(0)
}
