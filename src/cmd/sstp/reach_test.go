package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/lab"
	"sstp/src/netifd/netifdtest"
	"sstp/src/reach"
)

// leavesBy returns the device by which the kernel sends packets to the internet.
func (w *world) leavesBy() string {
	r, err := w.netifd.Kernel.Way(reach.Query{To: netip.MustParseAddr("203.0.114.9")})
	if err != nil {
		return err.Error()
	}
	return r.Device
}

// wan sets the WAN with the default metric, which the tunnel has too.
func (w *world) wan() {
	w.netifd.Set(netifdtest.Uplink("wan", "eth1", "203.0.113.2/24", "203.0.113.1", 0))
}

func TestAWANThatBouncesTakesNoTrafficAndNoAddress(t *testing.T) {
	for name, server := range map[string]lab.Config{
		"the same address again":             {SingleSession: true},
		"another address with the same peer": {FreshAddress: true},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, server, nil, func(w *world) {
				w.wan()
				w.wantState("by wan", "up", 10*time.Second)
				w.wait(2 * time.Minute)
				for range 3 {
					w.netifd.Down("wan")
					w.wait(time.Second)
					if w.leavesBy() != "sstp-vpn" {
						w.Errorf("without the WAN packets leave by %s", w.leavesBy())
					}
					w.wan()
					if w.leavesBy() != "sstp-vpn" {
						w.Errorf("with the WAN back packets leave by %s", w.leavesBy())
					}
					w.wait(2 * time.Second)
					s := w.wantState("the WAN is back", "up", 10*time.Second)
					up, addrs, _ := w.netifd.Kernel.Device("sstp-vpn")
					if addrs = slices.DeleteFunc(addrs, netip.Addr.Is6); !up || !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr(s.at("ipv4.address"))}) {
						w.Errorf("the kernel's device is up: %v, with %v, want exactly %v", up, addrs, s.at("ipv4.address"))
					}
					w.wait(time.Minute)
				}
			})
		})
	}
}

func TestReconnectAndTheKernelsNewsMendTraffic(t *testing.T) {
	play(t, lab.Config{SingleSession: true}, config.Values{"log_level": {"2"}}, func(w *world) {
		w.wan()
		w.wantState("by wan", "up", 10*time.Second)
		w.wait(2 * time.Second)
		spoil := func() {
			for _, half := range []string{"0.0.0.0/1", "128.0.0.0/1"} {
				w.netifd.Kernel.DeleteRoute(w.netifd.Kernel.Routes(half)[0])
			}
			if w.leavesBy() != "eth1" {
				w.Fatalf("packets still leave by %s", w.leavesBy())
			}
		}
		for _, cure := range []struct {
			what string
			do   func()
		}{
			{"sstp reconnect", func() { w.client.Call(w.Context(), "sstp.vpn", "reconnect", nil) }},
			{"the kernel's news", func() { w.watched.Session.Recheck("a route was deleted") }},
			{"netifd's news", func() { w.wan() }},
			{"the look of each minute", func() { w.wait(time.Minute) }},
		} {
			w.wait(2 * time.Minute)
			spoil()
			cure.do()
			w.wait(2 * time.Second)
			if w.leavesBy() != "sstp-vpn" {
				w.Errorf("%s: packets leave by %s", cure.what, w.leavesBy())
			}
		}
		w.wantState("after all", "up", time.Second)
		history := ""
		for _, e := range w.history() {
			history += e.Text("text") + "\n"
		}
		for what, text := range map[string]string{"log": w.output.String(), "history": history} {
			if !strings.Contains(text, "repaired: traffic went by wan: a default route with metric 0 by eth1 took the place of the tunnel's") {
				w.Errorf("the %s does not tell of it:\n%s", what, text)
			}
		}
	})
}

func TestANetifdThatLiesDoesNotMakeTheTunnelLie(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.netifd.Change(func() { w.netifd.Lies = 16 })
		w.wantState("it is told again", "up", 10*time.Second)
		if up, addrs, _ := w.netifd.Kernel.Device("sstp-vpn"); !up || len(addrs) == 0 || w.leavesBy() != "sstp-vpn" {
			w.Errorf("the kernel's device is up: %v, with %v; packets leave by %s", up, addrs, w.leavesBy())
		}
	})
}
