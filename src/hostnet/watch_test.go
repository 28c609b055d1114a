package hostnet

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestADeletedDefaultRouteIsToldOf(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "wan")
	gateway, all := netip.MustParseAddr("198.51.100.1"), netip.MustParsePrefix("0.0.0.0/0")
	if err := errors.Join(SetUp("wan", 0), AddAddress("wan", netip.MustParsePrefix("198.51.100.2/24"), netip.Addr{})); err != nil {
		t.Fatal(err)
	}
	space, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(space)
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan bool, 16), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // its thread ends with it
		if err := unix.Setns(space, unix.CLONE_NEWNET); err != nil {
			ended <- err
			return
		}
		ended <- WatchDefaultRoute(ctx, func() { told <- true })
	}()
	other := Route{Dst: netip.MustParsePrefix("192.0.2.0/24"), Gateway: gateway}
	byDefault := Route{Dst: all, Gateway: gateway, Device: "wan", Metric: 7}
	for deadline := time.After(5 * time.Second); ; { // the watcher may not listen yet
		for _, r := range []Route{other, byDefault} {
			if _, err := AddRoute(r); err != nil {
				t.Fatal(err)
			}
			if err := DeleteRoute(r); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-told:
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			return
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-deadline:
			t.Fatal("it was not told of")
		default:
		}
	}
}

func TestWhatTellsOfALostDefaultRoute(t *testing.T) {
	route := func(typ uint16, family, bits, table byte, attrs ...byte) []byte {
		return packet(typ, 0, []byte{family, bits, 0, 0, table, unix.RTPROT_STATIC, 0, unix.RTN_UNICAST}, u32(0), attrs)
	}
	deleted := route(unix.RTM_DELROUTE, unix.AF_INET, 0, unix.RT_TABLE_MAIN)
	for name, c := range map[string]struct {
		b    []byte
		want bool
	}{
		"a default route":           {deleted, true},
		"the second of two":         {join(route(unix.RTM_NEWROUTE, unix.AF_INET, 0, unix.RT_TABLE_MAIN), deleted), true},
		"an address":                {packet(unix.RTM_DELADDR, 0, make([]byte, 8)), true},
		"a new address":             {packet(unix.RTM_NEWADDR, 0, make([]byte, 8)), false},
		"one that was added":        {route(unix.RTM_NEWROUTE, unix.AF_INET, 0, unix.RT_TABLE_MAIN), false},
		"of IPv6":                   {route(unix.RTM_DELROUTE, unix.AF_INET6, 0, unix.RT_TABLE_MAIN), false},
		"of another table":          {route(unix.RTM_DELROUTE, unix.AF_INET, 0, 100), false},
		"to somewhere":              {route(unix.RTM_DELROUTE, unix.AF_INET, 8, unix.RT_TABLE_MAIN, join(u16(8), u16(unix.RTA_DST), []byte{10, 0, 0, 0})...), false},
		"half a message":            {deleted[:10], false},
		"a message with half a one": {packet(unix.RTM_DELROUTE, 0, []byte{unix.AF_INET, 0}), false},
		"nothing":                   {nil, false},
	} {
		if got := maybeGone(c.b); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestNewsOfCarriers(t *testing.T) {
	link := func(typ uint16, index, flags uint32) []byte {
		return packet(typ, 0, join(make([]byte, 4), u32(index), u32(flags), u32(0)))
	}
	known := carriers{}
	for _, step := range []struct {
		what string
		b    []byte
		want bool
	}{
		{"a device that was not known", link(unix.RTM_NEWLINK, 2, unix.IFF_UP|unix.IFF_RUNNING), true},
		{"something else about it", link(unix.RTM_NEWLINK, 2, unix.IFF_UP|unix.IFF_RUNNING|unix.IFF_PROMISC), false},
		{"its cable is pulled", link(unix.RTM_NEWLINK, 2, unix.IFF_UP), true},
		{"and is out", link(unix.RTM_NEWLINK, 2, unix.IFF_UP), false},
		{"two at once", join(link(unix.RTM_NEWLINK, 2, unix.IFF_UP), link(unix.RTM_NEWLINK, 3, 0)), true},
		{"it is gone", link(unix.RTM_DELLINK, 2, 0), true},
		{"half a message", link(unix.RTM_NEWLINK, 3, unix.IFF_RUNNING)[:20], false},
		{"a message with half a one", packet(unix.RTM_NEWLINK, 0, make([]byte, 8)), false},
	} {
		if got := known.news(step.b); got != step.want {
			t.Errorf("%s: %v, want %v", step.what, got, step.want)
		}
	}
}

func TestWhatTheKernelDoesNotTellOfIsConnected(t *testing.T) {
	if !HasCarrier("lo") || !HasCarrier("nowhere") {
		t.Error("it is not")
	}
}
