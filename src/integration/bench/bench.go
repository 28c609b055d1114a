package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"sstp/src/integration/netkit"
	"sstp/src/lab"
)

// bench is one run.
type bench struct {
	settings
	net      *netkit.Net
	programs []*program
	slow     []*program // through the slow line
	starts   []result
}

// program is a way of moving bytes and what was measured of it.
type program struct {
	name    string // of its namespaces
	title   string // for readers
	start   func(n *netkit.Net, name string) (*tunnel, error)
	cells   []*cell
	tls     bool // a plain TLS copy
	small   bool // with small writes
	ours    bool // without it there is no bench
	missing error

	tunnel     *tunnel
	idle       sample // round trips in milliseconds
	idleMemory netkit.Memory
	memory     netkit.Memory // after the load
}

// cell is one kind of load on a program. Its samples have one value a round.
type cell struct {
	direction netkit.Direction
	streams   int

	megabits, seconds  sample // Mbit/s; client's processor seconds for a GB
	overTLS, costOfTLS sample // the same over those of the round's plain TLS copy
	ping, late         sample // round trip under load in milliseconds: the median, and what 95 % are below
}

// loads returns loads in both directions with each of the numbers of streams.
func loads(streams ...int) (list []*cell) {
	for _, n := range streams {
		for _, d := range netkit.Directions {
			list = append(list, &cell{direction: d, streams: n})
		}
	}
	return list
}

// slowLine is the line of the latency tests: 20 Mbit/s, 40 ms there and back, a queue of a few packets.
var slowLine = lab.Shape{Rate: 20_000_000, Delay: 20 * time.Millisecond, Queue: 8 << 10}

// The programs with which others are compared, by their places in bench.programs.
const (
	placeTLS = iota
	placeSSTP
	placePlain
	placeKernelTLS
	placeWireGuard
	placeOpenVPN
)

// with returns the start of one of our tunnels with some options.
func with(o sstpOptions) func(*netkit.Net, string) (*tunnel, error) {
	return func(n *netkit.Net, name string) (*tunnel, error) { return sstpTunnel(n, name, o) }
}

// wireGuardBy returns the start of a WireGuard tunnel.
func wireGuardBy(device func(*netkit.Namespace, string) (*netkit.Process, error)) func(*netkit.Net, string) (*tunnel, error) {
	return func(n *netkit.Net, name string) (*tunnel, error) { return wireGuard(n, name, device) }
}

// openVPNOver returns the start of an OpenVPN tunnel.
func openVPNOver(line *lab.Shape) func(*netkit.Net, string) (*tunnel, error) {
	return func(n *netkit.Net, name string) (*tunnel, error) { return openVPN(n, name, line) }
}

func (b *bench) run() error {
	b.programs = []*program{
		placeTLS:       {name: "tls", title: "TLS copy", ours: true, tls: true, cells: loads(1), start: newCable},
		placeSSTP:      {name: "sstp", title: "**sstp**", ours: true, cells: loads(1, 4), start: with(sstpOptions{})},
		placePlain:     {name: "plain", title: "sstp, plain", ours: true, cells: loads(1), start: with(sstpOptions{lab: []string{"--no-offload"}, options: []string{"offload=0"}})},
		placeKernelTLS: {name: "ktls", title: "sstp, kernel TLS", cells: loads(1), start: sstpByKernel},
		placeWireGuard: {name: "wg", title: "wireguard-go", cells: loads(1), start: wireGuardBy(inUserSpace)},
		placeOpenVPN:   {name: "openvpn", title: "OpenVPN", cells: loads(1), start: openVPNOver(nil)},
		{name: "bare", title: "bare relay", start: bareRelay},
	}
	steps := []func() error{b.startAll, b.idle, b.load, b.slowLoad, b.restart}
	print := b.print
	if b.core {
		// Seconds are long on one emulated processor, and a round like any other.
		b.programs[placeSSTP].cells = loads(1)
		b.programs = append(b.programs,
			&program{name: "small", title: "TLS copy, 1408 B", tls: true, small: true, cells: loads(1), start: newCable},
			&program{name: "sstpc", title: "sstpc + pppd", cells: loads(1), start: sstpcTunnel},
			&program{name: "kernel", title: "WireGuard, kernel", cells: loads(1), start: wireGuardBy(inKernel)},
		)
		steps = []func() error{b.startAll, b.idle, b.load}
		print = b.printCore
	} else {
		up := func() []*cell { return []*cell{{direction: netkit.Up, streams: 1}} }
		b.slow = []*program{
			{name: "slow", title: "**sstp**", ours: true, cells: up(), start: with(sstpOptions{line: &slowLine})},
			{name: "slowvpn", title: "OpenVPN, TCP", cells: up(), start: openVPNOver(&slowLine)},
		}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	print(os.Stdout)
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// startAll starts every tunnel. The run ends when one of ours does not come up; others are only noted as missing.
func (b *bench) startAll() error {
	for _, p := range append(b.programs, b.slow...) {
		if p.tunnel, p.missing = p.start(b.net, p.name); p.missing == nil {
			continue
		}
		if p.ours {
			return p.missing
		}
		progress("%s: %v", p.title, p.missing)
	}
	return nil
}

// pid returns the client's process id, 0 where the client is the measuring process or the kernel.
func (p *program) pid() int {
	if p.tunnel.program == nil {
		return 0
	}
	return p.tunnel.program.Pid()
}

// settled is how long a tunnel is left alone before it counts as idle.
const settled = 3 * time.Second

// idle takes the memory of the tunnels before they have carried anything.
func (b *bench) idle() error {
	time.Sleep(settled)
	return b.takeMemory(func(p *program) *netkit.Memory { return &p.idleMemory })
}

func (b *bench) takeMemory(field func(p *program) *netkit.Memory) (err error) {
	for _, p := range b.programs {
		if p.missing == nil && p.pid() != 0 && err == nil {
			*field(p), err = netkit.MemoryOf(p.pid())
		}
	}
	return err
}

// load runs the rounds. Each of them measures everything once, so that a machine that is busy for a while disturbs all alike.
func (b *bench) load() error {
	for round := range b.rounds {
		progress("round %d of %d", round+1, b.rounds)
		limit := map[netkit.Direction]*cell{}
		for _, p := range b.programs {
			if p.missing != nil {
				continue
			}
			if err := p.roundTrips(); err != nil {
				return err
			}
			for _, c := range p.cells {
				r, err := job{Far: p.tunnel.far, Direction: c.direction, Streams: c.streams, TLS: p.tls, Small: p.small,
					Pid: p.pid(), Warm: b.window / 4, Window: b.window, Every: 10 * time.Millisecond}.in(p.tunnel.client)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", p.title, c.direction, err)
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
	return b.takeMemory(func(p *program) *netkit.Memory { return &p.memory })
}

// roundTrips measures the round trip of an idle tunnel with ping(8), at the priority that everything has on a router. This
// program would disturb more than it measures: on an idle machine Go's scheduler wakes a thread for each system call. A higher
// priority would spread the processes over the processors, so that each packet had to wake one.
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
		return fmt.Errorf("%s: no ping was answered", p.title)
	}
	p.idle = append(p.idle, trips.median())
	return nil
}

// slowRoundTrips measures the round trip of an idle tunnel through the slow line, at the priority with which it is measured
// under load.
func (p *program) slowRoundTrips() error {
	r, err := job{Far: p.tunnel.far, Window: 600 * time.Millisecond, Every: 5 * time.Millisecond, Pid: p.pid(), Hurry: true}.in(p.tunnel.client)
	if err != nil {
		return fmt.Errorf("%s: %w", p.title, err)
	}
	if len(r.Pings) == 0 {
		return fmt.Errorf("%s: no ping was answered", p.title)
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

// slowLoad measures the round trip while a bulk upload fills the slow line.
func (b *bench) slowLoad() error {
	for range min(3, b.rounds) {
		for _, p := range b.slow {
			if p.missing != nil {
				continue
			}
			progress("the slow line: %s", p.title)
			hurry(p.tunnel.pids()...)
			if err := p.slowRoundTrips(); err != nil {
				return err
			}
			c := p.cells[0]
			r, err := job{Far: p.tunnel.far, Direction: c.direction, Streams: c.streams, Hurry: true,
				Pid: p.pid(), Warm: 2 * time.Second, Window: 3 * time.Second, Every: 10 * time.Millisecond}.in(p.tunnel.client)
			if err != nil {
				return fmt.Errorf("%s: %w", p.title, err)
			}
			c.add(r)
		}
	}
	return nil
}

// restart measures how long a start takes, and how long a tunnel carries nothing after its connection was cut.
func (b *bench) restart() error {
	progress("starting and cutting")
	t, err := newCable(b.net, "start")
	if err != nil {
		return err
	}
	command, err := t.serveSSTP(sstpOptions{})
	if err != nil {
		return err
	}
	for range 2 * b.rounds {
		r, err := job{Far: t.far, Command: command, Cut: t.peer.Pid(), Window: time.Second, Every: time.Millisecond}.in(t.client)
		if err != nil {
			return err
		}
		b.starts = append(b.starts, r)
	}
	return t.peer.Signal(syscall.SIGTERM)
}
