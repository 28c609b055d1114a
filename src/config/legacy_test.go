package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWordsOfThePackageReplaced(t *testing.T) {
	tests := []struct {
		why        string
		v          Values
		change     func(*Tunnel) // what differs from a tunnel without the words
		warnsAbout string        // the option that is warned about
	}{
		{"the usual words of sstpc", with("sstp_options", "--ca-cert /etc/ca.pem --log-level 4 --tls-ext --uuid 123 --host vpn.example.net"),
			func(t *Tunnel) { t.CACert, t.LogLevel, t.ServerName = "/etc/ca.pem", LogTrace, "vpn.example.net" }, ""},
		{"values glued on", with("sstp_options", "--ca-cert=/etc/ca.pem --log-level=1"),
			func(t *Tunnel) { t.CACert, t.LogLevel = "/etc/ca.pem", LogWarn }, ""},
		{"quoted words", with("sstp_options", `--ca-cert "/etc/my ca.pem" --user 'a b' --password ''"x"y`),
			func(t *Tunnel) { t.CACert, t.Username, t.Password = "/etc/my ca.pem", "a b", "xy" }, ""},
		{"a proxy without a port is asked at 443, as sstpc does", with("sstp_options", "--proxy 10.10.10.10"),
			func(t *Tunnel) { t.Proxy = &Proxy{Host: "10.10.10.10", Port: 443} }, ""},
		{"a proxy as an address of the web", with("sstp_options", "--proxy http://u:50%25@[::1]/x"),
			func(t *Tunnel) { t.Proxy = &Proxy{Host: "::1", Port: 80, User: "u", Password: "50%25"} }, ""},
		{"a proxy with a port", with("sstp_options", "--proxy https://proxy:3128"),
			func(t *Tunnel) { t.Proxy = &Proxy{Host: "proxy", Port: 3128} }, ""},
		{"--cert-warn is the wish for no verification", with("sstp_options", "--cert-warn"),
			func(t *Tunnel) { t.Verify, t.InsecureLogin = VerifyNone, true }, "sstp_options verify insecure_login"},
		{"and the login goes on as before, unless that is refused", with("sstp_options", "--cert-warn", "insecure_login", "0"),
			func(t *Tunnel) { t.Verify = VerifyNone }, "sstp_options verify"},
		{"but not where the certificate is pinned", with("sstp_options", "--cert-warn", "cert_pin", "sha256:"+strings.Repeat("00", 32)),
			func(t *Tunnel) { t.Pins = []Pin{{}} }, "sstp_options"},
		{"nor where verification is asked for", with("sstp_options", "--cert-warn", "verify", "full"), nil, "sstp_options"},
		{"the system's CA directory is the default", with("sstp_options", "--ca-path /etc/ssl/certs"), nil, ""},
		{"another directory is not read", with("sstp_options", "--ca-path /etc/my"), nil, "sstp_options"},
		{"revocation lists are not read", with("sstp_options", "--crl-file /etc/crl.pem"), nil, "sstp_options"},
		{"an unknown word warns once and harms nobody", with("sstp_options", "--frobnicate 7 --log-level 3 x y"),
			func(t *Tunnel) { t.LogLevel = LogDebug }, "sstp_options"},
		{"a bad value of a known word", with("sstp_options", "--log-level 9 --ca-cert relative.pem"), nil, "sstp_options"},
		{"a missing value", with("sstp_options", "--tls-ext --ca-cert"), nil, "sstp_options"},

		{"the usual words of pppd", with("pppd_options", "noauth require-mschap-v2 refuse-pap refuse-chap refuse-mschap noccp nomppe "+
			"noipdefault usepeerdns replacedefaultroute defaultroute ipparam x holdoff 5 persist dump require-mppe"), nil, ""},
		{"who we are", with("pppd_options", `user CORP\alice password p"w w"'x'`),
			func(t *Tunnel) { t.Username, t.Password = `CORP\alice`, "pw wx" }, ""},
		{"name is user", with("pppd_options", "name bob"), func(t *Tunnel) { t.Username = "bob" }, ""},
		{"mtu and mru: one limit, the lower", with("pppd_options", "mtu 1300 mru 1350"), func(t *Tunnel) { t.MTU = 1300 }, ""},
		{"mru and mtu: one limit, the lower", with("pppd_options", "mtu 1400 mru 1350"), func(t *Tunnel) { t.MTU = 1350 }, ""},
		{"mru alone", with("pppd_options", "mru 1350"), func(t *Tunnel) { t.MTU = 1350 }, ""},
		{"an mtu that no SSTP can carry", with("pppd_options", "mtu 9000"), func(t *Tunnel) { t.MTU = 1500 }, "mtu"},
		{"an mtu that is none", with("pppd_options", "mtu 90"), nil, "pppd_options"},
		{"the echoes of LCP", with("pppd_options", "lcp-echo-interval 30 lcp-echo-failure 4"),
			func(t *Tunnel) { t.Keepalive = Keepalive{4, 30 * time.Second} }, ""},
		{"half of them", with("pppd_options", "lcp-echo-interval 30"),
			func(t *Tunnel) { t.Keepalive = Keepalive{3, 30 * time.Second} }, ""},
		{"none at all cannot be had", with("pppd_options", "lcp-echo-interval 0"), nil, "pppd_options"},
		{"maxfail, debug, IPv6, no default route", with("pppd_options", "maxfail 3 debug +ipv6 nodefaultroute"),
			func(t *Tunnel) { t.MaxFail, t.LogLevel, t.IPv6, t.DefaultRoute = 3, LogDebug, On, false }, ""},
		{"noipv6", with("pppd_options", "noipv6"), func(t *Tunnel) { t.IPv6 = Off }, ""},
		{"refused methods", with("pppd_options", "refuse-eap"), func(t *Tunnel) { t.Auth = []AuthMethod{MSCHAPv2} }, ""},
		{"refused methods", with("pppd_options", "refuse-mschap-v2"), func(t *Tunnel) { t.Auth = []AuthMethod{EAPMSCHAPv2} }, ""},
		{"all refused", with("pppd_options", "refuse-mschap-v2 refuse-eap"), nil, "auth"},
		{"PAP must be listed in option auth", with("pppd_options", "require-pap"), nil, "pppd_options"},
		{"an unknown word warns once", with("pppd_options", "frobnicate 7 192.0.2.1:192.0.2.2"), nil, "pppd_options"},
		{"a lost quotation mark is a character", with("pppd_options", "password it's"),
			func(t *Tunnel) { t.Password = "it's" }, "pppd_options"},

		{"an option that is set wins", with("sstp_options", "--log-level 4 --user a --host h --proxy p:1",
			"log_level", "0", "username", "b", "server_name", "n", "proxy", "http://q:2"),
			func(t *Tunnel) {
				t.LogLevel, t.Username, t.ServerName, t.Proxy = LogError, "b", "n", &Proxy{Host: "q", Port: 2}
			}, ""},
		{"an option that is set wins", with("pppd_options", "mtu 1300 maxfail 9 lcp-echo-interval 9 noipv6 refuse-eap password p nodefaultroute",
			"mtu", "1350", "maxfail", "0", "keepalive", "3 10", "ipv6", "auto", "auth", "mschapv2 eap-mschapv2", "password", "w", "defaultroute", "1"),
			func(t *Tunnel) { t.MTU, t.Password = 1350, "w" }, ""},
	}
	for _, c := range tests {
		got, warnings := mustParse(t, c.v)
		want, _ := mustParse(t, with())
		if c.change != nil {
			c.change(want)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", c.why, c.v, got, want)
		}
		var about []string
		for _, w := range warnings {
			about = append(about, w.Option)
		}
		if strings.Join(about, " ") != c.warnsAbout {
			t.Errorf("%s: %v: warnings %v, want about %q", c.why, c.v, warnings, c.warnsAbout)
		}
	}
}

func TestAnUnknownWordIsNamed(t *testing.T) {
	tests := []struct{ option, words, want string }{
		{"sstp_options", "--frob=1", "'--frob'"},
		{"pppd_options", "frob 7 8", "'frob' and 2 more"},
		{"pppd_options", "password two words frob", "word 3 and 1 more"}, // "words" may be half the password
	}
	for _, c := range tests {
		_, warnings := mustParse(t, with(c.option, c.words))
		if len(warnings) != 1 || !strings.Contains(warnings[0].Text, c.want) {
			t.Errorf("%s: warnings %v, want one with %s", c.words, warnings, c.want)
		}
	}
}

func TestSplitWords(t *testing.T) {
	tests := []struct {
		text   string
		want   []string
		closed bool
	}{
		{"", nil, true},
		{" a\t b\nc ", []string{"a", "b", "c"}, true},
		{`'a b' "c d"`, []string{"a b", "c d"}, true},
		{`a'b c'"d"e`, []string{"ab cde"}, true},
		{`'' ""`, []string{"", ""}, true},
		{`"it's" 'say "hi"'`, []string{"it's", `say "hi"`}, true},
		{`DOM\user 'a\' "b\"`, []string{`DOM\user`, `a\`, `b\`}, true},
		{`'a b`, []string{"a b"}, false},
	}
	for _, c := range tests {
		if got, closed := splitWords(c.text); !slices.Equal(got, c.want) || closed != c.closed {
			t.Errorf("%q: %q %v, want %q %v", c.text, got, closed, c.want, c.closed)
		}
	}
}

// FuzzSplitWords: words put in quotation marks come back as they were.
func FuzzSplitWords(f *testing.F) {
	f.Add("a", `b "c`, `it's`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		text := ""
		for _, w := range []string{a, b, c} {
			text += " '" + strings.ReplaceAll(w, "'", `'"'"'`) + "'"
		}
		got, closed := splitWords(text)
		if !closed || !slices.Equal(got, []string{a, b, c}) {
			t.Fatalf("%q: %q, want %q %q %q", text, got, a, b, c)
		}
	})
}
