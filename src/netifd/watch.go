package netifd

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sstp/src/blobmsg"
)

const (
	burstDelay    = 50 * time.Millisecond // netifd's news come in bursts
	settleTime    = 2 * time.Second       // a better uplink must stay for so long before the tunnel moves to it
	retryDelay    = 5 * time.Second       // after netifd did not answer
	orphanTimeout = 5 * time.Second       // after which a program whose interface is down knows that netifd has forgotten it
)

// Watch follows the uplinks until ctx ends. It calls lost when the way of a dial or a call is gone: the interface is down, has
// another device or address, or no longer leads to the server. It calls better when there is a way after there was none, and
// when a better one than the one in use has stayed for settleTime. reason explains it in a few words. Both are called from the
// goroutine of Watch.
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
			timer.Reset(burstDelay)
			continue
		case <-timer.C:
		}
		if again := i.check(ctx, lost, better); again > 0 {
			timer.Reset(again)
		}
	}
}

// Recheck makes Watch look at the uplinks now. Call it when the connection to the bus is back, because events were missed.
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

// check compares the way in use with netifd's interfaces. It returns when to check again, 0 for the next event.
func (i *Interface) check(ctx context.Context, lost, better func(reason string)) (again time.Duration) {
	candidates, err := i.candidates(ctx)
	if err != nil {
		return retryDelay
	}
	now := time.Now()
	report, reason, again := i.compare(candidates, now)
	if i.o.Changed != nil {
		i.o.Changed()
	}
	if left := i.wanted(candidates, now); left > 0 && (again == 0 || left < again) {
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

// wanted calls Unwanted if netifd does not have the interface running, as it must while its program runs. A netifd that was
// restarted does not know the programs that it started before, and nobody would ever end the program of an interface that it
// does not start again. It returns when to check again, 0 for never.
func (i *Interface) wanted(candidates []*uplinkCandidate, now time.Time) (again time.Duration) {
	if p := find(candidates, i.name); p != nil && (p.up || p.pending) {
		i.downSince = time.Time{}
		return 0
	}
	if i.downSince.IsZero() {
		i.downSince = now
	}
	if left := orphanTimeout - now.Sub(i.downSince); left > 0 {
		return left
	}
	i.downSince = now
	if i.o.Unwanted != nil {
		i.o.Unwanted()
	}
	return 0
}

// verdict is the result of a check.
type verdict uint8

const (
	wayUnchanged verdict = iota
	wayLost
	wayBetter
)

// compare judges the way in use. It reports a loss once; if nothing dials after that, it reports another way when there is one.
func (i *Interface) compare(candidates []*uplinkCandidate, now time.Time) (v verdict, reason string, again time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := &i.ways
	if len(w.used) == 0 {
		return wayUnchanged, "", 0
	}
	gone := ""
	for n := range w.used {
		u := &w.used[n]
		trouble := i.trouble(candidates, u)
		if trouble == "" {
			return i.improve(candidates, u, now)
		}
		if u.uplink != nil && gone == "" {
			gone = trouble
		}
	}
	w.waiting = ""
	if gone != "" && !w.told {
		w.told = true
		return wayLost, gone, time.Second
	}
	if p := i.otherWay(candidates); p != nil {
		w.used = nil // told; what comes next is a dial
		return wayBetter, "uplink " + p.name + " is up", 0
	}
	return wayUnchanged, "", 0
}

// trouble returns what has gone wrong with a way since it was chosen, "" if nothing has.
func (i *Interface) trouble(candidates []*uplinkCandidate, u *usedWay) string {
	if u.uplink == nil {
		return "there is no uplink"
	}
	uplink := "uplink " + u.uplink.name
	p := find(candidates, u.uplink.name)
	if p == nil {
		return uplink + " is gone"
	}
	addrs := sameFamily(p.addrs, u.server)
	switch {
	case !p.up:
		return uplink + " went down"
	case p.device != u.uplink.device:
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
func (i *Interface) improve(candidates []*uplinkCandidate, u *usedWay, now time.Time) (v verdict, reason string, again time.Duration) {
	w := &i.ways
	w.told = false
	best, current := i.choose(candidates, u.server), find(candidates, u.uplink.name).wayTo(u.server)
	if best == nil || best.name == u.uplink.name || !best.betterThan(current) {
		w.waiting = ""
		return wayUnchanged, "", 0
	}
	if w.waiting != best.name {
		w.waiting, w.since = best.name, now
	}
	if left := settleTime - now.Sub(w.since); left > 0 {
		return wayUnchanged, "", left
	}
	w.used = nil
	return wayBetter, "uplink " + best.name + " is better than " + u.uplink.name, 0
}

// otherWay returns an uplink for one of the addresses that were tried, nil if there is none.
func (i *Interface) otherWay(candidates []*uplinkCandidate) *uplinkCandidate {
	for _, u := range i.ways.used {
		if !u.server.IsValid() {
			if p := i.someUplink(candidates); p != nil {
				return p
			}
		} else if w := i.choose(candidates, u.server); w != nil {
			return w.uplinkCandidate
		}
	}
	return nil
}
