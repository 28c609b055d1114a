// Package tunnels asks about the tunnels of this machine: those of netifd on the message bus, and those of sstp up on their
// sockets.
package tunnels

import (
	"cmp"
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

// Client asks about tunnels.
type Client struct {
	Bus    *ubus.Client  // nil where there is none
	NoBus  error         // why there is no Bus
	Folder string        // of the sockets
	Limit  time.Duration // for one tunnel's answer; 0: AnswerLimit
}

// AnswerLimit is how long one tunnel may take to answer, so that one that hangs does not hide the others.
const AnswerLimit = 10 * time.Second / 3

// Dial returns a client that asks on the bus, if there is one, and on the sockets in a folder.
func Dial(ctx context.Context, o ubus.Options, folder string) Client {
	q := Client{Folder: folder}
	if q.Bus, q.NoBus = ubus.Dial(ctx, o); q.NoBus != nil {
		q.NoBus = fmt.Errorf("the message bus cannot be reached: %w\nhint: on OpenWrt ubusd must run; without it, start a tunnel with sstp up", errors.Unwrap(q.NoBus))
	}
	return q
}

// Close ends the connection to the bus.
func (q Client) Close() {
	if q.Bus != nil {
		q.Bus.Close()
	}
}

// limited returns a context for one tunnel's answer.
func (q Client) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, cmp.Or(q.Limit, AnswerLimit))
}

// Call calls a method of a tunnel that runs. The error is ubus.StatusNotFound if there is none of that name.
func (q Client) Call(ctx context.Context, name, method string) (blobmsg.Fields, error) {
	if q.Bus != nil {
		if fields, err := q.Bus.Call(ctx, control.PathPrefix+name, method, nil); !errors.Is(err, ubus.StatusNotFound) {
			return fields, err
		}
	}
	return control.CallLocal(ctx, control.LocalSocket(q.Folder, name), method, nil)
}

// Answer describes one tunnel: its daemon's status, or if it has no daemon, what netifd and the configuration know.
type Answer struct {
	Name   string
	Fields blobmsg.Fields // of a status
	Runs   bool           // it has a daemon
}

// Up reports whether the tunnel is up.
func (a *Answer) Up() bool { return a.Runs && a.Fields.Text("state") == "up" }

// Ask asks about one tunnel.
func (q Client) Ask(ctx context.Context, name string) (*Answer, error) {
	limited, cancel := q.limited(ctx)
	defer cancel()
	fields, err := q.Call(limited, name, "status")
	switch {
	case errors.Is(err, ubus.StatusNotFound):
		fields, err = explained(name, q.explain(ctx, name)), nil
		fields = append(fields, q.killSwitch(limited, name)...) // it holds without a daemon
	case err != nil && limited.Err() != nil && ctx.Err() == nil: // it must not hide the others
		fields, err = explained(name, netifd.Explanation{State: netifd.StateUnknown, Text: "Its program does not answer.", Hint: "logread -e sstp"}), nil
	case err == nil:
		return &Answer{Name: name, Fields: fields, Runs: true}, nil
	}
	return &Answer{Name: name, Fields: fields}, err
}

// explain explains why a tunnel does not run.
func (q Client) explain(ctx context.Context, name string) netifd.Explanation {
	if q.Bus == nil {
		return netifd.Explanation{State: netifd.StateUnknown, Text: "No program runs the tunnel " + name + ", and there is no OpenWrt to start it: ubusd does not answer.",
			Hint: "sstp up " + name}
	}
	return netifd.Explain(ctx, q.Bus, name)
}

// explained returns the explanation of a tunnel without a daemon, in the fields of a status as far as they fit.
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

// About asks about one tunnel, or about all if name is empty.
func (q Client) About(ctx context.Context, name string) (answers []*Answer, err error) {
	names := []string{name}
	if name == "" {
		if names, err = q.Names(ctx); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		a, err := q.Ask(ctx, n)
		if err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// Names returns the names of all tunnels: those that run, those that netifd has, and those that are configured.
func (q Client) Names(ctx context.Context) ([]string, error) {
	var names []string
	add := func(name string) {
		if at, known := slices.BinarySearch(names, name); !known {
			names = slices.Insert(names, at, name)
		}
	}
	for _, name := range control.LocalTunnels(q.Folder) {
		// One that was killed leaves its socket behind.
		limited, cancel := q.limited(ctx)
		if _, err := control.CallLocal(limited, control.LocalSocket(q.Folder, name), "status", nil); !errors.Is(err, ubus.StatusNotFound) {
			add(name)
		}
		cancel()
	}
	if q.Bus == nil {
		if names == nil {
			return nil, q.NoBus
		}
		return names, nil
	}
	objects, err := q.Bus.List(ctx, control.PathPrefix+"*")
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		add(strings.TrimPrefix(o.Path, control.PathPrefix))
	}
	if dump, err := q.Bus.Call(ctx, "network.interface", "dump", nil); err == nil {
		for _, f := range dump.Tables("interface") {
			if f.Text("proto") == "sstp" {
				add(f.Text("interface"))
			}
		}
	}
	for _, section := range uci.Tunnels(ctx, q.Bus) {
		add(section.Text(".name"))
	}
	return names, nil
}

// killSwitch returns the status field of a kill switch for a tunnel without a daemon.
func (q Client) killSwitch(ctx context.Context, name string) (f blobmsg.Fields) {
	if q.Bus == nil {
		return nil
	}
	board := firewall.Switch{UCI: uci.Store{Bus: q.Bus}, Firewall: firewall.Router()}
	if st, err := board.Inspect(ctx, name); err == nil {
		f.AddTable("killswitch", control.KillSwitchFields(&st))
	}
	return f
}
