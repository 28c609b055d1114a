package netifd

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sstp/src/fault"
)

// startLimit is how long a tunnel that has just been started waits for its uplink.
const startLimit = 3 * time.Second

// ways is what is known of the way to the server: of the dial that runs or was the last one, or of the call that it made.
type ways struct {
	used    []usedWay
	told    bool      // that all of them are gone
	waiting string    // a better uplink that must prove to be there to stay
	since   time.Time // when it was first seen
}

// usedWay is the way to one address, as it was when it was chosen.
type usedWay struct {
	server netip.Addr   // invalid: the server's name could not be resolved
	port   *port        // as it was; nil: there was none
	locals []netip.Addr // addresses of the uplink, of the server's family
}

// Dialing tells that a dial begins: what was known of the way to the server no longer counts.
func (i *Interface) Dialing() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ways = ways{}
}

// Connected tells by which address the server was reached.
func (i *Interface) Connected(server netip.Addr) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ways.used = slices.DeleteFunc(i.ways.used, func(u usedWay) bool { return u.server != server.Unmap() })
}

// Uplink returns the name of the interface by which the server is reached or was tried last, "" where there is none.
func (i *Interface) Uplink() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, u := range i.ways.used {
		if u.port != nil {
			return u.port.name
		}
	}
	return ""
}

// uplinkDevice returns the network device by which the server is reached or was tried last, "" where there is none.
func (i *Interface) uplinkDevice() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, u := range i.ways.used {
		if u.port != nil {
			return u.port.device
		}
	}
	return ""
}

func (i *Interface) remember(u usedWay) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ways.used = slices.DeleteFunc(i.ways.used, func(old usedWay) bool { return old.server == u.server })
	i.ways.used = append(i.ways.used, u)
}

// AwaitUplink waits until there is an uplink to host, a name or an address, but not for long: when a router starts, its
// tunnels are often started a moment before its WAN is up, and that is no failure.
func (i *Interface) AwaitUplink(ctx context.Context, host string) {
	addr, _ := netip.ParseAddr(host)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for ctx.Err() == nil {
		i.mu.Lock()
		news := i.news
		i.mu.Unlock()
		if ports, err := i.ports(ctx); err != nil || i.someUplink(ports) != nil || addr.IsValid() && i.choose(ports, addr) != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-news:
		case <-time.After(startLimit / 6):
		}
	}
}

// Prepare chooses the uplink that leads to a server, lays a way there for the tunnel's own socket alone, and returns the
// network device to which the socket is to be bound: the tunnel's default route does not catch what it sends. Host routes of
// netifd (add_host_route) would let everybody's packets to that address pass by the tunnel, and outlive the call. The error
// is a *fault.Error: NO_UPLINK, or NETIFD_REFUSED.
func (i *Interface) Prepare(ctx context.Context, server netip.Addr) (device string, err error) {
	server = server.Unmap()
	w, err := i.wayTo(ctx, server)
	if w == nil {
		if f := fault.Of(err, "", ""); f != nil && f.Code == fault.NoUplink {
			i.remember(usedWay{server: server})
		}
		return "", err
	}
	if err := i.lay(w, server); err != nil {
		i.remember(usedWay{server: server})
		return "", err
	}
	i.remember(usedWay{server, w.port, sameFamily(w.addrs, server)})
	return w.bindTo(server), nil
}

// Device chooses a network device and lays a way as Prepare does, for a connection that is not the tunnel's: it does not
// count as the tunnel's way to its server.
func (i *Interface) Device(ctx context.Context, to netip.Addr) (device string, err error) {
	to = to.Unmap()
	w, err := i.wayTo(ctx, to)
	if err != nil {
		return "", err
	}
	if err := i.lay(w, to); err != nil {
		return "", err
	}
	return w.bindTo(to), nil
}

// bindTo returns the device to which a socket that goes this way is to be bound. For an address of the router itself there
// is none: the answers come by the loopback device.
func (w *way) bindTo(to netip.Addr) (device string) {
	if slices.Contains(w.addrs, to) {
		return ""
	}
	return w.device
}

// wayTo returns the best way to an address over all uplinks.
func (i *Interface) wayTo(ctx context.Context, to netip.Addr) (*way, error) {
	ports, err := i.ports(ctx)
	if err != nil {
		return nil, i.refused("the list of interfaces", err)
	}
	w := i.choose(ports, to)
	if w == nil {
		return nil, i.noUplink(ports, to)
	}
	return w, nil
}

// lay gives sockets that are bound to the way's device a route to an address. One that is on the link has it.
func (i *Interface) lay(w *way, to netip.Addr) error {
	if w.onLink || i.o.LayWay == nil {
		return nil
	}
	if err := i.o.LayWay(to, w.device, w.gateway, w.source); err != nil {
		return fault.New(fault.NoUplink, fault.StageConnect, "The uplink "+w.name+" has just lost its route to "+to.String()+".").Wrap(err)
	}
	return nil
}

// Resolved takes what became of looking up the server's name, and returns the error that people should see: where there is
// no uplink, the name is not what is wrong.
func (i *Interface) Resolved(ctx context.Context, err error) error {
	f := fault.Of(err, "", "")
	if f == nil || f.Code != fault.PeerResolveFail {
		return err
	}
	ports, dumpErr := i.ports(ctx)
	if dumpErr != nil {
		return err
	}
	if i.someUplink(ports) != nil {
		return err
	}
	i.remember(usedWay{})
	return i.noUplink(ports, netip.Addr{}).Wrap(err)
}

// noUplink says why there is no way to a server; the invalid address stands for one whose name cannot be looked up.
func (i *Interface) noUplink(ports []*port, server netip.Addr) *fault.Error {
	to := "a default route"
	if server.IsValid() {
		to = "a route to the server " + server.String()
	}
	link := i.o.Tunlink
	if link == "" {
		return fault.New(fault.NoUplink, fault.StageConnect, "No interface is up that has "+to+".")
	}
	p := find(ports, link)
	message := "The interface " + link + ", which option tunlink names, "
	switch {
	case p == nil:
		return fault.New(fault.NoUplink, fault.StageConnect, message+"does not exist.").
			WithHint("Correct option tunlink, or remove it.")
	case !p.up:
		message += "is down."
	case !i.connected(p):
		message += "is not connected."
	case !i.candidate(p):
		message += "belongs to this tunnel itself."
	default:
		message += "does not have " + to + "."
	}
	return fault.New(fault.NoUplink, fault.StageConnect, message)
}

func find(ports []*port, name string) *port {
	for _, p := range ports {
		if p.name == name {
			return p
		}
	}
	return nil
}

func sameFamily(addrs []netip.Addr, server netip.Addr) []netip.Addr {
	var same []netip.Addr
	for _, a := range addrs {
		if a.Is4() == server.Is4() && !a.IsLinkLocalUnicast() {
			same = append(same, a)
		}
	}
	return same
}
