package sstp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

// wire returns the bytes of hex text; blanks are for the reader.
func wire(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recordedStream is the wire examples of the vectors, one behind the other, between data packets of all sizes.
func recordedStream(t testing.TB) (stream []byte, packets [][]byte) {
	examples := readVectors(t).Wire
	names := []string{}
	for name := range examples {
		if name != "about" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		packets = append(packets, wire(t, examples[name]))
	}
	for _, n := range []int{0, 1, 1400, MaxPayloadLen} {
		packets = append(packets, AppendData(nil, bytes.Repeat([]byte{0x10}, n)))
	}
	return slices.Concat(packets...), packets
}

func TestConformance2StreamInAnyChunksGivesTheSamePackets(t *testing.T) {
	stream, want := recordedStream(t)
	for _, chunk := range []int{1, 2, 3, 7, 16384} {
		var buf []byte
		var got [][]byte
		for piece := range slices.Chunk(stream, chunk) {
			buf = append(buf, piece...)
			for {
				pkt, rest, err := Cut(buf)
				if err != nil {
					t.Fatalf("chunks of %d: %v", chunk, err)
				}
				if pkt == nil {
					break
				}
				got, buf = append(got, bytes.Clone(pkt)), rest
			}
		}
		if !slices.EqualFunc(got, want, bytes.Equal) || len(buf) != 0 {
			t.Errorf("chunks of %d: %d packets and %d bytes left, want the %d packets", chunk, len(got), len(buf), len(want))
		}
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		why    string
		in     string
		packet int // its length; 0: none yet
		err    error
	}{
		{"nothing yet", "", 0, nil},
		{"half a header", "1000", 0, nil},
		{"half a packet", "1001 0008 0008 00", 0, nil},
		{"a whole control packet", "1001 0008 0008 0000", 8, nil},
		{"an empty data packet is legal", "1000 0004 ff", 4, nil},
		{"the upper four bits of the length are reserved", "1000 f005 aa", 5, nil},
		{"the seven bits beside the flag are reserved", "10ff 0008 0008 0000", 8, nil},
		{"data shorter than its header", "1000 0003", 0, ErrLength},
		{"a length of zero must not stand still", "1000 0000", 0, ErrLength},
		{"control shorter than its header", "1001 0007 0008 00", 0, ErrLength},
		{"another version", "1100 0008", 0, ErrVersion},
		{"another version shows in the first byte", "16", 0, ErrVersion},
		{"a web server goes on", "48545450 2f312e31", 0, ErrHTTP},
	}
	for _, test := range tests {
		in := wire(t, test.in)
		pkt, rest, err := Cut(in)
		if len(pkt) != test.packet || len(pkt)+len(rest) != len(in) || !errors.Is(err, test.err) {
			t.Errorf("%s: packet of %d, rest of %d, %v; want a packet of %d, %v",
				test.why, len(pkt), len(rest), err, test.packet, test.err)
		}
	}
}

func TestDataPackets(t *testing.T) {
	got := AppendData([]byte("before"), []byte("frame"))
	if want := "before\x10\x00\x00\x09frame"; string(got) != want {
		t.Errorf("data packet %q, want %q", got, want)
	}
	if got := AppendData(nil, make([]byte, MaxPayloadLen)); len(got) != MaxPacketLen || got[2] != 0x0f || got[3] != 0xff {
		t.Errorf("the longest packet has %d bytes and header %x", len(got), got[:4])
	}
	if got := AppendData([]byte("before"), make([]byte, MaxPayloadLen+1)); string(got) != "before" {
		t.Errorf("a frame that does not fit made %d bytes: it must be dropped, not desynchronise the stream", len(got)-6)
	}
}

func TestControlFramesAreToldFromNetworkFrames(t *testing.T) {
	for frame, want := range map[string]bool{
		"ff03 c021 01": true,  // LCP as everybody sends it
		"c021 01":      true,  // without address and control
		"ff03 c227":    true,  // EAP
		"80fd":         true,  // CCP
		"ff03 0021":    false, // IPv4
		"0021 45":      false,
		"ff03 21 45":   false, // with its protocol compressed
		"21 45":        false,
		"57 60":        false,
		"ff03 57 60":   false,
		"c1 00":        false, // an odd first byte is a whole protocol
		"ff03 c1":      false,
		"ff03":         false,
		"c0":           false,
		"":             false,
	} {
		if got := isControlFrame(wire(t, frame)); got != want {
			t.Errorf("frame %q is a control frame: %v, want %v", frame, got, want)
		}
	}
}

func TestDataPathAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, MaxPacketLen)
	frame := make([]byte, 1400)
	if n := testing.AllocsPerRun(1000, func() {
		b := AppendData(buf, frame)
		PutDataHeader(b, len(frame))
		pkt, _, _ := Cut(b)
		_ = IsControl(pkt) || isControlFrame(Payload(pkt))
	}); n != 0 {
		t.Errorf("%v allocations per packet, want 0", n)
	}
}

func FuzzCut(f *testing.F) {
	stream, _ := recordedStream(f)
	f.Add(stream)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := 0; ; n++ {
			pkt, rest, err := Cut(b)
			if len(pkt)+len(rest) != len(b) {
				t.Fatalf("Cut lost bytes: %d + %d != %d", len(pkt), len(rest), len(b))
			}
			if pkt == nil {
				if err == nil && len(b) >= MaxPacketLen {
					t.Fatalf("%d bytes are there and Cut wants more", len(b))
				}
				return
			}
			if err != nil || len(pkt) < HeaderLen || len(pkt) > MaxPacketLen || IsControl(pkt) && len(pkt) < 8 {
				t.Fatalf("packet of %d bytes, control %v, %v", len(pkt), IsControl(pkt), err)
			}
			// What comes must be able to leave again, but for reserved bits.
			if !IsControl(pkt) && !bytes.Equal(Payload(AppendData(nil, Payload(pkt))), Payload(pkt)) {
				t.Fatal("the payload does not survive")
			}
			b = rest
		}
	})
}
