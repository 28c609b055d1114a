package transport

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// FuzzProxyHead: where the cut comes does not depend on how the bytes arrived, and nothing is lost behind it.
func FuzzProxyHead(f *testing.F) {
	f.Add([]byte(established + "glued"))
	f.Add([]byte(demand(`Digest realm="a", nonce="b"`, "Basic")))
	f.Add([]byte("HTTP/1.0 407\nProxy-Authenticate: Basic\n realm=\"x\"\nConnection: close\n\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nX\r\n\r\n"))
	f.Add([]byte("HTTP/2 200\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, rest, err := cutProxyHead(b)
		if !bytes.HasSuffix(b, rest) {
			t.Fatalf("the rest %q is not the end of %q", rest, b)
		}
		if head == nil {
			if len(rest) != len(b) {
				t.Fatal("bytes were taken without a head")
			}
			if err == nil && len(b) >= headLimit {
				t.Fatal("asks for more beyond the limit")
			}
			return
		}
		if err != nil || head.Status < 100 || head.Status > 999 || head.ContentLength < -1 {
			t.Fatalf("%+v, %v", head, err)
		}
		for _, a := range head.Authenticate {
			if strings.ContainsAny(a, "\r\n") {
				t.Fatalf("a line break inside of %q", a)
			}
		}
		length := len(b) - len(rest)
		for i := range length {
			if early, _, err := cutProxyHead(b[:i]); early != nil || err != nil {
				t.Fatalf("%d of %d bytes of a good head: %v, %v", i, length, early, err)
			}
		}
		if again, more, _ := cutProxyHead(b[:length]); again == nil || len(more) != 0 {
			t.Fatal("the head alone is not the head")
		}
	})
}

// FuzzChallenges: what was read is read again from its own writing, and no answer to it can break out of its header.
func FuzzChallenges(f *testing.F) {
	f.Add(`Digest realm="a, b", nonce=n, qop="auth,auth-int", opaque="", stale=true, Basic realm="x"`, "user", "password")
	f.Add(`Negotiate abc==, NTLM, Digest nonce="\"", algorithm=SHA-256-sess`, `us"e\r`, "")
	f.Add(`Digest algorithm="MD5, x=y", nonce=1`, "", ":")
	f.Fuzz(func(t *testing.T, header, user, password string) {
		if strings.ContainsAny(header, "\r\n") || hasControl(user) {
			return // cutHead and connector.check let neither pass
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

// FuzzInterleave: each address is tried once, the first one first, and no family waits while both are left.
func FuzzInterleave(f *testing.F) {
	f.Add([]byte{4, 4, 6, 6, 4})
	f.Fuzz(func(t *testing.T, kinds []byte) {
		var in []netip.Addr
		unique := map[netip.Addr]bool{}
		for _, k := range kinds {
			a := netip.AddrFrom4([4]byte{192, 0, 2, k})
			if k%2 == 1 {
				a = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 15: k})
			}
			in, unique[a] = append(in, a), true
		}
		out := interleave(in)
		if len(out) != len(unique) || len(in) > 0 && out[0] != in[0] {
			t.Fatalf("%v became %v", in, out)
		}
		for i := 2; i < len(out); i++ {
			if out[i].Is4() == out[i-1].Is4() && slices.ContainsFunc(out[i:], func(a netip.Addr) bool { return a.Is4() != out[i].Is4() }) {
				t.Fatalf("%v: a family waits", out)
			}
		}
		for _, a := range out {
			delete(unique, a)
		}
		if len(unique) != 0 {
			t.Fatalf("%v were lost", unique)
		}
	})
}
