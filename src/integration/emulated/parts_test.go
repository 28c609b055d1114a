package main

import (
	"strings"
	"testing"
)

// told is what the guest would tell of parts with known costs.
func told(f *figures, lines string) {
	for line := range strings.Lines(lines) {
		f.take(strings.TrimSpace(line))
	}
}

func TestTheCostsOfAPart(t *testing.T) {
	f := &figures{}
	told(f, `RESULT;parts;split/11x100;3300
RESULT;parts;split/11x1000;13200
RESULT;parts;split/44x1000;49500
RESULT;parts;record/100;5200
RESULT;parts;record/1000;25000
RESULT;parts;call/100;1200
RESULT;parts;call/1000;3000
RESULT;parts;frame/2x1000;700
RESULT;parts;frame/11x1000;1600
`)
	for _, c := range []struct {
		part part
		want map[byte]float64
	}{
		{part{"", "split", "", []string{"11x100", "11x1000", "44x1000"}, "cpb"}, map[byte]float64{'c': 1100, 'p': 100, 'b': 1}},
		{part{"", "call", "", []string{"100", "1000"}, "cb"}, map[byte]float64{'c': 1000, 'b': 2}},
		{part{"", "record", "call", []string{"100", "1000"}, "cb"}, map[byte]float64{'c': 2000, 'b': 20}},
		{part{"", "frame", "", []string{"2x1000", "11x1000"}, "cp"}, map[byte]float64{'c': 500, 'p': 100}},
	} {
		got, ok := c.part.solve(f)
		if !ok || len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.part.of, got, c.want)
		}
		for cost, want := range c.want {
			if d := got[cost] - want; d > 1e-6 || d < -1e-6 {
				t.Errorf("%s: %c is %v, want %v", c.part.of, cost, got[cost], want)
			}
		}
	}
	if _, ok := (part{"", "call", "", []string{"100", "2000"}, "cb"}).solve(f); ok {
		t.Error("what was not measured has costs")
	}
}

func TestTheTableOfParts(t *testing.T) {
	f := &figures{}
	told(f, `RESULT;parts;transport/Write/plain/72;10072
RESULT;parts;transport/Write/plain/15488;25488
RESULT;parts;transport/Write/go/ChaCha20/72;24472
RESULT;parts;transport/Write/go/ChaCha20/15488;1655960
RESULT;parts;tun/Read/offload/11x1400;30000
RESULT;parts;datapath/Send/11x1400;5000
RESULT;parts;whole/go/1x64;140000
RESULT;TLS 1.3, ChaCha20;sstp go up;130
`)
	var out strings.Builder
	f.print(&out)
	wantIn(t, out.String(),
		"up    TLS by Go, ChaCha20-Poly1305",
		"up    socket write, in the kernel              10000                    1.00\n",
		"64 bytes there and back, one at a time              140000",
		"1400 bytes, bulk TCP up                             175240       153724",
	)
	if strings.Contains(out.String(), "TUN write") {
		t.Errorf("there is a line of what was not measured:\n%s", &out)
	}
	table, _, _ := strings.Cut(out.String(), "for each byte of payload")
	for line := range strings.Lines(table) {
		if len(strings.TrimRight(line, "\n")) > 100 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
}
