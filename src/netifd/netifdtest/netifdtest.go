// Package netifdtest is a netifd for tests: the part of it that a protocol's program speaks to, behaving as netifd of
// OpenWrt 25.12 was seen to. It takes a link-up as netifd does: what it cannot read it leaves out, and says that all is
// well. It configures no machine. UCI, which rpcd serves on a router, is in it too.
package netifdtest

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
	"sstp/src/ubus/ubustest"
)

// Netifd is a fake netifd on a fake bus.
type Netifd struct {
	Bus    *ubustest.Server
	Kernel *Kernel

	client *ubus.Client
	mu     sync.Mutex
	ifaces []*Iface
	config map[string][]blobmsg.Fields            // UCI: sections by package, with .name and .type
	staged map[string]map[string][]blobmsg.Fields // what sessions have changed and not saved, by session and package

	// What happens in the tests' world. All may be changed under Change.
	Devices   map[string]bool        // network devices that exist
	Protocols []string               // with a handler
	Refuse    map[string]ubus.Status // answers by method, or by method of uci and package, in place of what would happen
	Spoil     func(link blobmsg.Fields) blobmsg.Fields
	Lies      int      // so many link-ups are said to be up with all addresses while the kernel's device stays down
	Calls     []string // methods called, with "notify_proto" followed by its action
	Committed int      // of UCI
	Reloads   int      // of the network
}

// Iface is an interface, as its status shows it.
type Iface struct {
	Name, Proto, Device string
	Up, Pending         bool
	TearingDown         bool
	NoAutostart         bool
	Dynamic             bool
	Parent              string // of an alias
	Based               bool   // it shows its device: its protocol needs one
	Metric              int64
	Table               int64            // of option ip4table
	Addresses           []blobmsg.Fields // IPv4, as in a status
	Addresses6          []blobmsg.Fields
	Routes              []blobmsg.Fields
	Inactive            []blobmsg.Fields // routes that an option of the user keeps from being installed
	DNS                 []string
	InactiveDNS         []string // name servers that option peerdns keeps from everybody
	Data                blobmsg.Fields
	Errors              []blobmsg.Fields
	Options             blobmsg.Fields // of add_dynamic
	Ups                 int            // link-ups that were taken
}

// Start runs a netifd on a bus of its own until the test ends. It has an interface vpn of protocol sstp that is being set up.
func Start(t testing.TB) *Netifd {
	n := &Netifd{
		Bus: ubustest.New(), Kernel: newKernel(), Devices: map[string]bool{}, Protocols: []string{"static", "dhcp", "dhcpv6", "sstp"},
		Refuse: map[string]ubus.Status{}, config: map[string][]blobmsg.Fields{}, staged: map[string]map[string][]blobmsg.Fields{},
		ifaces: []*Iface{{Name: "vpn", Proto: "sstp", Pending: true}},
	}
	n.client = ubus.New(ubus.Options{Dial: n.Bus.Dial})
	for _, o := range n.objects() {
		n.client.Publish(o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.client.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		n.Bus.Close()
	})
	return n
}

// Client returns a client of the bus that runs until the test ends, once netifd can be called by it.
func (n *Netifd) Client(t testing.TB) *ubus.Client {
	c := ubus.New(ubus.Options{Dial: n.Bus.Dial})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	n.WaitReady(t, c)
	return c
}

// WaitReady waits until netifd can be called.
func (n *Netifd) WaitReady(t testing.TB, c *ubus.Client) {
	for range 500 {
		if _, err := c.Call(t.Context(), "uci", "ready", nil); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the fake netifd does not answer")
}

// Uplink returns an interface with one address and a default route.
func Uplink(name, device, address, gateway string, metric int64) *Iface {
	a := netip.MustParsePrefix(address)
	return &Iface{
		Name: name, Proto: "dhcp", Device: device, Up: true, Based: true, Metric: metric,
		Addresses: []blobmsg.Fields{{blobmsg.F("address", blobmsg.String(a.Addr().String())), blobmsg.F("mask", blobmsg.Int(int64(a.Bits())))}},
		Routes:    []blobmsg.Fields{Route("0.0.0.0/0", gateway)},
	}
}

// Route returns a route as a status shows it.
func Route(to, gateway string) blobmsg.Fields {
	p := netip.MustParsePrefix(to)
	any := "0.0.0.0"
	if p.Addr().Is6() {
		any = "::"
	}
	if gateway == "" {
		gateway = any
	}
	return blobmsg.Fields{
		blobmsg.F("target", blobmsg.String(p.Addr().String())), blobmsg.F("mask", blobmsg.Int(int64(p.Bits()))),
		blobmsg.F("nexthop", blobmsg.String(gateway)), blobmsg.F("source", blobmsg.String(any+"/0")),
	}
}

// Change changes the world under netifd's lock.
func (n *Netifd) Change(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// Set adds an interface, or replaces the one of that name, and tells the bus of it.
func (n *Netifd) Set(i *Iface) {
	n.mu.Lock()
	at := slices.IndexFunc(n.ifaces, func(other *Iface) bool { return other.Name == i.Name })
	if at < 0 {
		n.ifaces = append(n.ifaces, i)
	} else {
		n.ifaces[at] = i
	}
	n.Kernel.configure(i, false)
	n.mu.Unlock()
	n.tell(i.Name, i.Up)
}

// Remove takes an interface away.
func (n *Netifd) Remove(name string) {
	n.mu.Lock()
	n.ifaces = slices.DeleteFunc(n.ifaces, func(i *Iface) bool { return i.Name == name })
	n.Kernel.configure(&Iface{Name: name}, false)
	n.mu.Unlock()
	n.tell(name, false)
}

// Down takes an interface down, as ifdown does.
func (n *Netifd) Down(name string) {
	n.mu.Lock()
	if i := n.find(name); i != nil {
		i.Up, i.Pending, i.NoAutostart = false, false, true
		n.Kernel.configure(i, false)
	}
	n.mu.Unlock()
	n.tell(name, false)
}

// Iface returns a copy of an interface, nil where there is none.
func (n *Netifd) Iface(name string) *Iface {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.find(name)
	if i == nil {
		return nil
	}
	c := *i
	return &c
}

func (n *Netifd) find(name string) *Iface {
	for _, i := range n.ifaces {
		if i.Name == name {
			return i
		}
	}
	return nil
}

// tell sends the event and the notification that netifd sends when an interface goes up or down.
func (n *Netifd) tell(name string, up bool) {
	action, kind := "ifdown", "interface.down"
	if up {
		action, kind = "ifup", "interface.update"
	}
	data := blobmsg.Fields{blobmsg.F("action", blobmsg.String(action)), blobmsg.F("interface", blobmsg.String(name))}
	n.client.Send(context.Background(), "network.interface", data)
	n.client.Notify("network.interface", kind, blobmsg.Fields{blobmsg.F("interface", blobmsg.String(name))})
}

// CallsOf returns how often a method was called.
func (n *Netifd) CallsOf(method string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, c := range n.Calls {
		if c == method {
			count++
		}
	}
	return count
}
