package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/integration/netkit"
	"sstp/src/lab"
)

// Addresses of the world:
//
//	LAN (this process) ── eth0 router eth1 ── wan ── internet ── server ── lab0 (the VPN's inside)
//	                                  eth2 ── wanb ─┘
const (
	lanAddress     = "192.168.1.2"
	lanRouter      = "192.168.1.1"
	wanAddress     = "203.0.113.2"
	wanGateway     = "203.0.113.1"
	wanbAddress    = "198.51.100.2"
	wanbGateway    = "198.51.100.1"
	wanAddress6    = "2001:db8:1::2"
	wanGateway6    = "2001:db8:1::1"
	serverAddress  = "192.0.2.10"
	serverAddress6 = "2001:db8:ff::10"
	serverName     = "vpn.example"  // resolves to serverAddress
	serverName6    = "vpn6.example" // resolves to serverAddress6
	insideAddress  = "10.99.0.1"    // the server's end of the tunnel
	insideClient   = "10.99.0.2"    // what the first client gets
	lanAddress6    = "2001:db8:2::2"
	lanRouter6     = "2001:db8:2::1"
	behindAddress  = "172.31.255.1" // reached only through the tunnel
	publicAddress  = "198.18.0.1"   // a host of the internet
)

// world is a router and everything around it.
type world struct {
	job     job
	started time.Time
	verbose bool

	lan, internet, server *space
	router                *router
	kit                   *netkit.Net // keeps the lab server's processes
	lab                   *netkit.Process
	labRuns               int
	certificate           *lab.Certificate
	names                 *nameServer
	cabled                bool // cables have been laid before
	switched              bool // the kill switch is on: the LAN has no way but the tunnel

	findings []string
	failures []string
}

// result is what a world tells the conductor.
type result struct {
	Failures []string
	Skipped  string
	Findings []string
}

// failure ends a scenario.
type failure struct{ text string }

// skip ends a scenario that cannot be run here.
type skip struct{ reason string }

// worldMain is the first process of a world: it builds it, runs one scenario, and tells the conductor what came of it. As
// soon as it ends, everything in the world does.
func worldMain() {
	j := begin()
	w := &world{job: j, started: time.Now()}
	var r result
	if j.Scenario == "" {
		r.Failures = w.try(func() { w.serve() }, &r)
	} else {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == j.Scenario })
		r.Failures = w.try(func() { scenarios[i].run(w) }, &r)
	}
	r.Findings = w.findings
	if len(r.Failures) > 0 {
		w.explain()
	}
	json.NewEncoder(answer()).Encode(r)
	os.Exit(0)
}

// try runs f and returns how it failed.
func (w *world) try(f func(), r *result) (failures []string) {
	defer func() {
		failures = w.failures
		switch x := recover().(type) {
		case nil:
		case failure:
			failures = append(failures, x.text)
		case skip:
			r.Skipped = x.reason
		default:
			failures = append(failures, fmt.Sprintf("panic: %v\n%s", x, debug.Stack()))
		}
	}()
	w.build()
	f()
	if w.job.Scenario != "" {
		w.kernelAgrees()
	}
	return nil
}

// fail ends the scenario.
func (w *world) fail(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

// check notes what is not as it should be and goes on.
func (w *world) check(ok bool, format string, args ...any) {
	if !ok {
		w.failures = append(w.failures, fmt.Sprintf(format, args...))
		w.say("not as it should be: "+format, args...)
	}
}

// must ends the scenario with an error.
func (w *world) must(err error) {
	if err != nil {
		w.fail("%v", err)
	}
}

// skip ends a scenario that this root cannot run.
func (w *world) skip(format string, args ...any) { panic(skip{fmt.Sprintf(format, args...)}) }

// find notes a finding for the table.
func (w *world) find(format string, args ...any) {
	w.findings = append(w.findings, fmt.Sprintf(format, args...))
	w.say(format, args...)
}

// say writes a line of the scenario's story.
func (w *world) say(format string, args ...any) {
	fmt.Printf("%8.3f  %s\n", time.Since(w.started).Seconds(), fmt.Sprintf(format, args...))
}

// until waits until f says that it is so, and returns how long that took. f returns "" or what is not yet so.
func (w *world) until(within time.Duration, what string, f func() (notYet string)) time.Duration {
	begin := time.Now()
	for {
		why := f()
		if why == "" {
			w.say("%s (after %.2f s)", what, time.Since(begin).Seconds())
			return time.Since(begin)
		}
		if time.Since(begin) > within {
			w.fail("not within %v: %s: %s", within, what, why)
		}
		time.Sleep(pollEvery)
	}
}

// always looks for a while whether f stays "".
func (w *world) always(during time.Duration, what string, f func() (wrong string)) {
	for begin := time.Now(); time.Since(begin) < during; time.Sleep(pollEvery) {
		if why := f(); why != "" {
			w.fail("after %.2f s it is no longer so: %s: %s", time.Since(begin).Seconds(), what, why)
		}
	}
	w.say("%s (for %v)", what, during)
}

// pollEvery is how often is looked at something that gives no sign.
const pollEvery = 40 * time.Millisecond

// build makes the networks. The routers and servers in them are started by the scenario.
func (w *world) build() {
	w.must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	w.must(unix.Mount("proc", "/proc", "proc", 0, ""))
	own := filepath.Join(w.job.Dir, "world")
	w.must(os.MkdirAll(own, 0o700))
	w.must(unix.Mount("none", own, "tmpfs", 0, "mode=700"))
	w.job.Dir = own
	os.Setenv("TMPDIR", own)
	var err error
	w.kit, err = netkit.New("world")
	w.must(err)
	w.lan, err = spaceOf("lan", 0)
	w.must(err)
	_, err = w.lan.run("ip", "link", "set", "lo", "up")
	w.must(err)
	w.internet, err = newSpace("internet")
	w.must(err)
	w.server, err = newSpace("server")
	w.must(err)
	w.must(join(end{w.internet, "server", []string{"192.0.2.1/24", "2001:db8:ff::1/64"}},
		end{w.server, "eth0", []string{serverAddress + "/24", serverAddress6 + "/64"}}))
	for _, c := range []struct {
		in   *space
		args []string
	}{
		{w.internet, []string{"sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"}},
		{w.internet, []string{"ip", "addr", "add", publicAddress + "/32", "dev", "lo"}},
		{w.server, []string{"ip", "route", "add", "default", "via", "192.0.2.1"}},
		{w.server, []string{"ip", "-6", "route", "add", "default", "via", "2001:db8:ff::1"}},
		{w.server, []string{"ip", "addr", "add", behindAddress + "/32", "dev", "lo"}},
		{w.server, []string{"sysctl", "-q", "-w", "net.ipv4.ip_forward=1"}},
		// The outer connection answers by the cable, whatever network the inside of the VPN has.
		{w.server, []string{"ip", "route", "add", "default", "via", "192.0.2.1", "table", "100"}},
		{w.server, []string{"ip", "rule", "add", "from", serverAddress, "lookup", "100"}},
	} {
		_, err := c.in.run(c.args...)
		w.must(err)
	}
	w.certificate, err = lab.NewCertificate(lab.CertificateOptions{Names: []string{serverName, serverName6}})
	w.must(err)
	w.names = newNameServer()
	w.newRouter()
}

// cable lays the router's cables, anew where it is another router that takes the place of the first. The LAN has IPv6 where
// the router's configuration gives it an address.
func (w *world) cable() {
	w.must(join(end{w.lan, "lan", []string{lanAddress + "/24", lanAddress6 + "/64"}}, end{in: w.router.net, device: "eth0"}))
	w.must(join(end{w.internet, "wan", []string{wanGateway + "/24", wanGateway6 + "/64"}}, end{in: w.router.net, device: "eth1"}))
	w.must(join(end{w.internet, "wanb", []string{wanbGateway + "/24"}}, end{in: w.router.net, device: "eth2"}))
	for _, c := range []struct {
		in   *space
		args []string
	}{
		{w.lan, []string{"ip", "route", "add", "default", "via", lanRouter}},
		{w.lan, []string{"ip", "-6", "route", "add", "default", "via", lanRouter6}},
	} {
		_, err := c.in.run(c.args...)
		w.must(err)
	}
	w.wan6()
	if w.cabled {
		return
	}
	w.cabled = true
	for _, address := range []string{wanGateway, wanbGateway} {
		w.must(w.names.serve(w.internet, address+":53"))
	}
	w.must(w.names.serve(w.server, ":53"))
}

// file writes a file of the world's own folder and returns its path.
func (w *world) file(name, content string) string {
	path, err := w.kit.File(name, content)
	w.must(err)
	return path
}
