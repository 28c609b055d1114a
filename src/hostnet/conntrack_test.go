package hostnet

import (
	"bytes"
	"net/netip"
	"testing"
)

// attr is an attribute with the right length.
func attr(typ uint16, value []byte) []byte { return appendAttr(nil, typ, value) }

func TestWhoBeganAConnection(t *testing.T) {
	source := netip.MustParseAddr("192.168.1.7")
	addresses := join(attr(1, source.AsSlice()), attr(2, []byte{192, 0, 2, 9}))
	orig := join(attr(1|nested, addresses), attr(2|nested, attr(1, []byte{6})))
	reply := attr(1|nested, join(attr(1, []byte{192, 0, 2, 9}), attr(2, []byte{203, 0, 113, 2})))
	tuple, from, to := connectionTuple(join([]byte{2, 0, 0, 0}, attr(2|nested, reply), attr(1|nested, orig)))
	if from != source || to != netip.MustParseAddr("192.0.2.9") || !bytes.Equal(tuple, orig) {
		t.Errorf("begun by %v with %v, known by %x; want %v and %x", from, to, tuple, source, orig)
	}
	source = netip.MustParseAddr("2001:db8:2::7")
	orig = attr(1|nested, join(attr(3, source.AsSlice()), attr(4, make([]byte, 16))))
	if _, from, _ := connectionTuple(join([]byte{10, 0, 0, 0}, attr(1|nested, orig))); from != source {
		t.Errorf("begun by %v, want %v", from, source)
	}
	for _, broken := range [][]byte{nil, {2, 0, 0, 0}, {2, 0, 0, 0, 200, 0, 1, 0}, join([]byte{2, 0, 0, 0}, attr(1|nested, attr(1|nested, attr(1, []byte{1, 2, 3}))))} {
		if _, from, _ := connectionTuple(broken); from.IsValid() {
			t.Errorf("%x was begun by %v", broken, from)
		}
	}
}

func FuzzConnectionTuple(f *testing.F) {
	f.Add(join([]byte{2, 0, 0, 0}, attr(1|nested, attr(1|nested, attr(1, []byte{192, 168, 1, 7})))))
	f.Fuzz(func(t *testing.T, payload []byte) {
		tuple, from, _ := connectionTuple(payload)
		if from.IsValid() && !bytes.Contains(payload, tuple) {
			t.Errorf("%x is not of %x", tuple, payload)
		}
	})
}
