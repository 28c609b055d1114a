package netifd

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"sstp/src/blobmsg"
	"sstp/src/reach"
)

// dumpOf reads what netifd 25.12 answers to dump.
func dumpOf(t *testing.T, text string) blobmsg.Fields {
	t.Helper()
	v, err := blobmsg.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.Fields()
}

func TestTheDefaultRoutesOfOthersAreFound(t *testing.T) {
	i := New(nil, "vpn", Options{Device: "sstp-vpn"})
	got := i.defaultRoutes(dumpOf(t, `{"interface":[
		{"interface":"lan","up":true,"l3_device":"br-lan","metric":0,"route":[]},
		{"interface":"wan","up":true,"l3_device":"eth1","metric":7,"route":[
			{"target":"0.0.0.0","mask":0,"nexthop":"203.0.113.1","source":"203.0.113.2/32"},
			{"target":"::","mask":0,"nexthop":"fe80::1","source":"::/0"},
			{"target":"0.0.0.0","mask":0,"nexthop":"203.0.113.9","table":100},
			{"target":"0.0.0.0","mask":0,"type":"unreachable"},
			{"target":"198.51.100.0","mask":24,"nexthop":"203.0.113.1"}]},
		{"interface":"lte","up":true,"l3_device":"wwan0","metric":7,"route":[{"target":"0.0.0.0","mask":0,"nexthop":"0.0.0.0","metric":20,"source":"0.0.0.0/0"}]},
		{"interface":"old","up":false,"l3_device":"eth2","route":[{"target":"0.0.0.0","mask":0,"nexthop":"192.0.2.1"}]},
		{"interface":"vpn","up":true,"l3_device":"sstp-vpn","route":[{"target":"0.0.0.0","mask":0,"nexthop":"10.99.0.1"}]},
		{"interface":"over","up":true,"l3_device":"sstp-vpn","route":[{"target":"0.0.0.0","mask":0,"nexthop":"10.99.0.1"}]},
		{"interface":"apart","up":true,"l3_device":"eth4","ip4table":100,"route":[{"target":"0.0.0.0","mask":0,"nexthop":"192.0.2.1"}]},
		{"interface":"odd","up":true,"l3_device":"eth3","route":[{"target":"nowhere","mask":0},{"target":"0.0.0.0"},{}]}]}`))
	want := []reach.Route{
		{Dst: everything, Device: "eth1", Gateway: netip.MustParseAddr("203.0.113.1"), Metric: 7, Source: netip.MustParseAddr("203.0.113.2")},
		{Dst: everything, Device: "wwan0", Metric: 20},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEachRouteIsLaidAndAPlaceThatIsTakenIsNoTrouble(t *testing.T) {
	bus := &fixedBus{reply: dumpOf(t, `{"interface":[
		{"interface":"wan","up":true,"l3_device":"eth1","route":[{"target":"0.0.0.0","mask":0,"nexthop":"203.0.113.1"}]},
		{"interface":"lte","up":true,"l3_device":"wwan0","route":[{"target":"0.0.0.0","mask":0,"nexthop":"192.0.2.1"}]}]}`)}
	k := &layingKernel{lay: func(r reach.Route) (bool, error) {
		return r.Device == "wwan0", map[string]error{"eth1": unix.ENETUNREACH}[r.Device]
	}}
	New(bus, "vpn", Options{Kernel: k}).MendRoutes(t.Context())
	if !slices.Equal(k.tried, []string{"eth1", "wwan0"}) {
		t.Errorf("tried %v", k.tried)
	}
	bus.err = errors.New("no netifd")
	New(bus, "vpn", Options{Kernel: k}).MendRoutes(t.Context())
	if len(k.tried) != 2 {
		t.Error("a route was laid though netifd did not answer")
	}
	New(bus, "vpn", Options{}).MendRoutes(t.Context()) // nobody to lay routes
}

// layingKernel only takes routes.
type layingKernel struct {
	Kernel
	lay   func(r reach.Route) (bool, error)
	tried []string
}

func (k *layingKernel) AddRoute(r reach.Route) (bool, error) {
	k.tried = append(k.tried, r.Device)
	return k.lay(r)
}

// fixedBus answers each call alike.
type fixedBus struct {
	Bus
	reply blobmsg.Fields
	err   error
}

func (b *fixedBus) Call(context.Context, string, string, blobmsg.Fields) (blobmsg.Fields, error) {
	return b.reply, b.err
}
