// Package netifd is all that passes between a tunnel and netifd, OpenWrt's network daemon: which uplink leads to the server,
// the link with its addresses and routes, the IPv6 child interface, and failures. It follows netifd's notify_proto
// interface as of releases 21.02 to 25.12. netifd ignores what it does not understand without a word, so a link-up is read
// back and compared with netifd's own status and with the kernel. Check repeats the latter as long as the link is up.
//
// This package chooses the uplink to the server, for the tunnel's own sockets alone. A host dependency (action 6 of
// notify_proto) or add_host_route would lay a route that takes everybody's packets to that address past the tunnel and
// outlives the call. netifd also compares metrics only if a route has one of its own, and takes an interface down, device and
// all, as soon as the uplink of any of its host dependencies goes down, even one that is no longer in use: a WAN that redials
// every night would end every TCP connection in the tunnel. Watch reports uplinks that come and go, and the tunnel moves to
// another one while its device stays.
package netifd

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/ubus"
)

// Bus is what this package needs of the message bus.
type Bus interface {
	Call(ctx context.Context, object, method string, args blobmsg.Fields) (blobmsg.Fields, error)
	Listen(pattern string, f func(event string, data blobmsg.Fields))
	Unlisten(pattern string)
	Subscribe(path string, f func(kind string, data blobmsg.Fields))
	Unsubscribe(path string)
}

// Options of an Interface. All but Device may be left empty.
type Options struct {
	Device  string // the tunnel's network device; what is built on it is no uplink
	Tunlink string // the only interface that may be the uplink; empty: the best
	IPv6    bool   // add the child interface NAME_6
	// Child holds options of the child interface beside those that are made here, such as ip6table.
	Child blobmsg.Fields
	// Carrier reports whether a network device is connected. netifd keeps an interface with static addresses up even if it
	// is not. It may be nil.
	Carrier func(device string) bool
	// Kernel is the machine's own network. If it is nil, netifd's word is taken.
	Kernel Kernel
	// Changed is called by Watch when something about netifd's interfaces has changed. It may be nil.
	Changed func()
	// LayWay lays a route to an address for the sockets that are bound to an uplink's device, and for nobody else. gateway is
	// invalid if there is none; source is the local address to use, invalid for the kernel's choice. It may be nil.
	LayWay func(to netip.Addr, device string, gateway, source netip.Addr) error
	// Zone returns the firewall zone of an interface, "" if it is in none, for routers whose bus does not know it. It may be
	// nil.
	Zone func(iface string) string
	// Unwanted is called by Watch when netifd has had the interface down for some seconds, or no longer has it, while this
	// program still runs for it. It may be nil.
	Unwanted func()
	Log      func(level config.LogLevel, format string, args ...any)
}

// Interface is one interface of netifd, with protocol sstp. Its methods may be called from any goroutine.
type Interface struct {
	bus  Bus
	name string
	o    Options
	kick chan struct{} // something about the uplinks may have changed

	mu      sync.Mutex
	up      bool         // netifd has the link
	pending *fault.Error // to be reported when the link is down
	ways    ways
	news    chan struct{} // closed when something about the uplinks may have changed

	downSince time.Time // of Watch: when netifd was first seen to have the interface down

	kernel kernelSide
}

// New returns the interface called name.
func New(bus Bus, name string, o Options) *Interface {
	if o.Log == nil {
		o.Log = func(config.LogLevel, string, ...any) {}
	}
	return &Interface{bus: bus, name: name, o: o, kick: make(chan struct{}, 1), news: make(chan struct{})}
}

// child is the name of the IPv6 interface that belongs to ours.
func (i *Interface) child() string { return i.name + "_6" }

// Objects of netifd and of rpcd.
const (
	objectNetwork   = "network"
	objectInterface = "network.interface"
	objectUCI       = "uci"
)

// Actions of notify_proto.
const (
	actionLink         = 0
	actionError        = 3
	actionBlockRestart = 4
)

// callLimit bounds one call of netifd, which answers all of these at once or hangs.
const callLimit = 4 * time.Second

func (i *Interface) call(ctx context.Context, object, method string, args blobmsg.Fields) (blobmsg.Fields, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return i.bus.Call(ctx, object, method, args)
}

// notify tells netifd of our interface.
func (i *Interface) notify(ctx context.Context, action int64, args blobmsg.Fields) error {
	args.AddNumber("action", action)
	args.AddText("interface", i.name)
	_, err := i.call(ctx, objectInterface, "notify_proto", args)
	return err
}

// status returns netifd's status of an interface.
func (i *Interface) status(ctx context.Context, name string) (blobmsg.Fields, error) {
	return i.call(ctx, objectInterface, "status", args("interface", name))
}

// args returns a table of texts: name, text, name, text and so on.
func args(pairs ...string) (t blobmsg.Fields) {
	for n := 0; n+1 < len(pairs); n += 2 {
		t.AddText(pairs[n], pairs[n+1])
	}
	return t
}

// refused returns the error of something that netifd did not do. what completes the sentence "netifd refused ...".
func (i *Interface) refused(what string, err error) *fault.Error {
	f := fault.Newf(fault.NetifdRefused, fault.StageNetwork, "netifd refused %s: %s.", what, i.reason(err)).Wrap(err)
	if unreachable(err) {
		return f.Say("netifd could not be asked for %s: %s.", what, i.reason(err)).
			WithHint("Check that ubusd and netifd run; it is tried again.")
	}
	return f
}

// reason returns the meaning of a status of notify_proto and its like, in words.
func (i *Interface) reason(err error) string {
	switch status(err) {
	case ubus.StatusInvalidArgument:
		return "an argument is missing or of another type than it expects (status 2)"
	case ubus.StatusNotFound:
		return "it knows no such interface, or no route (status 4)"
	case ubus.StatusPermissionDenied:
		return "the interface is being taken down (status 6)"
	case ubus.StatusUnknownError:
		return "the network device cannot be used (status 9)"
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer came in time"
	}
	return strings.TrimSuffix(err.Error(), ".")
}

// status returns the status of the bus in an error, StatusOK if there is none.
func status(err error) ubus.Status {
	var s ubus.Status
	if errors.Is(err, ubus.StatusConnectionFailed) {
		return ubus.StatusConnectionFailed
	}
	if errors.As(err, &s) {
		return s
	}
	return ubus.StatusOK
}

// unreachable reports whether err means that netifd could not be asked: ubusd or netifd is away or hangs.
func unreachable(err error) bool {
	return status(err) == ubus.StatusConnectionFailed || errors.Is(err, context.DeadlineExceeded)
}
