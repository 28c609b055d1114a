package layers_test

import (
	"os"
	"strings"
	"testing"

	"sstp/src/config"
	"sstp/src/fault"
)

// TestTheREADMEKnowsEachOptionAndEachCode keeps the tables that people look things up in complete.
func TestTheREADMEKnowsEachOptionAndEachCode(t *testing.T) {
	content, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(content)
	for _, o := range config.Options() {
		if !strings.Contains(readme, "`"+o.Name+"`") {
			t.Errorf("option %s is not in README.md", o.Name)
		}
	}
	for _, c := range fault.Codes() {
		if !strings.Contains(readme, "`"+string(c)+"`") {
			t.Errorf("code %s is not in README.md", c)
		}
	}
}
