package netifd

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sstp/src/fault"
	"sstp/src/ubus"
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

// Prepare chooses the uplink that leads to a server, makes netifd lay a route to the server there, so that the tunnel's own
// default route does not catch the tunnel's packets, and returns the network device to which the socket is to be bound.
// netifd keeps that route until the uplink goes down. The error is a *fault.Error: NO_UPLINK, or NETIFD_REFUSED.
func (i *Interface) Prepare(ctx context.Context, server netip.Addr) (device string, err error) {
	server = server.Unmap()
	ports, err := i.ports(ctx)
	if err != nil {
		return "", i.refused("the list of interfaces", err)
	}
	w := i.choose(ports, server)
	if w == nil {
		i.remember(usedWay{server: server})
		return "", i.noUplink(ports, server)
	}
	if !w.onLink {
		a := args("target", server.String(), "interface", w.name)
		a.AddFlag("v6", server.Is6())
		reply, err := i.call(ctx, objectNetwork, "add_host_route", a)
		switch {
		case status(err) == ubus.StatusNotFound, err == nil && reply.Text("interface") != w.name:
			i.remember(usedWay{server: server})
			return "", fault.New(fault.NoUplink, fault.StageConnect, "The uplink "+w.name+" has just lost its route to "+server.String()+".").Wrap(err)
		case err != nil:
			return "", i.refused("a route to the server "+server.String()+" by "+w.name, err)
		}
	}
	i.remember(usedWay{server, w.port, sameFamily(w.addrs, server)})
	return w.device, nil
}

// Device returns the network device of the uplink that leads to a server, as Prepare chooses it, and changes nothing.
func (i *Interface) Device(ctx context.Context, server netip.Addr) (device string, err error) {
	server = server.Unmap()
	ports, err := i.ports(ctx)
	if err != nil {
		return "", i.refused("the list of interfaces", err)
	}
	w := i.choose(ports, server)
	if w == nil {
		return "", i.noUplink(ports, server)
	}
	return w.device, nil
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
