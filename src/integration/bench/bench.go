package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"sstp/src/integration"
	"sstp/src/lab"
)

// bench is one run.
type bench struct {
	settings
	bed      *integration.Bed
	programs []*program
	lines    []*program // through the slow line
	starts   []result
}

// program is one way of moving bytes and what was found of it.
type program struct {
	name    string
	start   func(name string) (*tunnel, error)
	cells   []*cell
	tls     bool // the plain TLS copy
	small   bool // with small writes
	missing error

	tunnel     *tunnel
	idle       sample // round trips in milliseconds
	idleMemory uint64
	mostMemory uint64
}

// cell is one kind of load on a program; its samples have one value a round.
type cell struct {
	direction string
	streams   int

	megabits, seconds  sample // Mbit/s, client processor seconds per GB
	overTLS, costOfTLS sample // the same over the plain TLS copy of the round
	ping, late         sample // round trip under load in milliseconds: the median, and what 95 % are below
}

func loads(streams ...int) (list []*cell) {
	for _, n := range streams {
		list = append(list, &cell{direction: "up", streams: n}, &cell{direction: "down", streams: n})
	}
	return list
}

// The slow line of the latency tests: 20 Mbit/s, 40 ms there and back, a queue of a few packets.
var slowLine = lab.Shape{Rate: 20_000_000, Delay: 20 * time.Millisecond, Queue: 8 << 10}

func (b *bench) run() error {
	bed := b.bed
	b.programs = []*program{
		{name: "tls", tls: true, cells: loads(1), start: func(n string) (*tunnel, error) { return cable(bed, n) }},
		{name: "sstp", cells: loads(1, 4), start: func(n string) (*tunnel, error) { return sstpTunnel(bed, n, sstpOptions{}) }},
		{name: "plain", cells: loads(1), start: func(n string) (*tunnel, error) {
			return sstpTunnel(bed, n, sstpOptions{lab: []string{"--no-offload"}, options: []string{"offload '0'"}})
		}},
		{name: "ktls", cells: loads(1), start: func(n string) (*tunnel, error) { return sstpByKernel(bed, n) }},
		{name: "wg", cells: loads(1), start: func(n string) (*tunnel, error) { return wireGuard(bed, n, inUserSpace) }},
		{name: "openvpn", cells: loads(1), start: func(n string) (*tunnel, error) { return openVPN(bed, n, nil) }},
		{name: "bare", start: func(n string) (*tunnel, error) { return bare(bed, n) }},
	}
	if b.core {
		return b.compare()
	}
	bulk := func() []*cell { return []*cell{{direction: "up", streams: 1}} }
	b.lines = []*program{
		{name: "slow", cells: bulk(), start: func(n string) (*tunnel, error) { return sstpTunnel(bed, n, sstpOptions{line: &slowLine}) }},
		{name: "slowvpn", cells: bulk(), start: func(n string) (*tunnel, error) { return openVPN(bed, n, &slowLine) }},
	}
	for _, step := range []func() error{b.startAll, b.idle, b.load, b.slow, b.restart} {
		if err := step(); err != nil {
			return err
		}
	}
	b.print(os.Stdout)
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// startAll starts every tunnel. One of ours that does not come up ends the run; another's, and a kernel without TLS, is noted.
func (b *bench) startAll() error {
	for _, p := range append(b.programs, b.lines...) {
		if p.tunnel, p.missing = p.start(p.name); p.missing == nil {
			continue
		}
		switch p.name {
		case "tls", "sstp", "plain", "slow":
			return p.missing
		}
		progress("%s: %v", p.name, p.missing)
	}
	return nil
}

// pid is the client, 0 where that is the measuring process or the kernel.
func (p *program) pid() int {
	if p.tunnel.program == nil {
		return 0
	}
	return p.tunnel.program.Pid()
}

// settled is how long a tunnel is left alone before it counts as idle.
const settled = 3 * time.Second

// idle takes the memory of the tunnels before anything went through them.
func (b *bench) idle() error {
	time.Sleep(settled)
	for _, p := range b.programs {
		if p.missing != nil || p.pid() == 0 {
			continue
		}
		now, _, err := resident(p.pid())
		if err != nil {
			return err
		}
		p.idleMemory = now
	}
	return nil
}

// load runs the rounds. In each of them everything is measured once, so that a machine that is busy for a while disturbs
// all alike.
func (b *bench) load() error {
	for round := range b.rounds {
		progress("round %d of %d", round+1, b.rounds)
		limit := map[string]*cell{}
		for _, p := range b.programs {
			if p.missing != nil {
				continue
			}
			if err := p.roundTrips(); err != nil {
				return err
			}
			for _, c := range p.cells {
				r, err := do(p.tunnel.client, job{Far: p.tunnel.far, Cable: serverOuter, Direction: c.direction, Streams: c.streams, TLS: p.tls, Small: p.small,
					Pid: p.pid(), Warm: b.window / 4, Window: b.window, Every: 10 * time.Millisecond})
				if err != nil {
					return fmt.Errorf("%s, %s: %w", p.name, c.direction, err)
				}
				c.add(r)
				if p.tls && !p.small {
					limit[c.direction] = c
				}
				c.overTLS = append(c.overTLS, r.megabits()/limit[c.direction].megabits.last())
				c.costOfTLS = append(c.costOfTLS, r.secondsPerGB()/limit[c.direction].seconds.last())
			}
		}
	}
	for _, p := range b.programs {
		if p.missing == nil && p.pid() != 0 {
			var err error
			if _, p.mostMemory, err = resident(p.pid()); err != nil {
				return err
			}
		}
	}
	return nil
}

// roundTrips measures the round trip of an idle tunnel with ping(8), at the priority that everything has on a router. This
// program would disturb more than it measures: Go's scheduler wakes a thread for each of its system calls on an idle
// machine, and processes with priority over all others are spread over the processors, so that each packet has to wake one.
func (p *program) roundTrips() error {
	out, err := p.tunnel.client.Run("ping", "-n", "-i", "0.005", "-c", "200", p.tunnel.far)
	if err != nil {
		return err
	}
	var trips sample
	for line := range strings.Lines(out) {
		var ms float64
		if _, text, ok := strings.Cut(line, " time="); ok {
			if _, err := fmt.Sscan(text, &ms); err != nil {
				return fmt.Errorf("ping says %q", line)
			}
			trips = append(trips, ms)
		}
	}
	if len(trips) == 0 {
		return fmt.Errorf("%s: no ping was answered", p.name)
	}
	p.idle = append(p.idle, trips.median())
	return nil
}

// pings measures the round trip of an idle tunnel through the slow line, as it is measured under load: before all other
// processes.
func (p *program) pings() error {
	r, err := do(p.tunnel.client, job{Far: p.tunnel.far, Window: 600 * time.Millisecond, Every: 5 * time.Millisecond, Pid: p.pid(), Hurry: true})
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if len(r.Pings) == 0 {
		return fmt.Errorf("%s: no ping was answered", p.name)
	}
	p.idle = append(p.idle, quantile(r.Pings, 0.5))
	return nil
}

func (c *cell) add(r result) {
	c.megabits = append(c.megabits, r.megabits())
	c.seconds = append(c.seconds, r.secondsPerGB())
	if len(r.Pings) > 0 {
		c.ping = append(c.ping, quantile(r.Pings, 0.5))
		c.late = append(c.late, quantile(r.Pings, 0.95))
	}
}

// slow measures the round trip while a bulk upload fills the slow line.
func (b *bench) slow() error {
	for range min(3, b.rounds) {
		for _, p := range b.lines {
			if p.missing != nil {
				continue
			}
			progress("the slow line: %s", p.name)
			hurry(true, p.tunnel.pids()...)
			if err := p.pings(); err != nil {
				return err
			}
			c := p.cells[0]
			r, err := do(p.tunnel.client, job{Far: p.tunnel.far, Cable: serverOuter, Direction: c.direction, Streams: c.streams, Hurry: true,
				Pid: p.pid(), Warm: 2 * time.Second, Window: 3 * time.Second, Every: 10 * time.Millisecond})
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			c.add(r)
		}
	}
	return nil
}

// restart measures how long a start takes, and for how long a tunnel whose connection is cut carries nothing.
func (b *bench) restart() error {
	progress("starting and cutting")
	t, err := cable(b.bed, "start")
	if err != nil {
		return err
	}
	if err := t.serveSSTP(b.bed, "start", sstpOptions{}); err != nil {
		return err
	}
	for range 2 * b.rounds {
		r, err := do(t.client, job{Far: "10.99.0.1", Command: sstpCommand(b.bed, "start"), Cut: t.peer.Pid(), Window: time.Second, Every: time.Millisecond})
		if err != nil {
			return err
		}
		b.starts = append(b.starts, r)
	}
	return t.peer.Signal(syscall.SIGTERM)
}
