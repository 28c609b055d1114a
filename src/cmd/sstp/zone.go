package main

import (
	"sstp/src/killswitch"
	"sstp/src/ucifile"
)

// fileRecords reads what the kill switches have recorded from a UCI directory, for a router whose rpcd does not run.
func fileRecords(dir string) (records []killswitch.Section) {
	for _, s := range ucifile.Sections(dir, "firewall", killswitch.RecordType) {
		records = append(records, killswitch.Section{Type: killswitch.RecordType, Name: s.Name,
			Options: []killswitch.Option{{Name: "restore", Values: s.Options["restore"], List: true}}})
	}
	return records
}
