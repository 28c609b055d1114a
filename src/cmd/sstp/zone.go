package main

import (
	"slices"
	"strings"

	uci "github.com/digineo/go-uci/v2"

	"sstp/src/killswitch"
)

// fileZone finds the firewall zone that lists an interface in a UCI directory, for routers without rpcd, which would read it
// better. "" means that there is none, or that the file cannot be read by go-uci.
func fileZone(dir, iface string) string {
	tree := uci.NewTree(dir)
	if tree.LoadConfig("firewall", false) != nil {
		return ""
	}
	zones, _ := tree.GetSections("firewall", "zone")
	for _, zone := range zones {
		networks, _ := tree.Get("firewall", zone, "network")
		if slices.Contains(strings.Fields(strings.Join(networks, " ")), iface) {
			name, _ := tree.GetLast("firewall", zone, "name")
			return name
		}
	}
	return ""
}

// fileRecords reads what the kill switches have recorded from a UCI directory, for a router whose rpcd does not run.
func fileRecords(dir string) (records []killswitch.Section) {
	tree := uci.NewTree(dir)
	if tree.LoadConfig("firewall", false) != nil {
		return nil
	}
	sections, _ := tree.GetSections("firewall", killswitch.RecordType)
	for _, name := range sections {
		restore, _ := tree.Get("firewall", name, "restore")
		records = append(records, killswitch.Section{Type: killswitch.RecordType, Name: name,
			Options: []killswitch.Option{{Name: "restore", Values: restore, List: true}}})
	}
	return records
}
