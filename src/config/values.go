package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// choose sets *dst to results[i] where words[i] == v. It reports whether there is such a word.
func choose[T any](dst *T, v string, words []string, results ...T) bool {
	i := slices.Index(words, v)
	if i < 0 {
		return false
	}
	*dst = results[i]
	return true
}

// parseBool reads a boolean in every spelling that OpenWrt's config_get_bool knows.
func parseBool(v string) (value, ok bool) {
	switch strings.ToLower(v) {
	case "1", "on", "true", "yes", "enabled":
		return true, true
	case "0", "off", "false", "no", "disabled":
		return false, true
	}
	return false, false
}

func setBool(dst *bool, v string) bool {
	value, ok := parseBool(v)
	if ok {
		*dst = value
	}
	return ok
}

func setMode(dst *Mode, v string) bool {
	if v == "auto" {
		*dst = Auto
		return true
	}
	value, ok := parseBool(v)
	switch {
	case !ok:
		return false
	case value:
		*dst = On
	default:
		*dst = Off
	}
	return true
}

// setInt reads a decimal number. A sign, a leading zero (octal to netifd and the shell) and anything after the digits
// are refused.
func setInt(dst *int, v string, low, high int) bool {
	if v == "" || len(v) > 9 || v[0] == '0' && v != "0" || !only(v, isDigit) {
		return false
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return false
	}
	*dst = n
	return true
}

func setPath(dst *string, v string) bool {
	if v[0] != '/' || len(v) > 4095 {
		return false
	}
	*dst = v
	return true
}

func setHost(dst *string, v string) bool {
	if !isHost(v) {
		return false
	}
	*dst = strings.TrimSuffix(v, ".")
	return true
}

func setAuth(d *draft, v string) bool {
	m := AuthMethod(v)
	switch m {
	case EAPTLS, MSCHAPv2, EAPMSCHAPv2, CHAP, PAP:
	default:
		return false
	}
	if !slices.Contains(d.t.Auth, m) {
		d.t.Auth = append(d.t.Auth, m)
	}
	return true
}

// setKeepalive reads "failures seconds"; a comma between them is allowed as in OpenWrt's ppp.
func setKeepalive(d *draft, v string) bool {
	words := strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' })
	failures, seconds := 0, 0
	if len(words) != 2 || !setInt(&failures, words[0], 1, 100) || !setInt(&seconds, words[1], 1, 3600) {
		return false
	}
	d.t.Keepalive = Keepalive{Failures: failures, Interval: time.Duration(seconds) * time.Second}
	return true
}

// setCredential limits user names and passwords to what RFC 2759 section 4 allows and what can be turned into its
// UTF-16.
func setCredential(dst *string, v string) bool {
	if !utf8.ValidString(v) || utf8.RuneCountInString(v) > 256 {
		return false
	}
	*dst = v
	return true
}

// parseServer reads one item of option server. Port stays 0 where the item has none.
func parseServer(v string) (s Server, ok bool) {
	host, port := v, ""
	switch {
	case strings.HasPrefix(v, "["):
		inner, rest, found := strings.Cut(v[1:], "]")
		if !found || !strings.Contains(inner, ":") || rest != "" && rest[0] != ':' {
			return Server{}, false
		}
		host, port = inner, rest
	case strings.Count(v, ":") == 1:
		i := strings.IndexByte(v, ':')
		host, port = v[:i], v[i:]
	}
	if !isHost(host) {
		return Server{}, false
	}
	s.Host = host
	if port != "" {
		if s.Port, ok = parsePort(port[1:]); !ok {
			return Server{}, false
		}
	}
	return s, true
}

func parsePort(v string) (port uint16, ok bool) {
	n := 0
	if !setInt(&n, v, 1, 65535) {
		return 0, false
	}
	return uint16(n), true
}

// parseProxy reads http://[user:password@]host[:port][/]. The scheme may be missing; the port is 80 then, as in any
// http address. Characters of user and password may be written as %XX.
func parseProxy(v string) (*Proxy, bool) {
	if scheme, rest, found := strings.Cut(v, "://"); found {
		if !strings.EqualFold(scheme, "http") {
			return nil, false
		}
		v = rest
	}
	p := &Proxy{}
	if i := strings.LastIndexByte(v, '@'); i >= 0 {
		user, password, _ := strings.Cut(v[:i], ":")
		var okUser, okPassword bool
		p.User, okUser = unescape(user)
		p.Password, okPassword = unescape(password)
		if !okUser || !okPassword || p.User == "" {
			return nil, false
		}
		v = v[i+1:]
	}
	s, ok := parseServer(strings.TrimSuffix(v, "/"))
	if !ok {
		return nil, false
	}
	p.Host, p.Port = s.Host, s.Port
	if p.Port == 0 {
		p.Port = 80
	}
	return p, true
}

// unescape resolves %XX (RFC 3986 section 2.1). Control characters are refused: the text goes into an HTTP header.
func unescape(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c, i = byte(n), i+2
		}
		if isControl(c) {
			return "", false
		}
		out = append(out, c)
	}
	return string(out), true
}

func isHost(v string) bool {
	if a, err := netip.ParseAddr(v); err == nil {
		return a.Zone() == ""
	}
	return isHostName(v)
}

// isHostName reports whether DNS can carry the name v: labels of 1 to 63 letters, digits, hyphens and underscores,
// 253 characters in all (RFC 1035 section 2.3.4). A name that ends in a number is a mistyped address.
func isHostName(v string) bool {
	v = strings.TrimSuffix(v, ".")
	if v == "" || len(v) > 253 {
		return false
	}
	label := ""
	for rest, more := v, true; more; {
		label, rest, more = strings.Cut(rest, ".")
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			!only(label, func(c byte) bool { return isAlnum(c) || c == '-' || c == '_' }) {
			return false
		}
	}
	return !only(label, isDigit)
}

// isInterfaceName reports whether v can be the name of our netifd interface: it becomes a part of file, device and object
// names.
func isInterfaceName(v string) bool {
	return v != "" && len(v) <= 128 && (isAlnum(v[0]) || v[0] == '_') &&
		only(v, func(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' })
}

func only(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool   { return '0' <= c && c <= '9' }
func isAlnum(c byte) bool   { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isControl(c byte) bool { return c < ' ' || c == 0x7f }
