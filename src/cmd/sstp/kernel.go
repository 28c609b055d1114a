package main

import (
	"errors"
	"net/netip"
	"os"

	"sstp/src/hostnet"
	"sstp/src/reach"
)

// resolvConfs are where netifd lists name servers: of today, of before 21.02, and of machines without netifd.
var resolvConfs = []string{"/tmp/resolv.conf.d/resolv.conf.auto", "/tmp/resolv.conf.auto", "/etc/resolv.conf"}

// kernel is the real kernel, as package netifd wants it.
type kernel struct{}

func (kernel) Device(name string) (up bool, addrs []netip.Addr, err error) {
	if up, err = hostnet.IsUp(name); err != nil {
		return false, nil, err
	}
	for _, v6 := range []bool{false, true} {
		list, err := hostnet.Addresses(name, v6)
		if err != nil {
			return false, nil, err
		}
		for _, a := range list {
			addrs = append(addrs, a.Prefix.Addr())
		}
	}
	return up, addrs, nil
}

func (kernel) Global6() (map[string]netip.Addr, error) {
	list, err := hostnet.Addresses("", true)
	global := map[string]netip.Addr{}
	for _, a := range list {
		if addr := a.Prefix.Addr(); addr.IsGlobalUnicast() && !addr.IsPrivate() {
			global[a.Device] = addr
		}
	}
	return global, err
}

func (kernel) Way(q reach.Query) (reach.Route, error) {
	r, err := hostnet.FindWay(hostnet.WayQuery{To: q.To, From: q.From, In: q.In, Device: q.Device})
	return reach.Route{Dst: r.Dst, Gateway: r.Gateway, Device: r.Device, Metric: r.Metric, Table: r.Table}, err
}

func (kernel) AddAddress(device string, addr netip.Prefix, peer netip.Addr) error {
	return hostnet.AddAddress(device, addr, peer)
}

func (kernel) DropAddress(device string, addr, peer netip.Addr) error {
	return errors.Join(hostnet.DeleteAddress(device, netip.PrefixFrom(addr, addr.BitLen()), peer), hostnet.ForgetAddress(device, addr))
}

func (kernel) AddRoute(r reach.Route) (added bool, err error) { return hostnet.LayRoute(hostRoute(r)) }

func (kernel) ReplaceRoute(r reach.Route) error { return hostnet.ReplaceRoute(hostRoute(r)) }

func (kernel) DeleteRoute(r reach.Route) error { return hostnet.DeleteRoute(hostRoute(r)) }

func hostRoute(r reach.Route) hostnet.Route {
	return hostnet.Route{Dst: r.Dst, Gateway: r.Gateway, Device: r.Device, Metric: r.Metric, Source: r.Source, Table: r.Table}
}

func (kernel) Resolvers() string {
	for _, path := range resolvConfs {
		if text, err := os.ReadFile(path); err == nil {
			return string(text)
		}
	}
	return ""
}
