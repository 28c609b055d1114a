package machine

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/hostnet"
	"sstp/src/reach"
	"sstp/src/session"
)

// inNamespace moves the test into a network namespace of its own, whose new devices do as OpenWrt's: promote_secondaries
// is 0. The thread ends with the test's goroutine.
func inNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root to make a network namespace: %v", err)
	}
	// qemu-user passes rtnetlink on, but to MIPS not the error numbers, and to big-endian programs not the attributes.
	if _, err := hostnet.RouteTo(netip.MustParseAddr("192.0.2.1")); !errors.Is(err, unix.ENETUNREACH) {
		t.Skipf("needs a kernel of its own architecture: %v", err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/default/promote_secondaries", []byte("0"), 0); err != nil {
		t.Skip(err)
	}
}

func noLog(config.LogLevel, string, ...any) {}

func TestADeviceUnderNetifdKeepsAnAddressWhenItIsGivenANewOne(t *testing.T) {
	inNamespace(t)
	d, err := NetifdDevice(&config.Tunnel{Name: "vpn"}, noLog)("sstp-vpn", 1400)
	if err != nil {
		t.Skipf("needs /dev/net/tun: %v", err)
	}
	defer d.Close()
	peer, old, next := netip.MustParseAddr("10.99.0.1"), netip.MustParsePrefix("10.99.0.2/32"), netip.MustParsePrefix("10.99.0.3/32")
	// As netifd does it: the device is up, the new address is added before the old one is deleted.
	if err := errors.Join(hostnet.SetUp("sstp-vpn", 0), hostnet.AddAddress("sstp-vpn", old, peer),
		hostnet.AddAddress("sstp-vpn", next, peer), hostnet.DeleteAddress("sstp-vpn", old, peer)); err != nil {
		t.Fatal(err)
	}
	wantAddress(t, "sstp-vpn", next.Addr())
}

func TestANewAddressWithoutNetifdLeavesExactlyThat(t *testing.T) {
	inNamespace(t)
	tunnel := &config.Tunnel{Name: "vpn", DefaultRoute: true}
	d, err := OpenDevice(tunnel)(tunnel.Device(), 1400)
	if err != nil {
		t.Skipf("needs /dev/net/tun: %v", err)
	}
	defer d.Close()
	h := &Network{tunnel: tunnel, logf: noLog}
	for _, local := range []string{"10.99.0.2", "10.99.0.3"} {
		l := session.Link{Device: d.Name(), MTU: 1400, Local: netip.MustParseAddr(local), Peer: netip.MustParseAddr("10.99.0.1")}
		if err := h.Up(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		wantAddress(t, d.Name(), l.Local)
	}
	way, err := hostnet.FindWay(reach.Query{To: netip.MustParseAddr("203.0.113.1")})
	if err != nil || way.Device != d.Name() {
		t.Errorf("the way out is %+v %v, want by %s", way, err, d.Name())
	}
}

// wantAddress checks that the kernel has exactly one IPv4 address on a device.
func wantAddress(t *testing.T, device string, want netip.Addr) {
	t.Helper()
	list, err := hostnet.Addresses(device, false)
	if err != nil || len(list) != 1 || list[0].Prefix.Addr() != want {
		t.Errorf("%s has the addresses %v %v, want exactly %v", device, list, err, want)
	}
}

func TestTheChildFollowsTheOptionsThatAreNetifds(t *testing.T) {
	got := ChildFields(config.Values{
		"defaultroute": {"0"}, "peerdns": {"1"}, "delegate": {"maybe"}, "metric": {"7"}, "dns_metric": {"x"}, "ip6table": {"vpn"}, "mtu": {"1400"},
	})
	if text := string(blobmsg.AppendJSON(nil, blobmsg.Tab(got...))); text != `{"defaultroute":false,"peerdns":true,"metric":7,"ip6table":"vpn"}` {
		t.Errorf("%s", text)
	}
}
