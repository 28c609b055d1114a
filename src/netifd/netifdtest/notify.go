package netifdtest

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// exactly returns a field if it is of the type that netifd's policy wants: it takes one of another type for missing.
func exactly(args blobmsg.Fields, name string, t blobmsg.Type) (blobmsg.Value, bool) {
	v, ok := args.Get(name)
	return v, ok && v.Type() == t
}

// notifyProto is what a protocol's program tells of its interface (proto-shell.c).
func (n *Netifd) notifyProto(i *Iface, args blobmsg.Fields) (blobmsg.Fields, error) {
	action, ok := exactly(args, "action", blobmsg.TypeInt32)
	if !ok {
		return nil, ubus.StatusInvalidArgument
	}
	number, _ := action.Num()
	switch number {
	case 0:
		return nil, n.link(i, args)
	case 3:
		return nil, i.fail(args)
	case 4:
		i.NoAutostart = true
		return nil, nil
	}
	return nil, ubus.StatusInvalidArgument
}

// link is action 0.
func (n *Netifd) link(i *Iface, args blobmsg.Fields) error {
	if i.TearingDown {
		return ubus.StatusPermissionDenied
	}
	up, ok := exactly(args, "link-up", blobmsg.TypeBool)
	if !ok {
		return ubus.StatusInvalidArgument
	}
	if is, _ := up.Truth(); !is {
		if i.Up {
			i.lose()
			n.Kernel.configure(i, false)
			n.removeChildren(i)
			defer n.later(i.Name, false)
		}
		return nil
	}
	if n.Spoil != nil {
		args = n.Spoil(args)
	}
	device := args.Text("ifname")
	switch {
	case device == "":
		return ubus.StatusInvalidArgument
	case !n.Devices[device]:
		return ubus.StatusUnknownError
	}
	i.Device = device
	i.Addresses, i.Addresses6 = addresses(args, "ipaddr"), addresses(args, "ip6addr")
	i.Routes = routes(args)
	i.DNS = args.Texts("dns")
	i.Data = args.Table("data")
	if i.Pending {
		i.Up, i.Pending, i.Errors = true, false, nil
	}
	i.Ups++
	lie := n.Lies > 0
	if lie {
		n.Lies--
	}
	n.Kernel.configure(i, lie)
	n.later(i.Name, true)
	return nil
}

// later tells the bus once the call is answered.
func (n *Netifd) later(name string, up bool) { go n.tell(name, up) }

// lose is what netifd does when an interface loses its link: it is being set up again.
func (i *Iface) lose() {
	i.Up, i.Pending = false, true
	i.Addresses, i.Addresses6, i.Routes, i.DNS, i.Data = nil, nil, nil, nil, nil
}

// addresses reads a list of addresses. An item that is no table, or whose prefix length is no text, is left out.
func addresses(args blobmsg.Fields, name string) (list []blobmsg.Fields) {
	for _, item := range args.Tables(name) {
		addr, err := netip.ParseAddr(item.Text("ipaddr"))
		mask, given := exactly(item, "mask", blobmsg.TypeString)
		text, _ := mask.Str()
		bits, bad := strconv.Atoi(text)
		if err != nil || !given || bad != nil {
			continue
		}
		f := blobmsg.Fields{blobmsg.F("address", blobmsg.String(addr.String())), blobmsg.F("mask", blobmsg.Int(int64(bits)))}
		f.AddSome("ptpaddress", item.Text("ptp"))
		list = append(list, f)
	}
	return list
}

// routes reads a list of routes.
func routes(args blobmsg.Fields) (list []blobmsg.Fields) {
	for _, item := range args.Tables("routes") {
		target, mask := item.Text("target"), item.Text("netmask")
		if p, err := netip.ParsePrefix(target + "/" + mask); err == nil {
			list = append(list, Route(p.String(), item.Text("gateway")))
		}
	}
	return list
}

// fail is action 3, of a handler with lasterror: one error is kept.
func (i *Iface) fail(args blobmsg.Fields) error {
	list, ok := exactly(args, "error", blobmsg.TypeArray)
	texts := args.Texts("error")
	if !ok || len(texts) == 0 || len(texts) != len(list.Items()) {
		return ubus.StatusInvalidArgument
	}
	e := blobmsg.Fields{blobmsg.F("subsystem", blobmsg.String(i.Proto)), blobmsg.F("code", blobmsg.String(texts[0]))}
	if len(texts) > 1 {
		e.AddTexts("data", texts[1:])
	}
	i.Errors = []blobmsg.Fields{e}
	return nil
}

// addDynamic makes an interface that is nowhere configured. An old one of that name is replaced.
func (n *Netifd) addDynamic(args blobmsg.Fields) (blobmsg.Fields, error) {
	name := args.Text("name")
	if name == "" {
		return nil, ubus.StatusInvalidArgument
	}
	if old := n.find(name); old != nil {
		n.remove(old)
	}
	i := &Iface{Name: name, Proto: args.Text("proto"), Dynamic: true, Pending: true, Options: args}
	if parent, alias := strings.CutPrefix(args.Text("ifname"), "@"); alias {
		i.Parent = parent
	}
	n.ifaces = append(n.ifaces, i)
	return nil, nil
}

func (n *Netifd) remove(i *Iface) {
	n.ifaces = slices.DeleteFunc(n.ifaces, func(other *Iface) bool { return other == i })
}

// removeChildren takes away what hangs on an interface that has lost its link.
func (n *Netifd) removeChildren(parent *Iface) {
	n.ifaces = slices.DeleteFunc(n.ifaces, func(i *Iface) bool { return i.Dynamic && i.Parent == parent.Name })
}
