package transport

import (
	"net/netip"
	"testing"
)

// What an address that is being checked does to the choice needs a network device that has just come up; the tests with
// OpenWrt have one.
func TestOnlyAddressesBeyondTheLinkNeedASourceThatCanBeAnswered(t *testing.T) {
	for _, to := range []string{"127.0.0.1:443", "192.0.2.1:443", "[::1]:443", "[fe80::1%lo]:443", "[::ffff:192.0.2.1]:443"} {
		if sourceOnLink(t.Context(), netip.MustParseAddrPort(to), "") {
			t.Errorf("%s would be waited for", to)
		}
	}
	if sourceOnLink(t.Context(), netip.MustParseAddrPort("[2001:db8::1]:443"), "nonexistent0") {
		t.Error("a device that does not exist would be waited for")
	}
}
