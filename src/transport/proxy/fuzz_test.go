package proxy

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// FuzzAnswer: the numbers that decide how the connection goes on are sane whatever a proxy answers.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 Connection established\r\n\r\nglued"))
	f.Add([]byte("HTTP/1.1 407 x\r\nContent-Length: 7\r\nProxy-Authenticate: Basic\r\n realm=\"x\"\r\n\r\nDenied!"))
	f.Add([]byte("HTTP/1.0 407\nContent-Length: 1\nContent-Length: 2\nConnection: close\n\n"))
	f.Add([]byte("HTTP/1.1 403 x\r\nContent-Length: -1\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, rest, err := cutAnswer(b)
		if !bytes.HasSuffix(b, rest) || a == nil && len(rest) != len(b) || a != nil && err != nil {
			t.Fatalf("%+v, rest %q of %q, %v", a, rest, b, err)
		}
		if a == nil {
			return
		}
		success := a.Status >= 200 && a.Status < 300
		if a.Status < 100 || a.Status > 999 || a.ContentLength < -1 || success && (a.ContentLength >= 0 || a.Closes) {
			t.Fatalf("%+v", a)
		}
		if !success && a.ContentLength < 0 && !a.Closes {
			t.Fatalf("%+v: a body of unknown length ends with the connection", a)
		}
		for _, challenge := range a.Authenticate {
			if strings.ContainsAny(challenge, "\r\n") {
				t.Fatalf("a line break inside of %q", challenge)
			}
		}
	})
}

// FuzzChallenges: what was read is read again from its own writing, and no answer to it can break out of its header.
func FuzzChallenges(f *testing.F) {
	f.Add(`Digest realm="a, b", nonce=n, qop="auth,auth-int", opaque="", stale=true, Basic realm="x"`, "user", "password")
	f.Add(`Negotiate abc==, NTLM, Digest nonce="\"", algorithm=SHA-256-sess`, `us"e\r`, "")
	f.Add(`Digest algorithm="MD5, x=y", nonce=1`, "", ":")
	f.Fuzz(func(t *testing.T, header, user, password string) {
		if strings.ContainsFunc(header+user, unicode.IsControl) {
			return // httphead and the checks of the options let neither pass
		}
		list := parseChallenges(header)
		var text []string
		for _, ch := range list {
			if !isToken(ch.scheme) || ch.scheme != strings.ToLower(ch.scheme) {
				t.Fatalf("scheme %q", ch.scheme)
			}
			line := ch.scheme + " " + ch.token68
			for i, p := range ch.params {
				if i > 0 || ch.token68 != "" {
					line += ","
				}
				line += p.name + "=" + quoted(p.value)
			}
			text = append(text, line)
		}
		again := parseChallenges(strings.Join(text, ","))
		if !slices.EqualFunc(list, again, func(a, b challenge) bool {
			return a.scheme == b.scheme && a.token68 == b.token68 && slices.Equal(a.params, b.params)
		}) {
			t.Fatalf("%q is read as %+v, and that as %+v", header, list, again)
		}

		best, _ := bestChallenge([]string{header})
		if best == nil || best.scheme != "digest" {
			return
		}
		line := digestAuthorization(best, user, password, "CONNECT", "vpn.test:443", "c")
		if strings.ContainsAny(line, "\r\n") {
			t.Fatalf("%q breaks out of its header", line)
		}
		back := parseChallenges(line)
		if len(back) != 1 {
			t.Fatalf("%q is read as %d challenges", line, len(back))
		}
		for name, want := range map[string]string{"username": user, "uri": "vpn.test:443"} {
			if got, _ := back[0].get(name); got != want {
				t.Fatalf("%s %q in %q, want %q", name, got, line, want)
			}
		}
		for _, name := range []string{"realm", "nonce", "opaque"} {
			asked, _ := best.get(name)
			if said, _ := back[0].get(name); said != asked {
				t.Fatalf("%s %q, want it back as it came: %q", name, said, asked)
			}
		}
	})
}
