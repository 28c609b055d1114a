package netifd

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/ubus"
)

// Link describes an established tunnel.
type Link struct {
	Device        string
	Server        netip.Addr // outside of the tunnel
	Local, Peer   netip.Addr // Peer may be invalid
	DNS           []netip.Addr
	Local6, Peer6 netip.Addr // of the link; invalid without IPv6
	Refusing      bool       // the call is lost, and packets into the device are refused until the next one is up
	// Data is a part of netifd's status of the interface. It must not change while the interface is up, because OpenWrt
	// reloads its firewall on each change.
	Data blobmsg.Fields
}

// peer returns the far end's address if the kernel may have a route to it by the device. If a server's inner address is the
// one at which it is reached outside, such a route would catch the tunnel's own packets.
func (l *Link) peer() netip.Addr {
	if l.Peer == l.Server || l.Peer == l.Local {
		return netip.Addr{}
	}
	return l.Peer
}

// Up announces the link to netifd, reads it back and compares, and adds the IPv6 child interface. It may be called again with
// a changed link. The device must exist. The error is a *fault.Error.
func (i *Interface) Up(ctx context.Context, l Link) error {
	before, err := i.status(ctx, i.name)
	if err != nil {
		return i.refused("to tell of the interface "+i.name, err)
	}
	up, _ := before.Flag("up")
	pending, _ := before.Flag("pending")
	if !up && !pending {
		// netifd would set the addresses and leave the interface down.
		return fault.Newf(fault.NetifdRefused, fault.StageNetwork, "netifd has the interface %s down, so the link is not announced.", i.name).
			WithHintf("Start the interface with ifup %s.", i.name)
	}
	if up && !i.IsUp() {
		// This is the link of an earlier process. Its device is gone with its addresses, but netifd would believe that those
		// that are the same on our device are there.
		if err := i.notify(ctx, actionLink, linkDown()); err != nil {
			return i.refused("that the link is another one", err)
		}
	}
	after, err := i.announce(ctx, &l)
	if err != nil {
		return err
	}
	i.mu.Lock()
	i.up, i.pending = true, nil
	i.mu.Unlock()
	i.dropOldAddress(&l)
	i.kernel.last = l
	i.guard(ctx, &l)
	i.updateChild(ctx, &l, after)
	return nil
}

// Limits of announcing a link that netifd accepts without acting on it.
const (
	maxAnnouncements = 20
	announcePause    = 250 * time.Millisecond
)

// announce announces the link until netifd and the kernel both have it. It returns netifd's status at that time.
//
// netifd of OpenWrt 21.02 and 22.03 may say that the link is up, with all addresses and routes, and leave the kernel's device
// down and without any, because an alias of an earlier device of the same name still claims it. It lets go when the link goes
// down.
func (i *Interface) announce(ctx context.Context, l *Link) (blobmsg.Fields, error) {
	for n := 1; ; n++ {
		if err := i.notify(ctx, actionLink, linkFields(l)); err != nil {
			what := "the link"
			if status(err) == ubus.StatusUnknownError {
				what = "the device " + l.Device
			}
			return nil, i.refused(what, err)
		}
		after, err := i.status(ctx, i.name)
		if err != nil {
			return nil, i.refused("to tell of the interface "+i.name, err)
		}
		missing := notTaken(after, l)
		inKernel := ""
		if len(missing) == 0 {
			if inKernel = i.notInKernel(l); inKernel == "" {
				return after, nil
			}
		}
		if err := i.notify(ctx, actionLink, linkDown()); err != nil {
			i.o.Log(config.LogDebug, "taking the link back: %v", err)
		}
		if len(missing) > 0 {
			return nil, fault.Newf(fault.NetifdRefused, fault.StageNetwork, "netifd did not take %s.", strings.Join(missing, ", "))
		}
		i.o.Log(config.LogDebug, "netifd says that the link is up, but %s; announcing it again", inKernel)
		select {
		case <-ctx.Done():
			n = maxAnnouncements
		case <-time.After(announcePause):
		}
		if n == maxAnnouncements {
			return nil, fault.Newf(fault.NetifdRefused, fault.StageNetwork, "netifd says that the link is up, but %s.", inKernel).
				WithHint("Restart the network: service network restart.")
		}
	}
}

// linkFields returns the link as netifd wants it: complete, with real booleans, and with prefix lengths as text. netifd ignores
// a list item in any other form, and reports success.
func linkFields(l *Link) (t blobmsg.Fields) {
	addr, route := args("ipaddr", l.Local.String(), "mask", "32"), args("target", "0.0.0.0", "netmask", "0")
	if p := l.peer(); p.IsValid() {
		addr.AddText("ptp", p.String())
		route.AddText("gateway", p.String())
	}
	t.AddFlag("link-up", true)
	t.AddFlag("keep", false)
	t.AddText("ifname", l.Device)
	t.AddTables("ipaddr", []blobmsg.Fields{addr})
	t.AddTables("routes", []blobmsg.Fields{route})
	if l.Local6.IsValid() {
		// A whole /64, so that the far end's address is on the link.
		t.AddTables("ip6addr", []blobmsg.Fields{args("ipaddr", l.Local6.String(), "mask", "64")})
	}
	if len(l.DNS) > 0 {
		var servers []string
		for _, a := range l.DNS {
			servers = append(servers, a.String())
		}
		t.AddTexts("dns", servers)
	}
	if len(l.Data) > 0 {
		t.AddTable("data", l.Data)
	}
	return t
}

// linkDown returns the announcement of a link that is down.
func linkDown() (t blobmsg.Fields) {
	t.AddFlag("link-up", false)
	return t
}

// notTaken returns the parts of a link that are missing in netifd's status. Parts that the user's options make inactive are
// not missing.
func notTaken(s blobmsg.Fields, l *Link) (missing []string) {
	want := func(has bool, what string) {
		if !has {
			missing = append(missing, what)
		}
	}
	if up, _ := s.Flag("up"); !up {
		return []string{"the link at all: the interface is not up"}
	}
	want(s.Text("l3_device") == l.Device, "the device "+l.Device)
	inactive := s.Table("inactive")
	has := func(list, name, value, name2, value2 string) bool {
		for _, t := range append(s.Tables(list), inactive.Tables(list)...) {
			if t.Text(name) == value && (value2 == "" || t.Text(name2) == value2) {
				return true
			}
		}
		return false
	}
	peer := ""
	if p := l.peer(); p.IsValid() {
		peer = p.String()
	}
	local := l.Local.String()
	want(has("ipv4-address", "address", local, "ptpaddress", peer), "the address "+local)
	if l.Local6.IsValid() {
		local6 := l.Local6.String()
		want(has("ipv6-address", "address", local6, "", ""), "the address "+local6)
	}
	want(has("route", "target", "0.0.0.0", "", ""), "the default route")
	servers := append(s.Texts("dns-server"), inactive.Texts("dns-server")...)
	for _, a := range l.DNS {
		want(slices.Contains(servers, a.String()), "the name server "+a.String())
	}
	return missing
}

// Down tells netifd that the link is down, and then reports the error that ended it. netifd refuses both while it is taking the
// interface down, which is no error.
func (i *Interface) Down(ctx context.Context) error {
	i.mu.Lock()
	i.up = false
	pending := i.pending
	i.pending = nil
	i.mu.Unlock()
	err := i.notify(ctx, actionLink, linkDown())
	i.forgetKernel()
	switch status(err) {
	case ubus.StatusPermissionDenied, ubus.StatusNotFound:
		return nil
	}
	if err != nil {
		return i.refused("that the link is down", err)
	}
	if pending != nil {
		i.Failed(ctx, pending)
	}
	return nil
}

// IsUp reports whether netifd has the link.
func (i *Interface) IsUp() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.up
}
