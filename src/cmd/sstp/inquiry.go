package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/control"
	"sstp/src/firewall"
	"sstp/src/netifd"
	"sstp/src/ubus"
	"sstp/src/uci"
)

// inquirer asks about tunnels: on the bus, where netifd's are, and on the sockets of those that sstp up runs.
type inquirer struct {
	bus    *ubus.Client // nil: there is none, as noBus says
	noBus  error
	folder string        // of the sockets
	limit  time.Duration // for one tunnel's answer
}

// newInquirer reaches the bus, if there is one.
func newInquirer(ctx context.Context) inquirer {
	q := inquirer{folder: localFolder(), limit: commandLimit / 3}
	if q.bus, q.noBus = ubus.Dial(ctx, busOptions()); q.noBus != nil {
		q.noBus = fmt.Errorf("the message bus cannot be reached: %w\nhint: on OpenWrt ubusd must run; without it, start a tunnel with sstp up", errors.Unwrap(q.noBus))
	}
	return q
}

func (q inquirer) close() {
	if q.bus != nil {
		q.bus.Close()
	}
}

// call calls a method of a tunnel that runs; ubus.StatusNotFound says that there is none of that name.
func (q inquirer) call(ctx context.Context, name, method string) (blobmsg.Fields, error) {
	if q.bus != nil {
		if fields, err := q.bus.Call(ctx, control.PathPrefix+name, method, nil); !errors.Is(err, ubus.StatusNotFound) {
			return fields, err
		}
	}
	return control.CallLocal(ctx, control.LocalSocket(q.folder, name), method, nil)
}

// answer is what is known of one tunnel: its daemon's status, or where there is none, what netifd and the configuration say.
type answer struct {
	name   string
	fields blobmsg.Fields
	runs   bool // it has a daemon
}

func (a *answer) up() bool { return a.runs && a.fields.Text("state") == "up" }

// ask asks about one tunnel.
func (q inquirer) ask(ctx context.Context, name string) (*answer, error) {
	limited, cancel := context.WithTimeout(ctx, q.limit)
	defer cancel()
	fields, err := q.call(limited, name, "status")
	switch {
	case errors.Is(err, ubus.StatusNotFound):
		fields, err = explained(name, q.explain(ctx, name)), nil
		fields = append(fields, q.killSwitch(limited, name)...) // it holds without a daemon
	case err != nil && limited.Err() != nil && ctx.Err() == nil: // it must not hide the others
		fields, err = explained(name, netifd.Explanation{State: netifd.StateUnknown, Text: "Its program does not answer.", Hint: "logread -e sstp"}), nil
	case err == nil:
		return &answer{name: name, fields: fields, runs: true}, nil
	}
	return &answer{name: name, fields: fields}, err
}

// explain says why a tunnel does not run.
func (q inquirer) explain(ctx context.Context, name string) netifd.Explanation {
	if q.bus == nil {
		return netifd.Explanation{State: netifd.StateUnknown, Text: "No program runs the tunnel " + name + ", and there is no OpenWrt to start it: ubusd does not answer.",
			Hint: "sstp up " + name}
	}
	return netifd.Explain(ctx, q.bus, name)
}

// explained writes down what is known of a tunnel without a daemon, as far as it can in the words of a status.
func explained(name string, e netifd.Explanation) (f blobmsg.Fields) {
	f.AddText("interface", name)
	f.AddText("state", e.State)
	f.AddText("explanation", e.Text)
	f.AddSome("hint", e.Hint)
	if e.Error != nil {
		var last blobmsg.Fields
		last.AddText("code", e.Error.Code)
		last.AddSome("message", e.Error.Message)
		last.AddSome("hint", e.Error.Hint)
		f.AddTable("last_error", last)
	}
	return f
}

// about asks about one tunnel, or about all where name is empty.
func (q inquirer) about(ctx context.Context, name string) (answers []*answer, err error) {
	names := []string{name}
	if name == "" {
		if names, err = q.tunnels(ctx); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		a, err := q.ask(ctx, n)
		if err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// tunnels lists the names of all tunnels: those that run, those that netifd has, and those that are configured.
func (q inquirer) tunnels(ctx context.Context) ([]string, error) {
	var names []string
	add := func(name string) {
		if at, known := slices.BinarySearch(names, name); !known {
			names = slices.Insert(names, at, name)
		}
	}
	for _, name := range control.LocalTunnels(q.folder) {
		// One that was killed leaves its socket behind.
		limited, cancel := context.WithTimeout(ctx, q.limit)
		if _, err := control.CallLocal(limited, control.LocalSocket(q.folder, name), "status", nil); !errors.Is(err, ubus.StatusNotFound) {
			add(name)
		}
		cancel()
	}
	if q.bus == nil {
		if names == nil {
			return nil, q.noBus
		}
		return names, nil
	}
	objects, err := q.bus.List(ctx, control.PathPrefix+"*")
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		add(strings.TrimPrefix(o.Path, control.PathPrefix))
	}
	if dump, err := q.bus.Call(ctx, "network.interface", "dump", nil); err == nil {
		for _, f := range dump.Tables("interface") {
			if f.Text("proto") == "sstp" {
				add(f.Text("interface"))
			}
		}
	}
	for _, section := range uci.Tunnels(ctx, q.bus) {
		add(section.Text(".name"))
	}
	return names, nil
}

// killSwitch returns the field of a status that tells of a kill switch, for a tunnel whose daemon does not.
func (q inquirer) killSwitch(ctx context.Context, name string) (f blobmsg.Fields) {
	if q.bus == nil {
		return nil
	}
	board := firewall.Switch{UCI: uci.Store{Bus: q.bus}, Firewall: firewall.Router()}
	if st, err := board.Inspect(ctx, name); err == nil {
		f.AddTable("killswitch", control.KillSwitchFields(&st))
	}
	return f
}
