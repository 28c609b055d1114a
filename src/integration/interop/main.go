// Command interop tries the client against SSTP servers that are not ours and prints a table of what works.
//
// SOFTETHER names the folder of a SoftEther VPN Server 5.02 or later (vpnserver, vpncmd and what stands beside them);
// without it vpnserver is looked for in PATH. It is started in a network namespace and a folder of its own, which needs
// root. Or HOST, USER and PASSWORD_FILE name a running server, with CA_CERT or PIN where its certificate needs one.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sstp/src/integration"
)

const needs = `interop needs a server:
  SOFTETHER=DIR make interop                          a folder with SoftEther's vpnserver and vpncmd, 5.02 or later (as root)
  HOST=host[:port] USER=name PASSWORD_FILE=file make interop   any server; also CA_CERT=file or PIN=sha256:...
`

func main() {
	if addr := os.Getenv("SSTP_INTEROP_SERVE"); addr != "" {
		fmt.Println(integration.Serve(addr, func() { fmt.Println("serving") }))
		os.Exit(1)
	}
	if addr := os.Getenv("SSTP_INTEROP_TRANSFER"); addr != "" {
		os.Exit(transfer(addr, os.Getenv("SSTP_INTEROP_DIRECTION") == "up"))
	}
	var t table
	var err error
	switch {
	case os.Getenv("HOST") != "":
		err = anyServer(&t)
	case softEtherFolder() != "":
		err = softEther(&t, softEtherFolder())
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

// transferSize is how much is moved each way: enough for counters, windows and buffers to wrap.
const transferSize = 1 << 30

func transfer(addr string, up bool) int {
	took, err := integration.Transfer(addr, up, transferSize)
	if err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	fmt.Printf("%.0f Mbit/s", transferSize*8/took.Seconds()/1e6)
	return 0
}

// table collects and prints results.
type table struct {
	rows   [][3]string
	failed int
}

// row runs one scenario, notes its result and shows it at once.
func (t *table) row(name string, scenario func() (string, error)) {
	begin := time.Now()
	finding, err := scenario()
	result := "passed"
	if err != nil {
		result, finding = "FAILED", err.Error()
		t.failed++
	}
	t.rows = append(t.rows, [3]string{name, result, finding})
	fmt.Printf("%-44s %s  %5.1f s  %s\n", name, result, time.Since(begin).Seconds(), finding)
}

func (t *table) print() {
	fmt.Printf("\n| scenario | result | finding |\n|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Printf("| %s | %s | %s |\n", r[0], r[1], r[2])
	}
	fmt.Printf("\n%d passed, %d failed\n", len(t.rows)-t.failed, t.failed)
}
