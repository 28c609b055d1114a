package killswitch

import (
	"slices"
	"strings"
)

// Off returns the state without the tunnel's switch, as it was before, except for what others changed since: a value that is
// not the switch's any more stays. It works for a tunnel that does not exist any more.
func Off(s State, tunnel string) State {
	s, restore := remove(s, tunnel)
	other := slices.IndexFunc(s.Firewall, func(f Section) bool { return f.Type == recordType && f.on("names", false) })
	if other < 0 {
		return s.restored(restore)
	}
	if len(restore) > 0 { // the switch of another tunnel still wants what was changed, and restores it when it goes
		f := &s.Firewall[other]
		f.set(list("restore", append(slices.Clone(f.values("restore")), restore...)...))
	}
	return s
}

// base returns the state that the tunnel's switch is built on.
func base(s State, tunnel string) State {
	s, restore := remove(s, tunnel)
	return s.restored(restore)
}

// remove takes the sections of the tunnel's switch out of a copy of the state, and returns what is to be restored.
func remove(s State, tunnel string) (without State, restore []string) {
	s = s.clone()
	if record := find(s.Firewall, prefix(tunnel)+"killswitch"); record != nil {
		restore = record.values("restore")
	}
	s.Firewall = slices.DeleteFunc(s.Firewall, func(f Section) bool { return owns(tunnel, f.Name) })
	return s, restore
}

// restored gives the interfaces the values of peerdns that they had, where they still have the switch's.
func (s State) restored(restore []string) State {
	for _, entry := range restore {
		name, value, had := strings.Cut(entry, "=")
		n := find(s.Network, name)
		switch {
		case n == nil || n.value("peerdns") != "0":
		case had:
			n.set(option("peerdns", value))
		default:
			n.unset("peerdns")
		}
	}
	return s
}
