package hostnet

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// PromoteSecondaries makes a device keep its other IPv4 addresses, and the routes that use them, when its first address is
// deleted. Whoever replaces an address by adding the new one before deleting the old, as netifd does, would otherwise
// leave the device without any: an address with the same peer counts as secondary to the first and is deleted with it.
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
