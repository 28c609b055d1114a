package netifd

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sstp/src/fault"
	"sstp/src/phrase"
)

// startLimit bounds the wait of a newly started tunnel for its uplink.
const startLimit = 3 * time.Second

// ways are the ways of the latest dial, or of the call that it set up.
type ways struct {
	used    []usedWay
	told    bool      // Watch has reported that all of them are gone
	waiting string    // a better uplink, which must stay for settleTime
	since   time.Time // when it was first seen
}

// usedWay is the way to one address at the time when it was chosen.
type usedWay struct {
	server netip.Addr       // invalid: the server's name could not be resolved
	uplink *uplinkCandidate // as it was; nil: there was none
	locals []netip.Addr     // addresses of the uplink, of the server's family
}

// Dialing reports that a dial begins. It forgets the ways of the dial before.
func (i *Interface) Dialing() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ways = ways{}
}

// Connected reports the address at which the server was reached.
func (i *Interface) Connected(server netip.Addr) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ways.used = slices.DeleteFunc(i.ways.used, func(u usedWay) bool { return u.server != server.Unmap() })
}

// Uplink returns the name of the interface by which the server is reached or was tried last, "" if there is none.
func (i *Interface) Uplink() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, u := range i.ways.used {
		if u.uplink != nil {
			return u.uplink.name
		}
	}
	return ""
}

// uplinkDevice returns the network device by which the server is reached or was tried last, "" if there is none.
func (i *Interface) uplinkDevice() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, u := range i.ways.used {
		if u.uplink != nil {
			return u.uplink.device
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

// AwaitUplink waits a short time for an uplink to host, which is a name or an address. A starting router often starts its
// tunnels a moment before its WAN is up, and that is no failure.
func (i *Interface) AwaitUplink(ctx context.Context, host string) {
	addr, _ := netip.ParseAddr(host)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for ctx.Err() == nil {
		i.mu.Lock()
		news := i.news
		i.mu.Unlock()
		if candidates, err := i.candidates(ctx); err != nil || i.someUplink(candidates) != nil || addr.IsValid() && i.choose(candidates, addr) != nil {
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
// network device to bind the socket to, so that the tunnel's default route does not catch its packets. The error is a
// *fault.Error with code NO_UPLINK or NETIFD_REFUSED.
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
	i.remember(usedWay{server, w.uplinkCandidate, sameFamily(w.addrs, server)})
	return w.bindTo(server), nil
}

// Device chooses a network device and lays a way as Prepare does, for a connection other than the tunnel's. It does not count
// as the tunnel's way to its server.
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

// bindTo returns the device to bind a socket to that goes this way. It returns "" for an address of the router itself, whose
// answers come by the loopback device.
func (w *way) bindTo(to netip.Addr) (device string) {
	if slices.Contains(w.addrs, to) {
		return ""
	}
	return w.device
}

// wayTo returns the best way to an address over all uplinks.
func (i *Interface) wayTo(ctx context.Context, to netip.Addr) (*way, error) {
	candidates, err := i.candidates(ctx)
	if err != nil {
		return nil, i.refused("the list of interfaces", err)
	}
	w := i.choose(candidates, to)
	if w == nil {
		return nil, i.noUplink(candidates, to)
	}
	return w, nil
}

// lay lays a route to an address for sockets that are bound to the way's device. An address on the link needs none.
func (i *Interface) lay(w *way, to netip.Addr) error {
	if w.onLink || i.o.LayWay == nil {
		return nil
	}
	if err := i.o.LayWay(to, w.device, w.gateway, w.source); err != nil {
		return fault.Newf(fault.NoUplink, fault.StageConnect, "The uplink %s has just lost its route to %s.", w.name, to.String()).Wrap(err)
	}
	return nil
}

// Resolved takes the error of a failed dial and returns the one that people should see: if the server's name could not be
// looked up because there is no uplink, that is what is wrong.
func (i *Interface) Resolved(ctx context.Context, err error) error {
	f := fault.Of(err, "", "")
	if f == nil || f.Code != fault.PeerResolveFail {
		return err
	}
	candidates, dumpErr := i.candidates(ctx)
	if dumpErr != nil {
		return err
	}
	if i.someUplink(candidates) != nil {
		return err
	}
	i.remember(usedWay{})
	return i.noUplink(candidates, netip.Addr{}).Wrap(err)
}

// noUplink returns the error that says why there is no way to a server. server is invalid if its name could not be looked up.
func (i *Interface) noUplink(candidates []*uplinkCandidate, server netip.Addr) *fault.Error {
	none := func(format phrase.Format, args ...string) *fault.Error {
		return fault.Newf(fault.NoUplink, fault.StageConnect, format, args...)
	}
	link := i.o.Tunlink
	switch {
	case link == "" && server.IsValid():
		return none("No interface is up that has a route to the server %s.", server.String())
	case link == "":
		return none("No interface is up that has a default route.")
	}
	p := find(candidates, link)
	switch {
	case p == nil:
		return none("The interface %s, which option tunlink names, does not exist.", link).
			WithHint("Correct option tunlink, or remove it.")
	case !p.up:
		return none("The interface %s, which option tunlink names, is down.", link)
	case !i.connected(p):
		return none("The interface %s, which option tunlink names, is not connected.", link)
	case !i.eligible(p):
		return none("The interface %s, which option tunlink names, belongs to this tunnel itself.", link)
	case server.IsValid():
		return none("The interface %s, which option tunlink names, does not have a route to the server %s.", link, server.String())
	}
	return none("The interface %s, which option tunlink names, does not have a default route.", link)
}

func find(candidates []*uplinkCandidate, name string) *uplinkCandidate {
	for _, p := range candidates {
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
