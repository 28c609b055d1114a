package hostnet

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// PromoteSecondaries makes a device keep its other IPv4 addresses, and the routes that use them, when its first address is
// deleted. netifd replaces an address by adding the new one before deleting the old. Without this setting the device would
// lose both, because an address with the same peer is secondary to the first and is deleted with it.
func PromoteSecondaries(device string) error {
	path, err := sysctlPath("ipv4", device, "promote_secondaries")
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte("1"), 0)
}

// sysctlPath returns the file of a setting of one device.
func sysctlPath(family, device, name string) (string, error) {
	if device == "" || strings.ContainsAny(device, "/") || strings.HasPrefix(device, ".") {
		return "", unix.EINVAL
	}
	return "/proc/sys/net/" + family + "/conf/" + device + "/" + name, nil
}

// RefuseSteering makes the kernel ignore router advertisements, from which it would make a default route and addresses of any
// prefix, and redirects from the far end of a device, and send no redirects to it. A DHCPv6 client such as odhcp6c reads
// advertisements by itself. Call it before the device is up.
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

// addrGenModeNone is IN6_ADDR_GEN_MODE_NONE of linux/if_link.h.
const addrGenModeNone = "1"

// DisableAutoLinkLocal keeps the kernel from adding a link-local IPv6 address of its own to a device that comes up, because the
// two ends of a PPP link agree on their addresses (RFC 5072). Call it before SetUp.
func DisableAutoLinkLocal(device string) error {
	path, err := sysctlPath("ipv6", device, "addr_gen_mode")
	if err != nil {
		return err
	}
	err = os.WriteFile(path, []byte(addrGenModeNone), 0)
	if os.IsNotExist(err) {
		return nil // a kernel without IPv6 makes no address
	}
	return err
}
