package main

import (
	"context"
	"sync"

	"sstp/src/config"
	"sstp/src/hostnet"
	"sstp/src/netifd"
	"sstp/src/session"
	"sstp/src/transport"
)

// machine is what a daemon touches besides the bus.
type machine struct {
	device   func(t *config.Tunnel, logf session.Logf) func(name string, mtu int) (session.Device, error)
	dial     func(o *transport.Options) // changes how servers are reached
	layRoute func(r netifd.DefaultRoute) (laid bool, err error)
	carrier  func(device string) bool
	ways     func(tunnel string) wayTable
	around   func(t *config.Tunnel) func(context.Context) (session.Surroundings, error)
	watch    func(ctx context.Context, iface *netifd.Interface, logf session.Logf) // follows the kernel's news until ctx ends
}

// router is the real machine.
func router() machine {
	return machine{
		device: netifdDevice, dial: func(*transport.Options) {}, layRoute: layRoute, carrier: hostnet.HasCarrier, watch: watchKernel,
		ways: func(tunnel string) wayTable { return hostnet.NewWays(tunnel) }, around: surroundings,
	}
}

// watchKernel keeps default routes and looks at the uplinks anew when a cable is plugged or pulled: netifd tells of neither.
func watchKernel(ctx context.Context, iface *netifd.Interface, logf session.Logf) {
	var both sync.WaitGroup
	both.Go(func() { keepDefaultRoutes(ctx, iface, logf) })
	if err := hostnet.WatchCarrier(ctx, iface.Recheck); err != nil {
		logf(config.LogDebug, "%v", err)
	}
	both.Wait()
}
