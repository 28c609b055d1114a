package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The table of src/SECURITY.md: for each state of the router, what of the LAN leaves by the uplinks, without the kill switch
// and with it.

// dwell is how long a state that lasts is looked at.
const dwell = 1500 * time.Millisecond

// proofSetup is the router of the proof: the LAN has IPv6 too, and the router's own resolver runs.
func proofSetup(s setup) setup {
	s.lan = options{"ip6addr": []string{lanRouter6 + "/64"}}
	s.dnsmasq = true
	if s.vpn == nil {
		s.vpn = options{}
	}
	s.vpn["keepalive"], s.vpn["hold"] = "2 1", "4"
	s.serving = append(s.serving, "--single-session")
	return s
}

// needsAll skips the proof where the root has no firewall or no resolver.
func (w *world) needsAll() {
	if !w.router.has("sbin/fw4") && !w.router.has("sbin/fw3") {
		w.skip("the root has no firewall")
	}
	if !w.router.has("usr/sbin/dnsmasq") {
		w.skip("the root has no dnsmasq")
	}
}

// states brings about each state of the table, in order, from a tunnel that is up, and leaves it up. boot is how the router
// starts.
func (p *proof) states(s setup) []row {
	w := p.w
	up := func() {
		w.until(30*time.Second, "up", func() string { return w.notOneUp("vpn") })
	}
	rows := []row{
		p.during("up", func() { time.Sleep(dwell) }),
		p.during("lost, within hold", func() {
			w.killServer()
			w.until(10*time.Second, "the loss was noticed", func() string { return is(w.tunnel("vpn").State, "holding") })
			time.Sleep(dwell)
		}),
		p.during("lost, beyond hold", func() {
			w.until(10*time.Second, "netifd says it is down", func() string {
				if w.netifd("vpn").Up {
					return "up"
				}
				return ""
			})
			time.Sleep(dwell)
		}),
	}
	rows = append(rows, p.during("connecting", func() {
		_, err := w.internet.run("ip", "route", "add", "blackhole", serverAddress)
		w.must(err)
		w.router.must("ifdown vpn; ifup vpn")
		time.Sleep(dwell)
		_, err = w.internet.run("ip", "route", "del", "blackhole", serverAddress)
		w.must(err)
	}))
	rows = append(rows, p.during("refused", func() {
		w.setOption("vpn", "password", "another")
		w.router.must("ifdown vpn; ifup vpn")
		w.serveVPN("--single-session")
		w.waitFailed("vpn", "AUTH_FAILED", upLimit)
		time.Sleep(dwell)
	}))
	w.setOption("vpn", "password", password)
	w.router.must("ifdown vpn; ifup vpn")
	up()
	rows = append(rows, p.during("daemon killed", func() {
		for range 3 {
			for _, d := range w.router.daemons("vpn") {
				syscall.Kill(d.pid, syscall.SIGKILL)
			}
			time.Sleep(dwell / 3)
		}
		up()
	}))
	rows = append(rows, p.during("netifd restarted", func() {
		w.restartNetwork()
		up()
		w.router.kill("netifd", syscall.SIGKILL)
		if !w.router.procd {
			w.router.daemon("", "netifd")
		}
		if !w.router.appears("network.interface.vpn", 20*time.Second) {
			w.fail("netifd is not back")
		}
		up()
	}))
	rows = append(rows, p.during("firewall reloaded and restarted", func() {
		for _, verb := range []string{"reload", "restart", "restart"} {
			w.firewall(verb)
			time.Sleep(dwell / 3)
		}
	}))
	rows = append(rows, p.during("WAN bounced", func() {
		w.router.must("ifdown wan; ifup wan")
		time.Sleep(time.Second)
		up()
		w.router.must("ifup wan")
		time.Sleep(time.Second)
		up()
		w.plug("wan", false)
		time.Sleep(time.Second)
		w.plug("wan", true)
		up()
	}))
	rows = append(rows, p.during("interface disabled", func() {
		w.setOption("vpn", "disabled", "1")
		w.reload()
		w.until(10*time.Second, "netifd no longer has it", func() string {
			if w.router.onBus("network.interface.vpn") {
				return "it has"
			}
			return ""
		})
		time.Sleep(dwell)
	}))
	w.router.must("uci delete network.vpn.disabled; uci commit network")
	w.reload()
	up()
	rows = append(rows, p.during("package removed", func() {
		w.removePackage()
		time.Sleep(dwell)
	}))
	w.installPackage()
	up()
	rows = append(rows, p.during("boot, before the uplink and after", func() {
		w.reboot(s, nil)
		up()
	}))
	return rows
}

// firewall makes the firewall load its rules anew, as OpenWrt does whenever an interface or the configuration changes ("reload"),
// or take them away before ("restart"). A load that asks a netifd that has just been killed holds the others up for ubus' limit.
func (w *world) firewall(verb string) {
	command := "fw4 " + verb
	switch {
	case w.router.procd && w.router.has("etc/init.d/firewall"):
		command = "/etc/init.d/firewall " + verb
	case !w.router.has("sbin/fw4"):
		command = "fw3 " + verb
	}
	out, err := run(w.router.command("/bin/sh", "-c", command+" 2>&1"), 2*commandLimit)
	if err != nil {
		w.fail("%v: %s", err, out)
	}
}

// firewallRestarted: a restart by hand takes all rules away before it loads them, unlike the reloads that OpenWrt itself does.
func firewallRestarted(w *world) {
	w.needsAll()
	w.start(proofSetup(setup{freeZone: true}))
	p := w.newProof(w.lan, lanRouter)
	w.waitUp("vpn", upLimit)
	w.switchOn()
	p.throughTheTunnel()
	for _, state := range []string{"up", "down"} {
		if state == "down" {
			w.router.must("ifdown vpn")
			w.waitDown("vpn", device, 5*time.Second)
		}
		p.leaks(p.during("firewall reloaded, tunnel "+state, func() {
			for range 3 {
				w.firewall("reload")
			}
		}), routersOwn)
		p.leaks(p.during("firewall restarted, tunnel "+state, func() {
			for range 3 {
				w.firewall("restart")
			}
		}), routersOwn)
	}
	p.tell("with the switch")
}

// packageFiles are those of the package that are not configuration.
const packageFiles = "/usr/sbin/sstp /lib/netifd/proto/sstp.sh /usr/libexec/rpcd/sstp"

// removePackage takes the program away as the package manager does, and lets netifd forget the protocol.
func (w *world) removePackage() {
	script, err := os.ReadFile(w.job.Source + "/openwrt/sstp/prerm")
	w.must(err)
	w.router.write("tmp/prerm", string(script))
	w.router.must("sh /tmp/prerm remove; mkdir -p /tmp/package; for f in %s; do cp -p $f /tmp/package/ && mv /tmp/package/${f##*/} /tmp/package/$(echo $f | tr / +) && rm $f; done", packageFiles)
	old := w.router.busID("network")
	w.router.must("ubus call network restart")
	w.until(10*time.Second, "netifd has replaced itself", func() string {
		if id := w.router.busID("network"); id == "" || id == old {
			return "not yet"
		}
		return ""
	})
	w.until(10*time.Second, "the WAN is up", func() string {
		if n, err := w.interfaceStatus("wan"); err != nil || !n.Up {
			return fmt.Sprint("not yet ", err)
		}
		return ""
	})
}

// installPackage puts the program back.
func (w *world) installPackage() {
	w.router.must("for f in %s; do mv /tmp/package/$(echo $f | tr / +) $f; done", packageFiles)
	w.restartNetwork()
}

// withoutTheSwitch: what leaves in each state of a router as the README sets it up. This shows too that the tap sees each kind
// of packet, where the tunnel does not carry it.
func withoutTheSwitch(w *world) {
	w.needsAll()
	s := proofSetup(setup{})
	w.start(s)
	p := w.newProof(w.lan, lanRouter)
	w.waitUp("vpn", upLimit)
	time.Sleep(time.Second)
	stop := p.watch()
	rows := p.states(s)
	stop()
	for _, r := range rows {
		switch r.state {
		case "lost, beyond hold", "connecting", "refused", "interface disabled", "package removed":
			p.leavesAll(r)
		case "up", "lost, within hold", "firewall reloaded and restarted":
			p.leaks(r, "names", "tcp6", "udp6", "icmp6", routersOwn)
		}
	}
	p.tell("without the switch")
	lies, claimed := p.broken()
	w.find("without the switch the status said %q for %.1f s; %d packets of the LAN left by an uplink meanwhile", reachTunnel, claimed.Seconds(), len(lies))
	w.check(len(lies) == 0, "the status was not true:\n%s", strings.Join(lies[:min(len(lies), 12)], "\n"))
	w.check(claimed > 5*time.Second, "the status said %q only for %v", reachTunnel, claimed)
}

// withTheSwitch: nothing leaves in any state.
func withTheSwitch(w *world) {
	w.needsAll()
	s := proofSetup(setup{freeZone: true})
	w.start(s)
	p := w.newProof(w.lan, lanRouter)
	w.waitUp("vpn", upLimit)
	w.switchOn()
	p.throughTheTunnel()
	stop := p.watch()
	rows := p.states(s)
	stop()
	for _, r := range rows {
		p.leaks(r, routersOwn)
	}
	p.tell("with the switch")
	lies, _ := p.broken()
	w.check(len(lies) == 0, "the status was not true:\n%s", strings.Join(lies[:min(len(lies), 12)], "\n"))
	w.switchOff()
	p.leavesAll(p.during("control: the switch off, tunnel down", func() {
		w.router.must("ifdown vpn")
		w.waitDown("vpn", device, 5*time.Second)
		time.Sleep(2 * dwell)
	}))
}

// switchOn turns the kill switch on, and waits until the firewall has it: a load that was under way ends first.
func (w *world) switchOn(options ...string) {
	out, err := w.router.sh("sstp killswitch vpn on %s 2>&1", strings.Join(options, " "))
	if err != nil {
		w.say("%v", err)
	}
	w.until(10*time.Second, "the switch is on", func() string {
		if out, err = w.router.sh("sstp killswitch vpn status 2>&1"); err != nil {
			return err.Error()
		}
		return ""
	})
	w.say("%s", out)
	w.switched = true
}

// switchOff turns it off.
func (w *world) switchOff() {
	w.router.must("sstp killswitch vpn off 2>&1")
	w.switched = false
}

// throughTheTunnel waits until the LAN's flows go through the tunnel, those too that began before.
func (p *proof) throughTheTunnel() {
	w := p.w
	w.reaches(w.lan, behindAddress, upLimit)
	w.until(20*time.Second, "nothing of the LAN leaves by an uplink any more", func() string {
		begin := time.Now()
		time.Sleep(time.Second)
		if seen := p.tap.between(begin, time.Now()); len(seen) > 0 {
			return fmt.Sprintf("%s, such as\n%s", show(count(seen)), strings.Join(some(seen), "\n"))
		}
		return ""
	})
}

// flows waits until each kind of traffic leaves by the uplink: the LAN's IPv6 address has just been set.
func (p *proof) flows() {
	begin := time.Now()
	p.w.until(10*time.Second, "each kind of traffic leaves by the uplink", func() string {
		n := count(p.tap.between(begin, time.Now()))
		for _, kind := range kinds {
			if n[kind] == 0 && kind != routersOwn {
				return "none of " + kind
			}
		}
		return ""
	})
}

// switchTurnedOnLate: flows that already go by the WAN when the switch is turned on do not go on there.
func switchTurnedOnLate(w *world) {
	w.needsAll()
	w.start(proofSetup(setup{freeZone: true, vpn: options{"auto": "0"}}))
	p := w.newProof(w.lan, lanRouter)
	p.flows()
	p.leavesAll(p.during("no tunnel, no switch", func() { time.Sleep(2 * dwell) }))
	w.switchOn()
	// The internet still answers the flows that were cut, and is refused.
	p.leaks(p.during("the switch on, no tunnel", func() { time.Sleep(3 * dwell) }), routersOwn)
	w.router.must("ifup vpn")
	w.waitUp("vpn", upLimit)
	p.leaks(p.during("the switch on, up", func() { time.Sleep(dwell) }))
	w.reaches(w.lan, behindAddress, upLimit)
	w.switchOff()
	w.router.must("ifdown vpn")
	w.waitDown("vpn", device, 5*time.Second)
	p.leavesAll(p.during("the switch off, no tunnel", func() { time.Sleep(2 * dwell) }))
	p.tell("late switch")
}

// The random runs: proofRuns times all events, in an order and at moments left to chance. SSTP_CHAOS is another seed, SSTP_RUNS
// another number of runs.
const proofRuns = 10

func randomRuns(w *world) {
	w.needsAll()
	runs := proofRuns
	if n, err := strconv.Atoi(os.Getenv("SSTP_RUNS")); err == nil {
		runs = n
	}
	s := proofSetup(setup{freeZone: true})
	w.start(s)
	p := w.newProof(w.lan, lanRouter)
	w.waitUp("vpn", upLimit)
	w.switchOn()
	p.throughTheTunnel()
	for run := range runs {
		seed := chaosSeed() + uint64(run)
		chance := rand.New(rand.NewPCG(seed, 1))
		events := p.events(chance, s)
		order := chance.Perm(len(events))
		r := p.during(fmt.Sprintf("run %d, seed %d", run+1, seed), func() {
			for _, i := range order {
				w.say("   %s", events[i].name)
				if !w.router.appears("network.interface.lan", 20*time.Second) {
					w.fail("netifd is not there")
				}
				events[i].do()
				time.Sleep(time.Duration(chance.Int64N(int64(time.Second))))
			}
			w.until(90*time.Second, "up again after it all", func() string { return w.notOneUp("vpn") })
			w.reaches(w.lan, behindAddress, upLimit)
		})
		p.leaks(r, routersOwn)
	}
	p.tell("with the switch")
}

// event is something that befalls the router.
type event struct {
	name string
	do   func()
}

// events are all that may befall it. Each may come into the middle of another one.
func (p *proof) events(chance *rand.Rand, s setup) []event {
	w := p.w
	moment := func(most time.Duration) { time.Sleep(time.Duration(chance.Int64N(int64(most)))) }
	bounce := func(name string) {
		w.router.sh("ifdown %s", name)
		moment(time.Second)
		w.router.sh("ifup %s", name)
	}
	return []event{
		{"cut", func() { w.lab.Signal(cut) }},
		{"disconnect", func() { w.lab.Signal(hangup) }},
		{"silence", func() { w.lab.Signal(silence) }},
		{"the server is killed and started", func() {
			w.killServer()
			moment(3 * time.Second)
			w.serveVPN("--single-session")
		}},
		{"the server is away beyond hold", func() {
			w.killServer()
			time.Sleep(7 * time.Second)
			w.serveVPN("--single-session")
		}},
		{"sstp reconnect", func() { w.router.sh("sstp reconnect vpn") }},
		{"ifup vpn", func() { w.router.sh("ifup vpn") }},
		{"ifdown vpn, ifup vpn", func() { bounce("vpn") }},
		{"ifdown wan, ifup wan", func() { bounce("wan") }},
		{"ifup wan", func() { w.router.sh("ifup wan") }},
		{"another address of the WAN", func() {
			address := fmt.Sprintf("203.0.113.%d/24", 10+chance.IntN(200))
			w.setOption("wan", "ipaddr", []string{address})
			w.reload()
		}},
		{"the cable of the WAN out", func() {
			w.plug("wan", false)
			moment(3 * time.Second)
			w.plug("wan", true)
		}},
		{"the daemon is killed", func() {
			for _, d := range w.router.daemons("vpn") {
				syscall.Kill(d.pid, syscall.SIGKILL)
			}
		}},
		{"the firewall is reloaded", func() { w.firewall("reload") }},
		{"the firewall is restarted", func() { w.firewall("restart") }},
		{"netifd is restarted", func() { w.restartNetwork() }},
		{"netifd is killed", func() {
			if len(w.router.processes("netifd")) == 0 {
				return
			}
			w.router.kill("netifd", syscall.SIGKILL)
			if !w.router.procd {
				w.router.daemon("", "netifd")
			}
		}},
		{"the resolver is restarted", func() { w.router.sh("/etc/init.d/dnsmasq restart") }},
		{"the interface is disabled and enabled", func() {
			w.setOption("vpn", "disabled", "1")
			w.reload()
			moment(2 * time.Second)
			w.router.must("uci delete network.vpn.disabled; uci commit network")
			w.reload()
		}},
		{"the package is removed and installed", func() {
			w.removePackage()
			moment(2 * time.Second)
			w.installPackage()
		}},
		{"the router is rebooted", func() { w.reboot(s, nil) }},
	}
}

// badSwitches: what cannot be is answered with a sentence, and the configuration is as it was.
func badSwitches(w *world) {
	w.needsAll()
	w.start(proofSetup(setup{serving: []string{"--user", "second:" + password},
		more: "config interface 'branch'\n\toption proto sstp\n\toption server " + serverName + "\n\toption username second\n\toption password " +
			quote(password) + "\n\toption ca_cert /etc/vpn-ca.pem\n\toption defaultroute 0\n\toption peerdns 0\n"}))
	w.waitUp("vpn", upLimit)
	config := func() string {
		return inOrder(w.router.must("uci export network; uci export firewall; uci export dhcp; uci changes"))
	}
	refused := func(what, command string, words ...string) {
		before := config()
		out, err := w.router.sh("%s 2>&1", command)
		w.say("%s: %s", what, strings.TrimSpace(out))
		w.check(err != nil, "%s: %s ended well", what, command)
		for _, word := range words {
			w.check(strings.Contains(out, word), "%s: the answer does not say %q: %s", what, word, out)
		}
		w.check(config() == before, "%s: the configuration was changed", what)
		w.check(!strings.Contains(w.rules(), "Kill-switch") || strings.Contains(before, "killswitch"), "%s: the firewall has rules of it", what)
	}
	refused("the tunnel is in the wan zone", "sstp killswitch vpn on", "wan", "vpn")
	refused("there is no such tunnel", "sstp killswitch nobody on", "nobody")
	refused("an interface that is no tunnel", "sstp killswitch lan on", "lan")
	w.router.must(`i=0; while z=$(uci -q get firewall.@zone[$i].name); do
		[ "$z" = wan ] && uci del_list firewall.@zone[$i].network=vpn; i=$((i+1)); done; uci commit firewall; /etc/init.d/firewall reload || fw4 reload`)
	untouched := config()
	refused("there is no such zone", "sstp killswitch vpn on --zone guests", "guests")
	refused("a zone that leads to the internet", "sstp killswitch vpn on --zone wan", "wan")
	refused("an exception that is no address", "sstp killswitch vpn on --except nonsense", "nonsense")
	w.switchOn()
	refused("two tunnels that share a LAN", "sstp killswitch branch on", "vpn", "lan")
	on := config()
	w.router.must("sstp killswitch vpn on 2>&1")
	w.check(config() == on, "turning it on again changed the configuration")
	w.switchOff()
	w.check(config() == untouched, "turned off, it leaves a trace:\n%s\n---- before:\n%s", config(), untouched)
	w.router.must("mv /usr/sbin/nft /usr/sbin/nft.away 2>/dev/null; true")
	if w.router.has("sbin/fw4") {
		refused0 := config()
		out, err := w.router.sh("sstp killswitch vpn on 2>&1")
		w.check(err != nil && strings.Contains(out, "nft"), "a firewall without nftables: %s", out)
		w.check(config() == refused0, "a firewall without nftables: the configuration was changed")
		w.say("a firewall without nftables: %s", strings.TrimSpace(out))
	}
	w.router.must("mv /usr/sbin/nft.away /usr/sbin/nft 2>/dev/null; true")
}

// inOrder sorts the options of each section, whose order means nothing. The items of a list stay in theirs.
func inOrder(config string) string {
	sections := strings.Split(config, "\n\n")
	for i, text := range sections {
		var head, options []string
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(line, "\t") {
				options = append(options, line)
			} else {
				head = append(head, line)
			}
		}
		slices.SortStableFunc(options, func(a, b string) int { return strings.Compare(strings.Fields(a)[1], strings.Fields(b)[1]) })
		sections[i] = strings.Join(append(head, options...), "\n")
	}
	return strings.Join(sections, "\n\n")
}

// rules returns the firewall's rules without what counts.
func (w *world) rules() string {
	out, _ := w.router.sh("nft -s list ruleset 2>/dev/null || { iptables-save; ip6tables-save; }")
	return out
}
