package offload

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"testing"
)

// naiveSum is RFC 1071 section 4.1 as it stands there.
func naiveSum(b []byte, initial uint16) uint16 {
	sum := uint32(initial)
	for len(b) > 1 {
		sum += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
		sum = sum>>16 + sum&0xffff
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestSumOfTheRFC(t *testing.T) {
	// The example of RFC 1071 section 3.
	if got := Sum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, 0); got != 0xddf2 {
		t.Errorf("Sum = %04x, want ddf2", got)
	}
	// A header with a checksum in it sums up to all ones (RFC 1141's point).
	header, _ := hex.DecodeString("45000073000040004011b861c0a80001c0a800c7")
	if got := Sum(header, 0); got != 0xffff {
		t.Errorf("a good IPv4 header: %04x, want ffff", got)
	}
	header[10], header[11] = 0, 0
	checksumIPv4(header)
	if header[10] != 0xb8 || header[11] != 0x61 {
		t.Errorf("checksum %x, want b861", header[10:12])
	}
}

func TestSumOfAnyLengthAtAnyAddress(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 400)
	for _, fill := range []func(i int) byte{
		func(int) byte { return byte(random.Uint32()) },
		func(int) byte { return 0xff },
		func(int) byte { return 0 },
		func(i int) byte { return byte(i) },
	} {
		for i := range buf {
			buf[i] = fill(i)
		}
		for offset := range 9 {
			for n := range len(buf) - offset {
				for _, initial := range []uint16{0, 1, 0x8000, 0xffff} {
					b := buf[offset : offset+n]
					if got, want := Sum(b, initial), naiveSum(b, initial); got != want {
						t.Fatalf("Sum(%d bytes at %d, %04x) = %04x, want %04x", n, offset, initial, got, want)
					}
				}
			}
		}
	}
}

func TestSumOfTheLargestPacket(t *testing.T) {
	b := bytes.Repeat([]byte{0xff, 0xfe}, 65535/2)
	if got, want := Sum(b, 0xffff), naiveSum(b, 0xffff); got != want {
		t.Errorf("Sum = %04x, want %04x", got, want)
	}
}

func TestMinusUndoesSum(t *testing.T) {
	for _, c := range [][2]uint16{{0, 0}, {5, 7}, {7, 5}, {0xffff, 1}, {1, 0xffff}, {0x8000, 0x7fff}} {
		got := fold(uint64(minus(c[0], c[1])) + uint64(c[1]))
		if got%0xffff != c[0]%0xffff { // 0 and ffff are the same number
			t.Errorf("%04x - %04x + %04x = %04x", c[0], c[1], c[1], got)
		}
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint16(4), 1)
	f.Fuzz(func(t *testing.T, b []byte, initial uint16, cut int) {
		want := naiveSum(b, initial)
		if got := Sum(b, initial); got != want {
			t.Errorf("Sum(%x, %04x) = %04x, want %04x", b, initial, got, want)
		}
		if cut = cut &^ 1; cut >= 0 && cut <= len(b) {
			if got := Sum(b[cut:], Sum(b[:cut], initial)); got != want {
				t.Errorf("cut at %d: %04x, want %04x", cut, got, want)
			}
		}
	})
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{20, 64, 1400, 65535} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			buf := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				Sum(buf, 0)
			}
		})
	}
}
