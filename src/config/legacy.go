package config

import (
	"slices"
	"strconv"
	"strings"

	"sstp/src/phrase"
)

// This file understands options sstp_options and pppd_options, which the package sstp-client passed on to sstpc 1.0.20
// and pppd. It translates a word into our option of the same meaning, unless that option is set itself. A word without a
// counterpart causes a warning, at most one for each of the two options, and never an error.

// legacyWord is a word that has a meaning here.
type legacyWord struct {
	word     string
	argument bool   // the next word is its argument
	option   string // the option, or the helper name of translate, that has this meaning; empty: see note
	value    string // the option's value where the word has no argument
	note     string // what is lost
}

// vocabulary is what one of the two programs understands.
type vocabulary struct {
	words        []legacyWord
	ignored      string // words whose work is done by others, or that say how things are anyway
	ignoredPairs string // the same with an argument
}

var sstpVocabulary = vocabulary{
	words: []legacyWord{
		{word: "--ca-cert", argument: true, option: "ca_cert"},
		{word: "--cert-warn", option: "verify", value: "none"},
		{word: "--host", argument: true, option: "server_name"},
		{word: "--log-level", argument: true, option: "log_level"},
		{word: "--password", argument: true, option: "password"},
		{word: "--proxy", argument: true, option: "proxy"},
		{word: "--user", argument: true, option: "username"},
		{word: "--ca-path", argument: true, option: "ca-path"},
		{word: "--crl-file", argument: true, note: "--crl-file has no effect: revocation lists are not read."},
		{word: "--crl-path", argument: true, note: "--crl-path has no effect: revocation lists are not read."},
	},
	ignored: "--tls-ext --save-server-route --nolaunchpppd --debug " +
		"--log-syslog --log-stderr --log-stdout --log-lineno",
	ignoredPairs: "--uuid --ipparam --priv-user --priv-group --priv-dir " +
		"--log-file --log-filename --log-token --log-filter --log-ident",
}

var pppdVocabulary = vocabulary{
	words: []legacyWord{
		{word: "user", argument: true, option: "username"},
		{word: "name", argument: true, option: "username"},
		{word: "password", argument: true, option: "password"},
		{word: "mtu", argument: true, option: "mtu"},
		{word: "mru", argument: true, option: "mru"},
		{word: "lcp-echo-interval", argument: true, option: "lcp-echo-interval"},
		{word: "lcp-echo-failure", argument: true, option: "lcp-echo-failure"},
		{word: "maxfail", argument: true, option: "maxfail"},
		{word: "debug", option: "log_level", value: "3"},
		{word: "+ipv6", option: "ipv6", value: "1"},
		{word: "noipv6", option: "ipv6", value: "0"},
		{word: "nodefaultroute", option: "defaultroute", value: "0"},
		{word: "refuse-mschap-v2", option: "refuse", value: "mschapv2"},
		{word: "refuse-mschapv2", option: "refuse", value: "mschapv2"},
		{word: "refuse-eap", option: "refuse", value: "eap"},
		{word: "require-pap", note: "require-pap has no effect: list pap in option auth if the server knows nothing better."},
		{word: "require-chap", note: "require-chap has no effect: list chap in option auth if the server knows nothing better."},
	},
	// MS-CHAPv2 makes the server prove itself, so require-mschap-v2 holds anyway; PAP and CHAP are refused anyway.
	ignored: "require-mschap-v2 require-mschapv2 require-eap refuse-pap refuse-chap refuse-mschap auth noauth " +
		"require-mppe require-mppe-40 require-mppe-128 nomppe nomppe-40 nomppe-128 mppe-stateful nomppe-stateful " +
		"noccp nobsdcomp nodeflate nopredictor1 novj novjccomp noaccomp nopcomp nomagic nomp nomultilink " +
		"noipdefault ipcp-accept-local ipcp-accept-remote ipv6cp-accept-local ipv6cp-accept-remote usepeerdns " +
		"defaultroute replacedefaultroute noreplacedefaultroute defaultroute6 nodefaultroute6 " +
		"persist nopersist dump hide-password show-password lcp-echo-adaptive default-asyncmap " +
		"lock nolock local modem crtscts nocrtscts sync nodetach updetach",
	ignoredPairs: "holdoff ipparam ifname linkname remotename plugin unit kdebug logfile logfd asyncmap bsdcomp deflate " +
		"mppe defaultroute-metric ip-up-script ip-down-script ipv6-up-script ipv6-down-script " +
		"lcp-max-configure lcp-max-failure lcp-max-terminate lcp-restart " +
		"ipcp-max-configure ipcp-max-failure ipcp-max-terminate ipcp-restart " +
		"chap-max-challenge chap-restart pap-max-authreq pap-restart pap-timeout",
}

// lookup returns what a word means.
func (v *vocabulary) lookup(word string) (w legacyWord, known bool) {
	for _, w := range v.words {
		if w.word == word {
			return w, true
		}
	}
	if slices.Contains(strings.Fields(v.ignored), word) {
		return legacyWord{}, true
	}
	return legacyWord{argument: true}, slices.Contains(strings.Fields(v.ignoredPairs), word)
}

// legacy collects what the words of one of the two options ask for.
type legacy struct {
	option  string
	values  map[string]string // option, or helper name of translate, to text; the last word wins
	refused []string          // mschapv2, eap
	notes   []string
}

// applyLegacy follows the words of sstp_options and pppd_options, and then sets the default of option auth, which the
// words can narrow.
func (d *draft) applyLegacy(v Values) (warnings []Warning) {
	var refused []string
	for _, l := range []*legacy{
		scanLegacy("sstp_options", v, &sstpVocabulary),
		scanLegacy("pppd_options", v, &pppdVocabulary),
	} {
		refused = append(refused, l.refused...)
		l.translate(v)
		d.follow(l, v)
		if len(l.notes) > 0 {
			warnings = append(warnings, Warning{l.option, phrase.Foreign(strings.Join(l.notes, " "))})
		}
	}
	if len(d.t.Auth) > 0 {
		return warnings
	}
	for _, m := range defaultAuth(d.t.Cert != "") {
		family, _, _ := strings.Cut(string(m), "-")
		if !slices.Contains(refused, family) {
			d.t.Auth = append(d.t.Auth, m)
		}
	}
	if len(d.t.Auth) == 0 {
		d.t.Auth = defaultAuth(d.t.Cert != "")
		warnings = append(warnings, Warning{"auth",
			phrase.Of("Option pppd_options refuses every method that is used by default, which is not followed; list the wanted ones in option auth.")})
	}
	return warnings
}

// scanLegacy reads the words. It names the first unknown word in a warning, unless a secret precedes it: the word may be the
// second half of the secret.
func scanLegacy(option string, v Values, voc *vocabulary) *legacy {
	l := &legacy{option: option, values: map[string]string{}}
	text := strings.Join(v[option], " ")
	all, closed := splitWords(text)
	if !closed {
		all = strings.Fields(text)
		l.notes = append(l.notes, "It has a quotation mark without its partner, so that none is taken for one.")
	}
	unknown, first, secret := 0, "", false
	for i := 0; i < len(all); i++ {
		name, argument, glued := all[i], "", false
		if strings.HasPrefix(name, "--") {
			name, argument, glued = strings.Cut(name, "=")
		}
		w, known := voc.lookup(name)
		if !known {
			if unknown++; unknown == 1 {
				first = "word " + strconv.Itoa(i+1)
				if !secret {
					first = quote(name)
				}
			}
			continue
		}
		if w.note != "" {
			l.notes = append(l.notes, w.note)
		}
		switch {
		case !w.argument:
			argument = w.value
		case !glued:
			if i+1 == len(all) {
				l.notes = append(l.notes, name+" misses its value.")
				continue
			}
			i++
			argument = all[i]
		}
		secret = secret || w.option == "password" || w.option == "proxy"
		switch w.option {
		case "":
		case "refuse":
			l.refused = append(l.refused, argument)
		default:
			l.values[w.option] = argument
		}
	}
	switch {
	case unknown == 1:
		l.notes = append(l.notes, "It has "+first+", which is not understood and is passed over.")
	case unknown > 1:
		l.notes = append(l.notes, "It has "+first+" and "+strconv.Itoa(unknown-1)+
			" more, which are not understood and are passed over.")
	}
	return l
}

// translate converts the values that have another form here.
func (l *legacy) translate(v Values) {
	if p, ok := l.values["proxy"]; ok {
		l.values["proxy"] = legacyProxy(p)
	}
	// pppd has a limit for each direction, we have one for both.
	if mru, ok := l.values["mru"]; ok {
		delete(l.values, "mru")
		mtu := l.values["mtu"]
		receive, errReceive := strconv.Atoi(mru)
		send, errSend := strconv.Atoi(mtu)
		if mtu == "" || errReceive == nil && errSend == nil && receive < send {
			l.values["mtu"] = mru
		}
	}
	failures, okFailures := l.values["lcp-echo-failure"]
	seconds, okSeconds := l.values["lcp-echo-interval"]
	delete(l.values, "lcp-echo-failure")
	delete(l.values, "lcp-echo-interval")
	if okFailures || okSeconds {
		if !okFailures {
			failures = "3"
		}
		if !okSeconds {
			seconds = "10"
		}
		l.values["keepalive"] = failures + " " + seconds
	}
	if path, ok := l.values["ca-path"]; ok && path != "/etc/ssl/certs" && path != "/etc/ssl/certs/" {
		l.notes = append(l.notes, "--ca-path has no effect: name a file in option ca_cert.")
	}
	if _, ok := l.values["verify"]; ok {
		if isSet(v, "cert_pin") || isSet(v, "ca_cert") || isSet(v, "verify") {
			delete(l.values, "verify")
			l.notes = append(l.notes, "--cert-warn has no effect beside verify, ca_cert or cert_pin.")
		} else {
			// The old package logged in like this. To refuse it now would take the tunnel away; finish warns of it.
			l.values["insecure_login"] = "1"
			l.notes = append(l.notes, "--cert-warn is followed: it is the same as verify 'none' with insecure_login '1'.")
		}
	}
}

// follow sets the options that are not set themselves.
func (d *draft) follow(l *legacy, v Values) {
	if value, ok := l.values["defaultroute"]; ok && !isSet(v, "defaultroute") {
		setBool(&d.t.DefaultRoute, value)
	}
	for i := range table {
		r := &table[i]
		value, ok := l.values[r.Name]
		if !ok || isSet(v, r.Name) {
			continue
		}
		if value == "" || d.apply(r, []string{value}) != nil {
			l.notes = append(l.notes, "Its value for "+r.Name+" is passed over: it must be "+r.Allowed+".")
		}
	}
}

// legacyProxy turns what sstpc takes for --proxy into a value of option proxy: sstpc knows no %XX, speaks plain HTTP
// whatever the scheme is, and takes port 443 where neither scheme nor port is given.
func legacyProxy(p string) string {
	p = strings.ReplaceAll(p, "%", "%25")
	port := ":443"
	if scheme, rest, found := strings.Cut(p, "://"); found {
		p = rest
		if strings.EqualFold(scheme, "http") {
			port = ":80"
		}
	}
	p, _, _ = strings.Cut(p, "/")
	host := p[strings.LastIndexByte(p, '@')+1:]
	if s, ok := parseServer(host); ok && s.Port == 0 {
		p = p[:len(p)-len(host)] + Server{Host: s.Host}.String()
		p = strings.TrimSuffix(p, ":0") + port
	}
	return "http://" + p
}

func isSet(v Values, name string) bool {
	return slices.ContainsFunc(v[name], func(s string) bool { return s != "" })
}

// splitWords splits a text at blanks as a shell does. Quotation marks of both kinds keep blanks and are removed; a
// backslash is a character like any other, as it was for sstpc, so that DOMAIN\user needs no second one. Where a
// quotation mark is never closed, closed is false.
func splitWords(text string) (words []string, closed bool) {
	var word []byte
	inWord := false
	quoted := byte(0)
	for i := range len(text) {
		c := text[i]
		switch {
		case quoted != 0:
			if c == quoted {
				quoted = 0
				continue
			}
			word = append(word, c)
		case c == '\'' || c == '"':
			quoted, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				words, word, inWord = append(words, string(word)), nil, false
			}
		default:
			word, inWord = append(word, c), true
		}
	}
	if inWord {
		words = append(words, string(word))
	}
	return words, quoted == 0
}
