package main

import (
	"context"
	"net/netip"
	"time"

	"sstp/src/config"
	"sstp/src/hostnet"
	"sstp/src/netifd"
	"sstp/src/session"
)

// mendLimit bounds a look at the default routes.
const mendLimit = time.Second

// mendDefaultRoutes lays those default routes again that netifd believes to be there and the kernel does not have: the
// uplink's, after the tunnel's with the same metric had replaced it and is gone. A route that is there is never touched.
func mendDefaultRoutes(iface *netifd.Interface, logf session.Logf) {
	ctx, cancel := context.WithTimeout(context.Background(), mendLimit)
	defer cancel()
	routes, err := iface.DefaultRoutes(ctx)
	if err != nil {
		logf(config.LogDebug, "default routes: %v", err)
		return
	}
	for _, r := range routes {
		added, err := hostnet.AddRoute(hostnet.Route{
			Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: r.Gateway, Device: r.Device, Metric: r.Metric, Source: r.Source,
		})
		switch {
		case added:
			logf(config.LogInfo, "the default route by %s is there again", r.Device)
		case err != nil: // most often another one of this metric is in its place, the tunnel's
			logf(config.LogTrace, "the default route by %s: %v", r.Device, err)
		}
	}
}
