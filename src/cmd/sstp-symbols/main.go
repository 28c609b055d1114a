// Command sstp-symbols takes the line tables out of a program that goes onto a router, and reads a crash of that program
// with the file that still has them.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sstp/src/linetables"
)

const usage = `usage:
  sstp-symbols clear FILE... TO    copy programs without their line tables; TO is a file, or a folder that ends with /
  sstp-symbols read FILE [LOG]     print a log with file and line in the place of each ?:0; FILE may be compressed (.gz)
`

func main() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) >= 3 && args[0] == "clear" && (len(args) == 3 || strings.HasSuffix(args[len(args)-1], "/")):
		err = clearAll(args[1:len(args)-1], args[len(args)-1], os.Stderr)
	case len(args) == 2 && args[0] == "read":
		err = readLog(args[1], os.Stdin, os.Stdout)
	case len(args) == 3 && args[0] == "read":
		var log *os.File
		if log, err = os.Open(args[2]); err == nil {
			err = readLog(args[1], log, os.Stdout)
		}
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// clearAll clears programs into a folder, or one program into a file.
func clearAll(files []string, to string, notes io.Writer) error {
	for _, from := range files {
		name := to
		if strings.HasSuffix(to, "/") {
			name = filepath.Join(to, filepath.Base(from))
		}
		if err := clearLines(from, name, notes); err != nil {
			return err
		}
	}
	return nil
}

// clearLines writes the program to a new file, and only then to the place of the old one, which may be running.
func clearLines(from, to string, notes io.Writer) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	cleared, err := linetables.Clear(program)
	var unknown *linetables.UnknownError
	switch {
	case errors.As(err, &unknown):
		fmt.Fprintf(notes, "%s keeps its line tables and is a tenth larger than it could be: %v\n", to, unknown)
		cleared = program
	case err != nil:
		return fmt.Errorf("%s: %w", from, err)
	}
	if err := os.WriteFile(to+".new", cleared, 0o755); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// readLog prints a log with the positions that the program's line tables give.
func readLog(from string, log io.Reader, out io.Writer) error {
	program, err := os.ReadFile(from)
	if err == nil && strings.HasSuffix(from, ".gz") {
		program, err = decompress(program)
	}
	if err != nil {
		return err
	}
	symbols, err := linetables.Open(program)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	text, err := io.ReadAll(log)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, symbols.Annotate(string(text)))
	return err
}

func decompress(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
