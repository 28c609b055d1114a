package netifd

import (
	"context"
	"slices"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/config"
)

// updateChild adds the interface NAME_6, which asks for addresses and prefixes by DHCPv6 on our device, after each
// link-up, because netifd removes it with the link. It removes the interface if the link has no IPv6. status is netifd's
// status of our interface. A failure is logged and does not end the call.
func (i *Interface) updateChild(ctx context.Context, l *Link, status blobmsg.Fields) {
	if !i.o.IPv6 {
		return
	}
	old, err := i.status(ctx, i.child())
	dynamic, _ := old.Flag("dynamic")
	exists := err == nil
	switch {
	case exists && !dynamic:
		i.o.Log(config.LogInfo, "interface %s is configured by hand and left alone", i.child())
		return
	case !l.Local6.IsValid():
		if exists {
			i.childCall(ctx, "remove", objectInterface+"."+i.child(), "remove", nil)
		}
		return
	}
	if !i.knowsProtocol(ctx, "dhcpv6") {
		i.o.Log(config.LogInfo, "no interface %s: the protocol dhcpv6 is not installed (package odhcp6c)", i.child())
		return
	}
	child := args("name", i.child(), "ifname", "@"+i.name, "proto", "dhcpv6")
	child.AddSome("zone", i.zone(ctx, status))
	i.childCall(ctx, "add", objectNetwork, "add_dynamic", append(child, i.o.Child...))
}

func (i *Interface) childCall(ctx context.Context, what, object, method string, args blobmsg.Fields) {
	if _, err := i.call(ctx, object, method, args); err != nil {
		i.o.Log(config.LogWarn, "netifd did not %s the interface %s: %s", what, i.child(), i.reason(err))
	}
}

// knowsProtocol reports whether netifd has a handler for a protocol. It assumes so if netifd does not answer.
func (i *Interface) knowsProtocol(ctx context.Context, proto string) bool {
	handlers, err := i.call(ctx, objectNetwork, "get_proto_handlers", nil)
	if err != nil || len(handlers) == 0 {
		return true
	}
	_, known := handlers.Get(proto)
	return known
}

// zone returns the firewall zone of our interface, for the child to join: from option zone of the interface, from the firewall's
// configuration on the bus, or from Options.Zone.
func (i *Interface) zone(ctx context.Context, status blobmsg.Fields) string {
	if zone := status.Table("data").Text("zone"); zone != "" {
		return zone
	}
	if zones, err := i.sections(ctx, "firewall", "zone"); err == nil {
		return zoneOf(zones, i.name, i.o.Device)
	}
	if i.o.Zone != nil {
		return i.o.Zone(i.name)
	}
	return ""
}

// zoneOf returns the name of the zone that lists an interface or its device.
func zoneOf(zones []blobmsg.Fields, iface, device string) string {
	lists := func(zone blobmsg.Fields, option, name string) bool {
		return slices.Contains(strings.Fields(strings.Join(zone.Texts(option), " ")), name)
	}
	for _, zone := range zones {
		if lists(zone, "network", iface) || lists(zone, "device", device) {
			return zone.Text("name")
		}
	}
	return ""
}
