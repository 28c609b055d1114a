package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"sstp/src/fault"
	"sstp/src/phrase"
)

// maxMTU is the largest packet that servers accept in SSTP: PPP's default.
const maxMTU = 1500

// draft is a tunnel in the making.
type draft struct {
	t    *Tunnel
	port uint16
}

// Parse checks the options of interface name. The error is a *fault.Error with code INVALID_OPTIONS about the first bad option
// in the table's order: its name, its value unless it is a secret, and the allowed values. Warnings do not keep the tunnel from
// working. Parse ignores unknown options, because netifd's own are among them.
func Parse(name string, v Values) (*Tunnel, []Warning, error) {
	if !isInterfaceName(name) {
		return nil, nil, invalid("The interface's name is %s, but must be made of letters, digits, _, - and . only.", quote(name))
	}
	d := &draft{port: 443, t: &Tunnel{
		Name:         name,
		SendSNI:      true,
		TLSMin:       0x0303,
		Keepalive:    Keepalive{Failures: 3, Interval: 10 * time.Second},
		Hold:         30 * time.Second,
		Offload:      true,
		LogLevel:     LogInfo,
		DefaultRoute: true,
		PeerDNS:      true,
	}}
	for i := range table {
		if err := d.apply(&table[i], v[table[i].Name]); err != nil {
			return nil, nil, err
		}
	}
	d.applyNetifd(v)
	warnings := d.applyLegacy(v)
	more, err := d.finish()
	if err != nil {
		return nil, nil, err
	}
	return d.t, append(warnings, more...), nil
}

// apply stores the value or values of one option.
func (d *draft) apply(r *row, values []string) error {
	if r.set == nil {
		return nil
	}
	if r.Type == List {
		values = words(values)
	} else {
		values = slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
	}
	if r.Type != List && len(values) > 1 {
		return invalid("Option %s is a list of %s values, but must be one value: %s.", r.Name, strconv.Itoa(len(values)), r.Allowed)
	}
	for _, value := range values {
		if r.Name != "username" && r.Name != "password" {
			if value = strings.TrimSpace(value); value == "" {
				continue
			}
		}
		if r.Name != "password" && strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) ||
			!r.set(d, value) {
			return badValue(&r.Option, value)
		}
	}
	return nil
}

// applyNetifd reads the options that netifd acts on itself. It reports no errors, because netifd judges them itself.
func (d *draft) applyNetifd(v Values) {
	last := func(name string) string {
		if all := v[name]; len(all) > 0 {
			return strings.TrimSpace(all[len(all)-1])
		}
		return ""
	}
	setBool(&d.t.DefaultRoute, last("defaultroute"))
	setBool(&d.t.PeerDNS, last("peerdns"))
	setInt(&d.t.Metric, last("metric"), 0, 1<<30)
}

// finish sets what depends on several options, and checks options against each other.
func (d *draft) finish() (warnings []Warning, err error) {
	t := d.t
	warn := func(option string, format phrase.Format, args ...string) {
		warnings = append(warnings, Warning{option, phrase.Of(format, args...)})
	}
	if len(t.Servers) == 0 {
		return nil, invalid("Option server is not set, but must be %s.", rowOf("server").Allowed)
	}
	for i := range t.Servers {
		if t.Servers[i].Port == 0 {
			t.Servers[i].Port = d.port
		}
	}
	switch {
	case t.Cert != "" && t.Key == "":
		return nil, invalid("Option cert is set to %s, but option key is not: it must be the file with the certificate's private key.", quote(t.Cert))
	case t.Key != "" && t.Cert == "":
		return nil, invalid("Option key is set to %s, but option cert is not: it must be the file with the key's certificate.", quote(t.Key))
	case t.Verify == VerifyPin && len(t.Pins) == 0:
		return nil, invalid("Option verify is 'pin', but option cert_pin is not set: it must be %s.", rowOf("cert_pin").Allowed)
	}
	for _, m := range t.Auth {
		switch {
		case m == EAPTLS && t.Cert == "":
			return nil, invalid("Option auth has 'eap-tls', which needs the files of a client certificate in options cert and key.")
		case m.NeedsVerifiedServer() && t.Verify == VerifyNone:
			return nil, invalid("Option auth has %s, which gives the password away to a server that option verify 'none' lets anybody be; verify must be full or pin.", quote(string(m)))
		}
	}
	if t.Verify == VerifyNone {
		const unverified phrase.Format = "The server's certificate is not verified: anybody on the way can read and change the traffic."
		if len(t.Pins) > 0 {
			warn("verify", unverified+" Option cert_pin has no effect.")
		} else {
			warn("verify", unverified)
		}
	}
	switch {
	case t.InsecureLogin && t.Verify == VerifyNone:
		warn("insecure_login", "The login can be relayed: somebody on the way can take the server's place, and search for the password. "+
			"To end that, run Test connection and choose Trust this certificate, or store the fingerprint that sstp probe %s prints as cert_pin and set verify to pin.", t.Name)
	case t.InsecureLogin:
		warn("insecure_login", "Option insecure_login has no effect: the server is verified.")
	}
	if t.MTU > maxMTU { // sstp-client took it, and LuCI up to 9200
		warn("mtu", "A packet in the tunnel has at most 1500 bytes; %s counts as 1500.", strconv.Itoa(t.MTU))
		t.MTU = maxMTU
	}
	if t.MTU > 0 && t.MTU < 1280 && t.IPv6 == On {
		warn("ipv6", "There is no IPv6 in the tunnel: it needs an mtu of at least 1280.")
	}
	if t.TLSMin < 0x0303 {
		warn("tls_min", "TLS versions below 1.2 have known weaknesses.")
	}
	return warnings, nil
}

// defaultAuth is used where option auth is not set.
func defaultAuth(withCert bool) []AuthMethod {
	if withCert {
		return []AuthMethod{EAPTLS, MSCHAPv2, EAPMSCHAPv2}
	}
	return []AuthMethod{MSCHAPv2, EAPMSCHAPv2}
}

// words splits every value at blanks: netifd does so with a plain option that stands where a list is wanted.
func words(values []string) (all []string) {
	for _, v := range values {
		all = append(all, strings.Fields(v)...)
	}
	return all
}

func badValue(o *Option, value string) error {
	if o.Secret {
		return invalid("Option %s has a value that cannot be used (not shown); it must be %s.", o.Name, o.Allowed)
	}
	return invalid("Option %s is %s, but must be %s.", o.Name, quote(value), o.Allowed)
}

func invalid(format phrase.Format, args ...string) *fault.Error {
	return fault.Newf(fault.InvalidOptions, fault.StageConfig, format, args...)
}

// quote returns a value as a UCI file has it, escaped and shortened for display.
func quote(v string) string {
	const most = 80
	end := ""
	if len(v) > most {
		v, end = v[:most], "..."
	}
	q := strconv.Quote(v)
	if q[1:len(q)-1] == v {
		return "'" + v + end + "'"
	}
	return q + end
}
