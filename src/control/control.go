// Package control is a tunnel's own object on the bus, sstp.NAME: its status, its history, the methods that it offers, and the
// event by which it tells of changes. It decides how a status is written; package status has what it consists of.
//
// Times are Unix seconds, durations carry their unit in the name, and no field ever holds a secret.
package control

import (
	"context"
	"sync"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/status"
	"sstp/src/ubus"
)

// PathPrefix is what the paths of all tunnels' objects begin with; the interface's name follows.
const PathPrefix = "sstp."

// Event is the name of the event that reports a change of a tunnel's state: {interface state code}.
const Event = "sstp"

// MaxLogLevel is the largest level that method log_level takes.
const MaxLogLevel = 4

// Tunnel is a tunnel as its object needs it. Its methods are called from several goroutines.
type Tunnel interface {
	Status() status.Status
	History() []status.Event
	// Reconnect ends the call that runs, if any, and dials at once.
	Reconnect(reason string)
	SetLogLevel(level int)
}

// Bus is what this package needs of the message bus.
type Bus interface {
	Publish(o *ubus.Object)
	Withdraw(path string)
	Send(ctx context.Context, event string, data blobmsg.Fields) error
}

// Publish publishes the tunnel's object. ubusd decides who may call it: root, and others as far as an ACL lets them.
func Publish(bus Bus, name string, t Tunnel) { bus.Publish(object(name, t)) }

// Withdraw removes the object.
func Withdraw(bus Bus, name string) { bus.Withdraw(PathPrefix + name) }

func object(name string, t Tunnel) *ubus.Object {
	return &ubus.Object{Path: PathPrefix + name, Methods: []ubus.Method{
		{Name: "status", Handler: func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
			s := t.Status()
			return StatusFields(&s, time.Now()), nil
		}},
		{Name: "history", Handler: func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
			var events []blobmsg.Fields
			for _, e := range t.History() {
				events = append(events, eventFields(&e))
			}
			var reply blobmsg.Fields
			reply.AddTables("events", events)
			return reply, nil
		}},
		{Name: "reconnect", Handler: func(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) {
			t.Reconnect("asked to reconnect by " + caller(r))
			return nil, nil
		}},
		{Name: "log_level", Args: []ubus.Arg{{Name: "level", Type: blobmsg.TypeInt32}},
			Handler: func(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) {
				level, given := r.Args.Number("level")
				if !given || level < 0 || level > MaxLogLevel {
					return nil, ubus.StatusInvalidArgument
				}
				t.SetLogLevel(int(level))
				return nil, nil
			}},
	}}
}

// caller returns the name of the caller for the history and the log.
func caller(r *ubus.Request) string {
	if r.User == "" {
		return "ubus"
	}
	return r.User
}

// change is an event to be sent.
type change struct{ state, code string }

// Events sends an event for each change of state, in order and without blocking the tunnel. While the bus does not take them,
// only the last few are kept.
type Events struct {
	bus  Bus
	name string
	wake chan struct{}

	mu      sync.Mutex
	waiting []change
}

// keptEvents is the number of changes that are kept while the bus takes none.
const keptEvents = 16

// NewEvents returns the events of one tunnel; Run sends them.
func NewEvents(bus Bus, name string) *Events {
	return &Events{bus: bus, name: name, wake: make(chan struct{}, 1)}
}

// State reports a new state of the tunnel. code is the failure that caused it, or "". State never blocks.
func (e *Events) State(state, code string) {
	e.mu.Lock()
	if len(e.waiting) == keptEvents {
		e.waiting = append(e.waiting[:0:0], e.waiting[1:]...)
	}
	e.waiting = append(e.waiting, change{state, code})
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run sends the events until ctx ends. An event that the bus refuses is lost: it would be old news later.
func (e *Events) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		}
		for c, ok := e.take(); ok; c, ok = e.take() {
			var data blobmsg.Fields
			data.AddText("interface", e.name)
			data.AddText("state", c.state)
			data.AddText("code", c.code)
			if e.bus.Send(ctx, Event, data) != nil && ctx.Err() != nil {
				return
			}
		}
	}
}

func (e *Events) take() (change, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) == 0 {
		return change{}, false
	}
	c := e.waiting[0]
	e.waiting = e.waiting[1:]
	return c, true
}
