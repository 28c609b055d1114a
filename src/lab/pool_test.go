package lab

import (
	"net/netip"
	"testing"
)

func mustPool(t *testing.T, net4 string, fresh bool) *pool {
	t.Helper()
	p, err := newPool(netip.MustParsePrefix(net4), netip.Prefix{}, fresh)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustTake(t *testing.T, p *pool, user string) lease {
	t.Helper()
	l, err := p.take(user)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAUserKeepsItsAddress(t *testing.T) {
	p := mustPool(t, "10.0.0.0/29", false)
	a := mustTake(t, p, "a")
	if a.ipv4 != netip.MustParseAddr("10.0.0.2") || a.prefix6 != netip.MustParsePrefix("fd53:5354:5000:2::/64") {
		t.Errorf("first lease is %v %v", a.ipv4, a.prefix6)
	}
	b := mustTake(t, p, "b")
	p.release(a.slot)
	if c := mustTake(t, p, "c"); c.slot == a.slot || c.slot == b.slot {
		t.Errorf("a newcomer got slot %d, which is the home of another user", c.slot)
	}
	if again := mustTake(t, p, "a"); again != a {
		t.Errorf("the returning user got %v, had %v", again.ipv4, a.ipv4)
	}
	second := mustTake(t, p, "a")
	if second.ipv4 == a.ipv4 {
		t.Error("two calls of one user share an address")
	}
	p.release(second.slot)
	p.release(a.slot)
	if again := mustTake(t, p, "a"); again != a {
		t.Error("the second call of a user moved the user's home")
	}
}

func TestAFreshPoolHandsOutAnotherAddress(t *testing.T) {
	p := mustPool(t, "10.0.0.0/29", true)
	seen := map[netip.Addr]bool{}
	for range 4 {
		l := mustTake(t, p, "a")
		if seen[l.ipv4] {
			t.Errorf("%v was handed out twice", l.ipv4)
		}
		seen[l.ipv4] = true
		p.release(l.slot)
	}
}

func TestAnEmptyPoolSaysSo(t *testing.T) {
	p := mustPool(t, "10.0.0.0/30", false) // .1 is the server's, .2 the only one left
	mustTake(t, p, "a")
	if l, err := p.take("b"); err == nil {
		t.Errorf("got %v from an empty pool", l.ipv4)
	}
}
