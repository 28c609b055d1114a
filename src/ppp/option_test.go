package ppp

import (
	"bytes"
	"testing"
)

func TestLengthsOfOptionsAreClaims(t *testing.T) {
	for _, tc := range []struct {
		why, opts string
		ok        bool
	}{
		{"none at all", "", true},
		{"two", "0104 05dc 0702", true},
		{"a type alone", "01", false},
		{"length 0", "0100", false},
		{"length 1", "0101", false},
		{"longer than what is there", "0105 05dc", false},
		{"a good one before a bad one", "0702 01", false},
	} {
		if got := wellFormed(unhex(tc.opts)); got != tc.ok {
			t.Errorf("%s (%s): %v, want %v", tc.why, tc.opts, got, tc.ok)
		}
	}
}

func TestTheLengthOfAPacketRulesNotThatOfTheFrame(t *testing.T) {
	p, ok := cutPacket(unhex("02 07 0004  08 4c6f67696e206f6b")) // RouterOS
	if !ok || p.code != 2 || p.id != 7 || len(p.data) != 0 {
		t.Errorf("padding behind a packet: %+v %v", p, ok)
	}
	for why, b := range map[string]string{"too short for a header": "010203", "length below 4": "01 02 0003", "length beyond the end": "01 02 0005"} {
		if _, ok := cutPacket(unhex(b)); ok {
			t.Errorf("%s: accepted", why)
		}
	}
}

func FuzzOptions(f *testing.F) {
	for _, s := range []string{"", "0104 05dc 0702", "0100", "0105 05dc", "ff02"} {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var joined, rebuilt []byte
		rest, ok := b, true
		for len(rest) > 0 {
			var o option
			var after []byte
			if o, after, ok = cutOption(rest); !ok {
				if !bytes.Equal(after, rest) {
					t.Fatalf("%x: a bad option consumed something", b)
				}
				break
			}
			if len(o.raw)+len(after) != len(rest) {
				t.Fatalf("%x: %d + %d bytes out of %d", b, len(o.raw), len(after), len(rest))
			}
			joined = append(joined, o.raw...)
			rebuilt = appendOption(rebuilt, o.typ, o.data...)
			rest = after
		}
		if ok != wellFormed(b) {
			t.Fatalf("%x: the walk says %v, wellFormed says %v", b, ok, !ok)
		}
		if !bytes.HasPrefix(b, joined) || ok && len(joined) != len(b) || !bytes.Equal(joined, rebuilt) {
			t.Fatalf("%x: the options are %x, built again %x", b, joined, rebuilt)
		}
		if p, ok := cutPacket(b); ok && (len(p.raw) != packetLen+len(p.data) || !bytes.HasPrefix(b, p.raw)) {
			t.Fatalf("%x: packet %x with data %x", b, p.raw, p.data)
		}
	})
}
