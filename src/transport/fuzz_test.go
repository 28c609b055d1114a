package transport

import (
	"net/netip"
	"slices"
	"testing"
)

// FuzzInterleave: each address is tried once, the first one first, and no family waits while both are left.
func FuzzInterleave(f *testing.F) {
	f.Add([]byte{4, 4, 6, 6, 4})
	f.Fuzz(func(t *testing.T, kinds []byte) {
		var in []netip.Addr
		unique := map[netip.Addr]bool{}
		for _, k := range kinds {
			a := netip.AddrFrom4([4]byte{192, 0, 2, k})
			if k%2 == 1 {
				a = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 15: k})
			}
			in, unique[a] = append(in, a), true
		}
		out := interleave(in)
		if len(out) != len(unique) || len(in) > 0 && out[0] != in[0] {
			t.Fatalf("%v became %v", in, out)
		}
		for i := 2; i < len(out); i++ {
			if out[i].Is4() == out[i-1].Is4() && slices.ContainsFunc(out[i:], func(a netip.Addr) bool { return a.Is4() != out[i].Is4() }) {
				t.Fatalf("%v: a family waits", out)
			}
		}
		for _, a := range out {
			delete(unique, a)
		}
		if len(unique) != 0 {
			t.Fatalf("%v were lost", unique)
		}
	})
}
