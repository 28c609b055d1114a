package tun

import (
	"os"

	"golang.org/x/sys/unix"
)

// offloads are the feature sets to ask the kernel for, the best first (Linux include/uapi/linux/if_tun.h). Kernels before
// Linux 6.2 do not know UDP segmentation and refuse the whole set.
var offloads = []int{
	unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN | unix.TUN_F_USO4 | unix.TUN_F_USO6,
	unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN,
	unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6,
}

// openVnet opens a device with a virtio-net header before each packet. Water cannot do that: it cannot set IFF_VNET_HDR,
// and a device gets its flags when it is created.
func openVnet(name string) (*Device, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	name, udp, err := setUp(fd, name)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	// The runtime's poller takes the file only after TUNSETIFF has made it pollable.
	file := os.NewFile(uintptr(fd), "tun")
	d, err := newDevice(file, name, true, newSplitting(), newMerging(udp))
	if err != nil {
		file.Close()
	}
	return d, err
}

// setUp turns an open /dev/net/tun into a device and switches offload on. It returns the name of the device and whether the
// kernel segments UDP too.
func setUp(fd int, name string) (_ string, udp bool, err error) {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return "", false, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return "", false, err
	}
	for _, features := range offloads {
		if err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, features); err == nil {
			return req.Name(), features&unix.TUN_F_USO4 != 0, nil
		}
	}
	return "", false, err // without large TCP packets the header is only overhead
}
