package main

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/lab"
)

// fakeWays notes the ways that are laid, as hostnet.Ways would lay them.
type fakeWays struct {
	mu      sync.Mutex
	laid    []string // those that are there: server, device, gateway
	ever    int
	cleared int
}

// Lay notes a way until release is called.
func (f *fakeWays) Lay(server netip.Addr, device string, gateway, _ netip.Addr) (release func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	way := server.String() + " " + device + " " + gateway.String()
	f.laid, f.ever = append(f.laid, way), f.ever+1
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if at := slices.Index(f.laid, way); at >= 0 {
			f.laid = slices.Delete(f.laid, at, at+1)
		}
	}, nil
}

// Renew has nothing to do: nobody removes the noted ways.
func (f *fakeWays) Renew() error { return nil }

// Clear forgets all ways.
func (f *fakeWays) Clear() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.laid, f.cleared = nil, f.cleared+1
	return nil
}

// want checks which ways are there.
func (f *fakeWays) want(t *testing.T, why string, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.laid, want) {
		t.Errorf("%s: the ways are %q, want %q", why, f.laid, want)
	}
}

func TestAWayGoesWithItsConnection(t *testing.T) {
	victim, server := netip.MustParseAddr("198.51.100.66"), netip.MustParseAddr(serverAddress)
	play(t, lab.Config{}, config.Values{"server": {"vpn.test"}, "server_name": nil}, func(w *world) {
		w.cancel() // the daemon that has started knows nothing of the names yet
		w.ended(exitOK)
		w.names, w.silent = []netip.Addr{victim, server}, victim
		w.start()
		w.wantState("a good server behind a dead address", "up", 10*time.Second)
		way := serverAddress + " eth1 203.0.113.1"
		w.ways.want(w.T, "a name server that gives a victim's address too", way)

		w.mu.Lock()
		w.refused = true
		w.mu.Unlock()
		w.server.Cut("user")
		w.wantState("the call is lost", "holding", 10*time.Second)
		time.Sleep(20 * time.Second)
		w.ways.want(w.T, "dialed in vain, again and again")
		w.mu.Lock()
		w.refused = false
		w.mu.Unlock()
		w.wantState("the server answers again", "up", time.Minute)
		w.ways.want(w.T, "the next connection", way)
		w.cancel()
		w.ended(exitOK)
		w.ways.want(w.T, "the end")
		if w.ways.cleared < 2 {
			t.Error("what a killed process may have left was not looked for")
		}
	})
}
