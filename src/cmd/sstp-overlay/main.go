// Command sstp-overlay writes what `go build -overlay` takes, so that the router's programs link less of Go's own packages:
// where Go computes on P-256 without assembly, a table of 86 KiB that does not compress stays out (see withoutTable).
//
// It works on the sources of the Go that is installed, and changes nothing there. Where it does not know them, it writes an
// overlay that replaces nothing, and says so.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const usage = `usage:
  sstp-overlay FOLDER    write FOLDER/overlay.json, and the files that it names, for go build -overlay FOLDER/overlay.json
`

func main() {
	if len(os.Args) != 2 || strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	installed, err := installedGo()
	if err == nil {
		err = write(installed, os.Args[1], os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// goTree is an installed Go.
type goTree struct{ root, version string }

// installedGo asks the go command, which knows what it will build with.
func installedGo() (goTree, error) {
	out, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return goTree{}, fmt.Errorf("go env: %w", err)
	}
	root, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return goTree{root, version}, nil
}

// write writes the overlay into a folder.
func write(from goTree, folder string, notes io.Writer) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	name := filepath.Join(from.root, filepath.FromSlash(curveFile))
	replace := map[string]string{}
	source, err := os.ReadFile(name)
	if err == nil {
		source, err = withoutTable(from.version, source)
	}
	switch {
	case errors.Is(err, errUnknown) || errors.Is(err, os.ErrNotExist):
		fmt.Fprintf(notes, "the programs keep Go's table of P-256 and are 86 KiB larger than they could be, except on amd64 and arm64: %v\n", err)
	case err != nil:
		return err
	default:
		replace[name] = filepath.Join(folder, filepath.Base(name))
		if err := os.WriteFile(replace[name], source, 0o644); err != nil {
			return err
		}
	}
	overlay, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "overlay.json"), append(overlay, '\n'), 0o644)
}
