// Command interop tries the client against SSTP servers that are not ours and prints a table of what works.
//
// SOFTETHER names the folder of a SoftEther VPN Server 5.02 or later (vpnserver, vpncmd and the files beside them);
// the default is the folder of the vpnserver in PATH. It starts in a network namespace and a folder of its own, which needs
// root. Or HOST, USER and PASSWORD_FILE name a running server, and CA_CERT or PIN says how to check its certificate.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sstp/src/integration/netkit"
)

const needs = `interop needs a server:
  SOFTETHER=DIR make interop                          a folder with SoftEther's vpnserver and vpncmd, 5.02 or later (as root)
  HOST=host[:port] USER=name PASSWORD_FILE=file make interop   any server; also CA_CERT=file or PIN=sha256:...
`

func main() {
	var t table
	var err error
	switch {
	case os.Getenv("HOST") != "":
		err = anyServer(&t)
	case softEtherFolder() != "":
		err = trySoftEther(&t, softEtherFolder())
	default:
		fmt.Fprint(os.Stderr, needs)
		os.Exit(2)
	}
	t.print()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	if t.failed > 0 {
		os.Exit(1)
	}
}

// softEtherFolder returns where SoftEther's programs are, "" where there are none.
func softEtherFolder() string {
	if dir := os.Getenv("SOFTETHER"); dir != "" {
		return dir
	}
	path, err := exec.LookPath("vpnserver")
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return filepath.Dir(path)
}

// table collects and prints results.
type table struct {
	rows           netkit.Table
	passed, failed int
}

// row runs one scenario, notes its result and shows it at once.
func (t *table) row(name string, scenario func() (string, error)) {
	begin := time.Now()
	finding, err := scenario()
	result := "passed"
	if err != nil {
		result, finding = "FAILED", err.Error()
		t.failed++
	} else {
		t.passed++
	}
	if len(t.rows) == 0 {
		t.rows.Row("scenario", "result", "finding")
	}
	fmt.Printf("%-44s %s  %5.1f s  %s\n", name, result, time.Since(begin).Seconds(), finding)
	finding, _, _ = strings.Cut(finding, "\n") // what a failed scenario printed is too much for the table
	t.rows.Row(name, result, finding)
}

func (t *table) print() {
	if len(t.rows) > 0 {
		fmt.Println()
		t.rows.Print(os.Stdout, 3)
	}
	fmt.Printf("%d passed, %d failed\n", t.passed, t.failed)
}
