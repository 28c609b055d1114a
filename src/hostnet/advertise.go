package hostnet

import (
	"errors"
	"os"
)

// RefuseSteering makes the kernel ignore what the far end of a device says about routes and addresses: router advertisements,
// from which it would make a default route and addresses of any prefix, and redirects. It sends no redirects either. Where
// a DHCPv6 client such as odhcp6c asks for advertisements, it reads them by itself. Call it before the device is up.
func RefuseSteering(device string) error {
	var failed []error
	for _, s := range []struct{ family, name string }{
		{"ipv6", "accept_ra"}, {"ipv6", "autoconf"}, {"ipv6", "accept_redirects"},
		{"ipv4", "accept_redirects"}, {"ipv4", "secure_redirects"}, {"ipv4", "send_redirects"},
	} {
		path, err := sysctlPath(s.family, device, s.name)
		if err == nil {
			err = os.WriteFile(path, []byte("0"), 0)
		}
		if err != nil && !os.IsNotExist(err) { // a kernel without IPv6 has none of it
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
