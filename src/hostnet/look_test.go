package hostnet

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"sstp/src/reach"
)

// replaceAddress gives a device another address with the same peer as netifd does: the new one is added first.
func replaceAddress(t *testing.T, device, old, next string, peer netip.Addr) {
	t.Helper()
	if err := errors.Join(AddAddress(device, netip.MustParsePrefix(next), peer), DeleteAddress(device, netip.MustParsePrefix(old), peer)); err != nil {
		t.Fatal(err)
	}
}

func TestADeviceKeepsItsNewAddressWhenTheOldOneWithTheSamePeerGoes(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "tun0")
	peer, old, next := netip.MustParseAddr("10.99.0.1"), "10.99.0.2/32", "10.99.0.3/32"
	everything := Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: peer, Device: "tun0"}
	if err := errors.Join(os.WriteFile("/proc/sys/net/ipv4/conf/tun0/promote_secondaries", []byte("0"), 0), // as on OpenWrt
		SetUp("tun0", 1400), AddAddress("tun0", netip.MustParsePrefix(old), peer)); err != nil {
		t.Fatal(err)
	}
	replaceAddress(t, "tun0", old, next, peer)
	if list, err := Addresses("tun0", false); err != nil || len(list) != 0 {
		t.Fatalf("addresses %v %v: this kernel does not do what the setting cures", list, err)
	}

	if err := errors.Join(PromoteSecondaries("tun0"), AddAddress("tun0", netip.MustParsePrefix(old), peer)); err != nil {
		t.Fatal(err)
	}
	if _, err := AddRoute(everything); err != nil {
		t.Fatal(err)
	}
	replaceAddress(t, "tun0", old, next, peer)
	list, err := Addresses("tun0", false)
	if want := (Address{"tun0", netip.MustParsePrefix(next), peer}); err != nil || !slices.Equal(list, []Address{want}) {
		t.Errorf("addresses %v %v, want %v", list, err, want)
	}
	for _, to := range []string{"203.0.113.1", "10.99.0.1"} {
		if r, err := FindWay(reach.Query{To: netip.MustParseAddr(to)}); err != nil || r.Device != "tun0" {
			t.Errorf("the way to %s is %+v %v, want by tun0", to, r, err)
		}
	}
}

func TestSettingsAreOfDevicesOnly(t *testing.T) {
	for _, name := range []string{"", "..", "../all", "a/b"} {
		if err := PromoteSecondaries(name); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%q: %v, want EINVAL", name, err)
		}
	}
	if err := PromoteSecondaries("no-such-device"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the device: %v", err)
	}
}

func TestAddressesAndStateOfDevices(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "tun0")
	tunDevice(t, "tun1")
	if up, err := IsUp("tun0"); up || err != nil {
		t.Errorf("a new device is up: %v %v", up, err)
	}
	if _, err := IsUp("nowhere"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("no device: %v, want ENODEV", err)
	}
	v4, peer, v6 := netip.MustParsePrefix("10.9.0.2/24"), netip.MustParseAddr("10.8.0.1"), netip.MustParsePrefix("2001:db8::2/64")
	if err := errors.Join(DisableAutoLinkLocal("tun0"), DisableAutoLinkLocal("tun1"), SetUp("tun0", 0), SetUp("tun1", 0),
		AddAddress("tun0", v4, netip.Addr{}), AddAddress("tun1", netip.MustParsePrefix("10.8.0.2/32"), peer), AddAddress("tun1", v6, netip.Addr{})); err != nil {
		t.Fatal(err)
	}
	if up, err := IsUp("tun0"); !up || err != nil {
		t.Errorf("after SetUp: %v %v", up, err)
	}
	for _, c := range []struct {
		device string
		v6     bool
		want   []Address
	}{
		{"tun0", false, []Address{{"tun0", v4, netip.Addr{}}}},
		{"tun0", true, nil},
		{"tun1", false, []Address{{"tun1", netip.MustParsePrefix("10.8.0.2/32"), peer}}},
		{"", true, []Address{{"tun1", v6, netip.Addr{}}}},
		{"", false, []Address{{"tun0", v4, netip.Addr{}}, {"tun1", netip.MustParsePrefix("10.8.0.2/32"), peer}}},
	} {
		if got, err := Addresses(c.device, c.v6); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("addresses of %q: %v %v, want %v", c.device, got, err, c.want)
		}
	}
	if _, err := Addresses("nowhere", false); !errors.Is(err, unix.ENODEV) {
		t.Errorf("no device: %v, want ENODEV", err)
	}
}

func TestTheWayShowsTheRouteThatApplies(t *testing.T) {
	inNamespace(t)
	for _, name := range []string{"wan", "lan", "vpn"} {
		tunDevice(t, name)
		if err := errors.Join(DisableAutoLinkLocal(name), SetUp(name, 0)); err != nil {
			t.Fatal(err)
		}
	}
	none, gateway := netip.Addr{}, netip.MustParseAddr("198.51.100.1")
	if err := errors.Join(SetUp("lo", 0), AddAddress("wan", netip.MustParsePrefix("198.51.100.2/24"), none),
		AddAddress("lan", netip.MustParsePrefix("192.168.1.1/24"), none),
		AddAddress("vpn", netip.MustParsePrefix("10.9.0.2/32"), netip.MustParseAddr("10.9.0.1")),
		AddAddress("wan", netip.MustParsePrefix("2001:db8::2/64"), none)); err != nil {
		t.Fatal(err)
	}
	everything, half := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("0.0.0.0/1")
	byWAN := Route{Dst: everything, Gateway: gateway, Device: "wan", Metric: 10, Table: unix.RT_TABLE_MAIN}
	byVPN := Route{Dst: half, Device: "vpn", Metric: 1, Table: unix.RT_TABLE_MAIN}
	elsewhere := Route{Dst: netip.MustParsePrefix("100.64.0.0/10"), Device: "vpn", Table: 1000}
	v6 := Route{Dst: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("2001:db8::1"), Device: "wan", Metric: 1024, Table: unix.RT_TABLE_MAIN}
	low, high := netip.MustParseAddr("23.0.0.1"), netip.MustParseAddr("203.0.113.9")
	if r, err := FindWay(reach.Query{To: low}); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("without a route: %+v %v, want ENETUNREACH", r, err)
	}
	for _, r := range []Route{byWAN, byVPN, elsewhere, v6} {
		if added, err := AddRoute(r); !added || err != nil {
			t.Fatalf("%+v: %v %v", r, added, err)
		}
		if added, err := AddRoute(r); added || err != nil {
			t.Errorf("%+v a second time: %v %v", r, added, err)
		}
	}
	forwarding := func(on string) {
		t.Helper()
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/forwarding", []byte(on), 0); err != nil {
			t.Fatal(err)
		}
	}
	forwarding("1")
	host := netip.MustParseAddr("192.168.1.7")
	for what, c := range map[string]struct {
		q    reach.Query
		want Route
	}{
		"the lower half":             {reach.Query{To: low}, byVPN},
		"the upper half":             {reach.Query{To: high}, byWAN},
		"a bound socket":             {reach.Query{To: low, Device: "wan"}, byWAN},
		"a mapped address":           {reach.Query{To: netip.AddrFrom16(low.As16())}, byVPN},
		"forwarded packets":          {reach.Query{To: low, From: host, In: "lan"}, byVPN},
		"forwarded packets, the WAN": {reach.Query{To: high, From: host, In: "lan"}, byWAN},
		"IPv6":                       {reach.Query{To: netip.MustParseAddr("2600::1")}, v6},
	} {
		if r, err := FindWay(c.q); err != nil || r != c.want {
			t.Errorf("%s: %+v %v, want %+v", what, r, err, c.want)
		}
	}
	if r, err := FindWay(reach.Query{To: netip.MustParseAddr("10.9.0.2")}); err != nil || !r.Local {
		t.Errorf("our own address: %+v %v, want Local", r, err)
	}
	forwarding("0")
	if r, err := FindWay(reach.Query{To: low, From: host, In: "lan"}); !errors.Is(err, unix.EHOSTUNREACH) {
		t.Errorf("a machine that forwards nothing: %+v %v, want EHOSTUNREACH", r, err)
	}

	byVPN.Dst, byVPN.Metric = everything, byWAN.Metric
	if err := ReplaceRoute(byVPN); err != nil {
		t.Fatal(err)
	}
	if r, err := FindWay(reach.Query{To: high}); err != nil || r != byVPN {
		t.Errorf("after the default route was replaced: %+v %v, want %+v", r, err, byVPN)
	}
	if err := errors.Join(DeleteRoute(byVPN), DeleteRoute(elsewhere), DeleteRoute(elsewhere)); err != nil {
		t.Error(err)
	}
	if r, err := FindWay(reach.Query{To: high}); err == nil {
		t.Errorf("the WAN's default route was to be gone: %+v", r)
	}
}
