// Package layers_test holds the structure to its layers: a package imports only from rows below its own, and the
// router's binary links nothing that costs more flash than it is worth.
package layers_test

import (
	"os/exec"
	"strings"
	"testing"
)

// rows is the layering: rows 0 and 1 compute (and joiner and status, which stand on row 1), 2 touches the machine, 3 moves bytes
// and announces, 4 decides, 5 joins the parts, 6 wires the programs, and 7 starts them and looks at them from outside.
var rows = map[string]int{
	"phrase": -1, "fault": 0, "blobmsg": 0, "text": 0, "httphead": 0, "deadline": 0,
	"sstp": 1, "ppp": 1, "auth": 1, "offload": 1, "config": 1, "linetables": 1, "killswitch": 1, "reach": 1,
	"joiner": 2, "tun": 2, "transport": 2, "ubus": 2, "ucifile": 2, "logs": 2, "status": 2,
	"datapath": 3, "hostnet": 3, "netifd": 3, "control": 3, "uci": 3,
	"session": 4, "lab": 4, "firewall": 4,
	"machine": 5, "tunnels": 5,
	"cmd": 6, "integration": 7, "release": 7,
}

// banned are packages that the router's binary must not link, with the flash that each costs beside TLS on mipsle.
var banned = map[string]string{
	"net/http":                       "+349 KiB; SSTP's HTTP is one head each way",
	"encoding/json":                  "+74 KiB",
	"log/slog":                       "+79 KiB: it brings encoding/json",
	"text/template":                  "+335 KiB: keeps every exported method of the program",
	"regexp":                         "+56 KiB",
	"os/exec":                        "+43 KiB; the client starts no other program",
	"encoding/gob":                   "reflection",
	"github.com/godbus/dbus/v5":      "belongs to sstp-dbus",
	"github.com/vishvananda/netlink": "+145 KiB",
	"sstp/src/linetables":            "belongs to sstp-symbols",
}

func TestAPackageImportsOnlyFromRowsBelowItsOwn(t *testing.T) {
	for _, line := range goList(t, `{{.ImportPath}} {{join .Imports " "}}`, "sstp/src/...") {
		names := strings.Fields(line)
		from, ok := row(names[0])
		if !ok {
			t.Errorf("%s belongs to no row: add it to the table", names[0])
			continue
		}
		for _, imported := range names[1:] {
			if to, ours := row(imported); ours && to >= from && top(imported) != top(names[0]) {
				t.Errorf("%s (row %d) imports %s (row %d)", names[0], from, imported, to)
			}
		}
	}
}

func TestPureRowsTouchNoMachine(t *testing.T) {
	io := map[string]bool{"os": true, "net": true, "syscall": true, "os/exec": true, "log": true, "golang.org/x/sys/unix": true, "crypto/rand": true}
	for _, line := range goList(t, `{{.ImportPath}} {{join .Imports " "}}`, "sstp/src/...") {
		names := strings.Fields(line)
		if r, ok := row(names[0]); !ok || r > 1 && top(names[0]) != "joiner" {
			continue
		}
		for _, imported := range names[1:] {
			if imported == "net" && names[0] == "sstp/src/auth" {
				continue // crypto/tls wants a net.Conn for EAP-TLS; it is one in memory
			}
			if io[imported] {
				t.Errorf("%s is pure and imports %s", names[0], imported)
			}
		}
	}
}

func TestTheRoutersBinaryLinksNothingDear(t *testing.T) {
	for _, linked := range goList(t, `{{.ImportPath}}`, "-deps", "sstp/src/cmd/sstp") {
		if why, bad := banned[linked]; bad {
			t.Errorf("cmd/sstp links %s: %s", linked, why)
		}
	}
}

// row returns the row of one of our packages.
func row(path string) (int, bool) {
	if path == "sstp/src" {
		return 0, true
	}
	r, known := rows[top(path)]
	return r, known && strings.HasPrefix(path, "sstp/src/")
}

// top returns the name of the folder of src that a package is in. What is below it belongs to it: a fake for tests, a
// program that tests.
func top(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "sstp/src/"), "/")
	return name
}

func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-f", format}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
