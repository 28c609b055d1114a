package killswitch

import "slices"

// Op is what a Change does.
type Op string

// The operations are those of rpcd's object uci.
const (
	Delete Op = "delete" // the section, or the options where there are some
	Add    Op = "add"    // a named section with its options
	Set    Op = "set"    // options of a section
	Order  Op = "order"  // the sections of a configuration
)

// Change is one step from a state to another.
type Change struct {
	Op       Op
	Config   string
	Section  Section  // of Delete, Add and Set: name, type, and the options concerned
	Sections []string // of Order: all names, in their new order
}

// Changes returns the steps that lead from one state to another.
func Changes(from, to State) []Change {
	return append(changes("firewall", from.Firewall, to.Firewall), changes("network", from.Network, to.Network)...)
}

func changes(config string, from, to []Section) (steps []Change) {
	var order []string // what it comes to without a step Order
	for i := range from {
		f := &from[i]
		t := find(to, f.Name)
		if t == nil || t.Type != f.Type {
			steps = append(steps, Change{Op: Delete, Config: config, Section: Section{Name: f.Name, Type: f.Type}})
			continue
		}
		order = append(order, f.Name)
		gone, set := Section{Name: f.Name, Type: f.Type}, Section{Name: f.Name, Type: f.Type}
		for _, o := range f.Options {
			if t.values(o.Name) == nil {
				gone.Options = append(gone.Options, o)
			}
		}
		for _, o := range t.Options {
			if !slices.Equal(o.Values, f.values(o.Name)) {
				set.Options = append(set.Options, o)
			}
		}
		if gone.Options != nil {
			steps = append(steps, Change{Op: Delete, Config: config, Section: gone})
		}
		if set.Options != nil {
			steps = append(steps, Change{Op: Set, Config: config, Section: set})
		}
	}
	var wanted []string
	for _, t := range to {
		wanted = append(wanted, t.Name)
		if !slices.Contains(order, t.Name) {
			steps = append(steps, Change{Op: Add, Config: config, Section: t})
			order = append(order, t.Name)
		}
	}
	if !slices.Equal(order, wanted) {
		steps = append(steps, Change{Op: Order, Config: config, Sections: wanted})
	}
	return steps
}
