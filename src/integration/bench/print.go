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

	"sstp/src/integration/netkit"
)

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
			fmt.Fprintf(w, "Not measured: %s: %v.\n", p.title, p.missing)
		}
	}
}

func (b *bench) printLoads(w io.Writer) {
	var t netkit.Table
	t.Row("bulk", "streams", "Mbit/s", "ratio", "client CPU s/GB", "ratio", "ping ms")
	for _, p := range b.programs {
		for _, c := range p.cells {
			if p.missing != nil {
				continue
			}
			load := string(c.direction)
			if c.streams > 1 {
				load += fmt.Sprint(" ×", c.streams)
			}
			seconds, cost := c.seconds.short(2), fmt.Sprintf("%.2f", c.costOfTLS.median())
			if !p.tls && p.pid() == 0 {
				seconds, cost = "–", "–" // the kernel does not say what one end costs it
			}
			t.Row(p.title, load, c.megabits.text(0), fmt.Sprintf("%.2f", c.overTLS.median()), seconds, cost, c.ping.short(1))
		}
	}
	t.Print(w, 2)
}

func (b *bench) printIdle(w io.Writer) {
	var t netkit.Table
	t.Row("idle, and memory", "ping ms", "added ms", "resident idle MB", "loaded MB")
	for _, p := range b.programs {
		switch {
		case p.missing != nil, p.small:
		case p.tls:
			t.Row("the cable", p.idle.text(2))
		case p.pid() == 0:
			t.Row(p.title, p.idle.text(2), b.added(p).text(2))
		default:
			t.Row(p.title, p.idle.text(2), b.added(p).text(2), megabytes(p.idleMemory.Resident), megabytes(p.memory.Peak))
		}
	}
	t.Print(w, 1)
	fmt.Fprintln(w, "Bare relay: one thread at each end that moves packets between TUN and TCP, no TLS: the least in user space.")
	fmt.Fprintln(w)
}

// added returns what a tunnel adds to the cable's round trip, round by round.
func (b *bench) added(p *program) (s sample) {
	for i, v := range p.idle {
		s = append(s, v-b.programs[placeTLS].idle[i])
	}
	return s
}

func megabytes(n uint64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

func (b *bench) printSlow(w io.Writer) {
	fmt.Fprintf(w, "Upload over a line of %d Mbit/s and %d ms:\n\n", slowLine.Rate/1e6, 2*slowLine.Delay.Milliseconds())
	var t netkit.Table
	t.Row("upload", "Mbit/s", "ping idle ms", "loaded ms", "95 % below")
	for _, p := range b.slow {
		if p.missing != nil {
			continue
		}
		c := p.cells[0]
		t.Row(p.title, c.megabits.text(1), p.idle.text(1), c.ping.text(1), c.late.text(1))
	}
	t.Print(w, 1)
}

func (b *bench) printStarts(w io.Writer) {
	up, gap := b.startTimes()
	var t netkit.Table
	t.Row("start and cut", "ms")
	t.Row("exec to up", up.text(0))
	t.Row("cut by the server: longest time without an answer, pings 1 ms apart", gap.text(0))
	t.Print(w, 1)
}

// startTimes returns the times from exec to up, and those without an answer, in milliseconds.
func (b *bench) startTimes() (up, gap sample) {
	for _, r := range b.starts {
		up = append(up, float64(r.Elapsed)/1e6)
		gap = append(gap, float64(r.Gap)/1e6)
	}
	return up, gap
}

// printTargets compares with the project's targets.
func (b *bench) printTargets(w io.Writer) {
	var t netkit.Table
	t.Row("target", "wanted", "measured", "")
	row := func(what string, digits int, wanted, measured float64, atLeast bool) {
		sign, met := "≤", measured <= wanted
		if atLeast {
			sign, met = "≥", measured >= wanted
		}
		verdict := "missed"
		if met {
			verdict = "met"
		}
		t.Row(what, fmt.Sprintf("%s %g", sign, wanted), fmt.Sprintf("%.*f", digits, measured), verdict)
	}
	sstp, wg, vpn := b.programs[placeSSTP], b.programs[placeWireGuard], b.programs[placeOpenVPN]
	row("client CPU s/GB over TLS copy, up", 2, 1.5, sstp.cells[0].costOfTLS.median(), false)
	row("the same, down", 2, 2, sstp.cells[1].costOfTLS.median(), false)
	if wg.missing == nil {
		row("throughput over wireguard-go, one stream, worse direction", 1, 1, worse(sstp, wg), true)
	}
	if vpn.missing == nil {
		row("throughput over OpenVPN, one stream, worse direction", 1, 4, worse(sstp, vpn), true)
	}
	row("added round trip, idle, ms", 2, 0.15, b.added(sstp).median(), false)
	slow := b.slow[0]
	row("added round trip under upload, 20 Mbit/s and 40 ms, ms", 1, 10, slow.cells[0].ping.median()-slow.idle.median(), false)
	row("resident memory idle, MB", 1, 9, float64(sstp.idleMemory.Resident)/1e6, false)
	row("resident memory loaded, MB", 1, 12, float64(sstp.memory.Peak)/1e6, false)
	up, _ := b.startTimes()
	row("exec to up, server on the cable, ms", 0, 100, up.median(), false)
	t.Print(w, 1)
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

// printSizes prints the figures of make size.
func printSizes(w io.Writer) {
	progress("sizes")
	cmd := exec.Command("make", "-s", "size")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintf(w, "make size: %v\n", err)
		return
	}
	var t netkit.Table
	t.Row("the program", "file KiB", "squashfs-xz KiB")
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 5 && f[2] == "KiB" && f[4] == "KiB" {
			t.Row(f[0], f[1], f[3])
		}
	}
	t.Print(w, 1)
}

// machine describes the machine of the measurement.
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

// printCore prints the tables of one processor whose clock counts instructions.
func (b *bench) printCore(w io.Writer) {
	fmt.Fprintf(w, "%s; %s.\n", time.Now().Format(time.DateOnly), machine())
	fmt.Fprintf(w, "%d times %v of the clock, which counts instructions. Both ends and the traffic share the processor.\n", b.rounds, b.window)
	b.printMissing(w)
	fmt.Fprintln(w)
	b.printLoads(w)
	b.printIdle(w)
	b.printRatios(w)
}

// printRatios prints the throughput of sstp over that of each of the others. The targets are the ratios of 150 Mbit/s to the
// throughput of the others on the emulated processor for which the target was set: megabits of two emulators cannot be compared.
func (b *bench) printRatios(w io.Writer) {
	sstp := b.programs[placeSSTP]
	targets := map[string]float64{"tls": 0.42, "small": 2, "wg": 3.9, "openvpn": 3, "kernel": 1.5, "sstpc": 10}
	var t netkit.Table
	t.Row("throughput of sstp over", "wanted", "up", "down", "")
	for _, p := range b.programs {
		wanted, compared := targets[p.name]
		if !compared || p.missing != nil {
			continue
		}
		verdict := "met"
		if worse(sstp, p) < wanted {
			verdict = "missed"
		}
		ratio := func(i int) string {
			return fmt.Sprintf("%.2f", sstp.cells[i].megabits.median()/p.cells[i].megabits.median())
		}
		t.Row(p.title, fmt.Sprintf("≥ %g", wanted), ratio(0), ratio(1), verdict)
	}
	t.Print(w, 1)
}
