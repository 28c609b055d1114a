package hostnet

import (
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// The part of ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h) that finds and removes connections.
const (
	getConnection    = 1<<8 | 1 // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
	deleteConnection = 1<<8 | 2 // IPCTNL_MSG_CT_DELETE
	nested           = 0x8000   // NLA_F_NESTED
	attrTupleOrig    = 1        // CTA_TUPLE_ORIG
	attrTupleIP      = 1        // CTA_TUPLE_IP
	attrSource4      = 1        // CTA_IP_V4_SRC
	attrSource6      = 3        // CTA_IP_V6_SRC, and the destination's follow each
)

// ForgetConnections makes the kernel forget the connections from and to these hosts. It needs ctnetlink, which is the package
// kmod-nf-conntrack-netlink on OpenWrt.
func ForgetConnections(hosts []netip.Addr) error {
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		general := []byte{family, 0, 0, 0} // nfgenmsg
		var theirs [][]byte
		request := begin(nil, getConnection, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, seq, general)
		err := exchangeBy(unix.NETLINK_NETFILTER, request, func(m message) (bool, error) {
			if tuple, from, to := connectionTuple(m.Payload); slices.Contains(hosts, from) || slices.Contains(hosts, to) {
				theirs = append(theirs, slices.Clone(tuple))
			}
			return false, nil
		})
		if err != nil {
			return err
		}
		for _, tuple := range theirs {
			request := begin(nil, deleteConnection, unix.NLM_F_REQUEST|unix.NLM_F_ACK, seq, general)
			// It may have ended by itself.
			_ = exchangeBy(unix.NETLINK_NETFILTER, appendAttr(request, attrTupleOrig|nested, tuple), nil)
		}
	}
	return nil
}

// connectionTuple returns the tuple that identifies a connection, with its source and destination, which are invalid if the
// message has none.
func connectionTuple(payload []byte) (tuple []byte, from, to netip.Addr) {
	if len(payload) < 4 {
		return nil, from, to
	}
	tuple = findAttr(payload[4:], attrTupleOrig)
	addresses := findAttr(tuple, attrTupleIP)
	for _, source := range []uint16{attrSource4, attrSource6} {
		if a, ok := netip.AddrFromSlice(findAttr(addresses, source)); ok {
			from = a
		}
		if a, ok := netip.AddrFromSlice(findAttr(addresses, source+1)); ok {
			to = a
		}
	}
	return tuple, from, to
}

// findAttr returns the value of the first attribute of a type, nil where there is none.
func findAttr(b []byte, want uint16) []byte {
	for len(b) > 0 {
		typ, value, rest, err := cutAttr(b)
		if err != nil {
			return nil
		}
		if typ == want {
			return value
		}
		b = rest
	}
	return nil
}

// ForgetAddress makes the kernel forget the connections that were masqueraded behind an IPv4 address that a device no longer has.
// They would keep that address as long as somebody sends, so that a voice call or another VPN of a host in the LAN would never
// recover.
//
// The kernel does so itself when an address is deleted, but for an address with a peer it looks up the peer's connections
// (nf_nat_masquerade.c takes ifa_address for the address). So the address is added and deleted once more, without a peer.
func ForgetAddress(device string, addr netip.Addr) error {
	alone := netip.PrefixFrom(addr, addr.BitLen())
	return errors.Join(AddAddress(device, alone, netip.Addr{}), DeleteAddress(device, alone, netip.Addr{}))
}
