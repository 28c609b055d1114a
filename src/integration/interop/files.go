package main

import (
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sstp/src/integration"
)

// writeConfig writes a UCI file of the given option=value pairs, of which the last of a name counts and an empty value
// means unset, and returns its folder.
func writeConfig(bed *integration.Bed, options []string) (string, error) {
	values := map[string]string{"proto": "sstp"}
	order := []string{"proto"}
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		if _, known := values[name]; !known {
			order = append(order, name)
		}
		values[name] = value
	}
	var text strings.Builder
	text.WriteString("config interface 'vpn'\n")
	for _, name := range order {
		if values[name] != "" {
			fmt.Fprintf(&text, "\toption %s '%s'\n", name, values[name])
		}
	}
	path, err := bed.File("config/network", text.String())
	return filepath.Dir(path), err
}

// pinOf returns the pin of a certificate file.
func pinOf(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return "", fmt.Errorf("%s holds no certificate", file)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(block.Bytes)), nil
}
