package main

import (
	"context"
	"sync"
	"time"

	"sstp/src/config"
	"sstp/src/firewall"
	"sstp/src/hostnet"
	"sstp/src/netifd"
	"sstp/src/session"
	"sstp/src/transport"
)

// machine is what a daemon touches besides the bus.
type machine struct {
	device   func(t *config.Tunnel, logf session.Logf) func(name string, mtu int) (session.Device, error)
	dial     func(o *transport.Options) // changes how servers are reached
	kernel   netifd.Kernel
	carrier  func(device string) bool
	ways     func(tunnel string) wayTable
	around   func(t *config.Tunnel) func(context.Context) (session.Surroundings, error)
	firewall firewall.System
	watch    func(ctx context.Context, w watched) // follows the kernel's news until ctx ends
}

// watched is who hears of the kernel's news.
type watched struct {
	iface   *netifd.Interface
	device  string
	recheck func(reason string) // of the session
	logf    session.Logf
}

// router is the real machine.
func router() machine {
	return machine{
		device: netifdDevice, dial: func(*transport.Options) {}, kernel: kernel{}, carrier: hostnet.HasCarrier, watch: watchKernel, firewall: firewall.Router(),
		ways: func(tunnel string) wayTable { return hostnet.NewWays(tunnel) }, around: surroundings,
	}
}

// watchKernel keeps default routes, has the uplinks looked at when a cable is plugged or pulled, and the kernel when traffic
// may have taken another way: netifd tells of none of these.
func watchKernel(ctx context.Context, w watched) {
	var all sync.WaitGroup
	all.Go(func() { keepDefaultRoutes(ctx, w.iface, w.logf) })
	all.Go(func() {
		if err := watchTraffic(ctx, w.device, w.recheck); err != nil {
			w.logf(config.LogDebug, "%v", err)
		}
	})
	if err := hostnet.WatchCarrier(ctx, w.iface.Recheck); err != nil {
		w.logf(config.LogDebug, "%v", err)
	}
	all.Wait()
}

// trafficPause is how long news of the kernel is collected before it is looked at: it comes in bursts, and some of it is what
// the look before has caused.
const trafficPause = 250 * time.Millisecond

// watchTraffic calls recheck soon after something changed in the kernel by which traffic may take another way.
func watchTraffic(ctx context.Context, device string, recheck func(reason string)) error {
	news := make(chan string, 1)
	var collecting sync.WaitGroup
	defer collecting.Wait()
	collecting.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case what := <-news:
				select {
				case <-ctx.Done():
					return
				case <-time.After(trafficPause):
				}
				recheck("the kernel has news of " + what)
			}
		}
	})
	return hostnet.WatchTraffic(ctx, device, func(what string) {
		select {
		case news <- what:
		default:
		}
	})
}
