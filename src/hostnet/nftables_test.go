package hostnet

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTheKernelsRulesAreRead has nft load a table into the kernel. It runs in a network namespace of its own.
func TestTheKernelsRulesAreRead(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("nft is not installed")
	}
	inNamespace(t)
	switch got, err := RuleComments("fw4"); {
	case errors.Is(err, unix.EPROTONOSUPPORT):
		t.Skip("no netlink socket of netfilter here: qemu-user does not know it")
	case err != nil || got != nil:
		t.Fatalf("without a table: %q, %v", got, err)
	}
	load := exec.Command(nft, "-f", "-")
	load.Stdin = strings.NewReader(`
		table inet fw4 {
			chain forward {
				type filter hook forward priority 0
				counter accept comment "!fw4: one"
				tcp dport { 80, 443 } drop
				meta mark & 0x10000000 == 0x10000000 accept comment "!fw4: two"
			}
			chain other { meta nfproto ipv6 reject comment "!fw4: one" }
		}
		table inet mine { chain c { accept comment "!fw4: three" } }
		table ip fw4 { chain c { accept comment "!fw4: four" } }
	`)
	if out, err := load.CombinedOutput(); err != nil {
		t.Skipf("this kernel has no nftables: %v: %s", err, out)
	}
	want := []string{"!fw4: one", "!fw4: two", "!fw4: one"}
	if got, err := RuleComments("fw4"); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func FuzzRuleComment(f *testing.F) {
	f.Add(appendAttr(appendAttr([]byte{1, 0, 0, 0}, nftTable, []byte("fw4\x00")), nftUserdata, []byte{0, 4, 'a', 'b', 'c', 0}))
	f.Add(appendAttr([]byte{1, 0, 0, 0}, nftUserdata, []byte{0, 200, 'a'}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		table, comment, err := nftComment(payload)
		if err == nil && len(table)+len(comment) > len(payload) || strings.Contains(table+comment, "\x00") {
			t.Errorf("%q, %q of %d bytes", table, comment, len(payload))
		}
	})
}
