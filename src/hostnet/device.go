package hostnet

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// DeviceIndex returns the kernel's number of a network device.
func DeviceIndex(name string) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fmt.Errorf("device %s: %w", name, err)
	}
	if err := ioctl(unix.SIOCGIFINDEX, ifr); err != nil {
		return 0, fmt.Errorf("device %s: %w", name, err)
	}
	return int(ifr.Uint32()), nil
}

// DeviceExists reports whether there is a network device of that name.
func DeviceExists(name string) bool {
	_, err := DeviceIndex(name)
	return err == nil
}

// HasCarrier reports whether a network device's cable, or its counterpart, is connected. It assumes so for a device on which
// the kernel reports nothing. The flag IFF_RUNNING follows up to a second later.
func HasCarrier(name string) bool {
	carrier, err := os.ReadFile("/sys/class/net/" + name + "/carrier")
	return err != nil || len(carrier) == 0 || carrier[0] != '0'
}

// deviceName returns the name of a device by its number.
func deviceName(index int) (string, error) {
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	ifr.SetUint32(uint32(index))
	if err := ioctl(unix.SIOCGIFNAME, ifr); err != nil {
		return "", fmt.Errorf("device number %d: %w", index, err)
	}
	return ifr.Name(), nil
}

func ioctl(request uint, ifr *unix.Ifreq) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.IoctlIfreq(fd, request, ifr)
}

// SetUp sets a device up. An mtu of 0 leaves the device's MTU as it is.
func SetUp(dev string, mtu int) error {
	index, err := DeviceIndex(dev)
	if err != nil {
		return err
	}
	fixed := make([]byte, unix.SizeofIfInfomsg) // struct ifinfomsg
	native.PutUint32(fixed[4:], uint32(index))
	native.PutUint32(fixed[8:], unix.IFF_UP)  // flags
	native.PutUint32(fixed[12:], unix.IFF_UP) // which of them to change
	request := begin(nil, unix.RTM_NEWLINK, unix.NLM_F_REQUEST|unix.NLM_F_ACK, seq, fixed)
	if mtu > 0 {
		request = appendAttr32(request, unix.IFLA_MTU, uint32(mtu))
	}
	if err := exchange(request, nil); err != nil {
		return fmt.Errorf("put %s up: %w", dev, err)
	}
	return nil
}

// AddAddress adds an address to a device. With a valid peer the link is point-to-point: addr is our end, and its prefix
// length belongs to the peer. IPv6 addresses are used at once, without duplicate address detection, because nobody else is on
// the link. Adding an address again is no error.
func AddAddress(dev string, addr netip.Prefix, peer netip.Addr) error {
	err := address(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, dev, addr, peer)
	if err != nil {
		return fmt.Errorf("add address %s to %s: %w", addr, dev, err)
	}
	return nil
}

// DeleteAddress removes an address that AddAddress added. It is no error if the address or the device is already gone.
func DeleteAddress(dev string, addr netip.Prefix, peer netip.Addr) error {
	if !DeviceExists(dev) {
		return nil
	}
	err := address(unix.RTM_DELADDR, 0, dev, addr, peer)
	if err != nil && !isErrno(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("delete address %s of %s: %w", addr, dev, err)
	}
	return nil
}

func address(typ, flags uint16, dev string, addr netip.Prefix, peer netip.Addr) error {
	if !addr.IsValid() || peer.IsValid() && peer.Is4() != addr.Addr().Is4() {
		return unix.EINVAL
	}
	index, err := DeviceIndex(dev)
	if err != nil {
		return err
	}
	local, far := addr.Addr().AsSlice(), addr.Addr().AsSlice()
	if peer.IsValid() {
		far = peer.AsSlice()
	}
	fixed := make([]byte, unix.SizeofIfAddrmsg) // struct ifaddrmsg
	fixed[0] = family(addr.Addr())
	fixed[1] = byte(addr.Bits())
	if addr.Addr().Is6() {
		fixed[2] = unix.IFA_F_NODAD
	}
	fixed[3] = scopeOf(addr.Addr())
	native.PutUint32(fixed[4:], uint32(index))
	request := begin(nil, typ, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK, seq, fixed)
	request = appendAttr(request, unix.IFA_LOCAL, local)
	request = appendAttr(request, unix.IFA_ADDRESS, far)
	return exchange(request, nil)
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func scopeOf(a netip.Addr) byte {
	switch {
	case a.IsLoopback():
		return unix.RT_SCOPE_HOST
	case a.IsLinkLocalUnicast():
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}
