package hostnet

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMasqueradedConnectionsAreForgottenWithTheirAddress(t *testing.T) {
	inNamespace(t)
	tunDevice(t, "tun0")
	peer, old, next := netip.MustParseAddr("10.99.0.1"), netip.MustParsePrefix("10.99.0.2/32"), netip.MustParsePrefix("10.99.0.3/32")
	if err := errors.Join(PromoteSecondaries("tun0"), SetUp("tun0", 1400), AddAddress("tun0", old, peer)); err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"add table inet t", "add chain inet t c { type nat hook postrouting priority 100; }", "add rule inet t c oifname tun0 masquerade"} {
		if out, err := exec.Command("nft", rule).CombinedOutput(); err != nil {
			t.Skipf("needs nft and masquerading: %s %v", out, err)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, []byte("hello"), 0, &unix.SockaddrInet4{Port: 9, Addr: peer.As4()}); err != nil {
		t.Fatal(err)
	}
	known := func() bool {
		list, err := os.ReadFile("/proc/thread-self/net/nf_conntrack")
		if err != nil {
			t.Skip(err)
		}
		return strings.Contains(string(list), "dst="+old.Addr().String()+" ")
	}
	if !known() {
		t.Skip("the kernel tracks no connections")
	}
	replaceAddress(t, "tun0", old.String(), next.String(), peer)
	if err := ForgetAddress("tun0", old.Addr()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); known(); time.Sleep(time.Millisecond) { // the kernel does it a little later
		if time.Now().After(deadline) {
			t.Fatal("the connection is still masqueraded behind the old address")
		}
	}
	if list, err := Addresses("tun0", false); err != nil || len(list) != 1 || list[0].Prefix != next {
		t.Errorf("addresses %v %v, want %v", list, err, next)
	}
}
