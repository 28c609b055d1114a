package killswitch

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzSwitch turns the switch on and off in configurations that the input makes up: what is foreign stays as it is, once is
// as good as twice, and off leads back to where on began.
func FuzzSwitch(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, uint8(0))
	f.Add([]byte{3, 3, 0, 17, 1, 33, 2, 49, 5, 65, 8, 81, 200, 97, 6, 113}, uint8(0xff))
	f.Fuzz(func(t *testing.T, made []byte, how uint8) {
		x := madeUp(made)
		r := Request{Tunnel: "vpn", Names: how&1 != 0, Router: how&2 != 0}
		if how&4 != 0 {
			r.Zones = []string{"lan", "guest"}
		}
		if how&8 != 0 {
			r.Except = []string{"192.168.1.7", "2001:db8::/64", "AA:BB:CC:DD:EE:FF"}
		}
		untouched := clone(x)
		on, err := On(x, r)
		if !reflect.DeepEqual(x, untouched) {
			t.Fatal("On wrote to the state that it was given")
		}
		if err != nil {
			if !reflect.DeepEqual(on, x) || err.Error() == "" || strings.Contains(err.Error(), "%") {
				t.Fatalf("refused (%q), and not left alone", err)
			}
			return
		}
		if again, err := On(on, r); err != nil || !sameContents(again, on) {
			t.Fatalf("twice is not once: %v\n%s\n%s", err, printState(on), printState(again))
		}
		other := find(x.Firewall, "sstp_other_killswitch")
		takesOver := other != nil && other.on("names", false) && find(on.Firewall, "sstp_vpn_killswitch").values("restore") != nil
		if off := Off(on, r.Tunnel); !sameContents(off, x) && !takesOver {
			t.Fatalf("off is not where it began:\n%s\n%s", printState(x), printState(off))
		}
		for _, p := range Inspect(on, r.Tunnel).Problems {
			if !strings.HasPrefix(p.Key, "zone_") && p.Key != "forward_accept" {
				t.Fatalf("just turned on: %s\n%s", p.Text, printState(on))
			}
		}
		foreign := slices.DeleteFunc(slices.Clone(on.Firewall), func(s Section) bool { return owns(r.Tunnel, s.Name) })
		if !slices.EqualFunc(foreign, x.Firewall, func(a, b Section) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("foreign sections of the firewall changed:\n%s\n%s", printState(x), printState(on))
		}
		foreign = slices.DeleteFunc(slices.Clone(on.Network), func(s Section) bool { return owns(r.Tunnel, s.Name) })
		if len(foreign) != len(x.Network) {
			t.Fatalf("%d foreign sections of the network, there were %d", len(foreign), len(x.Network))
		}
		for _, s := range on.Network {
			if _, bits, _ := strings.Cut(s.value("src"), "/"); s.value("priority") == priorityExcept && s.values("mark") == nil && (bits == "" || bits == "0") {
				t.Fatalf("an exception for everybody: %v", s)
			}
		}
		for i := range foreign {
			is, was := foreign[i], x.Network[i]
			for _, name := range []string{"peerdns", "dns"} {
				is.unset(name)
				was.unset(name)
			}
			if !reflect.DeepEqual(is.Options, was.Options) && len(is.Options)+len(was.Options) > 0 {
				t.Fatalf("more than peerdns and dns changed of %s", was.Name)
			}
		}
		applied := clone(x)
		for _, c := range Changes(x, on) {
			applied = c.applyTo(applied)
		}
		if !sameContents(applied, on) {
			t.Fatalf("the changes lead elsewhere:\n%s\n%s", printState(on), printState(applied))
		}
	})
}

// madeUp makes a configuration of bytes: each two are a section and what it is like.
func madeUp(made []byte) (s State) {
	add := func(config *[]Section, typ, name string, options ...Option) {
		if find(*config, name) == nil {
			*config = append(*config, Section{Type: typ, Name: name, Options: options})
		}
	}
	add(&s.Network, "interface", "vpn", option("proto", "sstp"))
	add(&s.Firewall, "zone", "cfg1", option("name", "lan"), list("network", "lan"))
	zones := []string{"lan", "guest", "wan", "vpn", "dmz"}
	protos := []string{"static", "dhcp", "pppoe", "wireguard", "sstp", "none"}
	names := []string{"lan", "guest", "wan", "wan6", "lte", "vpn", "wg0"}
	for i := 0; i+1 < len(made) && i < 64; i += 2 {
		a, b := int(made[i]), int(made[i+1])
		id := "s" + string(rune('a'+i/2%26)) + string(rune('a'+i/52))
		switch a % 7 {
		case 0:
			add(&s.Firewall, "zone", id, option("name", zones[b%5]), list("network", names[b/5%7]), option("masq", zeroOne(b&64 != 0)), option("enabled", zeroOne(b&128 == 0)))
		case 1:
			add(&s.Firewall, "rule", id, option("src", zones[b%5]), option("dest", zones[b/5%5]), option("target", "ACCEPT"))
		case 2:
			add(&s.Firewall, "forwarding", id, option("src", zones[b%5]), option("dest", zones[b/5%5]))
		case 3:
			add(&s.Network, "interface", names[b%7], option("proto", protos[b/7%6]))
		case 4:
			add(&s.Network, "interface", names[b%7], option("peerdns", zeroOne(b&64 != 0)), option("proto", protos[b/7%6]), option("zone", zones[b/42%5]),
				Option{Name: "dns", Values: []string{"192.0.2.53", "192.0.2.54"}[:1+b%2], List: b&128 != 0 || b%2 == 1})
		case 5:
			add(&s.Firewall, "defaults", id, option("forward", []string{"REJECT", "ACCEPT"}[b%2]))
		case 6:
			add(&s.Firewall, RecordType, "sstp_other_killswitch", option("tunnel", "other"), list("zone", zones[b%5]), option("names", zeroOne(b&64 != 0)))
		}
	}
	return s
}

// sameContents compares states. In which order the options of a section stand does not matter.
func sameContents(a, b State) bool {
	same := func(a, b Section) bool {
		if a.Name != b.Name || a.Type != b.Type || len(a.Options) != len(b.Options) {
			return false
		}
		for _, o := range a.Options {
			if at := slices.IndexFunc(b.Options, func(p Option) bool { return p.Name == o.Name }); at < 0 || !reflect.DeepEqual(b.Options[at], o) {
				return false
			}
		}
		return true
	}
	return slices.EqualFunc(a.Firewall, b.Firewall, same) && slices.EqualFunc(a.Network, b.Network, same)
}
