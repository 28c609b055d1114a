package machine

import (
	"context"
	"sync"
	"time"

	"sstp/src/config"
	"sstp/src/hostnet"
	"sstp/src/netifd"
	"sstp/src/session"
)

// mendLimit bounds a check of the default routes.
const mendLimit = time.Second

// KeepDefaultRoutes restores default routes at once, because an earlier daemon may have been killed, and whenever one has gone,
// until ctx ends.
func KeepDefaultRoutes(ctx context.Context, iface *netifd.Interface, logf session.Logf) {
	mend := func() {
		limited, cancel := context.WithTimeout(ctx, mendLimit)
		defer cancel()
		iface.MendRoutes(limited)
	}
	mend()
	if err := hostnet.WatchDefaultRoute(ctx, mend); err != nil {
		logf(config.LogDebug, "%v", err)
	}
}

// trafficPause is the time for which events of the kernel are collected before a check: they come in bursts, and the previous
// check causes some.
const trafficPause = 250 * time.Millisecond

// Checker is the part of a session that follows the kernel's events.
type Checker interface {
	Doubt()
	Recheck(reason string)
}

// WatchTraffic makes the session check the kernel soon after a change that may make traffic bypass the device. Until then its
// last findings are in doubt.
func WatchTraffic(ctx context.Context, device string, c Checker) error {
	news := make(chan string, 1)
	var collecting sync.WaitGroup
	defer collecting.Wait()
	collecting.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case what := <-news:
				c.Recheck("the kernel has news of " + what)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(trafficPause):
			}
		}
	})
	return hostnet.WatchTraffic(ctx, device, func(what string) {
		c.Doubt()
		select {
		case news <- what:
		default:
		}
	})
}

// Watched is the recipient of the kernel's events.
type Watched struct {
	Interface *netifd.Interface
	Device    string
	Session   Checker
	Log       session.Logf
}

// WatchKernel follows the news of the kernel that netifd does not tell of, until ctx ends: it mends default routes, rechecks
// the uplinks when a cable is plugged or pulled, and has the kernel looked at when traffic may have taken another way.
func WatchKernel(ctx context.Context, w Watched) {
	var all sync.WaitGroup
	all.Go(func() { KeepDefaultRoutes(ctx, w.Interface, w.Log) })
	all.Go(func() {
		if err := WatchTraffic(ctx, w.Device, w.Session); err != nil {
			w.Log(config.LogDebug, "%v", err)
		}
	})
	if err := hostnet.WatchCarrier(ctx, w.Interface.Recheck); err != nil {
		w.Log(config.LogDebug, "%v", err)
	}
	all.Wait()
}
