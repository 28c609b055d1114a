package netifd

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sstp/src/blobmsg"
)

const (
	settle    = 50 * time.Millisecond // netifd's news come in bursts
	proveGood = 2 * time.Second       // a better uplink must stay for so long before the tunnel moves to it
	askAgain  = 5 * time.Second       // after netifd did not answer
	orphaned  = 5 * time.Second       // after which a program whose interface is down knows that netifd has forgotten it
)

// Watch follows the uplinks until ctx ends. It calls lost when the way that a dial or a call uses is gone: the interface is
// down, has another device or address, or no longer leads to the server. It calls better when there is a way where there was
// none, and when a better one than that in use is there to stay. reason says so in a few words. Both are called from
// Watch's own goroutine.
func (i *Interface) Watch(ctx context.Context, lost, better func(reason string)) {
	news := func(string, blobmsg.Fields) { i.Recheck() }
	i.bus.Listen(objectInterface, news)
	i.bus.Subscribe(objectInterface, news)
	defer i.bus.Unlisten(objectInterface)
	defer i.bus.Unsubscribe(objectInterface)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.kick:
			timer.Reset(settle)
			continue
		case <-timer.C:
		}
		if again := i.check(ctx, lost, better); again > 0 {
			timer.Reset(again)
		}
	}
}

// Recheck makes Watch look at the uplinks now: for a connection to the bus that has come back, on which news were missed.
func (i *Interface) Recheck() {
	i.mu.Lock()
	close(i.news)
	i.news = make(chan struct{})
	i.mu.Unlock()
	select {
	case i.kick <- struct{}{}:
	default:
	}
}

// check compares the way in use with what netifd has now, and returns when to do so again; 0: with the next news.
func (i *Interface) check(ctx context.Context, lost, better func(reason string)) (again time.Duration) {
	ports, err := i.ports(ctx)
	if err != nil {
		return askAgain
	}
	now := time.Now()
	report, reason, again := i.compare(ports, now)
	if i.o.Changed != nil {
		i.o.Changed()
	}
	if left := i.wanted(ports, now); left > 0 && (again == 0 || left < again) {
		again = left
	}
	switch report {
	case wayLost:
		lost(reason)
	case wayBetter:
		better(reason)
	}
	return again
}

// wanted looks whether netifd has the interface running, as it must while its program runs. A netifd that has replaced
// itself by a new one, as on "network restart", does not know of programs that it started before: where it does not
// start the interface again, nobody would ever end them. It returns when to look again, 0 for not.
func (i *Interface) wanted(ports []*port, now time.Time) (again time.Duration) {
	if p := find(ports, i.name); p != nil && (p.up || p.pending) {
		i.downSince = time.Time{}
		return 0
	}
	if i.downSince.IsZero() {
		i.downSince = now
	}
	if left := orphaned - now.Sub(i.downSince); left > 0 {
		return left
	}
	i.downSince = now
	if i.o.Unwanted != nil {
		i.o.Unwanted()
	}
	return 0
}

// verdict is what a look at the uplinks came to.
type verdict uint8

const (
	wayUnchanged verdict = iota
	wayLost
	wayBetter
)

// compare judges the way in use. A loss is told once; if nothing dials after it and there is another way, that is told.
func (i *Interface) compare(ports []*port, now time.Time) (v verdict, reason string, again time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := &i.ways
	if len(w.used) == 0 {
		return wayUnchanged, "", 0
	}
	gone := ""
	for n := range w.used {
		u := &w.used[n]
		trouble := i.trouble(ports, u)
		if trouble == "" {
			return i.improve(ports, u, now)
		}
		if u.port != nil && gone == "" {
			gone = trouble
		}
	}
	w.waiting = ""
	if gone != "" && !w.told {
		w.told = true
		return wayLost, gone, time.Second
	}
	if p := i.otherWay(ports); p != nil {
		w.used = nil // told; what comes next is a dial
		return wayBetter, "uplink " + p.name + " is up", 0
	}
	return wayUnchanged, "", 0
}

// trouble says what is wrong with a way that was chosen before, "" where it still is as it was.
func (i *Interface) trouble(ports []*port, u *usedWay) string {
	if u.port == nil {
		return "there is no uplink"
	}
	uplink := "uplink " + u.port.name
	p := find(ports, u.port.name)
	if p == nil {
		return uplink + " is gone"
	}
	addrs := sameFamily(p.addrs, u.server)
	switch {
	case !p.up:
		return uplink + " went down"
	case p.device != u.port.device:
		return uplink + " has another device"
	case len(u.locals) > 0 && !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.Contains(u.locals, a) }):
		return uplink + " has another address"
	case !i.connected(p):
		return uplink + " is not connected"
	case p.wayTo(u.server) == nil:
		return uplink + " lost its route to the server"
	}
	return ""
}

// improve looks for a better way than one that is good. The caller holds i.mu.
func (i *Interface) improve(ports []*port, u *usedWay, now time.Time) (v verdict, reason string, again time.Duration) {
	w := &i.ways
	w.told = false
	best, current := i.choose(ports, u.server), find(ports, u.port.name).wayTo(u.server)
	if best == nil || best.name == u.port.name || !best.betterThan(current) {
		w.waiting = ""
		return wayUnchanged, "", 0
	}
	if w.waiting != best.name {
		w.waiting, w.since = best.name, now
	}
	if left := proveGood - now.Sub(w.since); left > 0 {
		return wayUnchanged, "", left
	}
	w.used = nil
	return wayBetter, "uplink " + best.name + " is better than " + u.port.name, 0
}

// otherWay finds an uplink for one of the addresses that were tried.
func (i *Interface) otherWay(ports []*port) *port {
	for _, u := range i.ways.used {
		if !u.server.IsValid() {
			if p := i.someUplink(ports); p != nil {
				return p
			}
		} else if w := i.choose(ports, u.server); w != nil {
			return w.port
		}
	}
	return nil
}
