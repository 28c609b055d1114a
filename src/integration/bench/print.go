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
	"tls":     "TLS copy",
	"sstp":    "**sstp**",
	"plain":   "sstp, plain",
	"ktls":    "sstp, kernel TLS",
	"wg":      "wireguard-go",
	"openvpn": "OpenVPN",
	"bare":    "bare relay",
	"small":   "TLS copy, 1408 B",
	"kernel":  "WireGuard, kernel",
	"sstpc":   "sstpc + pppd",
	"slow":    "**sstp**",
	"slowvpn": "OpenVPN, TCP",
}

func (b *bench) print(w io.Writer) {
	fmt.Fprintf(w, "%s; %s.\n", time.Now().Format(time.DateOnly), machine())
	fmt.Fprintf(w, "Median of %d rounds (smallest–largest). Both ends and the traffic are on this machine.\n", b.rounds)
	fmt.Fprintln(w, "TLS copy: Go's TLS with 16 KiB writes and no tunnel, the limit; ratios are to the same round's.")
	fmt.Fprintln(w, "sstp, plain: with `offload '0'` at both ends. OpenVPN: AES-256-GCM in user space, over UDP.")
	b.printMissing(w)
	fmt.Fprintln(w)
	b.printLoads(w)
	b.printIdle(w)
	b.printSlow(w)
	b.printStarts(w)
	b.printTargets(w)
	if b.sizes {
		printSizes(w)
	}
}

func (b *bench) printMissing(w io.Writer) {
	for _, p := range b.programs {
		if p.missing != nil {
			fmt.Fprintf(w, "Not measured: %s: %v.\n", titles[p.name], p.missing)
		}
	}
}

func (b *bench) printLoads(w io.Writer) {
	var t table
	t.row("bulk", "streams", "Mbit/s", "ratio", "client CPU s/GB", "ratio", "ping ms")
	for _, p := range b.programs {
		for _, c := range p.cells {
			if p.missing != nil {
				continue
			}
			load := c.direction
			if c.streams > 1 {
				load += fmt.Sprint(" ×", c.streams)
			}
			seconds, cost := c.seconds.short(2), fmt.Sprintf("%.2f", c.costOfTLS.median())
			if !p.tls && p.pid() == 0 {
				seconds, cost = "–", "–" // nobody knows what the kernel's part of one end is
			}
			t.row(titles[p.name], load, c.megabits.text(0), fmt.Sprintf("%.2f", c.overTLS.median()), seconds, cost, c.ping.short(1))
		}
	}
	t.print(w, 2)
}

func (b *bench) printIdle(w io.Writer) {
	var t table
	t.row("idle, and memory", "ping ms", "added ms", "resident idle MB", "loaded MB")
	for _, p := range b.programs {
		switch {
		case p.missing != nil, p.small:
		case p.tls:
			t.row("the cable", p.idle.text(2))
		case p.pid() == 0:
			t.row(titles[p.name], p.idle.text(2), b.added(p).text(2))
		default:
			t.row(titles[p.name], p.idle.text(2), b.added(p).text(2), megabytes(p.idleMemory), megabytes(p.mostMemory))
		}
	}
	t.print(w, 1)
	fmt.Fprintln(w, "Bare relay: one thread at each end that moves packets between TUN and TCP, no TLS: the least in user space.")
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
	fmt.Fprintf(w, "Upload over a line of %d Mbit/s and %d ms:\n\n", slowLine.Rate/1e6, 2*slowLine.Delay.Milliseconds())
	var t table
	t.row("upload", "Mbit/s", "ping idle ms", "loaded ms", "95 % below")
	for _, p := range b.lines {
		if p.missing != nil {
			continue
		}
		c := p.cells[0]
		t.row(titles[p.name], c.megabits.text(1), p.idle.text(1), c.ping.text(1), c.late.text(1))
	}
	t.print(w, 1)
}

func (b *bench) printStarts(w io.Writer) {
	up, gap := b.startTimes()
	var t table
	t.row("start and cut", "ms")
	t.row("exec to up", up.text(0))
	t.row("cut by the server: longest time without an answer, pings 1 ms apart", gap.text(0))
	t.print(w, 1)
}

// startTimes are the times from exec to up, and those without an answer, in milliseconds.
func (b *bench) startTimes() (up, gap sample) {
	for _, r := range b.starts {
		up = append(up, float64(r.Elapsed)/1e6)
		gap = append(gap, float64(r.Gap)/1e6)
	}
	return up, gap
}

// printTargets compares with what the project wants.
func (b *bench) printTargets(w io.Writer) {
	var t table
	t.row("target", "wanted", "measured", "")
	row := func(what string, digits int, wanted, measured float64, atLeast bool) {
		sign, met := "≤", measured <= wanted
		if atLeast {
			sign, met = "≥", measured >= wanted
		}
		verdict := "missed"
		if met {
			verdict = "met"
		}
		t.row(what, fmt.Sprintf("%s %g", sign, wanted), fmt.Sprintf("%.*f", digits, measured), verdict)
	}
	sstp, wg, vpn := b.programs[1], b.programs[4], b.programs[5]
	row("client CPU s/GB over TLS copy, up", 2, 1.5, sstp.cells[0].costOfTLS.median(), false)
	row("the same, down", 2, 2, sstp.cells[1].costOfTLS.median(), false)
	if wg.missing == nil {
		row("throughput over wireguard-go, one stream, worse direction", 1, 1, worse(sstp, wg), true)
	}
	if vpn.missing == nil {
		row("throughput over OpenVPN, one stream, worse direction", 1, 4, worse(sstp, vpn), true)
	}
	row("added round trip, idle, ms", 2, 0.15, b.added(sstp).median(), false)
	slow := b.lines[0]
	row("added round trip under upload, 20 Mbit/s and 40 ms, ms", 1, 10, slow.cells[0].ping.median()-slow.idle.median(), false)
	row("resident memory idle, MB", 1, 9, float64(sstp.idleMemory)/1e6, false)
	row("resident memory loaded, MB", 1, 12, float64(sstp.mostMemory)/1e6, false)
	up, _ := b.startTimes()
	row("exec to up, server on the cable, ms", 0, 100, up.median(), false)
	t.print(w, 1)
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
	var t table
	t.row("the program", "file KiB", "squashfs-xz KiB")
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 5 && f[2] == "KiB" && f[4] == "KiB" {
			t.row(f[0], f[1], f[3])
		}
	}
	t.print(w, 1)
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
