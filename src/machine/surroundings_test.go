package machine

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sstp/src/config"
	"sstp/src/hostnet"
)

func TestNameServersOfOthersCount(t *testing.T) {
	const auto = "# Interface wan\nnameserver 9.9.9.9\nsearch example.org\n# Interface vpn\nnameserver 10.99.0.53\n" +
		"# Interface vpn_6\nnameserver 2001:db8::53\n# Interface wan6\nnameserver 2001:db8:1::53\nnameserver fe80::1%eth1\nnameserver nonsense\n"
	want := []string{"9.9.9.9", "2001:db8:1::53", "fe80::1%eth1"}
	var got []string
	for _, a := range nameServers(auto, "vpn") {
		got = append(got, a.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTheSurroundingsAreThoseOfTheKernel(t *testing.T) {
	inNamespace(t)
	tunnel := &config.Tunnel{Name: "vpn"}
	for _, name := range []string{"wan", "ppp", tunnel.Device()} {
		d, err := OpenDevice(tunnel)(name, 1400)
		if err != nil {
			t.Skipf("needs /dev/net/tun: %v", err)
		}
		defer d.Close()
	}
	file := filepath.Join(t.TempDir(), "resolv.conf")
	before := resolverFiles
	resolverFiles = []string{file, file + ".none"}
	defer func() { resolverFiles = before }()
	none, ours := netip.Addr{}, netip.MustParseAddr("10.99.0.1")
	if err := errors.Join(hostnet.SetUp("wan", 0), hostnet.SetUp("ppp", 0), hostnet.SetUp(tunnel.Device(), 0),
		hostnet.AddAddress("wan", netip.MustParsePrefix("198.51.100.2/24"), none),
		hostnet.AddAddress("ppp", netip.MustParsePrefix("100.64.0.9/32"), netip.MustParseAddr("100.64.0.1")),
		hostnet.AddAddress(tunnel.Device(), netip.MustParsePrefix("10.99.0.2/32"), ours),
		os.WriteFile(file, []byte("nameserver 9.9.9.9\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, r := range []hostnet.Route{
		{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("198.51.100.1"), Device: "wan"},
		{Dst: netip.MustParsePrefix("192.0.2.1/32"), Gateway: netip.MustParseAddr("172.31.1.1"), Device: "ppp", Table: 300},
		{Dst: netip.MustParsePrefix("203.0.113.0/24"), Gateway: ours, Device: tunnel.Device()},
	} {
		if _, err := hostnet.AddRoute(r); err != nil {
			t.Fatal(err)
		}
	}
	around, err := Surroundings(tunnel)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range around.Subnets {
		got = append(got, s.Device+" "+s.Own.String()+" "+s.Prefix.String())
	}
	for _, g := range around.Gateways {
		got = append(got, g.Device+" gateway "+g.Addr.String())
	}
	for _, a := range around.NameServers {
		got = append(got, "name server "+a.String())
	}
	slices.Sort(got)
	want := []string{"name server 9.9.9.9", "ppp 100.64.0.9 100.64.0.1/32", "ppp gateway 172.31.1.1",
		"wan 198.51.100.2 198.51.100.0/24", "wan gateway 198.51.100.1"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
