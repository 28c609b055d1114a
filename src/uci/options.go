// Package uci reads and changes the router's configuration through rpcd's object uci on the message bus.
package uci

import (
	"context"
	"errors"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/ubus"
)

// Bus is what this package needs of the message bus.
type Bus interface {
	Call(ctx context.Context, object, method string, args blobmsg.Fields) (blobmsg.Fields, error)
}

// Options reads the options of an interface. With the id of a session of rpcd's, the session's rights apply, and its changes
// that are not saved yet count.
func Options(ctx context.Context, bus Bus, name, session string) (config.Values, error) {
	var args blobmsg.Fields
	args.AddText("config", "network")
	args.AddText("section", name)
	args.AddSome("ubus_rpc_session", session)
	reply, err := bus.Call(ctx, "uci", "get", args)
	if err != nil {
		return nil, err
	}
	section := reply.Table("values")
	if section == nil {
		return nil, ubus.StatusNotFound // rpcd answers so for a section that does not exist: with nothing
	}
	return config.FromFields(section), nil
}

// CheckProto returns an error unless the options are those of an interface of protocol sstp.
func CheckProto(v config.Values, name string) error {
	if proto := v["proto"]; len(proto) != 1 || proto[0] != "sstp" {
		return fault.Newf(fault.InvalidOptions, fault.StageConfig, "Interface %s is of protocol '%s', not sstp.", name, strings.Join(proto, " ")).
			WithHint("Name an interface with option proto 'sstp'.")
	}
	return nil
}

// Tunnels returns the configured interfaces of protocol sstp, as rpcd shows their sections.
func Tunnels(ctx context.Context, bus Bus) (sections []blobmsg.Fields) {
	var match, args blobmsg.Fields
	match.AddText("proto", "sstp")
	args.AddText("config", "network")
	args.AddText("type", "interface")
	args.AddTable("match", match)
	reply, err := bus.Call(ctx, "uci", "get", args)
	if err != nil {
		return nil
	}
	for _, f := range reply.Table("values") {
		sections = append(sections, f.Value.Fields())
	}
	return sections
}

// Fault returns the error that people see where rpcd could not read or change the options of an interface. what is the verb.
func Fault(what, name string, err error) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, ubus.StatusPermissionDenied):
		f := invalid("You may not change the options of interface %s.", name)
		if what == "read" {
			f.Say("You may not read the options of interface %s.", name)
		}
		return f.WithHint("Log in as a user who may change the network's configuration.")
	case errors.Is(err, ubus.StatusNotFound):
		return invalid("There is no interface %s whose options rpcd could use.", name)
	}
	return plain("rpcd did not " + what + " the options of interface " + name + ": " + err.Error() + ".").Wrap(err)
}

func invalid(format phrase.Format, args ...string) *fault.Error {
	return fault.Newf(fault.InvalidOptions, fault.StageConfig, format, args...)
}

// plain returns a failure whose message nobody translates.
func plain(message string) *fault.Error {
	return fault.Plain(fault.InvalidOptions, fault.StageConfig, message)
}
