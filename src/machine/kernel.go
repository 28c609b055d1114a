package machine

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"sstp/src/config"
	"sstp/src/hostnet"
	"sstp/src/reach"
	"sstp/src/session"
)

// resolvConfs are where netifd lists name servers: of today, of before 21.02, and of machines without netifd.
var resolvConfs = []string{"/tmp/resolv.conf.d/resolv.conf.auto", "/tmp/resolv.conf.auto", "/etc/resolv.conf"}

// Kernel is the real kernel. It is a netifd.Kernel.
type Kernel struct{}

func (Kernel) Device(name string) (up bool, addrs []netip.Addr, err error) {
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

func (Kernel) Global6() (map[string]netip.Addr, error) {
	list, err := hostnet.Addresses("", true)
	global := map[string]netip.Addr{}
	for _, a := range list {
		if addr := a.Prefix.Addr(); addr.IsGlobalUnicast() && !addr.IsPrivate() {
			global[a.Device] = addr
		}
	}
	return global, err
}

func (Kernel) Way(q reach.Query) (reach.Route, error) {
	return hostnet.FindWay(q)
}

func (Kernel) AddAddress(device string, addr netip.Prefix, peer netip.Addr) error {
	return hostnet.AddAddress(device, addr, peer)
}

func (Kernel) DropAddress(device string, addr, peer netip.Addr) error {
	return errors.Join(hostnet.DeleteAddress(device, netip.PrefixFrom(addr, addr.BitLen()), peer), hostnet.ForgetAddress(device, addr))
}

func (Kernel) AddRoute(r reach.Route) (added bool, err error) { return hostnet.LayRoute(r) }

func (Kernel) ReplaceRoute(r reach.Route) error { return hostnet.ReplaceRoute(r) }

func (Kernel) DeleteRoute(r reach.Route) error { return hostnet.DeleteRoute(r) }

func (Kernel) Resolvers() string {
	for _, path := range resolvConfs {
		if text, err := os.ReadFile(path); err == nil {
			return string(text)
		}
	}
	return ""
}

// resolverFiles list the name servers of a machine: OpenWrt's those of its interfaces, systemd-resolved's those that it asks,
// and everybody's those of programs.
var resolverFiles = []string{
	"/tmp/resolv.conf.d/resolv.conf.auto", "/run/systemd/resolve/resolv.conf", "/etc/resolv.conf",
}

// Surroundings returns a function that looks up the networks around a tunnel in the kernel. It leaves out the tunnel's own device
// and name servers, which belong to the previous link.
func Surroundings(t *config.Tunnel) func(context.Context) (session.Surroundings, error) {
	return func(context.Context) (around session.Surroundings, err error) {
		addresses, err := hostnet.Addresses("", false)
		if err != nil {
			return around, err
		}
		for _, a := range addresses {
			if a.Device == t.Device() {
				continue
			}
			s := session.Subnet{Device: a.Device, Own: a.Prefix.Addr(), Prefix: a.Prefix.Masked()}
			if a.Peer.IsValid() {
				s.Prefix = netip.PrefixFrom(a.Peer, a.Prefix.Bits()).Masked()
			}
			around.Subnets = append(around.Subnets, s)
		}
		gateways, err := hostnet.Gateways(t.Device())
		if err != nil {
			return around, err
		}
		for _, r := range gateways {
			around.Gateways = append(around.Gateways, session.Gateway{Addr: r.Gateway, Device: r.Device})
		}
		for _, file := range resolverFiles {
			text, err := os.ReadFile(file)
			if err == nil {
				around.NameServers = append(around.NameServers, nameServers(string(text), t.Name)...)
			}
		}
		return around, nil
	}
}

// nameServers returns the name servers of a resolv.conf without those of the tunnel itself and of its IPv6 child. netifd writes
// the interface of each into a comment.
func nameServers(text, tunnel string) (list []netip.Addr) {
	for _, r := range reach.ParseResolvers(text) {
		if r.Interface != tunnel && r.Interface != tunnel+"_6" {
			list = append(list, r.Addr)
		}
	}
	return list
}
