package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// figures are what the guest told: for each cipher suite what was measured, as text.
type figures struct {
	order  []string
	of     map[string]map[string]string
	goFast bool // nothing is demanded of the kernel's path over Go's
}

// take takes a line of the guest and reports whether it was a figure.
func (f *figures) take(line string) bool {
	fields := strings.SplitN(line, ";", 4)
	if fields[0] != "RESULT" || len(fields) < 4 {
		return false
	}
	if f.of == nil {
		f.of = map[string]map[string]string{}
	}
	if f.of[fields[1]] == nil {
		if fields[1] != ofParts {
			f.order = append(f.order, fields[1])
		}
		f.of[fields[1]] = map[string]string{}
	}
	f.of[fields[1]][fields[2]] = fields[3]
	return true
}

func (f *figures) number(of, what string) float64 {
	n, _ := strconv.ParseFloat(f.of[of][what], 64)
	return n
}

// print prints the tables. The guest's nanosecond is one instruction.
func (f *figures) print(w io.Writer) {
	if len(f.of[ofParts]) > 0 {
		f.printParts(w)
	}
	if len(f.order) == 0 {
		return
	}
	fmt.Fprintln(w, "\nprocessor instructions of the client, kernel included, for each byte of payload")
	const form = "%-18s %5s %9s %9s %8s %9s %9s %9s\n"
	fmt.Fprintf(w, form, "", "", "sstp", "sstp", "Go over", "TLS copy", "TLS copy", "OpenSSL's")
	fmt.Fprintf(w, form, "", "", "by Go", "by kernel", "kernel", "by Go", "by kernel", "cipher")
	figure := func(n float64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	for _, name := range f.order {
		for _, d := range []string{"up", "down"} {
			inGo, inKernel := f.number(name, "sstp go "+d), f.number(name, "sstp kernel "+d)
			fmt.Fprintf(w, form, name, d, figure(inGo), figure(inKernel), figure(inGo/inKernel), figure(f.number(name, "copy go "+d)),
				figure(f.number(name, "copy kernel "+d)), figure(f.number(name, "openssl")))
		}
	}
	f.printTargets(w, f.order[0])
}

// printTargets compares with what is to be kept.
func (f *figures) printTargets(w io.Writer, first string) {
	n := func(what string) float64 { return f.number(first, what) }
	fmt.Fprintf(w, "\n%-66s %8s %8s\n", f.of[first]["negotiated"], "is", "at most")
	for _, t := range []struct {
		what         string
		value, limit float64
	}{
		{"sstp by the kernel over sstp by Go, up", n("sstp kernel up") / n("sstp go up"), 1.0 / 6},
		{"sstp by the kernel over sstp by Go, down", n("sstp kernel down") / n("sstp go down"), 1.0 / 5},
		{"sstp by the kernel over OpenSSL's bare cipher, up", n("sstp kernel up") / n("openssl"), 1.5},
		{"sstp by the kernel over OpenSSL's bare cipher, down", n("sstp kernel down") / n("openssl"), 1.5},
		{"sstp by the kernel over a kernel TLS copy, up", n("sstp kernel up") / n("copy kernel up"), 2},
		{"sstp by the kernel over a kernel TLS copy, down", n("sstp kernel down") / n("copy kernel down"), 2},
		{"resident memory under load, MB", max(n("resident go"), n("resident kernel")) / 1024, 10},
		{"exec to up over a program that only shakes hands", n("start") / n("shake"), 1.3},
	} {
		if math.IsNaN(t.value) { // of a part of the bench that did not run
			continue
		}
		mark := ""
		if f.goFast && strings.Contains(t.what, "over sstp by Go") {
			fmt.Fprintf(w, "%-66s %8.2f\n", t.what, t.value)
			continue
		}
		if t.value > t.limit {
			mark = "  missed"
		}
		fmt.Fprintf(w, "%-66s %8.2f %8.2f%s\n", t.what, t.value, t.limit, mark)
	}
	took := func(what string) time.Duration { return time.Duration(n(what)).Round(100 * time.Microsecond) }
	fmt.Fprintf(w, "of that memory %.1f MB are not the program's file; exec to up %v, a handshake %v, with exec %v, at one instruction for each ns\n",
		max(n("anonymous go"), n("anonymous kernel"))/1024, took("start"), took("shake alone"), took("shake"))
}
