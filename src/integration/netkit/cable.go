package netkit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"sstp/src/hostnet"
)

// End is one end of a cable.
type End struct {
	In        *Namespace
	Device    string
	Addresses []string // CIDR; the device of an end without any stays down
}

// Join lays a cable between two namespaces.
func Join(a, b End) error {
	err := a.In.Do(func() error { return addVeth(a.Device, b.Device, int(b.In.file.Fd())) })
	for _, e := range []End{a, b} {
		if err == nil && len(e.Addresses) > 0 {
			err = e.In.Do(e.configure)
		}
	}
	if err != nil {
		return fmt.Errorf("a cable from %s of %s to %s of %s: %w", a.Device, a.In.Name, b.Device, b.In.Name, err)
	}
	return nil
}

func (e End) configure() error {
	for _, text := range e.Addresses {
		address, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		if err := hostnet.AddAddress(e.Device, address, netip.Addr{}); err != nil {
			return err
		}
	}
	return hostnet.SetUp(e.Device, 0)
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

// addVeth makes a pair of veth devices of which the peer is in the network namespace of a file (rtnetlink(7), veth(4)).
func addVeth(name, peer string, namespace int) error {
	attr := func(b []byte, kind uint16, value []byte) []byte {
		b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
		b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
		return append(b, make([]byte, -len(b)&3)...)
	}
	other := attr(make([]byte, unix.SizeofIfInfomsg), unix.IFLA_IFNAME, append([]byte(peer), 0))
	other = attr(other, unix.IFLA_NET_NS_FD, binary.NativeEndian.AppendUint32(nil, uint32(namespace)))
	info := attr(nil, unix.IFLA_INFO_KIND, []byte("veth"))
	info = attr(info, unix.IFLA_INFO_DATA, attr(nil, vethInfoPeer, other))
	request := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	request = attr(request, unix.IFLA_IFNAME, append([]byte(name), 0))
	request = attr(request, unix.IFLA_LINKINFO, info)
	binary.NativeEndian.PutUint32(request, uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.RTM_NEWLINK)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 1<<12)
	n, err := unix.Read(fd, answer)
	if err == nil && n < unix.SizeofNlMsghdr+4 {
		err = errors.New("the kernel's answer is cut short")
	}
	if err == nil {
		if errno := -int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); errno != 0 {
			err = unix.Errno(errno)
		}
	}
	return err
}
