package uci

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sstp/src/killswitch"
)

func TestRecordsOfKillSwitchesAreReadFromTheFileToo(t *testing.T) {
	dir := t.TempDir()
	text := "config zone\n\toption name 'lan'\n\nconfig killswitch 'sstp_vpn_killswitch'\n\toption tunnel 'vpn'\n\tlist zone 'lan'\n" +
		"\tlist restore 'wan'\n\tlist restore 'wan.dns+=203.0.113.53'\n\tlist restore 'wan6.dns=2001:db8::53 2001:db8::54'\n"
	if err := os.WriteFile(filepath.Join(dir, "firewall"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(killswitch.NameServers(killswitch.State{Firewall: fileRecords(dir)}))
	if want := "map[wan:[203.0.113.53] wan6:[2001:db8::53 2001:db8::54]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := fileRecords(t.TempDir()); got != nil {
		t.Errorf("%v where there is no file", got)
	}
}
