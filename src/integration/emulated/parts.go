package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ofParts is what the figures of the data path's parts are of: each one's name is a benchmark's, with its package, and its
// value what one run of it costs.
const ofParts = "parts"

// part is a stage of the data path. What a call, a packet and a byte cost in it follows from a benchmark of several shapes.
type part struct {
	name    string
	of      string   // the benchmark
	without string   // one whose work it does besides
	shapes  []string // "bytes" or "packetsxbytes" of each
	costs   string   // which are looked for, of as many shapes: of a call, of a packet, of a byte
}

// parts are the stages in the order in which a packet meets them.
var parts = []struct {
	direction string
	stages    []part
}{
	{"up", append(append([]part{
		{"TUN read, in the kernel", "tun/Read/call", "", []string{"1x64", "11x1400"}, "cb"},
		{"split, with copy and checksum", "offload/Split/TCP4", "", supers, "pb"},
		{"  of which the checksum", "offload/Sum", "", []string{"64", "1400"}, "pb"},
		{"SSTP and PPP headers, accounts", "datapath/Send", "", []string{"2x1400", "11x1400"}, "cp"},
	}, ciphers("transport/Write")...),
		part{"socket write, in the kernel", "transport/Write/plain", "", records, "cb"})},
	{"down", append(append([]part{
		{"socket read, in the kernel", "transport/Read/plain", "", records, "cb"},
	}, ciphers("transport/Read")...),
		part{"cut, accounts", "datapath/Cut", "", []string{"2x1400", "11x1400"}, "cp"},
		part{"merge, with checksum", "offload/Merge/TCP4", "", supers, "pb"},
		part{"TUN write, in the kernel", "tun/Write/call", "", []string{"1x64", "11x1400"}, "cb"})},
}

var (
	supers  = []string{"11x128", "11x1400"}
	records = []string{"72", "15488"}
)

// ciphers are the ways to encipher or decipher a record beyond the plain call that moves it.
func ciphers(benchmark string) []part {
	var all []part
	for _, c := range []struct{ name, of string }{
		{"TLS by Go, ChaCha20-Poly1305", "/go/ChaCha20"}, {"TLS by Go, AES-128-GCM", "/go/AES128"},
		{"TLS by the kernel, ChaCha20", "/kernel/ChaCha20"}, {"TLS by the kernel, AES-128-GCM", "/kernel/AES128"},
	} {
		all = append(all, part{c.name, benchmark + c.of, benchmark + "/plain", records, "cb"})
	}
	return all
}

// solve returns what a call, a packet and a byte cost; ok is false where a figure is missing.
func (p part) solve(f *figures) (costs map[byte]float64, ok bool) {
	var rows [][]float64
	for _, shape := range p.shapes {
		cost := f.number(ofParts, p.of+"/"+shape)
		if cost == 0 {
			return nil, false
		}
		if p.without != "" {
			cost -= f.number(ofParts, p.without+"/"+shape)
		}
		count, size, several := strings.Cut(shape, "x")
		if !several {
			count, size = "1", shape
		}
		n, _ := strconv.ParseFloat(count, 64)
		bytes, _ := strconv.ParseFloat(size, 64)
		var row []float64
		for _, c := range p.costs {
			row = append(row, map[rune]float64{'c': 1, 'p': n, 'b': n * bytes}[c])
		}
		rows = append(rows, append(row, cost))
	}
	costs = map[byte]float64{}
	for i, x := range eliminate(rows) {
		costs[p.costs[i]] = x
	}
	return costs, true
}

// eliminate solves a system of linear equations, of which each row has the right side last.
func eliminate(rows [][]float64) []float64 {
	x := make([]float64, len(rows))
	for i := range rows {
		for j := i + 1; j < len(rows) && rows[i][i] == 0; j++ {
			rows[i], rows[j] = rows[j], rows[i]
		}
		for j := range rows {
			if factor := rows[j][i] / rows[i][i]; j != i {
				for k := range rows[j] {
					rows[j][k] -= factor * rows[i][k]
				}
			}
		}
	}
	for i, row := range rows {
		x[i] = row[len(rows)] / row[i]
	}
	return x
}

// printParts prints what each part costs, and how much of the whole client the parts explain.
func (f *figures) printParts(w io.Writer) {
	fmt.Fprintln(w, "\nprocessor instructions by part: for a system call, TLS record or batch; for a packet; for a byte")
	const form = "%-5s %-33s %12s %12s %10s\n"
	fmt.Fprintf(w, form, "", "", "call", "packet", "byte")
	for _, d := range parts {
		for _, p := range d.stages {
			costs, ok := p.solve(f)
			if !ok {
				continue
			}
			figure := func(c byte, decimals int) string {
				if n, ok := costs[c]; ok {
					return strconv.FormatFloat(n, 'f', decimals, 64)
				}
				return ""
			}
			fmt.Fprintf(w, form, d.direction, p.name, figure('c', 0), figure('p', 0), figure('b', 2))
		}
	}
	f.printWhole(w)
}

// printWhole prints what a packet costs the whole client, beside the sum of the parts.
func (f *figures) printWhole(w io.Writer) {
	n := func(what string) float64 { return f.number(ofParts, what) }
	sum := func(count float64, what ...string) (sum float64) {
		for _, of := range what {
			if n(of) == 0 {
				return 0
			}
			sum += n(of) / count
		}
		return sum
	}
	figure := func(n float64) string {
		if n <= 0 {
			return ""
		}
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	const form = "%-45s %12s %12s %12s %12s\n"
	fmt.Fprintf(w, "\n"+form, "instructions of the whole client for a packet,", "Go's TLS", "sum of", "kernel's TLS", "sum of")
	fmt.Fprintf(w, form, "TLS 1.3, ChaCha20-Poly1305", "", "its parts", "", "its parts")
	row := func(name string, measured, parts func(path string) float64) {
		fmt.Fprintf(w, form, name, figure(measured("go")), figure(parts("go")), figure(measured("kernel")), figure(parts("kernel")))
	}
	row("64 bytes there and back, one at a time", func(path string) float64 { return n("whole/" + path + "/1x64") }, func(path string) float64 {
		return sum(1, "tun/Read/offload/1x64", "datapath/Send/1x64", "transport/Write/"+path+"/ChaCha20/72",
			"transport/Read/"+path+"/ChaCha20/72", "datapath/Cut/1x64", "tun/Write/offload/1x64")
	})
	row("64 bytes there and back, 64 at a time", func(path string) float64 { return n("whole/" + path + "/64x64") },
		func(string) float64 { return 0 })
	const payload, together = 1348, 11 // bytes of TCP in a packet of 1400, and such packets in a record
	bulk := func(direction string) func(path string) float64 {
		return func(path string) float64 { return payload * f.number("TLS 1.3, ChaCha20", "sstp "+path+" "+direction) }
	}
	row("1400 bytes, bulk TCP up", bulk("up"), func(path string) float64 {
		return sum(together, "tun/Read/offload/11x1400", "datapath/Send/11x1400", "transport/Write/"+path+"/ChaCha20/15488")
	})
	row("1400 bytes, bulk TCP down", bulk("down"), func(path string) float64 {
		return sum(together, "transport/Read/"+path+"/ChaCha20/15488", "datapath/Cut/11x1400", "tun/Write/offload/11x1400")
	})
}
