package machine

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/reach"
	"sstp/src/session"
)

// hostBed is a machine of its own with an uplink and a tunnel that is up.
type hostBed struct {
	*testing.T
	tunnel  *config.Tunnel
	network *Network
	link    session.Link
}

func newHostBed(t *testing.T, tunnel *config.Tunnel) *hostBed {
	t.Helper()
	inNamespace(t)
	open := func(name string) session.Device {
		d, err := OpenDevice(tunnel)(name, 1400)
		if err != nil {
			t.Skipf("needs /dev/net/tun: %v", err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	open("wan")
	open(tunnel.Device())
	b := &hostBed{t, tunnel, &Network{tunnel: tunnel, logf: noLog}, session.Link{
		Device: tunnel.Device(), MTU: 1400, Local: netip.MustParseAddr("10.99.0.2"), Peer: netip.MustParseAddr("10.99.0.1"),
		Local6: netip.MustParseAddr("fe80::2"),
	}}
	b.must(hostnet.SetUp("lo", 0), hostnet.SetUp("wan", 0), hostnet.AddAddress("wan", netip.MustParsePrefix("198.51.100.2/24"), netip.Addr{}))
	b.route(hostnet.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("198.51.100.1"), Device: "wan", Metric: 100})
	b.must(b.network.Up(t.Context(), b.link))
	before := hostResolvers
	hostResolvers = []string{filepath.Join(t.TempDir(), "resolv.conf")}
	t.Cleanup(func() { hostResolvers = before })
	b.nameServers("nameserver 9.9.9.9\n")
	return b
}

func (b *hostBed) must(errs ...error) {
	b.Helper()
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
}

func (b *hostBed) route(r hostnet.Route) {
	b.Helper()
	_, err := hostnet.AddRoute(r)
	b.must(err)
}

func (b *hostBed) nameServers(text string) {
	b.must(os.WriteFile(hostResolvers[0], []byte(text), 0o600))
}

// want checks the findings' keys and that what was repaired is named.
func (b *hostBed) want(why, keys string, repaired ...string) (r session.Reach) {
	b.Helper()
	r, err := b.network.Check(b.Context(), b.link)
	b.must(err)
	if got := r.Internet.Key + " " + r.IPv6.Key + " " + r.Names.Key; got != keys || r.Checked.IsZero() {
		b.Errorf("%s: %s, want %s (%+v)", why, got, keys, r)
	}
	if len(r.Repaired) != len(repaired) || !slices.EqualFunc(r.Repaired, repaired, strings.Contains) {
		b.Errorf("%s: repaired %q, want %q", why, r.Repaired, repaired)
	}
	return r
}

// wayOut is the device by which everything leaves.
func (b *hostBed) wayOut() string {
	b.Helper()
	way, err := hostnet.FindWay(reach.Query{To: netip.MustParseAddr("192.0.2.1")})
	b.must(err)
	return way.Device
}

const allWell = "reach_tunnel reach6_none names_own"

func TestWhatGoesMissingInTheKernelIsPutBack(t *testing.T) {
	b := newHostBed(t, &config.Tunnel{Name: "vpn", DefaultRoute: true})
	b.want("nothing is wrong", allWell)
	half := hostnet.Route{Dst: netip.MustParsePrefix("0.0.0.0/1"), Device: b.link.Device}
	b.must(hostnet.DeleteRoute(half))
	b.want("a route is gone", allWell, "the route to 0.0.0.0/1")
	b.must(hostnet.DeleteAddress(b.link.Device, netip.PrefixFrom(b.link.Local, 32), b.link.Peer))
	b.want("the address is gone, and all routes with the last one", allWell, "the address 10.99.0.2", "0.0.0.0/1", "128.0.0.0/1")
	b.must(setDown(b.link.Device))
	if got := b.wayOut(); got != "wan" {
		t.Fatalf("with the device down the way out is %s: the test is worth nothing", got)
	}
	b.want("the device is down", allWell, "sstp-vpn was down", "the address fe80::2", "0.0.0.0/1", "128.0.0.0/1")
	if got := b.wayOut(); got != b.link.Device {
		t.Errorf("the way out is %s", got)
	}
	b.want("all is repaired", allWell)
}

func setDown(device string) error {
	ifr, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr.SetUint16(0)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

func TestWhatCannotBeRepairedIsAWarning(t *testing.T) {
	b := newHostBed(t, &config.Tunnel{Name: "vpn", DefaultRoute: true})
	for _, quarter := range []string{"0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"} {
		b.route(hostnet.Route{Dst: netip.MustParsePrefix(quarter), Gateway: netip.MustParseAddr("198.51.100.9"), Device: "wan"})
	}
	r := b.want("another VPN takes everything", "reach_other reach6_none names_uplink")
	if r.Internet.OK || r.Names.OK || !strings.Contains(r.Internet.Text, "wan") {
		t.Errorf("%+v", r)
	}
}

func TestTheUsersMetricIsAWarning(t *testing.T) {
	b := newHostBed(t, &config.Tunnel{Name: "vpn", DefaultRoute: true, Metric: 200})
	if r := b.want("the uplink's metric is smaller", "reach_other reach6_none names_uplink"); r.Internet.OK {
		t.Errorf("%+v", r.Internet)
	}
}

func TestNothingIsToGoThroughTheTunnel(t *testing.T) {
	b := newHostBed(t, &config.Tunnel{Name: "vpn"})
	if r := b.want("defaultroute 0", "reach_other_wanted reach6_none names_uplink"); !r.Internet.OK || !r.Names.OK {
		t.Errorf("%+v", r)
	}
}

func TestFindingsWithoutNetifdAreHonest(t *testing.T) {
	b := newHostBed(t, &config.Tunnel{Name: "vpn", DefaultRoute: true})
	b.nameServers("nameserver 198.51.100.1\n")
	b.want("the name server is in the uplink's network", "reach_tunnel reach6_none names_uplink")
	b.nameServers("")
	b.want("there is none", "reach_tunnel reach6_none names_none")
	b.nameServers("nameserver 9.9.9.9\n")
	b.must(hostnet.AddAddress("wan", netip.MustParsePrefix("2001:db8::2/64"), netip.Addr{}))
	b.route(hostnet.Route{Dst: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fe80::1"), Device: "wan"})
	if r := b.want("IPv6 leaves by the uplink", "reach_tunnel reach6_other names_own"); r.IPv6.OK {
		t.Errorf("%+v", r.IPv6)
	}
	b.link.Refusing = true
	b.want("the call is lost and held for ever", "reach_refused reach6_other names_own")
}

func TestADeviceThatIsGoneEndsTheCall(t *testing.T) {
	b := newHostBed(t, &config.Tunnel{Name: "vpn", DefaultRoute: true})
	b.link.Device = "sstp-gone"
	_, err := b.network.Check(t.Context(), b.link)
	if f := fault.Of(err, "", ""); f == nil || f.Code != fault.TUNFailed || !strings.Contains(f.Message, "sstp-gone") {
		t.Errorf("%v, want TUN_FAILED", err)
	}
}
