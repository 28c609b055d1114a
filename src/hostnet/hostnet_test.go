package hostnet

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace moves the test into a network namespace of its own. The thread stays locked, so that it ends with the
// test's goroutine and nobody else gets into the namespace.
func inNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root to make a network namespace: %v", err)
	}
	// qemu-user passes rtnetlink on, but to big-endian programs not the attributes, and to MIPS not the error numbers.
	_, errDevice := net.InterfaceByName("lo")
	_, errRoute := RouteTo(netip.MustParseAddr("192.0.2.1"))
	if strings.HasPrefix(runtime.GOARCH, "mips") && (errDevice != nil || !errors.Is(errRoute, unix.ENETUNREACH)) {
		t.Skipf("needs a kernel of its own architecture: %v, %v", errDevice, errRoute)
	}
}

// tunDevice makes a TUN device that lives as long as the test.
func tunDevice(t *testing.T, name string) (fd int) {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs /dev/net/tun: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		t.Skipf("needs the right to make a TUN device: %v", err)
	}
	return fd
}

func addresses(t *testing.T, dev string) (all []string) {
	t.Helper()
	i, err := net.InterfaceByName(dev)
	if err != nil {
		t.Fatal(err)
	}
	list, err := i.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if s := a.String(); !strings.HasPrefix(s, "fe80:") {
			all = append(all, s)
		}
	}
	return all
}

func TestDevice(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "tun7")
	if err := SetUp("tun7", 1380); err != nil {
		t.Error(err)
	}
	i, err := net.InterfaceByName("tun7")
	if err != nil || i.Flags&net.FlagUp == 0 || i.MTU != 1380 {
		t.Fatalf("after SetUp the device is %+v %v", i, err)
	}
	if index, err := DeviceIndex("tun7"); err != nil || index != i.Index {
		t.Errorf("DeviceIndex is %d %v, want %d", index, err, i.Index)
	}
	if name, err := deviceName(i.Index); err != nil || name != "tun7" {
		t.Errorf("device %d is %s %v", i.Index, name, err)
	}
	if err := SetUp("tun7", 0); err != nil {
		t.Error(err)
	}
	if i, _ := net.InterfaceByName("tun7"); i.MTU != 1380 {
		t.Errorf("mtu 0 changed it to %d", i.MTU)
	}
}

func TestDevicesThatAreNotThere(t *testing.T) {
	if DeviceExists("no-such-device") || !DeviceExists("lo") {
		t.Error("DeviceExists is wrong about lo or about one that does not exist")
	}
	if _, err := DeviceIndex("a-name-that-is-too-long"); err == nil {
		t.Error("a name of more than 15 letters is taken")
	}
	if err := SetUp("no-such-device", 0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("SetUp: %v, want ENODEV", err)
	}
	addr := netip.MustParsePrefix("192.0.2.1/32")
	if err := AddAddress("no-such-device", addr, netip.Addr{}); !errors.Is(err, unix.ENODEV) {
		t.Errorf("AddAddress: %v, want ENODEV", err)
	}
	if err := DeleteAddress("no-such-device", addr, netip.Addr{}); err != nil {
		t.Errorf("an address is gone with its device: %v", err)
	}
	if err := DeleteRoute(Route{Dst: addr, Device: "no-such-device"}); err != nil {
		t.Errorf("a route is gone with its device: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "tun0")
	if err := SetUp("tun0", 1400); err != nil {
		t.Fatal(err)
	}
	local, peer := netip.MustParsePrefix("10.9.0.2/32"), netip.MustParseAddr("10.9.0.1")
	wide, v6 := netip.MustParsePrefix("10.8.0.1/24"), netip.MustParsePrefix("2001:db8::2/64")
	none := netip.Addr{}
	for range 2 { // the second time is no error
		if err := errors.Join(AddAddress("tun0", local, peer), AddAddress("tun0", wide, none), AddAddress("tun0", v6, none)); err != nil {
			t.Error(err)
		}
	}
	want := []string{"10.8.0.1/24", "10.9.0.2/32", "2001:db8::2/64"}
	got := addresses(t, "tun0")
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
	if r, err := RouteTo(peer); err != nil || r.Device != "tun0" || r.Gateway.IsValid() || r.Local {
		t.Errorf("the peer is reached by %+v %v, want tun0", r, err)
	}
	if r, err := RouteTo(netip.MustParseAddr("2001:db8::9")); err != nil || r.Device != "tun0" {
		t.Errorf("the prefix is reached by %+v %v, want tun0", r, err)
	}
	for range 2 {
		if err := errors.Join(DeleteAddress("tun0", local, peer), DeleteAddress("tun0", wide, none), DeleteAddress("tun0", v6, none)); err != nil {
			t.Error(err)
		}
	}
	if got := addresses(t, "tun0"); len(got) > 0 {
		t.Errorf("addresses %v are left", got)
	}
}

func TestRoutes(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "wan")
	tunDevice(t, "vpn")
	none := netip.Addr{}
	if err := errors.Join(SetUp("lo", 0), SetUp("wan", 0), SetUp("vpn", 1400),
		AddAddress("wan", netip.MustParsePrefix("198.51.100.2/24"), none),
		AddAddress("wan", netip.MustParsePrefix("2001:db8:1::2/64"), none),
		AddAddress("vpn", netip.MustParsePrefix("10.9.0.2/32"), netip.MustParseAddr("10.9.0.1"))); err != nil {
		t.Fatal(err)
	}
	server, server6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:2::1")
	gateway, gateway6 := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:1::1")
	if _, err := RouteTo(server); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("without a default route: %v, want ENETUNREACH", err)
	}
	if _, err := RouteTo(server6); err == nil {
		t.Error("without a default route IPv6 is reached")
	}
	all, all6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	for _, r := range []Route{
		{Dst: all, Gateway: gateway, Device: "wan", Metric: 10},
		{Dst: all6, Gateway: gateway6, Device: "wan"},
	} {
		if added, err := AddRoute(r); !added || err != nil {
			t.Fatalf("%+v: %v %v", r, added, err)
		}
		if added, err := AddRoute(r); added || err != nil {
			t.Errorf("%+v a second time: %v %v, want false and no error", r, added, err)
		}
	}

	// What a tunnel does: the server by the uplink, then everything by the tunnel.
	host, err := RouteTo(server)
	if want := (Route{Dst: netip.PrefixFrom(server, 32), Gateway: gateway, Device: "wan"}); err != nil || host != want {
		t.Fatalf("RouteTo is %+v %v, want %+v", host, err, want)
	}
	if mapped, err := RouteTo(netip.AddrFrom16(server.As16())); err != nil || mapped != host {
		t.Errorf("RouteTo(::ffff:192.0.2.1) is %+v %v, want %+v", mapped, err, host)
	}
	host6, err := RouteTo(server6)
	if want := (Route{Dst: netip.PrefixFrom(server6, 128), Gateway: gateway6, Device: "wan"}); err != nil || host6 != want {
		t.Fatalf("RouteTo is %+v %v, want %+v", host6, err, want)
	}
	tunnel := Route{Dst: all, Device: "vpn", Metric: 5}
	for _, r := range []Route{host, host6, tunnel} {
		if added, err := AddRoute(r); !added || err != nil {
			t.Errorf("%+v: %v %v", r, added, err)
		}
		if added, err := AddRoute(r); added || err != nil {
			t.Errorf("%+v a second time: %v %v, want false and no error", r, added, err)
		}
	}
	if r, err := RouteTo(server); err != nil || r != host {
		t.Errorf("the server is reached by %+v %v, want %+v", r, err, host)
	}
	if r, err := RouteTo(netip.MustParseAddr("203.0.113.1")); err != nil || r.Device != "vpn" || r.Gateway.IsValid() {
		t.Errorf("all others are reached by %+v %v, want vpn", r, err)
	}
	_, err = AddRoute(Route{Dst: host.Dst, Device: "vpn"})
	if !errors.Is(err, unix.EEXIST) {
		t.Errorf("the same destination by another way: %v, want EEXIST", err)
	}
	_, err = AddRoute(Route{Dst: netip.MustParsePrefix("203.0.113.0/24"), Gateway: netip.MustParseAddr("203.0.113.9"), Device: "wan"})
	if !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("a gateway that is nowhere: %v, want ENETUNREACH", err)
	}
	for range 2 {
		for _, r := range []Route{tunnel, host, host6} {
			if err := DeleteRoute(r); err != nil {
				t.Error(err)
			}
		}
	}
	if r, err := RouteTo(netip.MustParseAddr("203.0.113.1")); err != nil || r.Device != "wan" {
		t.Errorf("afterwards all are reached by %+v %v, want wan", r, err)
	}
}

// Some providers give an address without a network and a gateway that is on the link all the same.
func TestAGatewayOutsideOfTheNetwork(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "wan")
	if err := errors.Join(SetUp("wan", 0), AddAddress("wan", netip.MustParsePrefix("198.51.100.2/32"), netip.Addr{})); err != nil {
		t.Fatal(err)
	}
	r := Route{Dst: netip.MustParsePrefix("192.0.2.1/32"), Gateway: netip.MustParseAddr("172.31.1.1"), Device: "wan"}
	if added, err := AddRoute(r); !added || err != nil {
		t.Errorf("%+v: %v %v", r, added, err)
	}
	if added, err := AddRoute(r); added || err != nil {
		t.Errorf("%+v a second time: %v %v", r, added, err)
	}
	if got, err := RouteTo(r.Dst.Addr()); err != nil || got != r {
		t.Errorf("RouteTo is %+v %v, want %+v", got, err, r)
	}
	if err := DeleteRoute(r); err != nil {
		t.Error(err)
	}
}

func TestTheMachinesOwnAddressIsLocal(t *testing.T) {
	inNamespace(t)
	if err := SetUp("lo", 0); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"127.0.0.1", "::1"} {
		if r, err := RouteTo(netip.MustParseAddr(a)); err != nil || !r.Local || r.Device != "lo" {
			t.Errorf("RouteTo(%s) is %+v %v, want a local one by lo", a, r, err)
		}
	}
}

func TestTheKernelsWordsAreShown(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "tun0")
	err := SetUp("tun0", 1<<20)
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "mtu") {
		t.Errorf("an mtu that cannot be: %v", err)
	}
}
