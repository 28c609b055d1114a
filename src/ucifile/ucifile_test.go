package ucifile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sstp/src/config"
	"sstp/src/fault"
)

// write puts a file network into a new directory.
func write(t testing.TB, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "network"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadsWhatUciWrites(t *testing.T) {
	dir := write(t, `
config interface 'loopback'
	option device 'lo'
	option proto 'static'
	list ipaddr '127.0.0.1/8'

config globals 'globals'
	option ula_prefix 'fd00::/48'

config device
	option name 'br-lan'
	list ports 'lan1'
	list ports 'lan2'

config interface 'vpn'
	option proto 'sstp'
	list server 'vpn.example.org'
	list server '[2001:db8::1]:8443'
	option username 'CORP\alice'
	option password 'p#w "x" ; $(y) ü\ü'
	option auth 'mschapv2'
	option defaultroute '0'
	option frobnicate '1'

config bridge-vlan 'vlan1'
	option vlan '1'
	list ports 'lan1:u*'

config wireguard_wg0
	option description 'laptop'
	list allowed_ips '10.0.0.2/32'
`)
	want := config.Values{
		"proto": {"sstp"}, "server": {"vpn.example.org", "[2001:db8::1]:8443"}, "username": {`CORP\alice`},
		"password": {`p#w "x" ; $(y) ü\ü`}, "auth": {"mschapv2"}, "defaultroute": {"0"}, "frobnicate": {"1"},
	}
	got, err := Read(dir, "vpn")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %v\nwant %v", got, err, want)
	}
	if tunnel, _, err := config.Parse("vpn", got); err != nil || tunnel.Servers[1].Port != 8443 {
		t.Errorf("the values do not make a tunnel: %v", err)
	}
}

// TestEachInputIsReadAsLibuciReadsItOrRefused goes through the inputs with which libuci and go-uci (60c14814) were
// compared: where the two differ, the line is refused by its number. # is the number of the input in that comparison, and
// the lines stand in the section from line 3 on.
func TestEachInputIsReadAsLibuciReadsItOrRefused(t *testing.T) {
	tests := []struct {
		number  string
		lines   string
		want    config.Values // besides proto
		refused string        // what the message has
	}{
		// What both read alike.
		{"", "\toption k 'v'\n", config.Values{"k": {"v"}}, ""},
		{"", "  option  k \t v  \n", config.Values{"k": {"v"}}, ""},
		{"", "option k \"a b\"\n", config.Values{"k": {"a b"}}, ""},
		{"", "\toption k 'v'", config.Values{"k": {"v"}}, ""},
		{"", "\toption k p#ss\n", config.Values{"k": {"p"}}, ""}, // an unquoted # begins a comment
		{"", "\toption k v # c\n# option j 'w'\n\n", config.Values{"k": {"v"}}, ""},
		{"", "\toption k 'v'# c\n", config.Values{"k": {"v"}}, ""},
		{"", "\toption k 'it is #1; \"x\"'\n", config.Values{"k": {`it is #1; "x"`}}, ""},
		{"", "\toption k \"it's\"\n", config.Values{"k": {"it's"}}, ""},
		{"", "\toption k 'DOM\\user'\n", config.Values{"k": {`DOM\user`}}, ""},
		{"", "\toption k 'end\\\\'\n", config.Values{"k": {`end\\`}}, ""},
		{"", "\toption k 'a'\n\toption k 'b'\n", config.Values{"k": {"b"}}, ""}, // the last one counts
		{"", "\tlist k 'a'\n\tlist k b\n", config.Values{"k": {"a", "b"}}, ""},
		{"", "\toption k '\tü '\n", config.Values{"k": {"\tü "}}, ""},
		{"", "config interface 'vpn'\n\toption k 'v'\n", config.Values{"k": {"v"}}, ""}, // one section in two parts
		{"", "config other 'x'\n\toption k 'v'\n\toption proto 'none'\n", nil, ""},
		{"", "config other 'x'\n\toption k \"a\\\"b\"\n\toption j DOM\\\\u\\ ser\n", nil, ""}, // not our section
		{"", "config other 'x'\n\toption k 'a'\n\tlist k 'a'\n", nil, ""},                     // not our section

		// What they read differently.
		{"3", "\toption k v", nil, "line 3: the file ends without"},
		{"6", "\toption k ''\n", nil, "line 3: the value of k is empty"},
		{"7", "\toption k \"\"\n", nil, "line 3: the value of k is empty"},
		{"8", "\tlist l ''\n", nil, "line 3: the value of l is empty"},
		{"49", "\toption k\n", nil, "line 3: option k has no value"},
		{"49", "\toption k # v\n", nil, "line 3: option k has no value"},
		{"10", "\toption k 'it'\\''s'\n", nil, "line 3: the value of k goes on"},
		{"17", "\toption k 'a'\"b\"c\n", nil, "line 3: the value of k goes on"},
		{"17", "\toption k c'a'\n", nil, "line 3: the value of k has a quotation mark"},
		{"12", "\toption k 'dom\\'\n", nil, "line 3: the value of k ends in a backslash"},
		{"12", "\toption k 'dom\\' # '\n", nil, "line 3: the value of k ends in a backslash"},
		{"13", "\toption k \"say \\\"hi\\\"\"\n", nil, "line 3: the value of k has a backslash"},
		{"14", "\toption k \"DOM\\\\user\"\n", nil, "line 3: the value of k has a backslash"},
		{"14", "\toption k \"DOM\\user\"\n", nil, "line 3: the value of k has a backslash"},
		{"15", "\toption k DOM\\\\user\n", nil, "line 3: the value of k has a backslash"},
		{"16", "\toption k a\\ b\n", nil, "line 3: the value of k has a backslash"},
		{"23", "config a # comment\n", nil, "line 3: a comment follows"},
		{"25", "\toption k 'a\nb'\n", nil, "line 3: the value of k does not end on the line"},
		{"26", "\toption k \"a\nb\"\n", nil, "line 3: the value of k does not end on the line"},
		{"27", "config a 'x'\n\toption k '-----BEGIN\noption proto 'y'\n'\n", nil, "line 4: the value of k does not end on the line"},
		{"28", "\toption k a\\\nb\n", nil, "line 3: the value of k does not end on the line"},
		{"29", "\toption k \"a\\\nb\"\n", nil, "line 3: the value of k does not end on the line"},
		{"30", "\toption k 'v'\r\n", nil, "line 3: the line ends as in DOS"},
		{"31", "\r\n\toption k v\r\n", nil, "line 3: the line ends as in DOS"},
		{"32", "\toption k 'v'; option j 'w'\n", nil, "line 3: a semicolon"},
		{"32", "\toption k 'v' ; option j 'w'\n", nil, "line 3: a semicolon"},
		{"32", "\toption k v; option j w\n", nil, "line 3: the value of k has a semicolon"},
		{"33", "\to k 'v'\n", nil, "line 3: the keyword is abbreviated"},
		{"33", "c a x\n", nil, "line 3: the keyword is abbreviated"},
		{"33", "\tl k 'v'\n", nil, "line 3: the keyword is abbreviated"},
		{"34", "\toptionk 'v'\n", nil, "line 3: the line does not begin with"},
		{"35", "\toption k 'v' option j 'w'\n", nil, "line 3: the line has more words"},
		{"35", "\toption k v w\n", nil, "line 3: the line has more words"},
		{"35", "config interface x y\n", nil, "line 3: the line has more words"},
		{"40", "config other 'vpn'\n", nil, "line 3: section vpn is already there"},
		{"40", "config a 'x'\nconfig b 'x'\n", nil, "line 4: section x is already there"},
		{"42", "\toption k 'a'\n\tlist k 'b'\n", nil, "line 4: k stands as option and as list"},
		{"43", "\tlist k 'a'\n\toption k 'b'\n", nil, "line 4: k stands as option and as list"},
		{"44", "\tlist k 'a'\n\tlist k 'b'\n\tlist k 'a'\n", nil, "line 5: list k has the same value twice"},
		{"45", "package t\n", nil, "line 3: the keyword package"},
		{"46", "package 't'\n", nil, "line 3: the keyword package"},
		{"50", "config a 'b-c'\n", nil, "line 3: the section's name may have"},
		{"50", "config a b-c\n", nil, "line 3: the section's name may have"},
		{"51", "\toption a-b 'v'\n", nil, "line 3: the name of an option"},
		{"52", "config a.b\n", nil, "line 3: the section's type has"},
		{"53", "config a@b/c\n", nil, "line 3: the section's type has"},
		{"54", "config 'a' 'b'\n", nil, "line 3: the word behind config is quoted"},
		{"55", "\toption 'k' 'v'\n", nil, "line 3: the word behind option is quoted"},
		{"65", "\toption k 'a\x00b'\n", nil, "line 3: a zero byte"},
		{"66", "\foption k 'v'\n", nil, "line 3: the line begins with a control character"},
		{"66", "\toption\fk 'v'\n", nil, "line 3: the line does not begin with"},
		{"66", "\toption k v\f\n", nil, "line 3: the value of k has a control character"},

		// What is an error for both.
		{"", "\toption k'v'\n", nil, "line 3: the word behind option is quoted"},
		{"", "\tfrobnicate\n", nil, "line 3: the line does not begin with"},
		{"", "config\n", nil, "line 3: config stands without a name"},
		{"", "\toption # k\n", nil, "line 3: option stands without a name"},
		{"", "\xef\xbb\xbfconfig a\n", nil, "line 3: the line does not begin with"},
		{"", "config a ''\n", nil, "line 3: the section's name is empty"}, // an anonymous section, for both
	}
	for _, c := range tests {
		for _, quoted := range []string{"'vpn'", "vpn", `"vpn"`} {
			dir := write(t, "config interface "+quoted+"\n\toption proto sstp\n"+c.lines)
			got, err := Read(dir, "vpn")
			if c.refused != "" {
				switch e := fault.Of(err, "", ""); {
				case err == nil:
					t.Errorf("#%s %q is read as %q, want a refusal", c.number, c.lines, got)
				case e.Code != fault.InvalidOptions || !strings.Contains(e.Message, c.refused) ||
					!strings.Contains(e.Message, dir) || e.Hint == "":
					t.Errorf("#%s %q: %q, hint %q; want %q", c.number, c.lines, e.Message, e.Hint, c.refused)
				}
				continue
			}
			want := config.Values{"proto": {"sstp"}}
			for k, v := range c.want {
				want[k] = v
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("#%s %q is %q %v, want %q", c.number, c.lines, got, err, want)
			}
		}
	}
}

func TestLinesBeforeTheFirstSection(t *testing.T) {
	_, err := Read(write(t, "option k 'v'\nconfig interface 'vpn'\n"), "vpn")
	if err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("an option of no section: %v", err)
	}
}

func TestTheZoneOfAnInterface(t *testing.T) {
	dir := t.TempDir()
	if zone := Zone(dir, "vpn"); zone != "" {
		t.Errorf("no file: %q", zone)
	}
	firewall := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "firewall"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const zones = "config defaults\n\toption input 'REJECT'\n\nconfig zone\n\toption name 'lan'\n\tlist network 'lan'\n\n" +
		"config zone\n\toption name 'wan'\n\tlist network 'wan'\n\tlist network 'vpn'\n\nconfig zone\n\toption name 'old'\n\toption network 'vpn2 vpn3'\n"
	firewall(zones)
	for iface, want := range map[string]string{"vpn": "wan", "vpn3": "old", "vp": "", "vpn9": ""} {
		if got := Zone(dir, iface); got != want {
			t.Errorf("%s is in %q, want %q", iface, got, want)
		}
	}
	firewall(zones + "config zone\n\toption name 'a\tb'\n\toption network \"vpn4\\ x\"\n") // go-uci keeps the backslash
	if got := Zone(dir, "vpn"); got != "" {
		t.Errorf("a file that go-uci misreads gives zone %q", got)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	dir := write(t, "config interface 'vpn'\n\toption proto 'sstp'\n"+
		"config interface 'lan'\n\toption proto 'static'\nconfig interface 'bare'\nconfig device 'dev'\n"+
		"config interface\n\toption proto 'sstp'\n")
	empty := t.TempDir()
	nested := t.TempDir()
	if err := os.Mkdir(filepath.Join(nested, "network"), 0o755); err != nil {
		t.Fatal(err)
	}
	large := write(t, strings.Repeat("# comment\n", maxSize/10+1))
	tests := []struct{ why, dir, section, want string }{
		{"no such section", dir, "wan", "no interface wan"},
		{"a section of another type", dir, "dev", "is of type device"},
		{"an interface of another protocol", dir, "lan", `is of protocol "static"`},
		{"an interface without a protocol", dir, "bare", "has no option proto"},
		{"a section without a name", dir, "@interface[0]", "may have letters"},
		{"a way out of the directory", dir, "../vpn", "may have letters"},
		{"no name", dir, "", "may have letters"},
		{"no file", empty, "vpn", "no such file"},
		{"no directory", filepath.Join(empty, "x"), "vpn", "no such file"},
		{"a directory in the file's place", nested, "vpn", "is not a file"},
		{"a file that is no configuration", large, "vpn", "larger than 1 MiB"},
		{"an empty file", write(t, ""), "vpn", "no interface vpn"},
	}
	for _, c := range tests {
		_, err := Read(c.dir, c.section)
		if e := fault.Of(err, "", ""); e == nil || e.Code != fault.InvalidOptions || !strings.Contains(e.Message, c.want) || e.Hint == "" {
			t.Errorf("%s: %v, want INVALID_OPTIONS with %q", c.why, err, c.want)
		}
	}
	if os.Getuid() != 0 {
		locked := write(t, "")
		if err := os.Chmod(filepath.Join(locked, "network"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(locked, "vpn"); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("a file that may not be read: %v", err)
		}
	}
}

func TestNothingIsWritten(t *testing.T) {
	const text = "config interface 'vpn' # ours\n\toption proto 'sstp'\n"
	dir := write(t, text)
	path := filepath.Join(dir, "network")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir, "vpn"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	info, errStat := os.Stat(path)
	if err != nil || errStat != nil || string(got) != text || info.Mode().Perm() != 0o600 {
		t.Errorf("after reading the file is %q, mode %v", got, info.Mode())
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("after reading the directory holds %v", entries)
	}
}

func TestValuesAreNeverShown(t *testing.T) {
	const secret = "hunter2"
	for _, line := range []string{
		"option password \"" + secret + "\\\\\"\n", "option password '" + secret + "'x\n", "option password " + secret + "\\ x\n",
		"option password '" + secret + "\n", "option password 'a' '" + secret + "'\n", "option password " + secret,
		"list password '" + secret + "'\nlist password '" + secret + "'\n",
	} {
		_, err := Read(write(t, "config interface 'vpn'\noption proto sstp\n"+line), "vpn")
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(fault.Of(err, "", "").Hint, secret) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// FuzzRead: go-uci reads every file that the guard lets pass, and returns what is written in single quotation marks.
func FuzzRead(f *testing.F) {
	f.Add("\toption k 'v'\n\tlist l \"a\"\n", "x y", "config other\n\toption a b\\ c\n")
	f.Add("config interface vpn # c\nlist k a#b\n", `a"b`, "config a\noption b 'x\\\\'")
	f.Fuzz(func(t *testing.T, before, value, after string) {
		dir := write(t, "config interface 'vpn'\noption proto sstp\n"+before+
			"\nconfig interface 'vpn'\n\toption zz '"+value+"'\n"+after)
		got, err := Read(dir, "vpn")
		if err != nil {
			if strings.Contains(err.Error(), "is rejected by the reader") {
				t.Fatalf("%q %q %q: %v", before, value, after, err)
			}
			return
		}
		if len(got["zz"]) != 1 || got["zz"][0] != value && !strings.Contains(before+after, "zz") && !strings.Contains(value, "'") {
			t.Fatalf("%q %q %q: %q", before, value, after, got)
		}
	})
}
