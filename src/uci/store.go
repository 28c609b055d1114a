package uci

import (
	"context"
	"errors"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/killswitch"
	"sstp/src/ubus"
	"sstp/src/ucifile"
)

// Configs are the configurations that a kill switch is a part of. What protects comes first.
var Configs = []string{"firewall", "network"}

// Store reads and changes the router's configuration through rpcd.
type Store struct{ Bus Bus }

// call calls a method of rpcd's object uci for a configuration.
func (u Store) call(ctx context.Context, method, config string, args blobmsg.Fields) (blobmsg.Fields, error) {
	var all blobmsg.Fields
	all.AddText("config", config)
	return u.Bus.Call(ctx, "uci", method, append(all, args...))
}

// State returns what a kill switch looks at.
func (u Store) State(ctx context.Context) (s killswitch.State, err error) {
	if s.Network, err = u.Sections(ctx, "network", ""); err != nil {
		// Every router has a configuration of its network: what is not found is rpcd.
		return s, plain("The configuration cannot be read: " + err.Error() + ".").
			WithDetail("The kill switch needs rpcd: install package rpcd, or start it with: service rpcd start").Wrap(err)
	}
	if s.Firewall, err = u.Sections(ctx, "firewall", ""); err != nil && !errors.Is(err, ubus.StatusNotFound) {
		return s, uciTrouble("read", err)
	}
	return s, nil
}

// Sections returns the sections of a configuration that have a type; "" stands for any.
func (u Store) Sections(ctx context.Context, config, typ string) (sections []killswitch.Section, err error) {
	var args blobmsg.Fields
	args.AddSome("type", typ)
	reply, err := u.call(ctx, "get", config, args)
	if err != nil {
		return nil, err
	}
	for _, f := range reply.Table("values") {
		t := f.Value.Fields()
		s := killswitch.Section{Type: t.Text(".type"), Name: t.Text(".name")}
		for _, o := range t {
			if values := o.Value.Texts(); values != nil && !strings.HasPrefix(o.Name, ".") {
				s.Options = append(s.Options, killswitch.Option{Name: o.Name, Values: values, List: o.Value.Type() == blobmsg.TypeArray})
			}
		}
		sections = append(sections, s)
	}
	return sections, nil
}

// Unstaged returns an error if somebody has made changes and not saved them, because saving ours would save them too.
func (u Store) Unstaged(ctx context.Context, config string) error {
	reply, err := u.call(ctx, "changes", config, nil)
	if err != nil || len(reply.List("changes")) == 0 {
		return nil // where rpcd does not say, reading or writing will
	}
	return plain("There are changes to the configuration " + config + " that are not saved yet.").
		WithDetail("uci changes shows them; uci commit " + config + " saves them, uci revert " + config + " drops them.")
}

// Replace makes the changes and saves them: all of them or none.
func (u Store) Replace(ctx context.Context, before, after killswitch.State, changes []killswitch.Change) error {
	if err := u.stage(ctx, changes); err != nil {
		return uciTrouble("change", err)
	}
	var saved []string
	for _, config := range Configs {
		if !Concern(changes, config) {
			continue
		}
		if _, err := u.call(ctx, "commit", config, nil); err != nil {
			u.revert(ctx)
			if len(saved) > 0 { // the firewall's is saved and the network's is not: back
				if u.stage(ctx, killswitch.Changes(killswitch.State{Firewall: after.Firewall}, killswitch.State{Firewall: before.Firewall})) == nil {
					_, _ = u.call(ctx, "commit", "firewall", nil)
				}
			}
			return uciTrouble("save", err)
		}
		saved = append(saved, config)
	}
	return nil
}

// Concern reports whether one of the changes is to a configuration.
func Concern(changes []killswitch.Change, config string) bool {
	for _, c := range changes {
		if c.Config == config {
			return true
		}
	}
	return false
}

// stage makes changes without saving them; after a failure there are none.
func (u Store) stage(ctx context.Context, changes []killswitch.Change) error {
	for _, c := range changes {
		if _, err := u.call(ctx, string(c.Op), c.Config, changeArgs(c)); err != nil {
			u.revert(ctx)
			return err
		}
	}
	return nil
}

func (u Store) revert(ctx context.Context) {
	for _, config := range Configs {
		_, _ = u.call(ctx, "revert", config, nil)
	}
}

// changeArgs are the arguments of rpcd's method that makes a change.
func changeArgs(c killswitch.Change) (args blobmsg.Fields) {
	var values blobmsg.Fields
	var names []string
	for _, o := range c.Section.Options {
		names = append(names, o.Name)
		if o.List {
			values.AddTexts(o.Name, o.Values)
		} else {
			values.AddText(o.Name, o.Values[0])
		}
	}
	switch c.Op {
	case killswitch.Order:
		args.AddTexts("sections", c.Sections)
		return args
	case killswitch.Add:
		args.AddText("type", c.Section.Type)
		args.AddText("name", c.Section.Name)
	default:
		args.AddText("section", c.Section.Name)
	}
	switch {
	case c.Op != killswitch.Delete:
		args.AddTable("values", values)
	case names != nil:
		args.AddTexts("options", names)
	}
	return args
}

// uciTrouble returns the error of an rpcd that did not do something with the configuration. what is the verb.
func uciTrouble(what string, err error) error {
	f := plain("rpcd did not " + what + " the configuration: " + err.Error() + ".").Wrap(err)
	f.Hint = "Nothing was changed. Try again; where changes in LuCI wait to be confirmed, confirm them first."
	return f
}

// Records returns what the kill switches have recorded, from the file where rpcd does not answer.
func (u Store) Records(ctx context.Context) []killswitch.Section {
	records, err := u.Sections(ctx, "firewall", killswitch.RecordType)
	if err != nil {
		return fileRecords(ucifile.DefaultDir)
	}
	return records
}

// fileRecords reads what the kill switches have recorded from a UCI directory, for a router whose rpcd does not run.
func fileRecords(dir string) (records []killswitch.Section) {
	for _, s := range ucifile.Sections(dir, "firewall", killswitch.RecordType) {
		records = append(records, killswitch.Section{Type: killswitch.RecordType, Name: s.Name,
			Options: []killswitch.Option{{Name: "restore", Values: s.Options["restore"], List: true}}})
	}
	return records
}
