package machine

import (
	"context"
	"net/netip"
	"strconv"
	"sync"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/firewall"
	"sstp/src/hostnet"
	"sstp/src/killswitch"
	"sstp/src/netifd"
	"sstp/src/session"
	"sstp/src/transport"
	"sstp/src/ubus"
)

// NetifdHost has netifd set the tunnel's addresses and routes. It is a session.Host.
type NetifdHost struct {
	Interface *netifd.Interface
	Ways      *Ways
	Log       session.Logf
}

func netifdLink(l session.Link) netifd.Link {
	return netifd.Link{
		Device: l.Device, Server: l.Server, Local: l.Local, Peer: l.Peer, DNS: l.DNS, Local6: l.Local6, Peer6: l.Peer6, Refusing: l.Refusing,
	}
}

func (h NetifdHost) Up(ctx context.Context, l session.Link) error {
	return h.Interface.Up(ctx, netifdLink(l))
}

func (h NetifdHost) Down(ctx context.Context) error { return h.Interface.Down(ctx) }

func (h NetifdHost) Check(ctx context.Context, l session.Link) (session.Reach, error) {
	h.Ways.Renew(h.Log)
	return h.Interface.Check(ctx, netifdLink(l))
}

func (h NetifdHost) Failed(ctx context.Context, err *fault.Error) { h.Interface.Failed(ctx, err) }

// NetifdDialer returns a dialer that reaches servers by the uplink among netifd's interfaces.
func NetifdDialer(t *config.Tunnel, iface *netifd.Interface, ways *Ways, n *Names, adjust func(*transport.Options)) session.Dialer {
	dial := ways.Dialer(Dialer(t, func(o *transport.Options) {
		o.Prepare, o.Lookup, o.Mark = iface.Prepare, n.Lookup, killswitch.Mark
		adjust(o)
	}))
	var start sync.Once
	return func(ctx context.Context, server config.Server, obs transport.Observer) (session.Conn, error) {
		start.Do(func() { iface.AwaitUplink(ctx, server.Host) })
		iface.Dialing()
		conn, err := dial(ctx, server, obs)
		if err != nil {
			return nil, iface.Resolved(ctx, err)
		}
		iface.Connected(conn.Info().Server.Addr())
		return conn, nil
	}
}

// NetifdDevice returns a function that opens the TUN device for netifd.
func NetifdDevice(t *config.Tunnel, logf session.Logf) func(name string, mtu int) (session.Device, error) {
	open := OpenDevice(t)
	return func(name string, mtu int) (session.Device, error) {
		d, err := open(name, mtu)
		if err == nil {
			setDevice(name, logf)
		}
		return d, err
	}
}

// setDevice sets the kernel's options of a TUN device that is not up yet: its only link-local address is the one agreed on by
// IPV6CP, an address may be replaced by another one with the same peer, and the server cannot change routes.
func setDevice(name string, logf session.Logf) {
	if err := hostnet.DisableAutoLinkLocal(name); err != nil {
		logf(config.LogDebug, "the kernel keeps its own link-local address: %v", err)
	}
	if err := hostnet.PromoteSecondaries(name); err != nil {
		logf(config.LogWarn, "a new address may leave %s without any: %v", name, err)
	}
	if err := hostnet.RefuseSteering(name); err != nil {
		logf(config.LogWarn, "the server may change routes by router advertisements and redirects: %v", err)
	}
}

// ChildFields returns the options of our interface that its IPv6 child must have too. netifd applies them to our interface, but
// the child is another interface to it.
func ChildFields(v config.Values) (child blobmsg.Fields) {
	for _, name := range []string{"defaultroute", "peerdns", "delegate"} {
		if value := v.Last(name); value == "0" || value == "1" {
			child.AddFlag(name, value == "1")
		}
	}
	for _, name := range []string{"metric", "dns_metric"} {
		if n, err := strconv.ParseInt(v.Last(name), 10, 32); err == nil {
			child.AddNumber(name, n)
		}
	}
	child.AddSome("ip6table", v.Last("ip6table"))
	return child
}

// ProbeDialer returns a dialer for probes that uses the uplink that the tunnel would take, because a tunnel that is up must not
// carry the probe of its own server. The ways of a probe are removed with its connection.
func ProbeDialer(t *config.Tunnel, bus *ubus.Client) session.Dialer {
	// A probe has ways of its own, so that it does not take those of the tunnel that runs.
	own := Uplink{tunnel: t, Ways: &Ways{table: hostnet.NewWays(t.Name + " probe")}, last: map[bool]hostnet.Route{}}
	how := func(o *transport.Options) { o.Prepare = own.PrepareAround }
	if bus != nil {
		iface := netifd.New(bus, t.Name, netifd.Options{Device: t.Device(), Tunlink: t.Tunlink, Carrier: hostnet.HasCarrier,
			LayWay: func(to netip.Addr, device string, gateway, source netip.Addr) error {
				_ = own.Ways.Lay(to, device, gateway, source) // what the probe may not do it does without
				return nil
			}})
		how = func(o *transport.Options) {
			o.Prepare, o.Mark = iface.Device, killswitch.Mark
			o.Lookup = UplinkLookup(firewall.NameServers(bus, iface), killswitch.Mark, func(config.LogLevel, string, ...any) {}, SystemLookup)
		}
	}
	return own.Ways.Dialer(Dialer(t, how))
}
