package machine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/config"
)

var errNoServer = errors.New("no name server")

func TestNamesAreAskedForAndRememberedForHardTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addr := func(s string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(s)} }
		held, asked := false, 0
		var answer []netip.Addr
		var failure error
		n := NewNames(func() bool { return held }, func(ctx context.Context, host string) ([]netip.Addr, error) {
			asked++
			if failure == context.DeadlineExceeded {
				<-ctx.Done() // the name server does not answer
				return nil, ctx.Err()
			}
			return answer, failure
		}, func(config.LogLevel, string, ...any) {})
		want := func(why, address string, asks int) {
			t.Helper()
			asked = 0
			got, err := n.Lookup(t.Context(), "vpn.test")
			if err != nil || !slices.Equal(got, addr(address)) || asked != asks {
				t.Errorf("%s: %v, %v after %d questions; want %s after %d", why, got, err, asked, address, asks)
			}
		}
		failure = errNoServer
		if _, err := n.Lookup(t.Context(), "vpn.test"); err != errNoServer {
			t.Errorf("nothing is known yet: %v", err)
		}
		answer, failure = addr("192.0.2.1"), nil
		want("the first answer", "192.0.2.1", 1)
		answer = addr("192.0.2.2")
		want("names change", "192.0.2.2", 1)
		held = true
		answer = addr("192.0.2.3")
		want("while the device is held, what is known comes first", "192.0.2.2", 0)
		want("that did not help: ask", "192.0.2.3", 1)
		failure = context.DeadlineExceeded
		want("known", "192.0.2.3", 0)
		begin := time.Now()
		want("no answer comes", "192.0.2.3", 1)
		if took := time.Since(begin); took != heldLookup {
			t.Errorf("asked for %v, want not to lose the time that the device is held", took)
		}
		held, failure = false, errNoServer
		want("an old address is better than none", "192.0.2.3", 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := n.Lookup(ctx, "vpn.test"); err == nil {
			t.Error("a dial that was given up goes on")
		}
	})
}
