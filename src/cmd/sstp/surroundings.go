package main

import (
	"context"
	"net/netip"
	"os"

	"sstp/src/config"
	"sstp/src/hostnet"
	"sstp/src/reach"
	"sstp/src/session"
)

// resolverFiles are where a machine keeps the name servers that it uses: OpenWrt those of its interfaces, systemd-resolved
// those that it asks, everybody those of programs.
var resolverFiles = []string{
	"/tmp/resolv.conf.d/resolv.conf.auto", "/run/systemd/resolve/resolv.conf", "/etc/resolv.conf",
}

// surroundings returns what tells a session of the networks around its tunnel, looked up in the kernel at that moment. The
// tunnel's own device and name servers do not count: they are of the link before.
func surroundings(t *config.Tunnel) func(context.Context) (session.Surroundings, error) {
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

// nameServers returns the name servers of a resolv.conf. netifd writes there of which interface each is; those of the
// tunnel itself and of its IPv6 child are left out.
func nameServers(text, tunnel string) (list []netip.Addr) {
	for _, r := range reach.ParseResolvers(text) {
		if r.Interface != tunnel && r.Interface != tunnel+"_6" {
			list = append(list, r.Addr)
		}
	}
	return list
}
