package main

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"sstp/src/config"
	"sstp/src/session"
)

// heldLookup is how long a name may take to look up while the device of a lost call is held: the name servers may be those
// of the tunnel, or behind its default route.
const heldLookup = 3 * time.Second

// names looks up servers' names and remembers what came of it: while a lost call's device is held, its routes and name
// servers lead into a tunnel that is not there.
type names struct {
	held   func() bool // a lost call's device is held
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	logf   session.Logf

	mu      sync.Mutex
	known   map[string][]netip.Addr
	trusted bool // the last answer was a remembered one, unasked
}

func newNames(held func() bool, logf session.Logf) *names {
	return &names{held: held, logf: logf, known: map[string][]netip.Addr{}, lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
		resolver := net.Resolver{PreferGo: true}
		return resolver.LookupNetIP(ctx, "ip", host)
	}}
}

// Lookup fits transport.Options. While a device is held, every other answer is the remembered one, at once; the ones
// between are asked for, and remembered ones where no answer comes.
func (n *names) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	held := n.held()
	n.mu.Lock()
	known := n.known[host]
	n.trusted = held && len(known) > 0 && !n.trusted
	trusted := n.trusted
	n.mu.Unlock()
	if trusted {
		return known, nil
	}
	asked := ctx
	if held && len(known) > 0 {
		limited, cancel := context.WithTimeout(ctx, heldLookup)
		defer cancel()
		asked = limited
	}
	addrs, err := n.lookup(asked, host)
	if err != nil {
		if len(known) > 0 && ctx.Err() == nil {
			n.logf(config.LogInfo, "%s cannot be looked up (%v); using the addresses known from before", host, err)
			return known, nil
		}
		return nil, err
	}
	n.mu.Lock()
	n.known[host] = addrs
	n.mu.Unlock()
	return addrs, nil
}
