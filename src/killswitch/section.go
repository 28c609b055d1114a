package killswitch

import (
	"slices"
	"strings"
)

// State is the part of the router's configuration that the switch needs.
type State struct {
	Firewall []Section
	Network  []Section
}

// Section is one section of a configuration, as libuci has it.
type Section struct {
	Type    string
	Name    string
	Options []Option
}

// Option is an option of a section. A List may have any number of values, any other has one.
type Option struct {
	Name   string
	Values []string
	List   bool
}

// option returns an option with one value.
func option(name, value string) Option { return Option{Name: name, Values: []string{value}} }

// list returns a list.
func list(name string, values ...string) Option {
	return Option{Name: name, Values: values, List: true}
}

// values returns the values of an option; nil means that the section does not have it.
func (s *Section) values(name string) []string {
	for i := range s.Options {
		if s.Options[i].Name == name {
			return s.Options[i].Values
		}
	}
	return nil
}

// value returns the value of an option as one text.
func (s *Section) value(name string) string { return strings.Join(s.values(name), " ") }

// words returns the words of an option. Lists may be written as one text with blanks, which the firewall understands too.
func (s *Section) words(name string) []string { return strings.Fields(s.value(name)) }

// on reports whether an option is switched on. byDefault counts if it is not there.
func (s *Section) on(name string, byDefault bool) bool {
	switch s.value(name) {
	case "1", "yes", "on", "true", "enabled":
		return true
	case "":
		return byDefault
	}
	return false
}

// off reports whether an option is there and switched off.
func (s *Section) off(name string) bool { return !s.on(name, true) }

// set gives an option one value.
func (s *Section) set(o Option) {
	s.Options = slices.Clone(s.Options)
	at := slices.IndexFunc(s.Options, func(old Option) bool { return old.Name == o.Name })
	if at < 0 {
		s.Options = append(s.Options, o)
		return
	}
	s.Options[at] = o
}

// unset removes an option.
func (s *Section) unset(name string) {
	s.Options = slices.DeleteFunc(slices.Clone(s.Options), func(o Option) bool { return o.Name == name })
}

// clone returns a copy whose sections may be changed.
func (s State) clone() State {
	return State{Firewall: slices.Clone(s.Firewall), Network: slices.Clone(s.Network)}
}

// find returns the section of that name, nil if there is none.
func find(sections []Section, name string) *Section {
	for i := range sections {
		if sections[i].Name == name {
			return &sections[i]
		}
	}
	return nil
}

// kinds are the kinds of sections that the switch makes. A kind in numbered carries a number. No kind has an underscore, so
// that no section of one tunnel can be taken for one of another, as of tunnels a and a_zone.
var (
	single   = []string{"zone", "killswitch"}
	numbered = []string{"input", "except", "reject", "call", "names", "router", "forward", "mark", "way"}
)

// prefix is what the names of all sections of a tunnel's switch begin with.
func prefix(tunnel string) string { return "sstp_" + identifier(tunnel) + "_" }

// identifier returns a name with only the characters that UCI allows in the name of a section.
func identifier(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return '_'
	}, name)
}

// owns reports whether a section belongs to the tunnel's switch.
func owns(tunnel, section string) bool {
	rest, ours := strings.CutPrefix(section, prefix(tunnel))
	if !ours {
		return false
	}
	kind, number, has := strings.Cut(rest, "_")
	if !has {
		return slices.Contains(single, kind)
	}
	return slices.Contains(numbered, kind) && number != "" && strings.Trim(number, "0123456789") == ""
}

// switchZone reports whether a zone was made by the switch of some tunnel.
func switchZone(s *Section) bool {
	return strings.HasPrefix(s.Name, "sstp_") && strings.HasSuffix(s.Name, "_zone")
}
