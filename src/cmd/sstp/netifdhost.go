package main

import (
	"context"
	"strconv"
	"sync"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/hostnet"
	"sstp/src/killswitch"
	"sstp/src/netifd"
	"sstp/src/session"
	"sstp/src/transport"
)

// netifdHost lets netifd give the tunnel's addresses and routes to the machine.
type netifdHost struct {
	iface *netifd.Interface
	ways  *dialWays
	logf  session.Logf
}

func netifdLink(l session.Link) netifd.Link {
	return netifd.Link{
		Device: l.Device, Server: l.Server, Local: l.Local, Peer: l.Peer, DNS: l.DNS, Local6: l.Local6, Peer6: l.Peer6, Refusing: l.Refusing,
	}
}

func (h netifdHost) Up(ctx context.Context, l session.Link) error {
	return h.iface.Up(ctx, netifdLink(l))
}

func (h netifdHost) Down(ctx context.Context) error { return h.iface.Down(ctx) }

func (h netifdHost) Check(ctx context.Context, l session.Link) (session.Reach, error) {
	h.ways.renew(h.logf)
	return h.iface.Check(ctx, netifdLink(l))
}

func (h netifdHost) Failed(ctx context.Context, err *fault.Error) { h.iface.Failed(ctx, err) }

// netifdDialer reaches servers over the uplink that netifd's interfaces give.
func netifdDialer(t *config.Tunnel, iface *netifd.Interface, ways *dialWays, n *names, adjust func(*transport.Options)) session.Dialer {
	dial := ways.dialer(dialer(t, func(o *transport.Options) {
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

// netifdDevice makes the TUN device for netifd.
func netifdDevice(t *config.Tunnel, logf session.Logf) func(name string, mtu int) (session.Device, error) {
	open := openDevice(t)
	return func(name string, mtu int) (session.Device, error) {
		d, err := open(name, mtu)
		if err == nil {
			setDevice(name, logf)
		}
		return d, err
	}
}

// setDevice sets what the kernel does with a TUN device that is not up yet. The only link-local address on it must be the one
// agreed on by IPV6CP; an address may be replaced by another one with the same peer; and the server steers nothing.
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

// childFields are those of our interface's options that its IPv6 child has to follow. netifd acts on them by itself for ours;
// the child is another interface to it.
func childFields(v config.Values) (child blobmsg.Fields) {
	for _, name := range []string{"defaultroute", "peerdns", "delegate"} {
		if value := last(v, name); value == "0" || value == "1" {
			child.AddFlag(name, value == "1")
		}
	}
	for _, name := range []string{"metric", "dns_metric"} {
		if n, err := strconv.ParseInt(last(v, name), 10, 32); err == nil {
			child.AddNumber(name, n)
		}
	}
	child.AddSome("ip6table", last(v, "ip6table"))
	return child
}

func last(v config.Values, name string) string {
	if list := v[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}
