package ppp

import (
	"bytes"
	"testing"
)

func TestConformance11AllThreeFrameFormsAreUnderstood(t *testing.T) {
	for _, tc := range []struct {
		why, frame string
		proto      Protocol
		info       string
		ok         bool
	}{
		{"normal form", "ff03 0021 4500", ProtoIPv4, "4500", true},
		{"after ACFC", "0021 4500", ProtoIPv4, "4500", true},
		{"after ACFC and PFC, IPv4", "21 4500", ProtoIPv4, "4500", true},
		{"after ACFC and PFC, IPv6", "57 6000", ProtoIPv6, "6000", true},
		{"after PFC alone", "ff03 21 4500", ProtoIPv4, "4500", true},
		{"LCP without FF 03, as Windows sends Identification", "c021 0c", ProtoLCP, "0c", true},
		{"a control protocol", "ff03 8057 01", ProtoIPV6CP, "01", true},
		{"no information", "ff03 c021", ProtoLCP, "", true},
		{"FF that is not followed by 03 is a protocol of one byte", "ff21", 0x00ff, "21", true},
		{"nothing", "", 0, "", false},
		{"nothing behind the address", "ff03", 0, "", false},
		{"half a protocol", "c0", 0, "", false},
		{"half a protocol behind the address", "ff03 80", 0, "", false},
		{"an even protocol", "ff03 8020 01", 0, "", false},
	} {
		p, info, err := CutHeader(unhex(tc.frame))
		if (err == nil) != tc.ok || p != tc.proto || !bytes.Equal(info, unhex(tc.info)) {
			t.Errorf("%s (%s): got %s %x %v", tc.why, tc.frame, p, info, err)
		}
	}
}

func TestConformance11OnlyTheLongFormIsWritten(t *testing.T) {
	want := unhex("ff03 0021 45")
	if got := AppendFrame(nil, ProtoIPv4, []byte{0x45}); !bytes.Equal(got, want) {
		t.Errorf("AppendFrame: %x, want %x", got, want)
	}
	got := []byte{0, 0, 0, 0, 0x45}
	PutHeader(got, ProtoIPv4)
	if !bytes.Equal(got, want) {
		t.Errorf("PutHeader: %x, want %x", got, want)
	}
}

func TestHeadersAllocateNothing(t *testing.T) {
	frame := AppendFrame(nil, ProtoIPv6, make([]byte, 1400))
	var sum int
	if n := testing.AllocsPerRun(1000, func() {
		PutHeader(frame, ProtoIPv4)
		p, info, err := CutHeader(frame)
		if err == nil {
			sum += int(p) + len(info)
		}
		_, _, err = CutHeader(frame[:2])
		if err == nil {
			t.Error("a frame without a protocol was accepted")
		}
	}); n != 0 {
		t.Errorf("%v allocations per packet, want 0", n)
	}
}

func BenchmarkCutHeader(b *testing.B) {
	frame := AppendFrame(nil, ProtoIPv4, make([]byte, 1400))
	for b.Loop() {
		if _, _, err := CutHeader(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzCutHeader(f *testing.F) {
	for _, s := range []string{"", "ff03", "ff03002145", "002145", "2145", "ff032145", "c021", "ff038020"} {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, info, err := CutHeader(b)
		if err != nil {
			return
		}
		if p&1 != 1 || p>>8&1 != 0 {
			t.Fatalf("%x: %04x is not a protocol number", b, uint16(p))
		}
		if !bytes.HasSuffix(b, info) || len(b)-len(info) > HeaderLen {
			t.Fatalf("%x: information %x is not the rest behind a header", b, info)
		}
		p2, info2, err := CutHeader(AppendFrame(nil, p, info))
		if err != nil || p2 != p || !bytes.Equal(info2, info) {
			t.Fatalf("%x: written again it reads %s %x %v", b, p2, info2, err)
		}
	})
}
