package proxy

import "strings"

// challenge is one way to authenticate that a proxy offers (RFC 9110 section 11.3).
type challenge struct {
	scheme  string // in lower case
	token68 string
	params  []param
}

// param is one parameter of a challenge, without its quotes.
type param struct{ name, value string } // name in lower case

// get returns the parameter's value.
func (c *challenge) get(name string) (value string, found bool) {
	for _, p := range c.params {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// parseChallenges parses one Proxy-Authenticate header, in which commas separate the challenges and also their parameters (RFC
// 9110 section 11.6.1). It returns the challenges before the first one that breaks the rules.
func parseChallenges(s string) []challenge {
	var list []challenge
	for {
		s = strings.TrimLeft(s, " \t,")
		word, after := cutToken(s)
		if word == "" {
			return list
		}
		word = strings.ToLower(word)
		if value, rest, found := cutValue(after); found && len(list) > 0 {
			last := &list[len(list)-1]
			last.params = append(last.params, param{word, value})
			s = rest
			continue
		}
		list = append(list, challenge{scheme: word})
		s = strings.TrimLeft(after, " \t")
		if s == after && s != "" && s[0] != ',' {
			return list[:len(list)-1] // the scheme is followed by something that is not a blank
		}
		if token, rest := cutToken68(s); token != "" {
			list[len(list)-1].token68 = token
			s = rest
		} else if name, after := cutToken(s); name != "" {
			value, rest, found := cutValue(after)
			if !found {
				return list
			}
			last := &list[len(list)-1]
			last.params = append(last.params, param{strings.ToLower(name), value})
			s = rest
		}
		if s = strings.TrimLeft(s, " \t"); s != "" && s[0] != ',' {
			return list
		}
	}
}

// cutToken splits a token (RFC 9110 section 5.6.2) off the front of s.
func cutToken(s string) (token, rest string) {
	i := 0
	for i < len(s) && isTokenByte(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func isTokenByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// cutToken68 splits a token68 off the front of s, if a comma or the end follows.
func cutToken68(s string) (token, rest string) {
	i := 0
	for i < len(s) && s[i] != '=' && (isTokenByte(s[i]) || s[i] == '/') {
		i++
	}
	if i == 0 {
		return "", s
	}
	for i < len(s) && s[i] == '=' {
		i++
	}
	if after := strings.TrimLeft(s[i:], " \t"); after != "" && after[0] != ',' {
		return "", s
	}
	return s[:i], s[i:]
}

// cutValue splits "=value" off the front of s. The value is a quoted string or a token. Any byte but a separator is taken for
// one of a token, because some proxies send realm and nonce without the quotes that they need.
func cutValue(s string) (value, rest string, found bool) {
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] != '=' {
		return "", s, false
	}
	s = strings.TrimLeft(s[1:], " \t")
	if s == "" || s[0] != '"' {
		i := strings.IndexAny(s, ", \t\"")
		if i < 0 {
			i = len(s)
		}
		return s[:i], s[i:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", s, false
}

// quoted returns s as a quoted string (RFC 9110 section 5.6.4).
func quoted(s string) string {
	b := append(make([]byte, 0, len(s)+2), '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(append(b, '"'))
}
