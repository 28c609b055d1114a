package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"sstp/src/integration/netkit"
)

// smallPackets is the row of the figures of small packets. All other rows are cipher suites.
const smallPackets = "small packets"

// figures are the figures that the guest printed, by row and column.
type figures struct {
	suites []string
	of     map[string]map[string]string
	goFast bool // the kernel's path need not be faster than Go's
}

// take takes a line of the guest and reports whether it was a figure.
func (f *figures) take(line string) bool {
	fields := strings.SplitN(line, ";", 4)
	if fields[0] != "RESULT" || len(fields) < 4 {
		return false
	}
	row := f.of[fields[1]]
	if row == nil {
		row = map[string]string{}
		if f.of == nil {
			f.of = map[string]map[string]string{}
		}
		f.of[fields[1]] = row
		if fields[1] != smallPackets {
			f.suites = append(f.suites, fields[1])
		}
	}
	row[fields[2]] = fields[3]
	return true
}

func (f *figures) number(row, column string) float64 {
	n, _ := strconv.ParseFloat(f.of[row][column], 64)
	return n
}

// figure writes a figure; one that was not measured is left blank.
func figure(n float64, decimals int) string {
	if n == 0 || math.IsNaN(n) || math.IsInf(n, 0) {
		return ""
	}
	return strconv.FormatFloat(n, 'f', decimals, 64)
}

// print prints the tables. A nanosecond of the guest is one instruction.
func (f *figures) print(w io.Writer) {
	if len(f.of[smallPackets]) > 0 {
		var t netkit.Table
		t.Row("instructions of the client for 64 bytes there and back", "by Go", "by kernel")
		for _, window := range []string{"1", "64"} {
			t.Row(window+" at a time", figure(f.number(smallPackets, "go "+window), 0), figure(f.number(smallPackets, "kernel "+window), 0))
		}
		fmt.Fprintln(w)
		t.Print(w, 1)
	}
	if len(f.suites) == 0 {
		return
	}
	var t netkit.Table
	t.Row("instructions of the client for a byte", "", "sstp by Go", "by kernel", "Go over kernel", "TLS copy by Go", "by kernel", "sstp over copy", "OpenSSL's cipher")
	for _, name := range f.suites {
		n := func(column string) float64 { return f.number(name, column) }
		for _, d := range netkit.Directions {
			inGo, inKernel, copied := n("sstp go "+string(d)), n("sstp kernel "+string(d)), n("copy kernel "+string(d))
			t.Row(name, string(d), figure(inGo, 1), figure(inKernel, 1), figure(inGo/inKernel, 1), figure(n("copy go "+string(d)), 1),
				figure(copied, 1), figure(inKernel/copied, 2), figure(n("openssl"), 1))
		}
	}
	fmt.Fprintln(w)
	t.Print(w, 2)
	f.printTargets(w, f.suites[0])
}

// printTargets compares the figures of a suite with the project's targets.
func (f *figures) printTargets(w io.Writer, suite string) {
	n := func(column string) float64 { return f.number(suite, column) }
	var t netkit.Table
	t.Row(f.of[suite]["negotiated"], "measured", "at most", "")
	for _, target := range []struct {
		what           string
		measured, most float64
	}{
		{"sstp by the kernel over sstp by Go, up", n("sstp kernel up") / n("sstp go up"), 1.0 / 6},
		{"sstp by the kernel over sstp by Go, down", n("sstp kernel down") / n("sstp go down"), 1.0 / 5},
		{"sstp by the kernel over OpenSSL's bare cipher, up", n("sstp kernel up") / n("openssl"), 1.5},
		{"sstp by the kernel over OpenSSL's bare cipher, down", n("sstp kernel down") / n("openssl"), 1.5},
		{"sstp by the kernel over a kernel TLS copy, up", n("sstp kernel up") / n("copy kernel up"), 2},
		{"sstp by the kernel over a kernel TLS copy, down", n("sstp kernel down") / n("copy kernel down"), 2},
		{"resident memory under load, MiB", max(n("resident go"), n("resident kernel")) / (1 << 20), 10},
		{"exec to up over a program that only shakes hands", n("start") / n("shake"), 1.3},
	} {
		most, verdict := figure(target.most, 2), "met"
		switch {
		case math.IsNaN(target.measured): // its part of the bench did not run
			continue
		case f.goFast && strings.Contains(target.what, "over sstp by Go"):
			most, verdict = "", ""
		case target.measured > target.most:
			verdict = "missed"
		}
		t.Row(target.what, figure(target.measured, 2), most, verdict)
	}
	t.Print(w, 1)
	took := func(column string) time.Duration { return time.Duration(n(column)).Round(100 * time.Microsecond) }
	fmt.Fprintf(w, "Of that memory %.1f MiB are not the program's file. Exec to up %v, a handshake %v, with exec %v, at one instruction a ns.\n",
		max(n("anonymous go"), n("anonymous kernel"))/(1<<20), took("start"), took("shake alone"), took("shake"))
}
