package netifdtest

import (
	"context"
	"strconv"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

type handler func(args blobmsg.Fields) (blobmsg.Fields, error)

func (n *Netifd) objects() []*ubus.Object {
	return []*ubus.Object{
		{Path: "network", Methods: []ubus.Method{
			n.method("reload", func(blobmsg.Fields) (blobmsg.Fields, error) {
				n.Reloads++
				return nil, nil
			}),
			n.method("add_dynamic", n.addDynamic),
			n.method("get_proto_handlers", func(blobmsg.Fields) (reply blobmsg.Fields, _ error) {
				for _, p := range n.Protocols {
					reply.AddTable(p, nil)
				}
				return reply, nil
			}),
		}},
		{Path: "network.interface", Methods: []ubus.Method{
			n.method("dump", func(blobmsg.Fields) (reply blobmsg.Fields, _ error) {
				var list []blobmsg.Fields
				for _, i := range n.ifaces {
					f := blobmsg.Fields{blobmsg.F("interface", blobmsg.String(i.Name))}
					list = append(list, append(f, i.status()...))
				}
				reply.AddTables("interface", list)
				return reply, nil
			}),
			n.method("status", n.onInterface(func(i *Iface, _ blobmsg.Fields) (blobmsg.Fields, error) { return i.status(), nil })),
			n.method("notify_proto", n.onInterface(n.notifyProto)),
			n.method("remove", n.onInterface(func(i *Iface, _ blobmsg.Fields) (blobmsg.Fields, error) {
				if !i.Dynamic {
					return nil, ubus.StatusPermissionDenied
				}
				n.remove(i)
				return nil, nil
			})),
		}},
		{Path: "network.interface.vpn_6", Methods: []ubus.Method{
			n.method("remove", func(blobmsg.Fields) (blobmsg.Fields, error) {
				if i := n.find("vpn_6"); i != nil {
					n.remove(i)
				}
				return nil, nil
			}),
		}},
		{Path: "uci", Methods: []ubus.Method{
			n.method("ready", func(blobmsg.Fields) (blobmsg.Fields, error) { return nil, nil }),
			n.method("get", n.uciGet), n.method("set", n.uciSet), n.method("commit", n.uciCommit), n.method("add", n.uciAdd),
			n.method("delete", n.uciDelete), n.method("order", n.uciOrder), n.method("changes", n.uciChanges), n.method("revert", n.uciRevert),
		}},
	}
}

// method runs a handler under the lock and notes that it was called.
func (n *Netifd) method(name string, h handler) ubus.Method {
	return ubus.Method{Name: name, Handler: func(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		call := name
		if name == "notify_proto" {
			action, _ := r.Args.Number("action")
			call += " " + strconv.FormatInt(action, 10)
		}
		n.Calls = append(n.Calls, call)
		for _, which := range []string{call, call + " " + r.Args.Text("config")} {
			if status, refused := n.Refuse[which]; refused {
				return nil, status
			}
		}
		return h(r.Args)
	}}
}

func (n *Netifd) onInterface(h func(i *Iface, args blobmsg.Fields) (blobmsg.Fields, error)) handler {
	return func(args blobmsg.Fields) (blobmsg.Fields, error) {
		i := n.find(args.Text("interface"))
		if i == nil {
			return nil, ubus.StatusNotFound
		}
		return h(i, args)
	}
}

// status is an interface as "status" shows it. What is only there while it is up is left out otherwise.
func (i *Iface) status() (f blobmsg.Fields) {
	f.AddFlag("up", i.Up)
	f.AddFlag("pending", i.Pending)
	f.AddFlag("available", true)
	f.AddFlag("autostart", !i.NoAutostart)
	f.AddFlag("dynamic", i.Dynamic)
	if i.Up {
		f.AddNumber("uptime", 1)
		f.AddText("l3_device", i.Device)
	}
	f.AddText("proto", i.Proto)
	if i.Based {
		f.AddText("device", i.Device)
	}
	if i.Up {
		if i.Table != 0 {
			f.AddNumber("ip4table", i.Table)
		}
		f.AddNumber("metric", i.Metric)
		f.AddTables("ipv4-address", i.Addresses)
		f.AddTables("ipv6-address", i.Addresses6)
		f.AddTables("route", i.Routes)
		f.AddTexts("dns-server", i.DNS)
		var inactive blobmsg.Fields
		inactive.AddTables("route", i.Inactive)
		inactive.AddTexts("dns-server", i.InactiveDNS)
		f.AddTable("inactive", inactive)
	}
	f.AddTable("data", i.Data)
	if len(i.Errors) > 0 {
		f.AddTables("errors", i.Errors)
	}
	return f
}
