package netifd

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"sstp/src/fault"
	"sstp/src/netifd/netifdtest"
)

func wana() *netifdtest.Iface {
	return netifdtest.Uplink("wana", "eth1", "203.0.113.2/24", "203.0.113.1", 20)
}

func wanb() *netifdtest.Iface {
	return netifdtest.Uplink("wanb", "eth2", "192.0.2.2/24", "192.0.2.1", 10)
}

func TestTheLossOfTheUplinkIsTold(t *testing.T) {
	for why, c := range map[string]struct {
		happens func(n *netifdtest.Netifd)
		news    string
	}{
		"it goes down":           {func(n *netifdtest.Netifd) { n.Down("wana") }, "lost: uplink wana went down"},
		"it is taken away":       {func(n *netifdtest.Netifd) { n.Remove("wana") }, "lost: uplink wana is gone"},
		"it gets another device": {func(n *netifdtest.Netifd) { i := wana(); i.Device = "ppp0"; n.Set(i) }, "lost: uplink wana has another device"},
		"it gets another address": {func(n *netifdtest.Netifd) {
			n.Set(netifdtest.Uplink("wana", "eth1", "203.0.113.77/24", "203.0.113.1", 20))
		}, "lost: uplink wana has another address"},
		"it loses its route":         {func(n *netifdtest.Netifd) { i := wana(); i.Routes = nil; n.Set(i) }, "lost: uplink wana lost its route to the server"},
		"another one goes down":      {func(n *netifdtest.Netifd) { n.Set(wanb()); n.Down("wanb") }, ""},
		"it is told of for no cause": {func(n *netifdtest.Netifd) { n.Set(wana()) }, ""},
	} {
		t.Run(why, func(t *testing.T) {
			play(t, nil, func(w *world) {
				w.netifd.Set(wana())
				w.watch()
				w.connect(testServer)
				c.happens(w.netifd)
				w.wait(200 * time.Millisecond)
				if c.news == "" {
					w.wantNews(why)
				} else {
					w.wantNews(why, c.news)
				}
				w.iface.Dialing() // as the tunnel does
				w.wait(time.Minute)
				w.wantNews("and it is told once")
			})
		})
	}
}

func TestTheLossOfTheUplinkWhileConnectingIsTold(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(wana())
		w.watch()
		if _, err := w.dial(testServer); err != nil { // netifd says nothing to an interface that is being set up
			w.Fatal(err)
		}
		w.netifd.Down("wana")
		w.wait(200 * time.Millisecond)
		w.wantNews("the SYN is on its way", "lost: uplink wana went down")
	})
}

func TestOneOfSeveralAddressesIsEnoughWhileConnecting(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(wana())
		w.watch()
		if _, err := w.dial("2001:db8::7"); fault.Of(err, "", "") == nil {
			w.Fatal("there is no IPv6")
		}
		if _, err := w.iface.Prepare(w.Context(), netip.MustParseAddr(testServer)); err != nil {
			w.Fatal(err)
		}
		w.netifd.Set(wana())
		w.wait(time.Second)
		w.wantNews("IPv4 has a way")
	})
}

func TestAnUplinkThatComesBackIsToldAtOnce(t *testing.T) {
	play(t, nil, func(w *world) {
		w.watch()
		_, err := w.dial(testServer)
		w.wantFault("nothing is up", err, fault.NoUplink, testServer)
		w.wait(time.Minute)
		w.wantNews("still nothing")
		w.netifd.Set(wana())
		w.wait(200 * time.Millisecond)
		w.wantNews("it is up", "better: uplink wana is up")
		w.wait(time.Minute)
		w.wantNews("told once")
	})
	play(t, nil, func(w *world) {
		w.watch()
		w.iface.Dialing()
		w.iface.Resolved(w.Context(), fault.New(fault.PeerResolveFail, fault.StageResolve, "x"))
		w.netifd.Set(wana())
		w.wait(200 * time.Millisecond)
		w.wantNews("a name could not be looked up", "better: uplink wana is up")
	})
}

func TestAnotherUplinkTakesOverWhenNobodyDialsAfterALoss(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(wana())
		w.watch()
		w.connect(testServer) // and the call has ended since: the tunnel waits for its next try
		w.netifd.Down("wana")
		w.wait(200 * time.Millisecond)
		w.wantNews("it is gone", "lost: uplink wana went down")
		w.netifd.Set(wanb())
		w.wait(time.Second)
		w.wantNews("no need to wait any longer", "better: uplink wanb is up")
	})
}

func TestABetterUplinkMustBeThereToStay(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(wana())
		w.watch()
		w.connect(testServer)
		w.netifd.Set(wanb())
		w.wait(time.Second)
		w.netifd.Down("wanb")
		w.wait(10 * time.Second)
		w.wantNews("it flapped")
		w.netifd.Set(wanb())
		w.wait(1900 * time.Millisecond)
		w.wantNews("not yet")
		w.wait(200 * time.Millisecond)
		w.wantNews("two seconds", "better: uplink wanb is better than wana")
		w.wait(time.Minute)
		w.wantNews("told once")
		w.connect(testServer)
		if got := w.iface.Uplink(); got != "wanb" {
			w.Errorf("the next dial goes by %q", got)
		}
	})
}

func TestAnUplinkThatIsNoBetterIsNoNews(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(wanb())
		w.watch()
		w.connect(testServer)
		w.netifd.Set(wana())
		w.netifd.Set(netifdtest.Uplink("wanc", "eth3", "192.0.2.66/24", "192.0.2.1", 10))
		w.wait(time.Minute)
		w.wantNews("a worse one and an equal one")
	})
}

func TestNewsThatWereMissedAreAskedFor(t *testing.T) {
	play(t, nil, func(w *world) {
		w.netifd.Set(wana())
		w.watch()
		w.connect(testServer)
		w.netifd.Bus.Stop()
		w.netifd.Change(func() {})
		w.netifd.Down("wana")
		w.wait(10 * time.Second)
		w.wantNews("nobody says so")
		if err := w.netifd.Bus.Start(); err != nil {
			w.Fatal(err)
		}
		w.wait(time.Minute)
		w.iface.Recheck()
		w.wait(time.Second)
		w.wantNews("the bus is back", "lost: uplink wana went down")
	})
}

func TestAProgramThatNetifdHasForgottenIsToldSo(t *testing.T) {
	var told atomic.Int32
	play(t, func(o *Options) { o.Unwanted = func() { told.Add(1) } }, func(w *world) {
		w.watch()
		w.netifd.Set(wana())
		w.wait(time.Minute)
		if told.Load() > 0 {
			w.Fatal("the interface is being set up")
		}
		w.netifd.Down("vpn")
		w.wait(4 * time.Second)
		if told.Load() > 0 {
			w.Error("the signal may still be on its way")
		}
		w.wait(2 * time.Second)
		if told.Load() != 1 {
			w.Errorf("told %d times", told.Load())
		}
		w.netifd.Set(&netifdtest.Iface{Name: "vpn", Proto: "sstp", Pending: true})
		w.wait(time.Minute)
		w.netifd.Remove("vpn")
		w.wait(6 * time.Second)
		if told.Load() != 2 {
			w.Errorf("told %d times, want again for an interface that does not exist", told.Load())
		}
	})
}
