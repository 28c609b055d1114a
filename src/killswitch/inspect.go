package killswitch

import (
	"slices"
	"strings"
)

// Status is the state of a tunnel's switch.
type Status struct {
	On bool // it is recorded
	Request
	Problems []*Problem // what is missing or was changed
	Rules    []string   // names of the rules that the firewall must have loaded, a name for each section
}

// Complete reports whether the switch is on and fits the present configuration.
func (s *Status) Complete() bool { return s.On && len(s.Problems) == 0 }

// Inspect compares a tunnel's switch with the one that would be made if it were turned on now.
func Inspect(s State, tunnel string) Status {
	st := Status{Request: Request{Tunnel: tunnel}}
	record := find(s.Firewall, prefix(tunnel)+"killswitch")
	if record == nil || record.Type != RecordType {
		all := append(slices.Clone(s.Firewall), s.Network...)
		if at := slices.IndexFunc(all, func(f Section) bool { return owns(tunnel, f.Name) }); at >= 0 {
			st.Problems = append(st.Problems, NewProblem("leftover", all[at].Name))
		}
		return st
	}
	st.On = true
	st.Zones, st.Except = record.values("zone"), record.values("except")
	st.Names, st.Router = record.on("names", false), record.on("router", false)
	without := base(s, tunnel)
	p, problem := newPlan(without, st.Request)
	if problem != nil {
		st.Problems = append(st.Problems, problem)
		return st
	}
	want := p.apply(without)
	for i := range want.Firewall {
		if f := &want.Firewall[i]; f.Type == "rule" && owns(tunnel, f.Name) {
			st.Rules = append(st.Rules, f.value("name"))
		}
	}
	st.compare(s.Firewall, want.Firewall)
	st.compare(s.Network, want.Network)
	st.compareOrder(s)
	for _, name := range p.interfaces {
		if n := find(s.Network, name); p.Names && (n.given() && !n.off("peerdns") || n.values("dns") != nil) {
			st.Problems = append(st.Problems, NewProblem("names_uplink", name))
		}
	}
	st.lookAround(s, p)
	return st
}

// compare looks for sections of ours that are missing, changed, or not wanted.
func (st *Status) compare(there, wanted []Section) {
	for i := range wanted {
		w := &wanted[i]
		if !owns(st.Tunnel, w.Name) || w.Type == RecordType {
			continue
		}
		is := find(there, w.Name)
		if is == nil || is.Type != w.Type {
			st.Problems = append(st.Problems, NewProblem("missing", w.Name))
		} else if name := difference(is, w); name != "" {
			st.Problems = append(st.Problems, NewProblem("changed", w.Name, name))
		}
	}
	for i := range there {
		if f := &there[i]; owns(st.Tunnel, f.Name) && find(wanted, f.Name) == nil {
			st.Problems = append(st.Problems, NewProblem("extra", f.Name))
		}
	}
}

// difference returns the name of an option in which two sections differ. The order of the options does not count, nor whether a
// list is written as one text.
func difference(a, b *Section) string {
	for _, o := range append(slices.Clone(a.Options), b.Options...) {
		if !slices.Equal(a.words(o.Name), b.words(o.Name)) {
			return o.Name
		}
	}
	return ""
}

// compareOrder looks for a rule of the user's that comes before ours, and for one of ours in the wrong place.
func (st *Status) compareOrder(s State) {
	foreign := ""
	for i := range s.Firewall {
		f := &s.Firewall[i]
		switch {
		case f.Type != "rule" || f.off("enabled"):
		case owns(st.Tunnel, f.Name) && foreign != "":
			st.Problems = append(st.Problems, NewProblem("order", foreign))
			return
		case !strings.HasPrefix(f.Name, "sstp_"):
			if foreign = f.value("name"); foreign == "" {
				foreign = f.Name
			}
		}
	}
}

// lookAround looks for anything else in the configuration that opens a way past the tunnel.
func (st *Status) lookAround(s State, p *plan) {
	if z, ok := zoneOf(s.zones(), st.Tunnel); ok && !p.ownZone {
		others := slices.DeleteFunc(slices.Clone(z.networks), func(n string) bool { return n == st.Tunnel || n == st.Tunnel+"_6" })
		if others = append(others, z.words("device")...); len(others) > 0 {
			st.Problems = append(st.Problems, NewProblem("zone_shared", z.name, strings.Join(others, ", ")))
		}
		if !z.on("masq", false) {
			st.Problems = append(st.Problems, NewProblem("zone_no_masq", z.name))
		}
		if find(s.Network, st.Tunnel).value("ipv6") != "0" && !z.on("masq6", false) {
			st.Problems = append(st.Problems, NewProblem("zone_no_masq6", z.name))
		}
	}
	if slices.ContainsFunc(s.Firewall, func(f Section) bool { return f.Type == "defaults" && f.value("forward") == "ACCEPT" }) {
		st.Problems = append(st.Problems, NewProblem("forward_accept"))
	}
}
