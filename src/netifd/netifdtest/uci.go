package netifdtest

import (
	"sstp/src/ubus"
)

// Configure sets a section of UCI; options are name and value in turn, a name that stands twice makes a list.
func (n *Netifd) Configure(config, typ, name string, options ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	section := ubus.Fields{
		ubus.F(".anonymous", ubus.Bool(false)), ubus.F(".type", ubus.String(typ)), ubus.F(".name", ubus.String(name)),
	}
	for k := 0; k+1 < len(options); k += 2 {
		option, value := options[k], options[k+1]
		if old := section.Texts(option); old != nil {
			section = without(section, option)
			section.AddTexts(option, append(old, value))
			continue
		}
		section.AddText(option, value)
	}
	sections := n.config[config]
	for k := range sections {
		if sections[k].Text(".name") == name {
			sections[k] = section
			return
		}
	}
	n.config[config] = append(sections, section)
}

// Configured returns the values of an option of UCI.
func (n *Netifd) Configured(config, name, option string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.config[config] {
		if s.Text(".name") == name {
			return s.Texts(option)
		}
	}
	return nil
}

// allowed says whether a session may do something: the session "full" may do all, "reader" may read.
func allowed(args ubus.Fields, write bool) bool {
	session, given := args.Get("ubus_rpc_session")
	id, _ := session.Str()
	return !given || id == "full" || id == "reader" && !write
}

// uciGet answers as rpcd: of a section that does not exist, with nothing.
func (n *Netifd) uciGet(args ubus.Fields) (ubus.Fields, error) {
	sections, known := n.config[args.Text("config")]
	switch {
	case !allowed(args, false):
		return nil, ubus.StatusPermissionDenied
	case !known:
		return nil, ubus.StatusNotFound
	}
	var reply ubus.Fields
	if name := args.Text("section"); name != "" {
		for _, s := range sections {
			if s.Text(".name") == name {
				reply.AddTable("values", s)
				return reply, nil
			}
		}
		return nil, nil
	}
	var found ubus.Fields
	for _, s := range sections {
		if typ := args.Text("type"); typ != "" && s.Text(".type") != typ {
			continue
		}
		if proto := args.Table("match").Text("proto"); proto != "" && s.Text("proto") != proto {
			continue
		}
		found.AddTable(s.Text(".name"), s)
	}
	reply.AddTable("values", found)
	return reply, nil
}

func (n *Netifd) uciSet(args ubus.Fields) (ubus.Fields, error) {
	if !allowed(args, true) {
		return nil, ubus.StatusPermissionDenied
	}
	sections := n.config[args.Text("config")]
	for k, s := range sections {
		if s.Text(".name") != args.Text("section") {
			continue
		}
		for _, f := range args.Table("values") {
			s = append(without(s, f.Name), f)
		}
		sections[k] = s
		return nil, nil
	}
	return nil, ubus.StatusNotFound
}

func (n *Netifd) uciCommit(args ubus.Fields) (ubus.Fields, error) {
	if !allowed(args, true) {
		return nil, ubus.StatusPermissionDenied
	}
	n.Committed++
	return nil, nil
}

// without returns a table without the fields of a name.
func without(t ubus.Fields, name string) (rest ubus.Fields) {
	for _, f := range t {
		if f.Name != name {
			rest = append(rest, f)
		}
	}
	return rest
}
