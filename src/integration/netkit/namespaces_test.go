//go:build namespaces

package netkit

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestTwoNamespacesOnACable(t *testing.T) {
	n, err := New("kit")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	left, err := n.Namespace("left")
	must(err)
	right, err := n.Namespace("right")
	must(err)
	must(left.Hosts("192.0.2.1 right.test\n"))
	must(Join(End{left, "cable", []string{"192.0.2.2/24", "2001:db8::2/64"}}, End{right, "cable0", []string{"192.0.2.1/24", "2001:db8::1/64"}}))
	must(right.ServeTransfers("[2001:db8::1]:5000"))
	for _, d := range Directions {
		_, err := left.Transfer("[2001:db8::1]:5000", d, 1<<20, 10*time.Second)
		must(err)
	}
	p, err := left.Ping(netip.MustParseAddr("192.0.2.1"), time.Millisecond)
	must(err)
	lost, err := left.Ping(netip.MustParseAddr("192.0.2.9"), time.Millisecond)
	must(err)
	must(Eventually(10*time.Second, func() error {
		if _, answered := p.Count(); answered < 20 {
			time.Sleep(time.Millisecond)
			return errors.New("too few answers")
		}
		return nil
	}))
	p.Stop()
	lost.Stop()
	if _, answered := lost.Count(); answered != 0 || p.Silence() == 0 {
		t.Errorf("%d answers from an address that nobody has, %v of silence", answered, p.Silence())
	}
	out, err := left.Run("ping", "-c", "1", "-W", "2", "right.test")
	must(err)
	if !strings.Contains(out, "192.0.2.1") {
		t.Errorf("ping printed %s", out)
	}
	devices, err := left.Run("ls", "/sys/class/net")
	must(err)
	if devices != "cable\nlo\n" {
		t.Errorf("/sys shows the devices %q", devices)
	}
}
