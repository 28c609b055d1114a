package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/fault"
)

// with returns a section that works, with options changed: name, value, name, value.
func with(pairs ...string) Values {
	v := Values{"server": {"vpn.example.org"}}
	for i := 0; i < len(pairs); i += 2 {
		v[pairs[i]] = []string{pairs[i+1]}
	}
	return v
}

func mustParse(t *testing.T, v Values) (*Tunnel, []Warning) {
	t.Helper()
	tunnel, warnings, err := Parse("vpn", v)
	if err != nil {
		t.Fatalf("Parse(%v): %v", v, err)
	}
	return tunnel, warnings
}

func TestDefaults(t *testing.T) {
	got, warnings := mustParse(t, with())
	want := &Tunnel{
		Name:         "vpn",
		Servers:      []Server{{Host: "vpn.example.org", Port: 443}},
		Auth:         []AuthMethod{MSCHAPv2, EAPMSCHAPv2},
		Verify:       VerifyFull,
		SendSNI:      true,
		TLSMin:       0x0303,
		IPv6:         Auto,
		Keepalive:    Keepalive{Failures: 3, Interval: 10 * time.Second},
		Hold:         30 * time.Second,
		KTLS:         Auto,
		Offload:      true,
		LogLevel:     LogInfo,
		DefaultRoute: true,
		PeerDNS:      true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("an interface with a server and nothing else:\n got %+v\nwant %+v", got, want)
	}
	if len(warnings) > 0 {
		t.Errorf("warnings %v, want none", warnings)
	}
}

func TestTheTableTellsTheDefaultsThatParseUses(t *testing.T) {
	v := with()
	for _, o := range Options() {
		if o.Default != "" {
			v[o.Name] = []string{o.Default}
		}
	}
	spelledOut, _ := mustParse(t, v)
	plain, _ := mustParse(t, with())
	if !reflect.DeepEqual(spelledOut, plain) {
		t.Errorf("all defaults spelled out:\n got %+v\nwant %+v", spelledOut, plain)
	}
}

func TestTheTable(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Options() {
		if seen[o.Name] {
			t.Errorf("%s stands twice", o.Name)
		}
		seen[o.Name] = true
		if o.Allowed == "" {
			t.Errorf("%s does not say what is allowed", o.Name)
		}
		if o.Type == Bool && o.Default == "" || o.Type.String() == "" {
			t.Errorf("%s: a boolean has a default", o.Name)
		}
	}
	for _, name := range []string{"defaultroute", "peerdns", "metric", "dns", "ip4table", "ip6table", "delegate", "zone", "auto", "proto"} {
		if seen[name] {
			t.Errorf("%s is netifd's own: a handler that declares it takes it away", name)
		}
	}
	for _, name := range []string{"password", "path_secret", "proxy", "sstp_options", "pppd_options"} {
		if r := rowOf(name); r == nil || !r.Secret {
			t.Errorf("%s can hold a password and must be secret", name)
		}
	}
}

// TestValues goes through the table: what is taken, and as what.
func TestValues(t *testing.T) {
	tests := []struct {
		option, value string
		get           func(*Tunnel) any
		want          any
	}{
		{"username", `CORP\alice`, func(t *Tunnel) any { return t.Username }, `CORP\alice`},
		{"username", " padded ", func(t *Tunnel) any { return t.Username }, " padded "},
		{"password", " p w'\"\\ ü\t", func(t *Tunnel) any { return t.Password }, " p w'\"\\ ü\t"},
		{"verify", "full", func(t *Tunnel) any { return t.Verify }, VerifyFull},
		{"verify", "none", func(t *Tunnel) any { return t.Verify }, VerifyNone},
		{"ca_cert", "/etc/sstp/my ca.pem", func(t *Tunnel) any { return t.CACert }, "/etc/sstp/my ca.pem"},
		{"tls_min", "1.0", func(t *Tunnel) any { return t.TLSMin }, uint16(0x0301)},
		{"tls_min", "1.1", func(t *Tunnel) any { return t.TLSMin }, uint16(0x0302)},
		{"tls_min", "1.3", func(t *Tunnel) any { return t.TLSMin }, uint16(0x0304)},
		{"tls_legacy", "1", func(t *Tunnel) any { return t.TLSLegacy }, true},
		{"tls_legacy", "on", func(t *Tunnel) any { return t.TLSLegacy }, true},
		{"tls_legacy", "Yes", func(t *Tunnel) any { return t.TLSLegacy }, true},
		{"tls_legacy", "true", func(t *Tunnel) any { return t.TLSLegacy }, true},
		{"tls_legacy", "enabled", func(t *Tunnel) any { return t.TLSLegacy }, true},
		{"offload", "0", func(t *Tunnel) any { return t.Offload }, false},
		{"offload", "off", func(t *Tunnel) any { return t.Offload }, false},
		{"offload", "no", func(t *Tunnel) any { return t.Offload }, false},
		{"offload", "false", func(t *Tunnel) any { return t.Offload }, false},
		{"offload", "disabled", func(t *Tunnel) any { return t.Offload }, false},
		{"path_secret", "s3cr3t/?x=~", func(t *Tunnel) any { return t.PathSecret }, "s3cr3t/?x=~"},
		{"tunlink", "wan_2", func(t *Tunnel) any { return t.Tunlink }, "wan_2"},
		{"mtu", "576", func(t *Tunnel) any { return t.MTU }, 576},
		{"mtu", "1501", func(t *Tunnel) any { return t.MTU }, 1500},
		{"mtu", "9200", func(t *Tunnel) any { return t.MTU }, 1500},
		{"mtu", " 1500 ", func(t *Tunnel) any { return t.MTU }, 1500},
		{"ipv6", "auto", func(t *Tunnel) any { return t.IPv6 }, Auto},
		{"ipv6", "1", func(t *Tunnel) any { return t.IPv6 }, On},
		{"ipv6", "0", func(t *Tunnel) any { return t.IPv6 }, Off},
		{"ktls", "no", func(t *Tunnel) any { return t.KTLS }, Off},
		{"keepalive", "5 60", func(t *Tunnel) any { return t.Keepalive }, Keepalive{5, time.Minute}},
		{"keepalive", "5,1", func(t *Tunnel) any { return t.Keepalive }, Keepalive{5, time.Second}},
		{"hold", "0", func(t *Tunnel) any { return t.Hold }, time.Duration(0)},
		{"hold", "86400", func(t *Tunnel) any { return t.Hold }, 24 * time.Hour},
		{"hold", "86400", func(t *Tunnel) any { return t.HoldsForever() }, false},
		{"hold", "forever", func(t *Tunnel) any { return t.Hold }, HoldForever},
		{"hold", " forever ", func(t *Tunnel) any { return t.HoldsForever() }, true},
		{"insecure_login", "1", func(t *Tunnel) any { return t.InsecureLogin }, true},
		{"insecure_login", "", func(t *Tunnel) any { return t.InsecureLogin }, false},
		{"authfail", "1", func(t *Tunnel) any { return t.AuthFail }, true},
		{"maxfail", "7", func(t *Tunnel) any { return t.MaxFail }, 7},
		{"congestion", "bbr", func(t *Tunnel) any { return t.Congestion }, "bbr"},
		{"log_level", "0", func(t *Tunnel) any { return t.LogLevel }, LogError},
		{"log_level", "4", func(t *Tunnel) any { return t.LogLevel }, LogTrace},
		{"defaultroute", "0", func(t *Tunnel) any { return t.DefaultRoute }, false},
		{"defaultroute", "perhaps", func(t *Tunnel) any { return t.DefaultRoute }, true},
		{"peerdns", "false", func(t *Tunnel) any { return t.PeerDNS }, false},
		{"metric", "20", func(t *Tunnel) any { return t.Metric }, 20},
		{"metric", "-1", func(t *Tunnel) any { return t.Metric }, 0},
		{"mtu", "", func(t *Tunnel) any { return t.MTU }, 0}, // an empty value is an unset option, as in UCI
		{"verify", " ", func(t *Tunnel) any { return t.Verify }, VerifyFull},
	}
	for _, c := range tests {
		tunnel, _ := mustParse(t, with(c.option, c.value))
		if got := c.get(tunnel); got != c.want {
			t.Errorf("option %s %q is %v, want %v", c.option, c.value, got, c.want)
		}
	}
}

// TestBadValues goes through the table: what is refused. A message names the option, the value and what is allowed.
func TestBadValues(t *testing.T) {
	bad := map[string][]string{
		"server": {"https://vpn.example.org", "vpn.example.org/path", "vpn:0", "vpn:65536", "vpn:", "vpn:+1", "vpn:044",
			"[::1", "[::1]443", "[vpn]:443", "::g", "1.2.3", "300.1.1.1", "a..b", "-a.example", "a-", "fe80::1%eth0", "ü.example", "a@b",
			strings.Repeat("a", 64), strings.Repeat("a.", 130) + "b"},
		"port":           {"0", "65536", "443x", "0443", "-1", "+443", "0x1bb", "4 43", "99999999999999999999"},
		"username":       {"a\nb", "a\x00b", "a\xffb", strings.Repeat("u", 257)},
		"auth":           {"mschap", "MSCHAPV2", "eap-tls mschapv2 none"},
		"verify":         {"yes", "FULL", "strict"},
		"ca_cert":        {"ca.pem", "./ca.pem", "/etc/a\nb"},
		"cert_pin":       {"sha256:abcd", "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", strings.Repeat("ab", 32), "spki-sha256:YWJj", "spki-sha256:****"},
		"server_name":    {"a b", "-", "vpn.example.org:443", "*.example.org"},
		"sni":            {"192.0.2.1", "a b", "--"},
		"tls_min":        {"1", "1.4", "TLS1.2", "ssl3"},
		"tls_legacy":     {"2", "ja", "1 1"},
		"tunlink":        {"vpn", "a/b", "../x", "-x", "wan lan"},
		"mtu":            {"575", "65536", "-1", "0x500", "01400", "1400.0", "1400 bytes"},
		"ipv6":           {"2", "AUTO", "maybe"},
		"keepalive":      {"3", "0 10", "3 0", "3 10 1", "101 10", "3 3601", "3 10s", "-1 10"},
		"hold":           {"-1", "86401", "30s", "Forever", "for ever", "always"},
		"insecure_login": {"2", "mschapv2"},
		"authfail":       {"2"},
		"maxfail":        {"-1", "1000001", "never"},
		"ktls":           {"force"},
		"offload":        {"gso"},
		"congestion":     {"b b r", "aaaaaaaaaaaaaaaa", "bbr;"},
		"log_level":      {"5", "-1", "debug", "02"},
		"cert":           {"client.pem"},
		"key":            {"client.key"},
	}
	for _, o := range Options() {
		if bad[o.Name] == nil && !o.Secret {
			t.Errorf("no bad value of %s is tried", o.Name)
		}
		for _, value := range bad[o.Name] {
			_, _, err := Parse("vpn", with(o.Name, value))
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != fault.InvalidOptions || e.Stage != fault.StageConfig {
				t.Errorf("option %s %q: error %v, want INVALID_OPTIONS", o.Name, value, err)
				continue
			}
			if !strings.Contains(e.Message, o.Name) || !strings.Contains(e.Message, o.Allowed) {
				t.Errorf("option %s %q: %q does not name the option and what is allowed", o.Name, value, e.Message)
			}
			shown := strings.Fields(value)[0]
			if o.Type == List {
				shown = strings.Fields(value)[len(strings.Fields(value))-1]
			}
			shown = strings.Trim(quote(shown[:min(len(shown), 20)]), `"'`)
			if !strings.Contains(e.Message, shown) {
				t.Errorf("option %s %q: %q does not show the value", o.Name, value, e.Message)
			}
			if strings.ContainsFunc(e.Message, func(r rune) bool { return r < ' ' }) {
				t.Errorf("option %s: message %q has control characters", o.Name, e.Message)
			}
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	const mark = "hunter2"
	for _, v := range []Values{
		with("password", mark+"\xff"),
		with("path_secret", mark+" x"),
		with("proxy", "https://u:"+mark+"@proxy:1"),
		with("proxy", "http://u:"+mark+"@proxy:0"),
		with("proxy", "http://u:"+mark+"%0d@proxy:1"),
		{"server": {"a"}, "password": {mark, mark}},
	} {
		_, _, err := Parse("vpn", v)
		if err == nil {
			t.Errorf("Parse(%v) succeeds", v)
		} else if strings.Contains(err.Error(), mark) {
			t.Errorf("the message shows a secret: %s", err)
		}
	}
	for _, words := range []string{
		"password " + mark[:3] + " " + mark[3:] + " " + mark,
		"password " + strings.Repeat(mark, 40),
		"--password " + mark + " " + mark,
		"--pasword=" + mark,
		"--proxy http://u:" + mark + "@:0:0 " + mark,
		"--password '" + mark,
	} {
		_, warnings := mustParse(t, with("sstp_options", words, "pppd_options", words))
		for _, w := range warnings {
			if strings.Contains(w.Text, mark) || strings.Contains(w.Text, mark[3:]) {
				t.Errorf("%q: the warning shows a secret: %s", words, w.Text)
			}
		}
	}
}

func TestServers(t *testing.T) {
	tests := []struct {
		values []string
		port   string
		want   []Server
	}{
		{[]string{"vpn.example.org"}, "", []Server{{"vpn.example.org", 443}}},
		{[]string{"vpn.example.org."}, "", []Server{{"vpn.example.org.", 443}}},
		{[]string{"vpn_1:8443"}, "", []Server{{"vpn_1", 8443}}},
		{[]string{"192.0.2.1"}, "4433", []Server{{"192.0.2.1", 4433}}},
		{[]string{"192.0.2.1:1"}, "4433", []Server{{"192.0.2.1", 1}}},
		{[]string{"2001:db8::1"}, "", []Server{{"2001:db8::1", 443}}},
		{[]string{"[2001:db8::1]"}, "4433", []Server{{"2001:db8::1", 4433}}},
		{[]string{"[2001:db8::1]:8443"}, "", []Server{{"2001:db8::1", 8443}}},
		{[]string{"::ffff:192.0.2.1"}, "", []Server{{"::ffff:192.0.2.1", 443}}},
		{[]string{"a:1", "", "b"}, "2", []Server{{"a", 1}, {"b", 2}}},
		{[]string{"a:1 b\tc"}, "2", []Server{{"a", 1}, {"b", 2}, {"c", 2}}}, // netifd splits so too
	}
	for _, c := range tests {
		v := Values{"server": c.values, "port": {c.port}}
		if got, _ := mustParse(t, v); !slices.Equal(got.Servers, c.want) {
			t.Errorf("server %q port %q is %v, want %v", c.values, c.port, got.Servers, c.want)
		}
	}
	if _, _, err := Parse("vpn", Values{}); err == nil || !strings.Contains(err.Error(), "server is not set") {
		t.Errorf("without a server: %v", err)
	}
	if got := (Server{"2001:db8::1", 443}).String(); got != "[2001:db8::1]:443" {
		t.Errorf("an address with colons is shown as %s", got)
	}
}

func TestNamesToSendAndToVerify(t *testing.T) {
	tests := []struct {
		server, serverName, sni string
		verify, send            string
	}{
		{"vpn.example.org", "", "", "vpn.example.org", "vpn.example.org"},
		{"vpn.example.org.", "", "", "vpn.example.org", "vpn.example.org"},
		{"192.0.2.1", "", "", "192.0.2.1", ""}, // RFC 6066 section 3: no addresses
		{"192.0.2.1", "vpn.example.org.", "", "vpn.example.org", "vpn.example.org"},
		{"192.0.2.1", "vpn.example.org", "front.example", "vpn.example.org", "front.example"},
		{"vpn.example.org", "", "-", "vpn.example.org", ""},
	}
	for _, c := range tests {
		got, _ := mustParse(t, with("server", c.server, "server_name", c.serverName, "sni", c.sni))
		if v, s := got.VerifyName(got.Servers[0]), got.SNIName(got.Servers[0]); v != c.verify || s != c.send {
			t.Errorf("server %s, server_name %q, sni %q: verifies %q and sends %q, want %q and %q",
				c.server, c.serverName, c.sni, v, s, c.verify, c.send)
		}
	}
}

func TestAuth(t *testing.T) {
	const cert, key = "/etc/c.pem", "/etc/k.pem"
	tests := []struct {
		why  string
		v    Values
		want []AuthMethod
	}{
		{"the default", with(), []AuthMethod{MSCHAPv2, EAPMSCHAPv2}},
		{"a client certificate comes first", with("cert", cert, "key", key), []AuthMethod{EAPTLS, MSCHAPv2, EAPMSCHAPv2}},
		{"only what is listed, in that order", with("auth", "pap chap"), []AuthMethod{PAP, CHAP}},
		{"a list", Values{"server": {"a"}, "auth": {"chap", "mschapv2", "chap"}}, []AuthMethod{CHAP, MSCHAPv2}},
		{"a certificate for TLS alone", with("auth", "mschapv2", "cert", cert, "key", key), []AuthMethod{MSCHAPv2}},
	}
	for _, c := range tests {
		if got, _ := mustParse(t, c.v); !slices.Equal(got.Auth, c.want) {
			t.Errorf("%s: %v, want %v", c.why, got.Auth, c.want)
		}
	}
}

func TestOptionsThatDoNotFitTogether(t *testing.T) {
	tests := []struct {
		why      string
		v        Values
		mentions []string
	}{
		{"a certificate cannot be used without its key", with("cert", "/c.pem"), []string{"cert", "key", "/c.pem"}},
		{"a key cannot be used without its certificate", with("key", "/k.pem"), []string{"cert", "key", "/k.pem"}},
		{"eap-tls needs a certificate", with("auth", "eap-tls"), []string{"auth", "eap-tls", "cert"}},
		{"pin without a pin would refuse everybody", with("verify", "pin"), []string{"verify", "cert_pin"}},
		{"PAP gives an unverified server the password", with("auth", "pap", "verify", "none"), []string{"auth", "pap", "verify"}},
		{"CHAP gives an unverified server the answer to any question", with("auth", "mschapv2 chap", "verify", "none"), []string{"auth", "chap", "verify"}},
		{"one value is wanted", Values{"server": {"a"}, "mtu": {"1400", "1300"}}, []string{"mtu", "list"}},
	}
	for _, c := range tests {
		_, _, err := Parse("vpn", c.v)
		if err == nil || fault.Of(err, "", "").Code != fault.InvalidOptions {
			t.Errorf("%s: error %v, want INVALID_OPTIONS", c.why, err)
			continue
		}
		for _, m := range c.mentions {
			if !strings.Contains(err.Error(), m) {
				t.Errorf("%s: %q does not mention %s", c.why, err, m)
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		v      Values
		option string
	}{
		{with("ipv6", "1", "mtu", "1279"), "ipv6"},
		{with("verify", "none"), "verify"},
		{with("verify", "none", "cert_pin", "sha256:"+strings.Repeat("00", 32)), "verify"},
		{with("tls_min", "1.0"), "tls_min"},
		{with("mtu", "9000"), "mtu"},
	}
	for _, c := range tests {
		if _, warnings := mustParse(t, c.v); len(warnings) != 1 || warnings[0].Option != c.option {
			t.Errorf("%v: warnings %v, want one about %s", c.v, warnings, c.option)
		}
	}
}

func TestPins(t *testing.T) {
	sum := [32]byte{0xde, 0xad, 0xbe, 0xef}
	zeros := strings.Repeat("00", 28)
	want := []Pin{{PinLeaf, sum}, {PinLeaf, sum}, {PinSPKI, sum}, {PinSPKI, sum}}
	v := with()
	v["cert_pin"] = []string{
		"sha256:deadbeef" + zeros,
		"SHA256:DE:AD:BE:EF" + strings.Repeat(":00", 28), // as openssl x509 -fingerprint prints it
		"spki-sha256:3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"spki-sha256:3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	}
	got, _ := mustParse(t, v)
	if !slices.Equal(got.Pins, want) {
		t.Errorf("pins %v, want %v", got.Pins, want)
	}
	if s := got.Pins[0].String(); s != v["cert_pin"][0] {
		t.Errorf("the pin is shown as %s", s)
	}
	if s := got.Pins[2].String(); s != v["cert_pin"][2] {
		t.Errorf("the pin is shown as %s", s)
	}
}

func TestProxy(t *testing.T) {
	tests := []struct {
		value string
		want  *Proxy // nil: refused
	}{
		{"http://proxy.example:3128", &Proxy{Host: "proxy.example", Port: 3128}},
		{"HTTP://proxy.example:3128/", &Proxy{Host: "proxy.example", Port: 3128}},
		{"http://proxy.example", &Proxy{Host: "proxy.example", Port: 80}},
		{"proxy.example:8080", &Proxy{Host: "proxy.example", Port: 8080}},
		{"http://[2001:db8::1]:8080", &Proxy{Host: "2001:db8::1", Port: 8080}},
		{"http://u:p@proxy:1", &Proxy{Host: "proxy", Port: 1, User: "u", Password: "p"}},
		{"http://u@proxy:1", &Proxy{Host: "proxy", Port: 1, User: "u"}},
		{"http://CORP%5Cu:p%40%3a:@@proxy:1", &Proxy{Host: "proxy", Port: 1, User: `CORP\u`, Password: "p@::@"}},
		{"https://proxy:1", nil},
		{"socks5://proxy:1", nil},
		{"http://", nil},
		{"http://:@proxy:1", nil},
		{"http://proxy:1/path", nil},
		{"http://proxy:1//", nil},
		{"http://u:%zz@proxy:1", nil},
		{"http://u:%4@proxy:1", nil},
		{"http://u:%+1@proxy:1", nil},
		{"http://u:a%0ab@proxy:1", nil}, // would end the header's line
	}
	for _, c := range tests {
		got, _, err := Parse("vpn", with("proxy", c.value))
		switch {
		case c.want == nil && err == nil:
			t.Errorf("proxy %s is taken as %+v, want a refusal", c.value, got.Proxy)
		case c.want != nil && err != nil:
			t.Errorf("proxy %s: %v", c.value, err)
		case c.want != nil && *got.Proxy != *c.want:
			t.Errorf("proxy %s is %+v, want %+v", c.value, got.Proxy, c.want)
		}
	}
}

func TestDeviceName(t *testing.T) {
	tests := []struct{ iface, want string }{
		{"vpn", "sstp-vpn"},
		{"0123456789", "sstp-0123456789"},
	}
	for _, c := range tests {
		if got := DeviceName(c.iface); got != c.want {
			t.Errorf("the device of %s is %s, want %s", c.iface, got, c.want)
		}
	}
	a, b := DeviceName("company_headquarters"), DeviceName("company_headquarter2")
	if len(a) > 15 || a == b || !strings.HasPrefix(a, "sstp-comp") {
		t.Errorf("long names become %s and %s, want different ones of at most 15 letters", a, b)
	}
	if a != DeviceName("company_headquarters") {
		t.Error("the same interface must always have the same device")
	}
}

func TestInterfaceNames(t *testing.T) {
	for _, name := range []string{"", "a/b", "..", ".", "-x", "a b", "a\nb", strings.Repeat("a", 129)} {
		if _, _, err := Parse(name, with()); err == nil {
			t.Errorf("interface name %q is taken: it becomes a part of file names", name)
		}
	}
	for _, name := range []string{"vpn", "wan_6", "a.1", "_x"} {
		if _, _, err := Parse(name, with()); err != nil {
			t.Errorf("interface name %q: %v", name, err)
		}
	}
}

// FuzzParse: whatever an option holds, the answer is a tunnel within its limits or INVALID_OPTIONS without the secret.
func FuzzParse(f *testing.F) {
	for i := range table {
		f.Add(uint8(i), "1 vpn.example.org:1", "x")
	}
	f.Add(uint8(16), "http://u:p%40@h:1", "sha256:00")
	f.Fuzz(func(t *testing.T, which uint8, a, b string) {
		o := Options()[int(which)%len(table)]
		v := with()
		v[o.Name] = []string{a, b}
		if o.Type != List && which > 127 {
			v[o.Name] = []string{a}
		}
		tunnel, warnings, err := Parse("vpn", v)
		if (tunnel == nil) == (err == nil) {
			t.Fatalf("tunnel %v and error %v", tunnel, err)
		}
		text := ""
		for _, w := range warnings {
			text += w.Text
		}
		if err != nil {
			if fault.Of(err, "", "").Code != fault.InvalidOptions {
				t.Fatalf("error %v, want INVALID_OPTIONS", err)
			}
			text = err.Error()
		} else if len(tunnel.Servers) == 0 || len(tunnel.Auth) == 0 || tunnel.MTU != 0 && (tunnel.MTU < 576 || tunnel.MTU > 1500) {
			t.Fatalf("%s %q gives %+v", o.Name, v[o.Name], tunnel)
		}
		if o.Name == "password" && len(a) > 8 && !strings.Contains("at most 256 characters of UTF-8", a) && strings.Contains(text, a) {
			t.Fatalf("the password stands in %q", text)
		}
	})
}
