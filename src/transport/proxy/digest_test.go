package proxy

import (
	"fmt"
	"strings"
	"testing"
)

// TestDigest goes through the examples of RFC 7616 section 3.9.1 and RFC 2617 section 3.5, curl's test 206, and the
// session forms, computed by Python's hashlib.
func TestDigest(t *testing.T) {
	const rfc7616 = `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, ` +
		`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
	const cnonce7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	const rfc2617 = `Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ` +
		`opaque="5ccc069c403ebaf9f0171e9517f40e41"`
	for _, tc := range []struct {
		why, challenge, user, password, method, uri, cnonce string
		want                                                string
	}{
		{"RFC 7616, MD5", fmt.Sprintf(rfc7616, "MD5"), "Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce7616,
			"8ca523f5e9506fed4657c9700eebdbec"},
		{"RFC 7616, SHA-256", fmt.Sprintf(rfc7616, "SHA-256"), "Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce7616,
			"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"RFC 2617", rfc2617, "Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b",
			"6629fae49393a05397450978507c4ef1"},
		{"curl's test 206, without qop", `Digest realm="weirdorealm", nonce="12345"`, "silly", "person", "CONNECT",
			"test.remote.haxx.se.206:8990", "unused", "003e36decb4dbf6366b3ecb9b87c24ec"},
		{"MD5-sess", fmt.Sprintf(rfc7616, "MD5-sess"), "Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce7616,
			"e783283f46242139c486a698fec7211d"},
		{"SHA-256-sess", fmt.Sprintf(rfc7616, "sha-256-SESS"), "Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce7616,
			"2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			list := parseChallenges(tc.challenge)
			if len(list) != 1 || digestStrength(&list[0]) == 0 {
				t.Fatalf("read as %+v", list)
			}
			line := digestAuthorization(&list[0], tc.user, tc.password, tc.method, tc.uri, tc.cnonce)
			if !strings.Contains(line, ` response="`+tc.want+`"`) {
				t.Errorf("sent %s, want the response %s", line, tc.want)
			}
			// What comes after "Digest" has the shape of a challenge's parameters: read them back.
			back := parseChallenges(line)[0]
			for name, want := range map[string]string{"username": tc.user, "uri": tc.uri} {
				if got, _ := back.get(name); got != want {
					t.Errorf("%s %q, want %q", name, got, want)
				}
			}
			for _, name := range []string{"realm", "nonce", "opaque", "algorithm"} {
				asked, was := list[0].get(name)
				if said, is := back.get(name); is != was || said != asked {
					t.Errorf("%s %q, want it given back as it came: %q", name, said, asked)
				}
			}
			_, was := list[0].get("qop")
			if strings.Contains(line, "qop=auth, nc=00000001") != was {
				t.Errorf("%s: qop and nc without quotes, and only where the proxy has qop", line)
			}
		})
	}
}

func TestChallenges(t *testing.T) {
	for _, tc := range []struct{ why, header, want string }{
		{"one", `Basic realm="x"`, `basic[realm=x]`},
		{"several in one header", `Digest realm="a, b", nonce=n, Basic realm="x", NTLM, Negotiate abc==`,
			`digest[realm=a, b nonce=n] basic[realm=x] ntlm[] negotiate[]abc==`},
		{"token68", "Negotiate YII/+-._~==", "negotiate[]YII/+-._~=="},
		{"empty items", `,, Basic ,, realm="x" , ,Digest nonce=n`, "basic[realm=x] digest[nonce=n]"},
		{"blanks around =", `Digest realm = "x" , nonce= "n"`, `digest[realm=x nonce=n]`},
		{"escapes", `Digest realm="a\"b\\c", nonce=""`, `digest[realm=a"b\c nonce=]`},
		{"names in any case", `DIGEST Realm="X"`, "digest[realm=X]"},
		{"no quotes", `Digest nonce=a/b+c==, realm=x`, "digest[nonce=a/b+c== realm=x]"},
		{"a nonce like base64 alone", `Digest nonce=, realm=x`, "digest[realm=x]nonce="},
		{"nothing", "", ""},
		{"only blanks", " \t, ", ""},
		{"no name", `="x"`, ""},
		{"an open quote ends it", `Basic realm="x", Digest nonce="`, "basic[realm=x] digest[]"},
		{"words in a row", "Basic realm nonce", "basic[]"},
		{"rubbish glued to a name", "Basic;x", ""},
	} {
		t.Run(tc.why, func(t *testing.T) {
			var b strings.Builder
			for _, ch := range parseChallenges(tc.header) {
				var params []string
				for _, p := range ch.params {
					params = append(params, p.name+"="+p.value)
				}
				fmt.Fprintf(&b, " %s%s%s", ch.scheme, params, ch.token68)
			}
			if got := strings.TrimPrefix(b.String(), " "); got != tc.want {
				t.Errorf("%s is read as %s, want %s", tc.header, got, tc.want)
			}
		})
	}
}

func TestBasic(t *testing.T) {
	// RFC 7617 section 2, and section 2.1 in UTF-8.
	if got := basicAuthorization("Aladdin", "open sesame"); got != "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" {
		t.Error(got)
	}
	if got := basicAuthorization("test", "123\u00a3"); got != "Basic dGVzdDoxMjPCow==" {
		t.Error(got)
	}
}
