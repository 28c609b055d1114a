package main

import (
	"context"
	"time"

	"sstp/src/config"
	"sstp/src/hostnet"
	"sstp/src/netifd"
	"sstp/src/session"
)

// mendLimit bounds a look at the default routes.
const mendLimit = time.Second

// keepDefaultRoutes mends the default routes at once, for a daemon before us may have been killed, and whenever one has gone,
// until ctx ends.
func keepDefaultRoutes(ctx context.Context, iface *netifd.Interface, logf session.Logf) {
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
