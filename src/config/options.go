package config

import "time"

// Type is the shape of an option's value.
type Type uint8

// The shapes. Numbers and booleans must be declared to netifd as strings too: it silently drops a value that it cannot read as
// the declared type (the boolean "yes", the number "1400 "), and reads "010" as 8.
const (
	String Type = iota
	List
	Int
	Bool
)

// String returns the shape's name.
func (t Type) String() string {
	switch t {
	case List:
		return "list"
	case Int:
		return "int"
	case Bool:
		return "bool"
	}
	return "string"
}

// Option describes one option.
type Option struct {
	Name    string
	Type    Type
	Secret  bool   // the value is never shown: not in a message, a log or a status
	Default string // the value of an absent option; empty where it depends on others or there is none
	Allowed string // what is allowed, to follow "must be"
}

// Options returns every option of the product, in the order of the documentation. The options that belong to netifd
// itself (defaultroute, peerdns, metric and so on) are not among them.
func Options() []Option {
	list := make([]Option, len(table))
	for i := range table {
		list[i] = table[i].Option
	}
	return list
}

// setter stores a value that is not empty, or each value of a list. It reports whether the value is allowed, and changes nothing
// if it is not.
type setter func(d *draft, value string) bool

type row struct {
	Option
	set setter
}

const allowedBool = "1 or 0"

// table drives Parse. The rows sstp_options and pppd_options have no setter: see legacy.go.
var table = []row{
	{Option{Name: "server", Type: List,
		Allowed: "a host name, an address, host:port or [IPv6 address]:port, without https:// before it"},
		func(d *draft, v string) bool {
			s, ok := parseServer(v)
			if ok {
				d.t.Servers = append(d.t.Servers, s)
			}
			return ok
		}},
	{Option{Name: "port", Type: Int, Default: "443", Allowed: "a number from 1 to 65535"},
		func(d *draft, v string) bool {
			port, ok := parsePort(v)
			if ok {
				d.port = port
			}
			return ok
		}},
	{Option{Name: "username", Allowed: "at most 256 characters of UTF-8"},
		func(d *draft, v string) bool { return setCredential(&d.t.Username, v) }},
	{Option{Name: "password", Secret: true, Allowed: "at most 256 characters of UTF-8"},
		func(d *draft, v string) bool { return setCredential(&d.t.Password, v) }},
	{Option{Name: "auth", Type: List, Allowed: "one or more of eap-tls, mschapv2, eap-mschapv2, chap and pap"},
		setAuth},
	{Option{Name: "verify", Default: "full", Allowed: "full, pin or none"},
		func(d *draft, v string) bool {
			return choose(&d.t.Verify, v, []string{"full", "pin", "none"}, VerifyFull, VerifyPin, VerifyNone)
		}},
	{Option{Name: "insecure_login", Type: Bool, Default: "0", Allowed: allowedBool},
		func(d *draft, v string) bool { return setBool(&d.t.InsecureLogin, v) }},
	{Option{Name: "ca_cert", Allowed: "the absolute path of a file"},
		func(d *draft, v string) bool { return setPath(&d.t.CACert, v) }},
	{Option{Name: "cert_pin", Type: List,
		Allowed: "sha256: and the 64 hexadecimal digits of the certificate's hash, or spki-sha256: and the base64 of its key's hash"},
		func(d *draft, v string) bool {
			p, ok := parsePin(v)
			if ok {
				d.t.Pins = append(d.t.Pins, p)
			}
			return ok
		}},
	{Option{Name: "server_name", Allowed: "a host name or an address"},
		func(d *draft, v string) bool { return setHost(&d.t.ServerName, v) }},
	{Option{Name: "sni", Allowed: "a host name, or - to send none"},
		func(d *draft, v string) bool {
			if v == "-" {
				d.t.SendSNI = false
				return true
			}
			return isHostName(v) && setHost(&d.t.SNI, v)
		}},
	{Option{Name: "cert", Allowed: "the absolute path of a file"},
		func(d *draft, v string) bool { return setPath(&d.t.Cert, v) }},
	{Option{Name: "key", Allowed: "the absolute path of a file"},
		func(d *draft, v string) bool { return setPath(&d.t.Key, v) }},
	{Option{Name: "tls_min", Default: "1.2", Allowed: "1.0, 1.1, 1.2 or 1.3"},
		func(d *draft, v string) bool {
			return choose(&d.t.TLSMin, v, []string{"1.0", "1.1", "1.2", "1.3"}, 0x0301, 0x0302, 0x0303, 0x0304)
		}},
	{Option{Name: "tls_legacy", Type: Bool, Default: "0", Allowed: allowedBool},
		func(d *draft, v string) bool { return setBool(&d.t.TLSLegacy, v) }},
	{Option{Name: "path_secret", Secret: true, Allowed: "visible ASCII characters without a blank"},
		func(d *draft, v string) bool {
			if !only(v, func(c byte) bool { return ' ' < c && c <= '~' }) {
				return false
			}
			d.t.PathSecret = v
			return true
		}},
	{Option{Name: "proxy", Secret: true, Allowed: "http://host:port or http://user:password@host:port"},
		func(d *draft, v string) bool {
			p, ok := parseProxy(v)
			if ok {
				d.t.Proxy = p
			}
			return ok
		}},
	{Option{Name: "tunlink", Allowed: "the name of another interface"},
		func(d *draft, v string) bool {
			if !isInterfaceName(v) || v == d.t.Name {
				return false
			}
			d.t.Tunlink = v
			return true
		}},
	{Option{Name: "mtu", Type: Int, Allowed: "a number from 576 to 1500"},
		func(d *draft, v string) bool { return setInt(&d.t.MTU, v, 576, 65535) }}, // see finish
	{Option{Name: "ipv6", Default: "auto", Allowed: "auto, 1 or 0"},
		func(d *draft, v string) bool { return setMode(&d.t.IPv6, v) }},
	{Option{Name: "keepalive", Default: "3 10",
		Allowed: "two numbers: the unanswered questions from 1 to 100 and the seconds between them from 1 to 3600"},
		setKeepalive},
	{Option{Name: "hold", Default: "30", Allowed: "a number of seconds from 0 to 86400, or forever"},
		func(d *draft, v string) bool {
			if v == "forever" {
				d.t.Hold = HoldForever
				return true
			}
			seconds := 0
			if !setInt(&seconds, v, 0, 86400) {
				return false
			}
			d.t.Hold = time.Duration(seconds) * time.Second
			return true
		}},
	{Option{Name: "authfail", Type: Bool, Default: "0", Allowed: allowedBool},
		func(d *draft, v string) bool { return setBool(&d.t.AuthFail, v) }},
	{Option{Name: "maxfail", Type: Int, Default: "0", Allowed: "a number from 0 to 1000000"},
		func(d *draft, v string) bool { return setInt(&d.t.MaxFail, v, 0, 1000000) }},
	{Option{Name: "ktls", Default: "auto", Allowed: "auto, 1 or 0"},
		func(d *draft, v string) bool { return setMode(&d.t.KTLS, v) }},
	{Option{Name: "offload", Type: Bool, Default: "1", Allowed: allowedBool},
		func(d *draft, v string) bool { return setBool(&d.t.Offload, v) }},
	{Option{Name: "congestion", Allowed: "the name of a TCP congestion control such as bbr"},
		func(d *draft, v string) bool {
			if len(v) > 15 || !only(v, func(c byte) bool { return isAlnum(c) || c == '_' || c == '-' }) {
				return false
			}
			d.t.Congestion = v
			return true
		}},
	{Option{Name: "log_level", Type: Int, Default: "2",
		Allowed: "0 (errors), 1 (warnings), 2 (information), 3 (debug) or 4 (trace)"},
		func(d *draft, v string) bool {
			return choose(&d.t.LogLevel, v, []string{"0", "1", "2", "3", "4"},
				LogError, LogWarn, LogInfo, LogDebug, LogTrace)
		}},
	{Option{Name: "sstp_options", Secret: true, Allowed: "options of sstpc"}, nil},
	{Option{Name: "pppd_options", Secret: true, Allowed: "options of pppd"}, nil},
}

// rowOf returns the table's row of an option.
func rowOf(name string) *row {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}
