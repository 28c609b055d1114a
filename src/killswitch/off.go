package killswitch

import (
	"slices"
	"strings"
)

// Off returns the state without the tunnel's switch. It restores what the switch changed, except values that others have changed
// since. The tunnel need not exist any more.
func Off(s State, tunnel string) State {
	s, restore := remove(s, tunnel)
	other := slices.IndexFunc(s.Firewall, func(f Section) bool { return f.Type == RecordType && f.on("names", false) })
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

// remove returns a copy of the state without the sections of the tunnel's switch, and the record of what to restore.
func remove(s State, tunnel string) (without State, restore []string) {
	s = s.clone()
	if record := find(s.Firewall, prefix(tunnel)+"killswitch"); record != nil {
		restore = record.values("restore")
	}
	ours := func(f Section) bool { return owns(tunnel, f.Name) }
	s.Firewall, s.Network = slices.DeleteFunc(s.Firewall, ours), slices.DeleteFunc(s.Network, ours)
	return s, restore
}

// What stands between the name of an interface and a value in an entry of what to restore. Without one of them the entry is
// about peerdns: the name alone says that the interface did not have it.
const (
	dnsText = ".dns="  // option dns
	dnsItem = ".dns+=" // an item of list dns
)

// restored restores the options of the interfaces that still are as the switch left them.
func (s State) restored(restore []string) State {
	kept := map[string]bool{} // interfaces whose name servers somebody else has configured since
	for _, n := range s.Network {
		kept[n.Name] = n.values("dns") != nil
	}
	for _, entry := range restore {
		name, value, had := strings.Cut(entry, "=")
		name, list, isList := cutKind(name)
		n := find(s.Network, name)
		switch {
		case n == nil:
		case list:
			if !kept[name] {
				n.add("dns", value, isList)
			}
		case n.value("peerdns") != "0":
		case had:
			n.set(option("peerdns", value))
		default:
			n.unset("peerdns")
		}
	}
	return s
}

// cutKind takes apart what stands before the = of an entry: the interface, whether it is about name servers, and whether
// they stood in a list.
func cutKind(key string) (name string, dns, isList bool) {
	if name, dns = strings.CutSuffix(key, ".dns+"); dns {
		return name, true, true
	}
	name, dns = strings.CutSuffix(key, ".dns")
	return name, dns, false
}

// add adds a value to an option.
func (s *Section) add(name, value string, isList bool) {
	s.set(Option{Name: name, Values: append(slices.Clone(s.values(name)), value), List: isList})
}

// NameServers returns the name servers, by the interface of their uplink, that switches have taken away because the user had
// configured them there.
func NameServers(s State) map[string][]string {
	servers := map[string][]string{}
	for i := range s.Firewall {
		f := &s.Firewall[i]
		if f.Type != RecordType {
			continue
		}
		for _, entry := range f.values("restore") {
			key, value, _ := strings.Cut(entry, "=")
			if name, dns, _ := cutKind(key); dns {
				servers[name] = append(servers[name], strings.Fields(value)...)
			}
		}
	}
	return servers
}
