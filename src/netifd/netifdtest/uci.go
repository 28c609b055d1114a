package netifdtest

import (
	"cmp"
	"slices"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// Configure sets a section of UCI; options are name and value in turn, a name that stands twice makes a list.
func (n *Netifd) Configure(config, typ, name string, options ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	section := blobmsg.Fields{
		blobmsg.F(".anonymous", blobmsg.Bool(false)), blobmsg.F(".type", blobmsg.String(typ)), blobmsg.F(".name", blobmsg.String(name)),
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
func allowed(args blobmsg.Fields, write bool) bool {
	session, given := args.Get("ubus_rpc_session")
	id, _ := session.Str()
	return !given || id == "full" || id == "reader" && !write
}

// visible returns the sections of a configuration as a session sees them: with what it has changed and not saved.
func (n *Netifd) visible(args blobmsg.Fields) (sections []blobmsg.Fields, known bool) {
	config := args.Text("config")
	if sections, staged := n.staged[args.Text("ubus_rpc_session")][config]; staged {
		return sections, true
	}
	sections, known = n.config[config]
	return sections, known
}

// stage changes what a session sees of a configuration.
func (n *Netifd) stage(args blobmsg.Fields, sections []blobmsg.Fields) {
	session := args.Text("ubus_rpc_session")
	if n.staged[session] == nil {
		n.staged[session] = map[string][]blobmsg.Fields{}
	}
	n.staged[session][args.Text("config")] = sections
}

// uciGet answers as rpcd: of a section that does not exist, with nothing.
func (n *Netifd) uciGet(args blobmsg.Fields) (blobmsg.Fields, error) {
	sections, known := n.visible(args)
	switch {
	case !allowed(args, false):
		return nil, ubus.StatusPermissionDenied
	case !known:
		return nil, ubus.StatusNotFound
	}
	var reply blobmsg.Fields
	if name := args.Text("section"); name != "" {
		if at := sectionAt(sections, name); at >= 0 {
			reply.AddTable("values", sections[at])
			return reply, nil
		}
		return nil, nil
	}
	var found blobmsg.Fields
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

// sectionAt returns where a section stands, -1 where there is none of that name.
func sectionAt(sections []blobmsg.Fields, name string) int {
	return slices.IndexFunc(sections, func(s blobmsg.Fields) bool { return s.Text(".name") == name })
}

// changing returns a copy of the sections that may be changed and staged, and where the named section is.
func (n *Netifd) changing(args blobmsg.Fields) (sections []blobmsg.Fields, at int, err error) {
	sections, known := n.visible(args)
	switch at = sectionAt(sections, args.Text("section")); {
	case !allowed(args, true):
		return nil, at, ubus.StatusPermissionDenied
	case !known || at < 0 && args.Text("section") != "":
		return nil, at, ubus.StatusNotFound
	}
	return slices.Clone(sections), at, nil
}

func (n *Netifd) uciSet(args blobmsg.Fields) (blobmsg.Fields, error) {
	sections, at, err := n.changing(args)
	if err != nil || at < 0 {
		return nil, cmp.Or(err, error(ubus.StatusInvalidArgument))
	}
	for _, f := range args.Table("values") {
		sections[at] = append(without(sections[at], f.Name), f)
	}
	n.stage(args, sections)
	return nil, nil
}

func (n *Netifd) uciAdd(args blobmsg.Fields) (blobmsg.Fields, error) {
	sections, _, err := n.changing(args)
	if err != nil {
		return nil, err
	}
	name := args.Text("name")
	section := blobmsg.Fields{blobmsg.F(".anonymous", blobmsg.Bool(false)), blobmsg.F(".type", blobmsg.String(args.Text("type"))), blobmsg.F(".name", blobmsg.String(name))}
	n.stage(args, append(sections, append(section, args.Table("values")...)))
	var reply blobmsg.Fields
	reply.AddText("section", name)
	return reply, nil
}

// uciDelete deletes a section, or some of its options. Where none of the options is there, it is an error.
func (n *Netifd) uciDelete(args blobmsg.Fields) (blobmsg.Fields, error) {
	sections, at, err := n.changing(args)
	if err != nil || at < 0 {
		return nil, cmp.Or(err, error(ubus.StatusInvalidArgument))
	}
	if _, some := args.Get("options"); !some {
		n.stage(args, slices.Delete(sections, at, at+1))
		return nil, nil
	}
	err = ubus.StatusNotFound
	for _, name := range args.Texts("options") {
		if _, there := sections[at].Get(name); there {
			err = nil
		}
		sections[at] = without(sections[at], name)
	}
	n.stage(args, sections)
	return nil, err
}

func (n *Netifd) uciOrder(args blobmsg.Fields) (blobmsg.Fields, error) {
	sections, _, err := n.changing(args)
	if err != nil {
		return nil, err
	}
	for to, name := range args.Texts("sections") {
		at := sectionAt(sections, name)
		if at < 0 {
			return nil, ubus.StatusNotFound
		}
		s := sections[at]
		sections = slices.Insert(slices.Delete(sections, at, at+1), to, s)
	}
	n.stage(args, sections)
	return nil, nil
}

func (n *Netifd) uciChanges(args blobmsg.Fields) (blobmsg.Fields, error) {
	if !allowed(args, false) {
		return nil, ubus.StatusPermissionDenied
	}
	var changes []string
	if _, staged := n.staged[args.Text("ubus_rpc_session")][args.Text("config")]; staged {
		changes = append(changes, "something") // what, nobody here asks
	}
	var reply blobmsg.Fields
	reply.AddTexts("changes", changes)
	return reply, nil
}

func (n *Netifd) uciRevert(args blobmsg.Fields) (blobmsg.Fields, error) {
	if !allowed(args, true) {
		return nil, ubus.StatusPermissionDenied
	}
	delete(n.staged[args.Text("ubus_rpc_session")], args.Text("config"))
	return nil, nil
}

func (n *Netifd) uciCommit(args blobmsg.Fields) (blobmsg.Fields, error) {
	if !allowed(args, true) {
		return nil, ubus.StatusPermissionDenied
	}
	if sections, staged := n.staged[args.Text("ubus_rpc_session")][args.Text("config")]; staged {
		n.config[args.Text("config")] = sections
		delete(n.staged[args.Text("ubus_rpc_session")], args.Text("config"))
	}
	n.Committed++
	return nil, nil
}

// without returns a table without the fields of a name.
func without(t blobmsg.Fields, name string) (rest blobmsg.Fields) {
	for _, f := range t {
		if f.Name != name {
			rest = append(rest, f)
		}
	}
	return rest
}
