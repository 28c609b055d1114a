package hostnet

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	wayServer = netip.MustParseAddr("192.0.2.1")
	wayVictim = netip.MustParseAddr("192.0.2.66")
	allIPv4   = netip.MustParsePrefix("0.0.0.0/0")
)

// twoUplinks makes the namespace of a router with two uplinks and a tunnel that has replaced the default route of the first
// one, as netifd does where both have the same metric. It returns the uplinks' file descriptors.
func twoUplinks(t *testing.T) (wan, wan2 int) {
	t.Helper()
	inNamespace(t)
	inIPv4 := append([]byte{unix.AF_INET}, make([]byte, ruleHeaderLen-1)...)
	if err := dump(unix.RTM_GETRULE, unix.RTM_NEWRULE, inIPv4, func() {}, func([]byte) error { return nil }); err != nil {
		t.Skipf("needs policy routing, and a kernel of its own architecture: qemu-user passes no rules on: %v", err)
	}
	wan, wan2 = tunDevice(t, "wan"), tunDevice(t, "wan2")
	tunDevice(t, "vpn")
	none := netip.Addr{}
	must(t, SetUp("lo", 0), SetUp("wan", 0), SetUp("wan2", 0), SetUp("vpn", 1400),
		AddAddress("wan", netip.MustParsePrefix("198.51.100.2/24"), none),
		AddAddress("wan2", netip.MustParsePrefix("203.0.113.2/24"), none),
		AddAddress("wan", netip.MustParsePrefix("2001:db8:1::2/64"), none),
		AddAddress("vpn", netip.MustParsePrefix("10.9.0.2/32"), netip.MustParseAddr("10.9.0.1")))
	for _, r := range []Route{
		{Dst: allIPv4, Gateway: netip.MustParseAddr("203.0.113.1"), Device: "wan2", Metric: 10},
		{Dst: allIPv4, Gateway: netip.MustParseAddr("10.9.0.1"), Device: "vpn"},
		{Dst: netip.MustParsePrefix("::/0"), Device: "vpn", Metric: 5},
	} {
		if _, err := AddRoute(r); err != nil {
			t.Fatal(err)
		}
	}
	return wan, wan2
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// by returns the way that a socket bound to a device has; "" for one that is not bound.
func by(t *testing.T, to netip.Addr, device string) (gateway netip.Addr, dev string, err error) {
	t.Helper()
	index := 0
	if device != "" {
		if index, err = DeviceIndex(device); err != nil {
			t.Fatal(err)
		}
	}
	found, err := lookup(to, index)
	if err != nil {
		return netip.Addr{}, "", err
	}
	dev, err = deviceName(found.device)
	return found.gateway, dev, err
}

func wantWay(t *testing.T, why string, to netip.Addr, bound, gateway, device string) {
	t.Helper()
	g, d, err := by(t, to, bound)
	want := netip.Addr{}
	if gateway != "" {
		want = netip.MustParseAddr(gateway)
	}
	if err != nil || g != want || d != device {
		t.Errorf("%s: %s bound to %q goes via %v dev %s (%v), want via %v dev %s", why, to, bound, g, d, err, want, device)
	}
}

func TestABoundSocketPassesOverTheTunnelsRoutes(t *testing.T) {
	twoUplinks(t)
	wantWay(t, "an uplink with another metric", wayServer, "wan2", "203.0.113.1", "wan2")
	for _, half := range []string{"0.0.0.0/1", "128.0.0.0/1"} {
		if _, err := AddRoute(Route{Dst: netip.MustParsePrefix(half), Device: "vpn"}); err != nil {
			t.Fatal(err)
		}
	}
	wantWay(t, "the two halves in the tunnel", wayServer, "wan2", "203.0.113.1", "wan2")
	wantWay(t, "not bound", wayServer, "", "", "vpn")

	// What the private way is for.
	wantWay(t, "the tunnel replaced the default route: taken for a neighbour on the link", wayServer, "wan", "", "wan")
}

func TestAWayLeadsOnlyWhatIsBoundToItsDevice(t *testing.T) {
	twoUplinks(t)
	w := NewWays("vpn")
	gateway := netip.MustParseAddr("198.51.100.1")
	release, err := w.Lay(wayServer, "wan", gateway, netip.Addr{})
	must(t, err)
	wantWay(t, "ours", wayServer, "wan", "198.51.100.1", "wan")
	wantWay(t, "everybody else's packets to the server", wayServer, "", "10.9.0.1", "vpn")
	wantWay(t, "the other uplink", wayServer, "wan2", "203.0.113.1", "wan2")
	wantWay(t, "another address", wayVictim, "", "10.9.0.1", "vpn")
	if r, err := RouteTo(wayServer); err != nil || r.Device != "vpn" {
		t.Errorf("%+v %v", r, err)
	}
	other, err := w.Lay(wayServer, "wan2", netip.MustParseAddr("203.0.113.9"), netip.Addr{})
	must(t, err)
	wantWay(t, "two uplinks at once", wayServer, "wan", "198.51.100.1", "wan")
	wantWay(t, "two uplinks at once", wayServer, "wan2", "203.0.113.9", "wan2")
	release()
	release() // a second time is nothing
	wantWay(t, "the second is not the first's", wayServer, "wan2", "203.0.113.9", "wan2")
	other()
	wantNoWays(t)
}

// wantNoWays checks that the kernel has neither a rule nor a route of any tunnel.
func wantNoWays(t *testing.T) {
	t.Helper()
	for _, fam := range []byte{unix.AF_INET, unix.AF_INET6} {
		rule, route := make([]byte, ruleHeaderLen), make([]byte, unix.SizeofRtMsg)
		rule[0], route[0] = fam, fam
		check := func(tableOf func([]byte) (uint32, error)) func(b []byte) error {
			return func(b []byte) error {
				table, err := tableOf(b)
				if table&^wayNumbers == wayTables {
					t.Errorf("left in table %d: %x", table, b)
				}
				return err
			}
		}
		must(t, dump(unix.RTM_GETRULE, unix.RTM_NEWRULE, rule, func() {}, check(ruleTable)),
			dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, route, func() {}, check(entryTable)))
	}
}

func TestTwoConnectionsShareAWayAndTheLastTakesItAlong(t *testing.T) {
	twoUplinks(t)
	w := NewWays("vpn")
	gateway := netip.MustParseAddr("198.51.100.1")
	first, err := w.Lay(wayServer, "wan", gateway, netip.Addr{})
	must(t, err)
	second, err := w.Lay(wayServer, "wan", gateway, netip.Addr{})
	must(t, err)
	third, err := w.Lay(wayVictim, "wan", gateway, netip.Addr{})
	must(t, err)
	third()
	first()
	wantWay(t, "the second still runs", wayServer, "wan", "198.51.100.1", "wan")
	second()
	wantNoWays(t)
}

func TestAWayThatOthersRemovedIsLaidAgain(t *testing.T) {
	twoUplinks(t)
	w := NewWays("vpn")
	release, err := w.Lay(wayServer, "wan", netip.MustParseAddr("198.51.100.1"), netip.Addr{})
	must(t, err, w.Renew(), NewWays("vpn").Clear())
	wantWay(t, "somebody flushed rules and routes", wayServer, "wan", "", "wan")
	must(t, w.Renew())
	wantWay(t, "laid again", wayServer, "wan", "198.51.100.1", "wan")
	release()
	wantNoWays(t)
	must(t, w.Renew())
	wantNoWays(t)
}

func TestWaysOfOtherKinds(t *testing.T) {
	twoUplinks(t)
	tunDevice(t, "ppp")
	tunDevice(t, "bare")
	must(t, SetUp("ppp", 0), AddAddress("ppp", netip.MustParsePrefix("100.64.0.2/32"), netip.MustParseAddr("100.64.0.1")),
		SetUp("bare", 0), AddAddress("bare", netip.MustParsePrefix("100.65.0.2/32"), netip.Addr{}))
	w := NewWays("vpn")
	for _, c := range []struct{ why, server, device, gateway, source string }{
		{"PPPoE: a line to one neighbour", "192.0.2.2", "ppp", "", ""},
		{"PPPoE as netifd has it, with the neighbour as gateway", "192.0.2.3", "ppp", "100.64.0.1", ""},
		{"a gateway outside of the network", "192.0.2.4", "bare", "172.31.1.1", ""},
		{"with an address to speak from", "192.0.2.5", "wan", "198.51.100.1", "198.51.100.2"},
		{"IPv6, a link-local gateway", "2001:db8:2::1", "wan", "fe80::1", ""},
		{"IPv6, the gateway in its network", "2001:db8:2::2", "wan", "2001:db8:1::1", ""},
		{"IPv4 written as IPv6", "::ffff:192.0.2.6", "wan", "198.51.100.1", ""},
	} {
		server := netip.MustParseAddr(c.server)
		var gateway, source netip.Addr
		if c.gateway != "" {
			gateway = netip.MustParseAddr(c.gateway)
		}
		if c.source != "" {
			source = netip.MustParseAddr(c.source)
		}
		release, err := w.Lay(server, c.device, gateway, source)
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		wantWay(t, c.why, server.Unmap(), c.device, c.gateway, c.device)
		if _, device, err := by(t, server.Unmap(), ""); err == nil && device != "vpn" {
			t.Errorf("%s: others are led to %s", c.why, device)
		}
		release()
		wantNoWays(t)
	}
	if _, err := w.Lay(wayServer, "no-such-device", netip.Addr{}, netip.Addr{}); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a device that is gone: %v, want ENODEV", err)
	}
	wantNoWays(t)
}

func TestTheWayAroundTheTunnelIsTheBestOfTheOthers(t *testing.T) {
	twoUplinks(t)
	if r, err := RouteAround(wayServer, "vpn"); err != nil || r.Device != "wan2" || r.Gateway != netip.MustParseAddr("203.0.113.1") {
		t.Errorf("%+v %v, want by wan2", r, err)
	}
	if _, err := AddRoute(Route{Dst: netip.MustParsePrefix("192.0.2.0/24"), Gateway: netip.MustParseAddr("198.51.100.9"), Device: "wan", Metric: 50}); err != nil {
		t.Fatal(err)
	}
	if r, err := RouteAround(wayServer, "vpn"); err != nil || r.Device != "wan" || r.Gateway != netip.MustParseAddr("198.51.100.9") {
		t.Errorf("%+v %v, want by the more specific way, whatever its metric", r, err)
	}
	if _, err := RouteAround(netip.MustParseAddr("2001:db8:2::1"), "vpn"); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("IPv6: %v, want ENETUNREACH: the only way is the tunnel's", err)
	}
}

func TestPacketsThatOthersMarkedDoNotLeadUsAstray(t *testing.T) {
	twoUplinks(t)
	// mwan3: what is marked for another uplink finds no way by ours.
	mwan3 := make([]byte, ruleHeaderLen)
	mwan3[0], mwan3[7] = unix.AF_INET, 7 // FR_ACT_UNREACHABLE
	request := begin(nil, unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_REQUEST|unix.NLM_F_ACK, seq, mwan3)
	must(t, exchange(appendAttr32(request, unix.FRA_PRIORITY, 3001), nil))
	wantWay(t, "without a private way it is taken for a neighbour", wayServer, "wan2", "", "wan2")
	release, err := NewWays("vpn").Lay(wayServer, "wan2", netip.MustParseAddr("203.0.113.1"), netip.Addr{})
	must(t, err)
	defer release()
	wantWay(t, "before the rules of mwan3", wayServer, "wan2", "203.0.113.1", "wan2")
}

func TestWhatAKilledProcessLeftIsRemovedByTheNext(t *testing.T) {
	twoUplinks(t)
	gateway, gateway6 := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("fe80::1")
	killed, other := NewWays("vpn"), NewWays("vpn2")
	for _, w := range []*Ways{killed, other} {
		_, err := w.Lay(wayServer, "wan", gateway, netip.Addr{})
		_, err6 := w.Lay(netip.MustParseAddr("2001:db8:2::1"), "wan", gateway6, netip.Addr{})
		must(t, err, err6)
	}
	must(t, NewWays("vpn").Clear())
	wantWay(t, "another tunnel's are not ours", wayServer, "wan", "198.51.100.1", "wan")
	must(t, NewWays("vpn2").Clear())
	wantNoWays(t)
}

// connectBy starts to connect a socket that is bound to a device, and reports when it is connected.
func connectBy(t *testing.T, device string) <-chan error {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	must(t, err, unix.BindToDevice(fd, device))
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 443, Addr: wayServer.As4()}); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(p, 1000)
		switch {
		case err == nil && n == 0:
			err = os.ErrDeadlineExceeded
		case err == nil:
			if code, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); code != 0 {
				err = syscall.Errno(code)
			}
		}
		done <- err
	}()
	return done
}

// answerSYN reads packets from an uplink until the SYN to the server comes, and answers it.
func answerSYN(t *testing.T, uplink int) {
	t.Helper()
	end := time.Now().Add(time.Second)
	for buf := make([]byte, 2048); ; {
		p := []unix.PollFd{{Fd: int32(uplink), Events: unix.POLLIN}}
		if n, _ := unix.Poll(p, int(max(0, time.Until(end).Milliseconds()))); n == 0 {
			t.Fatal("no SYN left by the uplink")
		}
		n, err := unix.Read(uplink, buf)
		must(t, err)
		if pkt := buf[:n]; n >= 40 && pkt[0] == 0x45 && pkt[9] == unix.IPPROTO_TCP && netip.AddrFrom4([4]byte(pkt[16:20])) == wayServer {
			_, err := unix.Write(uplink, synAck(pkt))
			must(t, err)
			return
		}
	}
}

// synAck returns the answer to a TCP SYN in IPv4.
func synAck(syn []byte) []byte {
	a := make([]byte, 40)
	copy(a, syn[:20])
	copy(a[12:16], syn[16:20])
	copy(a[16:20], syn[12:16])
	a[2], a[3], a[10], a[11] = 0, 40, 0, 0
	put16(a[10:], ^sum(0, a[:20]))
	tcp := a[20:]
	copy(tcp[0:2], syn[22:24])
	copy(tcp[2:4], syn[20:22])
	seqno := uint32(syn[24])<<24 | uint32(syn[25])<<16 | uint32(syn[26])<<8 | uint32(syn[27])
	seqno++
	tcp[8], tcp[9], tcp[10], tcp[11] = byte(seqno>>24), byte(seqno>>16), byte(seqno>>8), byte(seqno)
	tcp[12], tcp[13] = 5<<4, 0x12
	put16(tcp[14:], 65535)
	put16(tcp[16:], ^sum(uint32(sum(unix.IPPROTO_TCP+20, a[12:20])), tcp))
	return a
}

func put16(b []byte, v uint16) { b[0], b[1] = byte(v>>8), byte(v) }

func sum(start uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		start += uint32(b[0])<<8 | uint32(b[1])
	}
	for start > 0xffff {
		start = start>>16 + start&0xffff
	}
	return uint16(start)
}

func TestAStrictReversePathFilterLetsTheServersAnswersIn(t *testing.T) {
	for _, where := range []string{"wan", "all"} {
		t.Run(where, func(t *testing.T) {
			wan, _ := twoUplinks(t)
			must(t, os.WriteFile("/proc/sys/net/ipv4/conf/"+where+"/rp_filter", []byte("1"), 0))
			w := NewWays("vpn")
			release, err := w.Lay(wayServer, "wan", netip.MustParseAddr("198.51.100.1"), netip.Addr{})
			must(t, err)
			done := connectBy(t, "wan")
			answerSYN(t, wan)
			if err := <-done; err != nil {
				t.Errorf("the answer was dropped: %v", err)
			}
			wantWay(t, "others", wayServer, "", "10.9.0.1", "vpn")
			if r, err := net.InterfaceByName("wan"); err != nil || r.Flags&net.FlagUp == 0 {
				t.Error(err)
			}
			release()
			wantNoWays(t)
		})
	}
}

func TestWithoutAFilterThereIsNoSecondRule(t *testing.T) {
	twoUplinks(t)
	if strictReversePath("wan") {
		t.Skip("this machine's namespaces begin with a strict filter")
	}
	_, err := NewWays("vpn").Lay(wayServer, "wan", netip.MustParseAddr("198.51.100.1"), netip.Addr{})
	must(t, err)
	rules := 0
	inIPv4 := append([]byte{unix.AF_INET}, make([]byte, ruleHeaderLen-1)...)
	must(t, dump(unix.RTM_GETRULE, unix.RTM_NEWRULE, inIPv4, func() { rules = 0 }, func(b []byte) error {
		if table, _ := ruleTable(b); table&^wayNumbers == wayTables {
			rules++
		}
		return nil
	}))
	if rules != 1 {
		t.Errorf("%d rules, want one", rules)
	}
	must(t, NewWays("vpn").Clear())
}
