package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/ucifile"
)

func TestWithoutARootOneLineSaysWhatIsNeeded(t *testing.T) {
	var out, errs bytes.Buffer
	if code := conduct(nil, &out, &errs); code != 2 || out.Len() > 0 || errs.String() != needs+"\n" || strings.Contains(needs, "\n") {
		t.Errorf("exit code %d, output %q, errors %q", code, out.String(), errs.String())
	}
}

func TestAFolderThatIsNoRootIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := openRoot(dir, t.TempDir()); err == nil || !strings.Contains(err.Error(), "sbin/ubusd") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := openRoot(filepath.Join(dir, "missing"), t.TempDir()); err == nil {
		t.Error("a folder that does not exist was taken")
	}
	archive := filepath.Join(dir, "rootfs.tar.gz")
	if err := os.WriteFile(archive, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openRoot(archive, t.TempDir()); err == nil || !strings.Contains(err.Error(), "unpacking") {
		t.Errorf("a broken archive: %v", err)
	}
}

func TestScenariosHaveNamesOfTheirOwn(t *testing.T) {
	var names []string
	for _, s := range scenarios {
		if s.run == nil || s.what == "" || slices.Contains(names, s.name) {
			t.Errorf("scenario %q is incomplete or doubled", s.name)
		}
		names = append(names, s.name)
	}
}

// TestTheTableNamesScenariosThatExist keeps the last column of each table in SECURITY.md true.
func TestTheTableNamesScenariosThatExist(t *testing.T) {
	content, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for line := range strings.Lines(string(content)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 {
			continue
		}
		for i, name := range strings.Split(cells[len(cells)-2], "`") {
			if i%2 == 0 || name == "leaves-…" {
				continue
			}
			named++
			if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == name }) {
				t.Errorf("there is no scenario %s: %s", name, line)
			}
		}
	}
	if named < 8 {
		t.Errorf("the tables name %d scenarios", named)
	}
}

func TestTheConfigurationIsReadAsItIsMeant(t *testing.T) {
	text := networkConfig(setup{vpn: options{"hold": 7, "ca_cert": nil, "password": "plain", "auth": []string{"mschapv2", "chap"}}})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "network"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	values, err := ucifile.Read(dir, "vpn")
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	tunnel, _, err := config.Parse("vpn", values)
	if err != nil {
		t.Fatal(err)
	}
	if tunnel.Servers[0].Host != serverName || tunnel.Hold != 7*time.Second || tunnel.CACert != "" || len(tunnel.Auth) != 2 {
		t.Errorf("%+v of\n%s", tunnel, text)
	}
	if got := quote(password); got != `'pa'\''ss "w4lnut" $HOME *\'` {
		t.Errorf("the password is quoted as %s", got)
	}
}

func TestNamesAreAnswered(t *testing.T) {
	n := newNameServer()
	ask := func(name string, kind byte) []byte {
		q := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
		for label := range strings.SplitSeq(name, ".") {
			q = append(append(q, byte(len(label))), label...)
		}
		return n.answer(append(q, 0, 0, kind, 0, 1))
	}
	for _, c := range []struct {
		name    string
		kind    byte
		code    byte
		address string
	}{
		{serverName, 1, 0, serverAddress},
		{strings.ToUpper(serverName), 1, 0, serverAddress},
		{serverName, 28, 0, ""},
		{serverName6, 28, 0, serverAddress6},
		{"nowhere.example", 1, 3, ""},
	} {
		r := ask(c.name, c.kind)
		var got string
		if r[7] == 1 {
			size := map[byte]int{1: 4, 28: 16}[c.kind]
			a, _ := netip.AddrFromSlice(r[len(r)-size:])
			got = a.String()
		}
		if r[3]&15 != c.code || got != c.address {
			t.Errorf("%s, type %d: code %d, %q; want %d, %q", c.name, c.kind, r[3]&15, got, c.code, c.address)
		}
	}
	for _, q := range [][]byte{nil, make([]byte, 12), {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63, 'x'}, {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1}} {
		if r := n.answer(q); r != nil {
			t.Errorf("%x was answered by %x", q, r)
		}
	}
}
