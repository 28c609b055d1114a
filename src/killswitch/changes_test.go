package killswitch

import (
	"slices"
	"testing"
)

// applyTo does a step as rpcd does it.
func (c Change) applyTo(s State) State {
	s = s.clone()
	config := map[string]*[]Section{"firewall": &s.Firewall, "network": &s.Network}[c.Config]
	switch at := find(*config, c.Section.Name); {
	case c.Op == Add:
		*config = append(*config, c.Section)
	case c.Op == Delete && c.Section.Options == nil:
		*config = slices.DeleteFunc(*config, func(f Section) bool { return f.Name == c.Section.Name })
	case c.Op == Delete:
		for _, o := range c.Section.Options {
			at.unset(o.Name)
		}
	case c.Op == Set:
		for _, o := range c.Section.Options {
			at.set(o)
		}
	case c.Op == Order:
		var ordered []Section
		for _, name := range c.Sections {
			ordered = append(ordered, *find(*config, name))
		}
		*config = ordered
	}
	return s
}

func TestNoChangesWhereNothingChanges(t *testing.T) {
	s := madeUp([]byte{0, 1, 0, 23, 1, 2, 3, 3, 4, 20})
	if c := Changes(s, clone(s)); c != nil {
		t.Errorf("%v", c)
	}
}

func TestAnotherRequestChangesOnlyWhatDiffers(t *testing.T) {
	s := madeUp([]byte{0, 12, 3, 9})
	with, err := On(s, Request{Tunnel: "vpn", Names: true})
	if err != nil {
		t.Fatal(err)
	}
	without, err := On(with, Request{Tunnel: "vpn"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range Changes(with, without) {
		got = append(got, string(c.Op)+" "+c.Section.Name)
	}
	want := []string{"delete sstp_vpn_call_1", "delete sstp_vpn_names_1", "delete sstp_vpn_killswitch", "set sstp_vpn_killswitch", "delete wan"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNoTunnelTakesAnothersSectionsForItsOwn(t *testing.T) {
	tunnels := []string{"a", "a_zone", "a_b", "a_reject", "a_reject_1", "a_killswitch"}
	for _, owner := range tunnels {
		for _, kind := range []string{"zone", "killswitch", "reject_1", "forward_12"} {
			for _, other := range tunnels {
				if got := owns(other, prefix(owner)+kind); got != (owner == other) {
					t.Errorf("section %s of tunnel %s: owned by %s: %v", prefix(owner)+kind, owner, other, got)
				}
			}
		}
	}
}
