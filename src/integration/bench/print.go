package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// titles are the programs' names for readers.
var titles = map[string]string{
	"tls":     "plain Go TLS copy, 16 KiB writes",
	"sstp":    "**sstp**",
	"plain":   "sstp, `offload '0'`",
	"wg":      "wireguard-go",
	"openvpn": "OpenVPN, UDP, AES-256-GCM",
	"slow":    "**sstp**",
	"slowvpn": "OpenVPN, TCP, AES-256-GCM",
}

func (b *bench) print(w io.Writer) {
	fmt.Fprintf(w, "%s; %s. Median of %d rounds (smallest–largest), both ends and the traffic on this machine.\n\n",
		time.Now().Format(time.DateOnly), machine(), b.rounds)
	b.printLoads(w)
	b.printIdle(w)
	b.printSlow(w)
	b.printStarts(w)
	b.printTargets(w)
	if b.sizes {
		printSizes(w)
	}
}

func (b *bench) printLoads(w io.Writer) {
	fmt.Fprintln(w, "| bulk data | | TCP streams | Mbit/s | of TLS copy | client CPU s/GB | over TLS copy | ping ms |")
	fmt.Fprintln(w, "|---|---|--:|--:|--:|--:|--:|--:|")
	for _, p := range b.programs {
		if p.missing != nil {
			fmt.Fprintf(w, "| %s | %v | | | | | | |\n", titles[p.name], p.missing)
			continue
		}
		for _, c := range p.cells {
			over, cost := fmt.Sprintf("%.2f", c.overTLS.median()), fmt.Sprintf("%.2f", c.costOfTLS.median())
			if p.tls {
				over, cost = "1", "1"
			}
			fmt.Fprintf(w, "| %s | %s | %d | %s | %s | %s | %s | %s |\n", titles[p.name], c.direction, c.streams,
				c.megabits.text(0), over, c.seconds.text(2), cost, c.ping.text(1))
		}
	}
	fmt.Fprintln(w)
}

func (b *bench) printIdle(w io.Writer) {
	fmt.Fprintln(w, "| | ping idle, ms | added to the cable's | resident idle, MB | most under load, MB |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|")
	for _, p := range b.programs {
		switch {
		case p.missing != nil:
		case p.tls:
			fmt.Fprintf(w, "| the cable | %s | | | |\n", p.idle.text(2))
		default:
			fmt.Fprintf(w, "| %s | %s | %.2f | %s | %s |\n", titles[p.name], p.idle.text(2), b.added(p).median(), megabytes(p.idleMemory), megabytes(p.mostMemory))
		}
	}
	fmt.Fprintln(w)
}

// added is what a tunnel adds to the cable's round trip, round by round.
func (b *bench) added(p *program) (s sample) {
	for i, v := range p.idle {
		s = append(s, v-b.programs[0].idle[i])
	}
	return s
}

func megabytes(n uint64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

func (b *bench) printSlow(w io.Writer) {
	fmt.Fprintf(w, "| bulk upload over %d Mbit/s and %d ms | Mbit/s | ping idle, ms | ping under load, ms | 95 %% below |\n", slowLine.Rate/1e6, 2*slowLine.Delay.Milliseconds())
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|")
	for _, p := range b.lines {
		if p.missing != nil {
			fmt.Fprintf(w, "| %s | %v | | | |\n", titles[p.name], p.missing)
			continue
		}
		c := p.cells[0]
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", titles[p.name], c.megabits.text(1), p.idle.text(1), c.ping.text(1), c.late.text(1))
	}
	fmt.Fprintln(w)
}

func (b *bench) printStarts(w io.Writer) {
	var up, gap sample
	for _, r := range b.starts {
		up = append(up, float64(r.Elapsed)/1e6)
		gap = append(gap, float64(r.Gap)/1e6)
	}
	fmt.Fprintf(w, "From exec to up %s ms; connection cut by the server, longest time without an answer to pings 1 ms apart %s ms.\n\n", up.text(0), gap.text(0))
}

// printTargets compares with what the project wants.
func (b *bench) printTargets(w io.Writer) {
	fmt.Fprintln(w, "| target | wanted | measured | |\n|---|--:|--:|---|")
	row := func(what string, digits int, wanted, measured float64, atLeast bool) {
		sign, met := "≤", measured <= wanted
		if atLeast {
			sign, met = "≥", measured >= wanted
		}
		verdict := "missed"
		if met {
			verdict = "met"
		}
		fmt.Fprintf(w, "| %s | %s %g | %.*f | %s |\n", what, sign, wanted, digits, measured, verdict)
	}
	sstp, wg, vpn := b.programs[1], b.programs[3], b.programs[4]
	row("client CPU s/GB over plain Go TLS copy, up", 2, 1.5, sstp.cells[0].costOfTLS.median(), false)
	row("the same, down", 2, 2, sstp.cells[1].costOfTLS.median(), false)
	if wg.missing == nil {
		row("throughput over wireguard-go, one stream, the worse direction", 1, 1, worse(sstp, wg), true)
	}
	if vpn.missing == nil {
		row("throughput over OpenVPN, one stream, the worse direction", 1, 4, worse(sstp, vpn), true)
	}
	row("added round trip, idle, ms", 2, 0.15, b.added(sstp).median(), false)
	slow := b.lines[0]
	row("added round trip under bulk upload, 20 Mbit/s and 40 ms, ms", 1, 10, slow.cells[0].ping.median()-slow.idle.median(), false)
	row("resident memory idle, MB", 1, 9, float64(sstp.idleMemory)/1e6, false)
	row("resident memory loaded, MB", 1, 12, float64(sstp.mostMemory)/1e6, false)
	var up sample
	for _, r := range b.starts {
		up = append(up, float64(r.Elapsed)/1e6)
	}
	row("exec to up, server on the cable, ms", 0, 100, up.median(), false)
	fmt.Fprintln(w)
}

// worse returns the smaller ratio of throughput of the two directions, compared round by round.
func worse(p, q *program) float64 {
	worst := 0.0
	for i := range 2 {
		var s sample
		for round := range p.cells[i].megabits {
			s = append(s, p.cells[i].megabits[round]/q.cells[i].megabits[round])
		}
		if m := s.median(); i == 0 || m < worst {
			worst = m
		}
	}
	return worst
}

// printSizes shows what make size says.
func printSizes(w io.Writer) {
	progress("sizes")
	cmd := exec.Command("make", "-s", "size")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintf(w, "make size: %v\n", err)
		return
	}
	fmt.Fprintln(w, "| sstp | file, KiB | squashfs-xz, KiB |\n|---|--:|--:|")
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 5 && f[2] == "KiB" && f[4] == "KiB" {
			fmt.Fprintf(w, "| %s | %s | %s |\n", f[0], f[1], f[3])
		}
	}
}

// machine says on what this was measured.
func machine() string {
	processor := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := bytes.Cut(info, []byte("model name")); ok {
			name, _, _ := strings.Cut(string(rest), "\n")
			processor = strings.TrimLeft(name, "\t :")
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, Linux %s, %s, TCP %s", runtime.NumCPU(), processor, bytes.TrimSpace(release), runtime.Version(), congestionControl)
}
