package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"sstp/src/ubus"
)

// proof shows what leaves by the uplinks: a host of the LAN sends without pause, and the provider's ends of the cables are
// listened at.
type proof struct {
	w       *world
	tap     *tap
	traffic *traffic
	rows    []row

	mu    sync.Mutex
	looks []look
}

// row is what left by the uplinks in one state of the router.
type row struct {
	state      string
	begin, end time.Time
	sent       map[string]int
	seen       []sighting
}

// look is what the tunnel's status said at a moment between asked and answered.
type look struct {
	asked, answered       time.Time
	internet, ipv6, names string // the keys of its lines
	sign                  string // changes whenever anything is added to the history
}

// newProof makes the far ends and begins to send from a namespace and to listen. resolver is the LAN's; "" asks none.
func (w *world) newProof(from *space, resolver string) *proof {
	w.farEnds(w.internet)
	w.farEnds(w.server)
	return &proof{w: w, tap: w.newTap(from != w.lan), traffic: w.begin(from, resolver)}
}

// during notes what leaves by the uplinks while f brings a state about and lets it last. No packet may be lost by the tap, and
// each kind must have been sent.
func (p *proof) during(state string, f func()) row {
	p.w.say("-- %s", state)
	before := p.traffic.counts()
	r := row{state: state, begin: time.Now(), sent: map[string]int{}}
	f()
	r.end = time.Now()
	for kind, n := range p.traffic.counts() {
		r.sent[kind] = n - before[kind]
	}
	time.Sleep(20 * time.Millisecond) // for the tap to read what is there
	r.seen = p.tap.between(r.begin, r.end)
	p.w.check(p.tap.lost() == 0, "the tap lost packets")
	p.rows = append(p.rows, r)
	p.w.say("   from %s on left by the uplinks: %s; sent: %s", r.begin.Format("15:04:05.000"), show(count(r.seen)), show(r.sent))
	if os.Getenv("SSTP_SIGHTINGS") != "" {
		for _, s := range r.seen {
			p.w.say("   %s %s", s.at.Format("15:04:05.000"), s.what)
		}
	}
	return r
}

// tell lists the rows for the table at the end.
func (p *proof) tell(how string) {
	for _, r := range p.rows {
		all := 0
		for _, n := range r.sent {
			all += n
		}
		p.w.find("%s: %s, %.1f s, %d packets sent: %s", how, r.state, r.end.Sub(r.begin).Seconds(), all, show(count(r.seen)))
	}
}

// watch asks the tunnel for its status all the time, until the returned function is called or the router ends.
func (p *proof) watch() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	client := ubus.New(ubus.Options{Socket: p.w.router.root + "/tmp/run/ubus/ubus.sock"})
	go client.Run(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			l := look{asked: time.Now()}
			limited, end := context.WithTimeout(ctx, 2*time.Second)
			status, err := client.Call(limited, "sstp.vpn", "status", nil)
			history, herr := client.Call(limited, "sstp.vpn", "history", nil)
			end()
			l.answered = time.Now()
			if err == nil && herr == nil {
				reach := status.Table("reach")
				l.internet, l.ipv6, l.names = reach.Table("internet").Text("key"), reach.Table("ipv6").Text("key"), reach.Table("names").Text("key")
				events := history.Tables("events")
				l.sign = fmt.Sprint(len(events), status.Text("state"))
				for _, e := range events[max(0, len(events)-3):] {
					l.sign += fmt.Sprint(e)
				}
			}
			p.mu.Lock()
			p.looks = append(p.looks, l)
			p.mu.Unlock()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// broken returns the packets that left by an uplink between two moments at both of which the status said that they go through
// the tunnel, and between which it noted nothing: its word was not true. claimed is how long it said so altogether.
func (p *proof) broken() (lies []string, claimed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range len(p.looks) - 1 {
		a, b := p.looks[i], p.looks[i+1]
		if a.sign != b.sign || a.sign == "" {
			continue
		}
		span := p.tap.between(a.answered, b.asked)
		if a.internet == reachTunnel && b.internet == reachTunnel {
			claimed += b.asked.Sub(a.answered)
		}
		for _, s := range span {
			if s.kind == routersOwn {
				continue
			}
			key, next := a.internet, b.internet
			switch {
			case s.kind == "names":
				key, next = a.names, b.names
			case strings.HasSuffix(s.kind, "6"):
				key, next = a.ipv6, b.ipv6
			}
			if key == next && (key == reachTunnel || key == "reach6_none" || key == "names_tunnel") {
				lies = append(lies, fmt.Sprintf("%s %s while the status said %s from %s to %s", s.at.Format("15:04:05.000"), s.what, key,
					a.answered.Format("15:04:05.000"), b.asked.Format("05.000")))
			}
		}
	}
	return lies, claimed
}

// reboot ends the router as a power cut does, and starts another one with what the first had in its flash.
func (w *world) reboot(s setup, beforeUplink func()) {
	flash := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(w.router.root, "etc/config/*"))
	w.must(err)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		w.must(err)
		flash["etc/config/"+filepath.Base(path)] = string(content)
	}
	// The cables first: where a namespace ends, its firewall ends before its devices.
	for _, c := range []struct {
		in    *space
		cable string
	}{{w.lan, "lan"}, {w.internet, "wan"}, {w.internet, "wanb"}} {
		_, err := c.in.run("ip", "link", "del", "dev", c.cable)
		w.must(err)
	}
	w.router.init.end()
	w.router.net.file.Close()
	w.say("the router is without power")
	w.newRouter()
	w.cable()
	w.router.configure(s)
	for path, content := range flash {
		w.router.write(path, content)
	}
	w.router.boot(s)
	if beforeUplink != nil {
		beforeUplink()
	}
}

// leaks checks that nothing of the LAN left by an uplink, but for kinds that are allowed.
func (p *proof) leaks(r row, allowed ...string) {
	wrong := slices.DeleteFunc(slices.Clone(r.seen), func(s sighting) bool { return slices.Contains(allowed, s.kind) })
	p.w.check(len(wrong) == 0, "%s: %d packets of the LAN left by an uplink: %s, such as\n%s", r.state, len(wrong), show(count(wrong)), strings.Join(some(wrong), "\n"))
}

// leavesAll checks that each kind of traffic was seen: what the tap does not see it cannot prove to be absent.
func (p *proof) leavesAll(r row, but ...string) {
	n := count(r.seen)
	for kind := range r.sent {
		if r.sent[kind] == 0 {
			continue
		}
		p.w.check(n[kind] > 0 || slices.Contains(but, kind), "%s: the tap saw no packet of kind %s, of %d sent", r.state, kind, r.sent[kind])
	}
}
