package offload

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestMergeUndoesSplit(t *testing.T) {
	m := Merger{UDP: true}
	for name, s := range kinds() {
		for _, c := range []struct {
			why         string
			total, size int
			change      func(*spec)
		}{
			{"two full segments", 2800, 1400, nil},
			{"a short last one", 3001, 1400, nil},
			{"odd sizes", 10001, 1347, nil},
			{"as many as are allowed", 64 * 900, 900, nil},
			{"the end of the data", 4000, 1400, func(s *spec) { s.flags |= flagPSH | flagFIN }},
			{"congestion is echoed", 4000, 1400, func(s *spec) { s.flags |= flagECE; s.tos |= 3 }},
			{"accurate ECN's third bit", 4000, 1400, func(s *spec) { s.reserved = 1 }},
			{"no options", 4000, 1400, func(s *spec) { s.options = nil }},
		} {
			s := s
			s.payload = payload(c.total)
			if c.change != nil {
				c.change(&s)
			}
			h, want := s.super(c.size)
			headers, got, counts := merged(&m, s.segments(c.size))
			if len(got) != 1 || headers[0] != h || !bytes.Equal(got[0], want) || counts[0] != (c.total+c.size-1)/c.size {
				t.Errorf("%s, %s: %d packets, the first of %v with %+v; want one, with %+v, or its bytes differ",
					name, c.why, len(got), counts, headers, h)
			}
		}
	}
}

// pair are two segments that can be merged, or three with more.
func pair(s spec, more int) []spec {
	all := []spec{s}
	all[0].payload = payload(100)
	for range more {
		next := all[len(all)-1]
		next.id++
		next.seq += uint32(len(next.payload))
		all = append(all, next)
	}
	return all
}

func TestWhatIsMergedAndWhatIsNot(t *testing.T) {
	type step func(p []spec)
	for _, c := range []struct {
		why    string
		kinds  string
		change step
		want   []int // packets in each group
	}{
		{"all alike", "TCP4 TCP6 UDP4 UDP6", func(p []spec) {}, []int{3}},
		{"another connection's packet between stays one", "TCP4 TCP6 UDP4 UDP6", func(p []spec) { p[2] = p[1]; p[1].port++ }, []int{2, 1}},
		{"another host's", "TCP4 TCP6 UDP4 UDP6", func(p []spec) { p[2] = p[1]; p[1].host++ }, []int{2, 1}},
		{"only the last may be shorter", "TCP4 TCP6 UDP4 UDP6", func(p []spec) { p[1].payload = payload(99) }, []int{2, 1}},
		{"none may be longer", "TCP4 TCP6 UDP4 UDP6", func(p []spec) { p[1].payload = payload(101); p[2].seq++ }, []int{1, 2}},
		{"a packet without payload", "TCP4 TCP6 UDP4 UDP6", func(p []spec) { p[1].payload = nil }, []int{1, 1, 1}},
		{"another type of service", "TCP4 TCP6 UDP4 UDP6", func(p []spec) { p[2].tos = 4 }, []int{2, 1}},
		{"a mark of congestion", "TCP4 TCP6 UDP4 UDP6", func(p []spec) {
			p[0].tos, p[1].tos, p[2].tos = 2, 2, 3
		}, []int{2, 1}},
		{"another time to live", "TCP4 TCP6 UDP4 UDP6", func(p []spec) { p[1].ttl-- }, []int{1, 1, 1}},
		{"another flow label", "TCP6 UDP6", func(p []spec) { p[2].label++ }, []int{2, 1}},
		{"a hole in the identifications", "TCP4 UDP4", func(p []spec) { p[2].id++ }, []int{2, 1}},
		{"identifications that stand still mean nothing with DF", "TCP4", func(p []spec) { p[1].id, p[2].id = p[0].id, p[0].id }, []int{3}},
		{"and something without", "UDP4", func(p []spec) { p[1].id, p[2].id = p[0].id, p[0].id }, []int{1, 1, 1}},
		{"first they stand still, then they move", "TCP4", func(p []spec) { p[1].id, p[2].id = p[0].id, p[0].id+1 }, []int{2, 1}},
		{"first they move, then they stand still", "TCP4", func(p []spec) { p[2].id = p[1].id }, []int{2, 1}},
		{"DF on one only", "TCP4 UDP4", func(p []spec) { p[1].mayFrag = !p[1].mayFrag }, []int{1, 1, 1}},
		{"options in IPv4", "TCP4 UDP4", func(p []spec) { p[1].ipOptions = []byte{1, 1, 1, 1} }, []int{1, 1, 1}},
		{"extension headers", "TCP6 UDP6", func(p []spec) {
			p[1].firstExt, p[1].extensions = destOptions, []byte{p[1].protocol(), 0, 1, 4, 0, 0, 0, 0}
		}, []int{1, 1, 1}},
		{"a hole in the data", "TCP4 TCP6", func(p []spec) { p[2].seq++ }, []int{2, 1}},
		{"the same data again", "TCP4 TCP6", func(p []spec) { p[2].seq = p[1].seq }, []int{2, 1}},
		{"another acknowledgement", "TCP4 TCP6", func(p []spec) { p[2].ack++ }, []int{2, 1}},
		{"another window", "TCP4 TCP6", func(p []spec) { p[1].window++ }, []int{1, 1, 1}},
		{"another time stamp", "TCP4 TCP6", func(p []spec) {
			p[2].options = slices.Clone(p[2].options)
			p[2].options[7]++
		}, []int{2, 1}},
		{"fewer options", "TCP4 TCP6", func(p []spec) { p[2].options = nil }, []int{2, 1}},
		{"PSH ends a group", "TCP4 TCP6", func(p []spec) { p[1].flags |= flagPSH }, []int{2, 1}},
		{"and stays alone when it comes first", "TCP4 TCP6", func(p []spec) { p[0].flags |= flagPSH }, []int{1, 2}},
		{"FIN ends a group", "TCP4 TCP6", func(p []spec) { p[2].flags |= flagFIN }, []int{3}},
		{"CWR stays alone", "TCP4 TCP6", func(p []spec) { p[0].flags |= flagCWR }, []int{1, 2}},
		{"wherever it is", "TCP4 TCP6", func(p []spec) { p[1].flags |= flagCWR }, []int{1, 1, 1}},
		{"ECE on one only", "TCP4 TCP6", func(p []spec) { p[2].flags |= flagECE }, []int{2, 1}},
		{"accurate ECN's third bit on one only", "TCP4 TCP6", func(p []spec) { p[2].reserved = 1 }, []int{2, 1}},
		{"SYN stays alone", "TCP4 TCP6", func(p []spec) { p[0].flags |= 2 }, []int{1, 2}},
		{"RST stays alone", "TCP4 TCP6", func(p []spec) { p[2].flags |= 4 }, []int{2, 1}},
		{"URG stays alone", "TCP4 TCP6", func(p []spec) { p[1].flags |= 0x20; p[1].urgent = 5 }, []int{1, 1, 1}},
		{"no ACK", "TCP4 TCP6", func(p []spec) { p[0].flags, p[1].flags, p[2].flags = 0, 0, 0 }, []int{1, 1, 1}},
		{"an urgent pointer without the flag", "TCP4 TCP6", func(p []spec) { p[2].urgent = 5 }, []int{2, 1}},
	} {
		for name, s := range kinds() {
			if !slices.Contains(strings.Fields(c.kinds), name) {
				continue
			}
			specs := pair(s, 2)
			c.change(specs)
			var pkts [][]byte
			for _, p := range specs {
				pkts = append(pkts, p.packet())
			}
			m := Merger{UDP: true}
			if _, _, counts := merged(&m, pkts); !slices.Equal(counts, c.want) {
				t.Errorf("%s, %s: groups of %v, want %v", name, c.why, counts, c.want)
			}
		}
	}
}

func TestUDPIsMergedOnlyForADeviceThatTakesIt(t *testing.T) {
	s := kinds()["UDP4"]
	s.payload = payload(3000)
	m := Merger{}
	pkts := s.segments(1000)
	if headers, got, _ := merged(&m, clones(pkts)); !sameAll(got, pkts) || headers[0] != (Header{}) {
		t.Errorf("%d packets, want the 3 as they were", len(got))
	}
}

func TestUDPWithoutAChecksumIsNotMerged(t *testing.T) {
	for name, s := range kinds() {
		if !s.udp {
			continue
		}
		for zero := range 3 {
			s.payload = payload(3000)
			pkts := s.segments(1000)
			binary.BigEndian.PutUint16(pkts[zero][s.sumAt():], 0)
			m := Merger{UDP: true}
			_, _, counts := merged(&m, pkts)
			if want := [][]int{{1, 2}, {1, 1, 1}, {2, 1}}[zero]; !slices.Equal(counts, want) {
				t.Errorf("%s, packet %d: groups of %v, want %v", name, zero, counts, want)
			}
		}
	}
}

func TestADamagedPacketIsNotHealed(t *testing.T) {
	for name, s := range kinds() {
		for damaged := range 3 {
			s.payload = payload(3000)
			good := s.segments(1000)
			good[damaged][s.headers()+500] ^= 1
			pkts := clones(good)
			m := Merger{UDP: true}
			_, got, counts := merged(&m, pkts)
			if want := [][]int{{1, 2}, {1, 1, 1}, {2, 1}}[damaged]; !slices.Equal(counts, want) {
				t.Errorf("%s: packet %d is damaged: groups of %v, want %v", name, damaged, counts, want)
			}
			if !slices.ContainsFunc(got, func(p []byte) bool { return bytes.Equal(p, good[damaged]) }) {
				t.Errorf("%s: the damaged packet is not passed on as it is: that is for the receiver to see", name)
			}
			if !s.v6 {
				good = s.segments(1000)
				good[damaged][ip4Sum] ^= 1
				if _, _, counts = merged(&m, good); len(counts) == 1 {
					t.Errorf("%s: a wrong checksum of the IPv4 header in packet %d is healed", name, damaged)
				}
			}
		}
	}
}

func TestManyFlowsAtOnce(t *testing.T) {
	m := Merger{UDP: true}
	var pkts [][]byte
	var flows []spec
	for i := range 8 {
		s := kinds()[[]string{"TCP4", "TCP6", "UDP4", "UDP6"}[i%4]]
		s.port, s.host = uint16(4000+i), byte(i)
		s.payload = payload(10 * 100)
		flows = append(flows, s)
	}
	for i := range 10 {
		for _, s := range flows {
			pkts = append(pkts, s.segments(100)[i])
		}
	}
	_, got, counts := merged(&m, pkts)
	if len(got) != 8 {
		t.Fatalf("%d super-packets of %v, want 8 of 10: one for each flow", len(got), counts)
	}
	for i, s := range flows {
		if _, want := s.super(100); !bytes.Equal(got[i], want) {
			t.Errorf("flow %d differs", i)
		}
	}
}

func TestASuperPacketIsNotLargerThanAPacketCanBe(t *testing.T) {
	for name, s := range kinds() {
		s.payload = payload(60 * 1400)
		m := Merger{UDP: true}
		headers, got, _ := merged(&m, s.segments(1400))
		if len(got) != 2 {
			t.Errorf("%s: %d super-packets, want 2", name, len(got))
		}
		for i, pkt := range got {
			if len(pkt) > 65535 {
				t.Errorf("%s: %d bytes", name, len(pkt))
			}
			if segs, err := cut(headers[i], pkt); err != nil || len(segs) < 14 {
				t.Errorf("%s: super-packet %d cannot be split: %v", name, i, err)
			}
		}
		s.payload = payload(100)
		if _, _, counts := merged(&m, s.segments(1)); !slices.Equal(counts, []int{64, 36}) {
			t.Errorf("%s: groups of %v, want no more than 64", name, counts)
		}
	}
}

// restore splits all that a merger has made of pkts. Packets that stood alone are as they were.
func restore(t *testing.T, m *Merger, pkts [][]byte) [][]byte {
	headers, whole, counts := merged(m, pkts)
	var all [][]byte
	for i := range whole {
		if headers[i] == (Header{}) {
			all = append(all, whole[i])
			continue
		}
		segs, err := cut(headers[i], whole[i])
		if err != nil {
			t.Fatalf("a super-packet of ours cannot be split: %v, %+v, %x", err, headers[i], whole[i])
		}
		if len(segs) != counts[i] {
			t.Fatalf("%d segments of %d packets", len(segs), counts[i])
		}
		all = append(all, segs...)
	}
	return all
}

// normal makes the identification, of a packet in which it means nothing, zero: RFC 6864 section 4.1.
func normal(pkt []byte) []byte {
	p := bytes.Clone(pkt)
	if len(p) >= ip4Len && p[0] == 0x45 && p[ip4Fragment] == 0x40 {
		p[ip4ID], p[ip4ID+1] = 0, 0
		p[ip4Sum], p[ip4Sum+1] = 0, 0
	}
	return p
}

// flowOf is what packets have in common that must keep their order.
func flowOf(pkt []byte) string {
	switch {
	case len(pkt) >= ip4Len+4 && pkt[0]>>4 == 4:
		return string(pkt[9:10]) + string(pkt[12:24])
	case len(pkt) >= ip6Len+4 && pkt[0]>>4 == 6:
		return string(pkt[6:7]) + string(pkt[8:44])
	}
	return ""
}

// checkRestored compares what went into a merger with what came out of splitting its work, flow by flow.
func checkRestored(t *testing.T, before, after [][]byte) {
	t.Helper()
	byFlow := func(pkts [][]byte) map[string][][]byte {
		flows := map[string][][]byte{}
		for _, p := range pkts {
			flows[flowOf(p)] = append(flows[flowOf(p)], normal(p))
		}
		return flows
	}
	got, want := byFlow(after), byFlow(before)
	if len(got) != len(want) {
		t.Fatalf("%d flows, want %d", len(got), len(want))
	}
	for flow := range want {
		if !sameAll(got[flow], want[flow]) {
			t.Fatalf("flow %x has changed:\n got %x\nwant %x", flow, got[flow], want[flow])
		}
	}
}

// traffic makes packets of a few flows out of random choices: mostly good ones that follow each other.
func traffic(choose func(n int) int, n int) [][]byte {
	names := []string{"TCP4", "TCP6", "UDP4", "UDP6"}
	var flows []spec
	for i := range 6 {
		s := kinds()[names[i%4]]
		s.port += uint16(i)
		s.payload = payload(50)
		flows = append(flows, s)
	}
	var pkts [][]byte
	for range n {
		s := &flows[choose(len(flows))]
		one := *s
		one.payload = payload(50)
		switch choose(30) {
		case 0:
			one.payload = payload(choose(60))
		case 1:
			one.flags |= 1 << choose(8)
		case 2:
			one.tos = byte(choose(4))
		case 3:
			one.id += uint16(choose(3))
		case 4:
			one.seq += uint32(choose(3))
		case 5:
			one.window++
		case 6:
			one.mayFrag = !one.mayFrag
		case 7:
			one.ttl--
		case 8:
			one.reserved = 1
		}
		pkt := one.packet()
		switch choose(40) {
		case 0:
			pkt[choose(len(pkt))] ^= 1 << choose(8)
		case 1:
			pkt = pkt[:choose(len(pkt)+1)]
		case 2:
			pkt = append(pkt, 0)
		}
		pkts = append(pkts, pkt)
		s.seq += uint32(len(one.payload))
		if choose(8) > 0 {
			s.id++
		}
	}
	return pkts
}

func TestMergingAndSplittingGivesThePacketsBack(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	m := Merger{UDP: true}
	joined := 0
	for range 300 {
		pkts := traffic(random.IntN, 1+random.IntN(60))
		after := restore(t, &m, clones(pkts))
		joined += len(pkts) - m.Merge(clones(pkts))
		checkRestored(t, pkts, after)
	}
	if joined < 1000 {
		t.Errorf("only %d packets were merged: the test does not test", joined)
	}
}

func TestMergeAllocatesNothing(t *testing.T) {
	s := kinds()["TCP4"]
	s.payload = payload(11 * 1348)
	original := s.segments(1348)
	pkts := clones(original)
	m := Merger{UDP: true}
	parts := make([][]byte, 0, 65)
	if n := testing.AllocsPerRun(100, func() {
		copy(pkts[0], original[0])
		for i := range m.Merge(pkts) {
			_, _, parts = m.Group(i, parts[:0])
		}
		m.Reset()
	}); n != 0 || len(parts) != 11 {
		t.Errorf("%v allocations, want 0; %d pieces, want 11", n, len(parts))
	}
}

// FuzzMerge: whatever the packets, splitting what was merged gives them back, flow by flow and in order. The input is a
// list of choices for traffic, or, raw, the packets themselves.
func FuzzMerge(f *testing.F) {
	f.Add([]byte{0, 9, 9, 1, 0, 9, 9, 1, 0, 9, 9, 1}, false)
	for _, s := range kinds() {
		s.payload = payload(90)
		f.Add(bytes.Join(s.segments(30), []byte{0xff, 0xfe}), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, raw bool) {
		var pkts [][]byte
		if raw {
			pkts = bytes.Split(data, []byte{0xff, 0xfe})
		} else {
			pkts = traffic(func(n int) int {
				if len(data) == 0 {
					return n - 1
				}
				c := int(data[0])
				data = data[1:]
				return c % n
			}, min(60, len(data)/4))
		}
		checkRestored(t, pkts, restore(t, &Merger{UDP: true}, clones(pkts)))
	})
}

func BenchmarkMerge(b *testing.B) {
	inShapes(b, func(b *testing.B, s spec, segment int) {
		original := s.segments(segment)
		pkts := clones(original)
		m := Merger{UDP: true}
		b.SetBytes(int64(len(pkts) * len(pkts[0])))
		b.ReportAllocs()
		for b.Loop() {
			copy(pkts[0], original[0][:s.headers()])
			if m.Merge(pkts) != 1 {
				b.Fatal("not merged")
			}
		}
	})
}
