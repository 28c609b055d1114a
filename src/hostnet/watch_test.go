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

func TestChangesOfTheWayOfTrafficAreToldOf(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "wan")
	tunDevice(t, "vpn")
	none := netip.Addr{}
	if err := errors.Join(SetUp("wan", 0), AddAddress("wan", netip.MustParsePrefix("198.51.100.2/24"), none)); err != nil {
		t.Fatal(err)
	}
	space, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(space)
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan string, 64), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(space, unix.CLONE_NEWNET); err != nil {
			ended <- err
			return
		}
		ended <- WatchTraffic(ctx, "vpn", func(what string) { told <- what })
	}()
	gateway, everything := netip.MustParseAddr("198.51.100.1"), netip.MustParsePrefix("0.0.0.0/0")
	replaced := func() error {
		_, err := AddRoute(Route{Dst: everything, Gateway: gateway, Device: "wan"})
		return errors.Join(err, DeleteRoute(Route{Dst: everything, Gateway: gateway, Device: "wan"}))
	}
	for listens := false; !listens; { // it may not listen yet
		if err := replaced(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-told:
			listens = true
		case err := <-ended:
			t.Fatal(err)
		default:
		}
	}
	for what, c := range map[string]struct {
		change func() error
		want   string
	}{
		"a default route":       {replaced, "a route to 0.0.0.0/0"},
		"the device comes up":   {func() error { return SetUp("vpn", 1400) }, "the state of vpn"},
		"an address of another": {func() error { return AddAddress("wan", netip.MustParsePrefix("192.0.2.2/24"), none) }, "the address 192.0.2.2/24"},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.After(5 * time.Second); ; {
			select {
			case got := <-told:
				if got != c.want {
					continue
				}
			case <-deadline:
				t.Errorf("%s: not told of", what)
			}
			break
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhatIsOfInterestToTraffic(t *testing.T) {
	route := func(typ uint16, family, bits, flags byte, attrs ...byte) []byte {
		return packet(typ, 0, []byte{family, bits, 0, 0, 100, unix.RTPROT_STATIC, 0, unix.RTN_UNICAST}, []byte{0, 0, flags, 0}, attrs)
	}
	dst := func(b ...byte) []byte { return join(u16(uint16(4+len(b))), u16(unix.RTA_DST), b) }
	addr := func(index uint32, family byte, b ...byte) []byte {
		return packet(unix.RTM_NEWADDR, 0, []byte{family, byte(len(b)) * 8, 0, 0}, u32(index), u16(uint16(4+len(b))), u16(unix.IFA_ADDRESS), b)
	}
	link := func(index, flags uint32) []byte {
		return packet(unix.RTM_NEWLINK, 0, join(make([]byte, 4), u32(index), u32(flags), u32(0)))
	}
	lo, err := DeviceIndex("lo")
	if err != nil {
		t.Skip(err)
	}
	ours, other := uint32(lo), uint32(lo)+1000
	n := trafficNews{device: "lo"}
	for _, c := range []struct {
		what string
		b    []byte
		want bool
	}{
		{"a default route of any table", route(unix.RTM_NEWROUTE, unix.AF_INET, 0, 0), true},
		{"a deleted half", route(unix.RTM_DELROUTE, unix.AF_INET, 1, 0, dst(128, 0, 0, 0)...), true},
		{"of IPv6", route(unix.RTM_NEWROUTE, unix.AF_INET6, 0, 0), true},
		{"a subnet", route(unix.RTM_NEWROUTE, unix.AF_INET, 24, 0, dst(10, 0, 0, 0)...), false},
		{"an IPv4 address of another device", addr(other, unix.AF_INET, 192, 0, 2, 1), true},
		{"an IPv6 address of another device", addr(other, unix.AF_INET6, make([]byte, 16)...), false},
		{"an IPv6 address of ours", addr(ours, unix.AF_INET6, make([]byte, 16)...), true},
		{"the second of two", join(link(other, 0), route(unix.RTM_NEWROUTE, unix.AF_INET, 0, 0)), true},
		{"our device is up", link(ours, unix.IFF_UP), true},
		{"and still is", link(ours, unix.IFF_UP|unix.IFF_RUNNING), false},
		{"it is down", link(ours, 0), true},
		{"another device", link(other, unix.IFF_UP), false},
		{"a rule", packet(unix.RTM_NEWRULE, 0, make([]byte, 12)), true},
		{"half a message", route(unix.RTM_NEWROUTE, unix.AF_INET, 0, 0)[:10], false},
		{"a message with half a one", packet(unix.RTM_NEWADDR, 0, []byte{unix.AF_INET}), false},
		{"nothing", nil, false},
	} {
		if got := n.news(c.b); got != c.want {
			t.Errorf("%s: %v (%s), want %v", c.what, got, n.what, c.want)
		}
	}
}

func TestWhatTheKernelDoesNotTellOfIsConnected(t *testing.T) {
	if !HasCarrier("lo") || !HasCarrier("nowhere") {
		t.Error("it is not")
	}
}
