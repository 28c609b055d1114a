package tun

import (
	"errors"

	"golang.org/x/sys/unix"

	"sstp/src/fault"
	"sstp/src/phrase"
)

// Open creates a TUN device, which is not up and has no address. The error is a *fault.Error with code TUN_FAILED.
func Open(o Options) (*Device, error) {
	if len(o.Name) >= unix.IFNAMSIZ {
		return nil, failed(unix.EINVAL, "The device name %s is longer than 15 bytes.", o.Name)
	}
	d, err := open(o)
	if err != nil {
		return nil, openError(o.Name, err)
	}
	if o.MTU != 0 {
		err = d.SetMTU(o.MTU)
	} else {
		var mtu int
		mtu, err = interfaceMTU(d.name, unix.SIOCGIFMTU, 0)
		d.mtu.Store(int64(mtu))
	}
	if err != nil {
		d.Close()
		return nil, failed(err, "The MTU of the TUN device cannot be set.")
	}
	return d, nil
}

// open tries offload first. If the kernel refuses it for any reason, open falls back to a plain device and returns the
// error of that.
func open(o Options) (*Device, error) {
	if o.Offload {
		if d, err := openVnet(o.Name); err == nil {
			return d, nil
		}
	}
	return openPlain(o.Name)
}

// SetMTU changes the device's MTU. The error is a *fault.Error.
func (d *Device) SetMTU(mtu int) error {
	if _, err := interfaceMTU(d.name, unix.SIOCSIFMTU, mtu); err != nil {
		return failed(err, "The MTU of the TUN device %s cannot be set.", d.name)
	}
	d.mtu.Store(int64(mtu))
	return nil
}

// interfaceMTU gets or sets an interface's MTU (netdevice(7)).
func interfaceMTU(name string, request uint, mtu int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	req.SetUint32(uint32(mtu))
	err = unix.IoctlIfreq(fd, request, req)
	return int(req.Uint32()), err
}

// openError returns the fault that tells the user why the device could not be opened.
func openError(name string, err error) *fault.Error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return failed(err, "This system has no TUN devices: /dev/net/tun is missing.")
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return failed(err, "A TUN device may only be created by root.").WithHint("Run this as root.")
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EINVAL) && name != "":
		return failed(err, "The device name %s is taken.", name).
			WithHint("Another process has the TUN device open, or another interface has this name: stop or rename it.")
	}
	return failed(err, "The TUN device cannot be created: %s.", err.Error())
}

func failed(err error, format phrase.Format, args ...string) *fault.Error {
	return fault.Newf(fault.TUNFailed, fault.StageNetwork, format, args...).Wrap(err)
}
