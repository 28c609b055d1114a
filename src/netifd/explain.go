package netifd

import (
	"context"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/ubus"
)

// Explanation describes an interface whose own program does not run, from netifd's status and the configuration.
type Explanation struct {
	State string // one word: unknown, unread, disabled, stopped, down, starting, up
	Text  string // a sentence
	Hint  string // what to do; may be empty
	Error *LastError
}

// LastError is the failure that netifd remembers.
type LastError struct {
	Code, Message, Hint string
}

// States of an Explanation.
const (
	StateUnknown  = "unknown"  // nobody has such an interface, or not as one of ours
	StateUnread   = "unread"   // it is configured, netifd does not have it yet
	StateDisabled = "disabled" // option disabled
	StateStopped  = "stopped"  // it does not start by itself
	StateDown     = "down"
	StateStarting = "starting"
	StateUp       = "up"
)

// Explain explains why there is no tunnel.
func Explain(ctx context.Context, bus Bus, name string) Explanation {
	i := New(bus, name, Options{})
	s, err := i.status(ctx, name)
	section, configured := i.section(ctx)
	switch {
	case status(err) == ubus.StatusConnectionFailed:
		return Explanation{State: StateUnknown, Text: "The message bus does not answer: " + err.Error() + ".",
			Hint: "Without OpenWrt's ubusd, start a tunnel with sstp up."}
	case status(err) == ubus.StatusNotFound:
		if _, err := i.call(ctx, objectInterface, "dump", nil); status(err) == ubus.StatusNotFound {
			return Explanation{State: StateUnknown, Text: "netifd, the network service, does not run, or only root may ask it.", Hint: "service network restart"}
		}
		return i.explainUnknown(section, configured)
	case err != nil:
		return Explanation{State: StateUnknown, Text: "netifd does not tell of the interface " + name + ": " + i.reason(err) + "."}
	}
	e := i.explainKnown(s, section)
	e.Error = lastError(s)
	return e
}

// section returns the interface's options from rpcd. configured is false if there are none, or if rpcd does not answer.
func (i *Interface) section(ctx context.Context) (section blobmsg.Fields, configured bool) {
	reply, err := i.call(ctx, objectUCI, "get", args("config", "network", "section", i.name))
	section = reply.Table("values")
	return section, err == nil && section.Text(".type") == "interface"
}

// explainUnknown is about an interface that netifd does not have.
func (i *Interface) explainUnknown(section blobmsg.Fields, configured bool) Explanation {
	proto := section.Text("proto")
	switch disabled := section.Text("disabled"); {
	case !configured:
		return Explanation{State: StateUnknown, Text: "There is no interface " + i.name + ".", Hint: "Check the spelling; sstp status without a name lists the tunnels."}
	case proto != "sstp":
		return i.foreign(proto)
	case disabled != "" && disabled != "0":
		return Explanation{State: StateDisabled, Text: "The interface " + i.name + " is disabled by its option disabled.",
			Hint: "uci delete network." + i.name + ".disabled; uci commit network; service network reload"}
	}
	return Explanation{State: StateUnread, Text: "The interface " + i.name + " is configured, but netifd has not read it.",
		Hint: "service network reload"}
}

func (i *Interface) foreign(proto string) Explanation {
	return Explanation{State: StateUnknown, Text: "The interface " + i.name + " is of protocol " + proto + ", not sstp."}
}

// explainKnown is about an interface that netifd has.
func (i *Interface) explainKnown(s, section blobmsg.Fields) Explanation {
	flag := func(name string) bool { v, _ := s.Flag(name); return v }
	proto := s.Text("proto")
	switch {
	case proto == "none" && section.Text("proto") == "sstp":
		return Explanation{State: StateDown, Text: "netifd does not know the protocol sstp yet: it looks for protocols only when it starts.",
			Hint: "service network restart, or reboot, once after the package was installed"}
	case proto != "sstp" && proto != "":
		return i.foreign(proto)
	case flag("up"):
		return Explanation{State: StateUp, Text: "netifd has the interface " + i.name + " up, but its program does not answer on the bus.",
			Hint: "logread -e sstp"}
	case flag("pending"):
		return Explanation{State: StateStarting, Text: "The interface " + i.name + " is being started.", Hint: "logread -e sstp"}
	case !flag("autostart") && (section.Text("auto") == "0" || section.Text("auto") == "false"):
		return Explanation{State: StateStopped, Text: "The interface " + i.name + " is down; its option auto keeps it from starting by itself.",
			Hint: "ifup " + i.name}
	case !flag("autostart"):
		return Explanation{State: StateStopped, Text: "The interface " + i.name + " was stopped and does not start by itself.",
			Hint: "ifup " + i.name}
	}
	return Explanation{State: StateDown, Text: "The interface " + i.name + " is down.", Hint: "logread -e netifd; logread -e sstp"}
}

// lastError returns the last failure in a status, as Failed wrote it.
func lastError(s blobmsg.Fields) *LastError {
	errs := s.Tables("errors")
	if len(errs) == 0 {
		return nil
	}
	t := errs[len(errs)-1]
	if t.Text("subsystem") != "sstp" {
		return nil // netifd's own errors are in the explanation
	}
	e := &LastError{Code: t.Text("code")}
	details := append(t.Texts("data"), "", "")
	e.Message, e.Hint = details[0], details[1]
	return e
}

// Failed shows a failure in the interface's status: its code, which LuCI translates, its sentence and its hint. While netifd
// has the link, Failed keeps the failure until the link is down: netifd clears errors only when a link comes up, so the error
// of a lost call that is back at once would stay for ever.
func (i *Interface) Failed(ctx context.Context, f *fault.Error) {
	i.mu.Lock()
	up := i.up
	if up {
		i.pending = f
	}
	i.mu.Unlock()
	if up {
		return
	}
	details := []string{string(f.Code), f.Message}
	if f.Hint != "" {
		details = append(details, f.Hint)
	}
	var report blobmsg.Fields
	report.AddTexts("error", details)
	if err := i.notify(ctx, actionError, report); err != nil {
		i.o.Log(config.LogDebug, "netifd was not told of %s: %v", f.Code, err)
	}
}

// BlockRestart keeps netifd from starting the interface again before somebody wants it or changes its options.
func (i *Interface) BlockRestart(ctx context.Context) error {
	if err := i.notify(ctx, actionBlockRestart, nil); err != nil {
		return i.refused("to leave the interface down", err)
	}
	return nil
}
