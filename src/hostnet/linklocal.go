package hostnet

import "os"

// addrGenModeNone is IN6_ADDR_GEN_MODE_NONE of linux/if_link.h.
const addrGenModeNone = "1"

// DisableAutoLinkLocal keeps the kernel from giving a device a link-local IPv6 address of its own when it comes up: on a
// PPP link the two ends agree on them (RFC 5072). It must be called before SetUp.
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
