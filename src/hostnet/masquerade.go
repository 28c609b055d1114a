package hostnet

import (
	"errors"
	"net/netip"
)

// ForgetAddress makes the kernel drop what it knows of connections that were masqueraded behind an IPv4 address of a device,
// which is gone. They would go on with that address for as long as somebody sends: a voice call or another VPN of a host in
// the LAN would never recover.
//
// The kernel does so by itself when an address is deleted, but of an address with a peer it looks up the peer's connections
// (nf_nat_masquerade.c takes ifa_address for the address). So the address is added and deleted once more, without a peer.
func ForgetAddress(device string, addr netip.Addr) error {
	alone := netip.PrefixFrom(addr, addr.BitLen())
	return errors.Join(AddAddress(device, alone, netip.Addr{}), DeleteAddress(device, alone, netip.Addr{}))
}
