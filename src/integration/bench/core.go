package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"sstp/src/integration"
)

// compare measures throughput alone, beside the kernel's own WireGuard, a TLS copy of small writes and sstpc with pppd too.
// It is made for one emulated processor whose clock counts instructions: seconds are long there, and a round like any other.
func (b *bench) compare() error {
	b.programs[1].cells = loads(1)
	b.programs = append(b.programs,
		&program{name: "small", tls: true, small: true, cells: loads(1), start: func(n string) (*tunnel, error) { return cable(b.bed, n) }},
		&program{name: "sstpc", cells: loads(1), start: func(n string) (*tunnel, error) { return sstpcTunnel(b.bed, n) }},
		&program{name: "kernel", cells: loads(1), start: func(n string) (*tunnel, error) { return wireGuard(b.bed, n, inKernel) }},
	)
	for _, step := range []func() error{b.startAll, b.idle, b.load} {
		if err := step(); err != nil {
			return err
		}
	}
	b.printCore(os.Stdout)
	return nil
}

// inKernel makes a WireGuard device without a program.
func inKernel(s *integration.Space, device string) (*integration.Process, error) {
	_, err := s.Run("ip", "link", "add", device, "type", "wireguard")
	return nil, err
}

func (b *bench) printCore(w io.Writer) {
	fmt.Fprintf(w, "%s; %s.\n", time.Now().Format(time.DateOnly), machine())
	fmt.Fprintf(w, "%d times %v of the clock, which counts instructions. Both ends and the traffic share the processor.\n", b.rounds, b.window)
	b.printMissing(w)
	fmt.Fprintln(w)
	b.printLoads(w)
	b.printIdle(w)
	b.printRatios(w)
}

// printRatios says how sstp does beside each of the others. What is wanted are the ratios of 150 Mbit/s to what the
// others did on the emulated processor that the target was set for; megabits of two emulators cannot be compared.
func (b *bench) printRatios(w io.Writer) {
	of := map[string]*program{}
	for _, p := range b.programs {
		of[p.name] = p
	}
	var t table
	t.row("throughput of sstp over", "wanted", "up", "down", "")
	for _, r := range []struct {
		name   string
		wanted float64
	}{{"tls", 0.42}, {"small", 2}, {"wg", 3.9}, {"openvpn", 3}, {"kernel", 1.5}, {"sstpc", 10}} {
		p := of[r.name]
		if p.missing != nil {
			continue
		}
		verdict := "met"
		if worse(of["sstp"], p) < r.wanted {
			verdict = "missed"
		}
		ratio := func(direction int) string {
			return fmt.Sprintf("%.2f", of["sstp"].cells[direction].megabits.median()/p.cells[direction].megabits.median())
		}
		t.row(titles[r.name], fmt.Sprintf("≥ %g", r.wanted), ratio(0), ratio(1), verdict)
	}
	t.print(w, 1)
}
