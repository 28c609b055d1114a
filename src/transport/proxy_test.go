package transport

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/transport/testkit"
)

// scriptedProxy is an HTTP proxy that answers by script: turn n of a connection or of several gets answers[n], the last one goes
// on for good. After a 2xx it is the VPN server itself.
type scriptedProxy struct {
	answers []string
	hangUp  map[int]bool // after answer n the connection is closed, whatever the answer said
	server  func(net.Conn)

	mu       sync.Mutex
	requests []string
	conns    int
}

func (p *scriptedProxy) handle(conn net.Conn) {
	p.mu.Lock()
	p.conns++
	p.mu.Unlock()
	for {
		head, err := testkit.ReadHead(conn)
		if err != nil {
			return
		}
		p.mu.Lock()
		turn := len(p.requests)
		p.requests = append(p.requests, head)
		answer := p.answers[min(turn, len(p.answers)-1)]
		p.mu.Unlock()
		io.WriteString(conn, answer)
		last := strings.TrimPrefix(answer, "HTTP/1.1 100 Continue\r\n\r\n")
		if whole := strings.Contains(last, "\n\r\n") || strings.Contains(last, "\n\n"); whole && last[9] == '2' {
			p.server(conn)
			return
		}
		if p.hangUp[turn] {
			return
		}
	}
}

// authorizations returns what came as Proxy-Authorization, one item for each request.
func (p *scriptedProxy) authorizations() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		_, after, _ := strings.Cut(r, "\r\nProxy-Authorization: ")
		value, _, _ := strings.Cut(after, "\r\n")
		list = append(list, value)
	}
	return list
}

// through are options to reach vpn by p.
func through(t *testing.T, p *scriptedProxy, user, password string) Options {
	t.Helper()
	p.server = testkit.SSTPServer(testkit.Presenting(testkit.SelfSigned(t, nil)), testkit.OKHead)
	o := unverified(testkit.Listen(t, p.handle))
	o.Proxy = &config.Proxy{Host: "proxy.test", Port: 3128, User: user, Password: password}
	return o
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

func demand(challenges ...string) string {
	head := "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 7\r\n"
	for _, c := range challenges {
		head += "Proxy-Authenticate: " + c + "\r\n"
	}
	return head + "\r\nDenied!"
}

func TestTheProxyIsAskedForTheServerByName(t *testing.T) {
	for _, tc := range []struct{ host, want string }{
		{"vpn.test", "CONNECT vpn.test:443 HTTP/1.1\r\nHost: vpn.test:443\r\nSSTPVERSION: 1.0\r\n" +
			"Proxy-Connection: Keep-Alive\r\n\r\n"},
		{"2001:db8::1", "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"},
	} {
		p := &scriptedProxy{answers: []string{established}}
		o := through(t, p, "", "")
		o.Server.Host = tc.host
		var looked string
		lookup := o.Lookup
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) { looked = host; return lookup(ctx, host) }
		seen := &script{}
		info := mustConnect(t, o, seen).Info()
		if !strings.HasPrefix(p.requests[0], tc.want) {
			t.Errorf("sent\n%s\nwant\n%s", p.requests[0], tc.want)
		}
		if looked != "proxy.test" {
			t.Errorf("looked up %q, want the proxy: the server's name is the proxy's business", looked)
		}
		if info.Proxy != "proxy.test:3128" || info.Server.String() != "192.0.2.1:3128" {
			t.Errorf("info %+v", info)
		}
		if line := "proxy ok: HTTP 200 Connection established"; !strings.Contains(strings.Join(seen.lines, "\n"), line) {
			t.Errorf("the observer was told %q, want %q among it", seen.lines, line)
		}
	}
}

func TestAnswersOfAProxy(t *testing.T) {
	for _, tc := range []struct {
		why, answer string
		code        fault.Code
		words       []string
	}{
		{"any 2xx is success, and its length means nothing", "HTTP/1.1 299 Fine\r\nContent-Length: 5000\r\n\r\n", "", nil},
		{"HTTP/1.0", "HTTP/1.0 200 Connection established\r\n\r\n", "", nil},
		{"bare LF", "HTTP/1.1 200 OK\n\n", "", nil},
		{"100 before it", "HTTP/1.1 100 Continue\r\n\r\n" + established, "", nil},
		{"403 is a rule, not a password", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", fault.ProxyFailed,
			[]string{"does not allow connections to vpn.test:443", "403 Forbidden"}},
		{"405", "HTTP/1.1 405 Method Not Allowed\r\n\r\n", fault.ProxyFailed, []string{"does not allow"}},
		{"502", "HTTP/1.1 502 Bad Gateway\r\n\r\n", fault.ProxyFailed, []string{"could not reach vpn.test:443"}},
		{"503", "HTTP/1.1 503 \r\n\r\n", fault.ProxyFailed, []string{"could not reach", "(503)"}},
		{"504", "HTTP/1.1 504 Gateway Timeout\r\n\r\n", fault.ProxyFailed, []string{"could not reach"}},
		{"302 to a login page", "HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n", fault.ProxyFailed, []string{"302 Found"}},
		{"401", "HTTP/1.1 401 \x1b[m\r\n\r\n", fault.ProxyFailed, []string{`401 \x1b[m`}},
		{"no proxy", "SSH-2.0-dropbear\r\n", fault.ProxyFailed, []string{"proxy.test:3128 is not an HTTP proxy"}},
		{"half a proxy", "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", fault.ProxyFailed, []string{"not an HTTP proxy"}},
		{"a status that is none", "HTTP/1.1 20 OK\r\n\r\n", fault.ProxyFailed, []string{"not an HTTP proxy"}},
		{"no end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 20<<10), fault.ProxyFailed, []string{"does not end"}},
		{"nothing", "", fault.ProxyFailed, []string{"closed the connection without an answer"}},
		{"half a head", "HTTP/1.1 200 OK\r\nX", fault.ProxyFailed, []string{"closed the connection"}},
		{"407 to who has no password", demand(`Basic realm="x"`), fault.ProxyAuthFailed,
			[]string{"asks for a user name", "option proxy"}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			o := through(t, &scriptedProxy{answers: []string{tc.answer}, hangUp: map[int]bool{0: true}}, "", "")
			if tc.code == "" {
				mustConnect(t, o, nil)
				return
			}
			if f := wantFault(t, o, tc.code, tc.words...); f.Stage != fault.StageProxy {
				t.Errorf("stage %s, want proxy", f.Stage)
			}
		})
	}
}

func TestProxyAuthentication(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("us\"er:päss"))
	const md5, sha = `Digest realm="r", nonce="n", qop="auth"`, `Digest realm="r", nonce="n", qop="auth-int, auth", algorithm=SHA-256`
	refuse := demand(`Basic realm="x"`)
	closing := func(answer string) string {
		return strings.Replace(answer, "\r\n", "\r\nProxy-Connection: close\r\n", 1)
	}
	for _, tc := range []struct {
		why     string
		answers []string
		hangUp  int      // after which answer, from 1
		sent    []string // what each request's authorization begins with
		conns   int
		code    fault.Code
		words   []string
	}{
		{why: "no credentials unasked", answers: []string{established}, sent: []string{""}, conns: 1},
		{why: "Basic", answers: []string{refuse, established}, sent: []string{"", basic}, conns: 1},
		{why: "Digest rather than Basic", answers: []string{demand(`Basic realm="x"`, md5), established},
			sent: []string{"", `Digest username="us\"er", realm="r", nonce="n", uri="vpn.test:443", response="`}, conns: 1},
		{why: "SHA-256 rather than MD5, in one header", answers: []string{demand(md5 + ", " + sha + `, Basic realm="x"`), established},
			sent: []string{"", `Digest username="us\"er", realm="r", nonce="n", uri="vpn.test:443", response="`}, conns: 1},
		{why: "Basic where Digest is of an unknown kind", answers: []string{demand(`Digest realm="r", nonce="n", algorithm=SHA-1`,
			"Negotiate", "NTLM TlRMTQ==", `Basic realm="x"`), established}, sent: []string{"", basic}, conns: 1},
		{why: "Basic where Digest protects the body only", answers: []string{demand(`Digest realm="r", nonce="n", qop="auth-int"`,
			`Basic realm="x"`), established}, sent: []string{"", basic}, conns: 1},
		{why: "refused", answers: []string{refuse}, sent: []string{"", basic}, conns: 1,
			code: fault.ProxyAuthFailed, words: []string{"refused the user name or password"}},
		{why: "a password refused as Digest is not sent in the clear after that", answers: []string{demand(md5), refuse},
			sent: []string{"", "Digest "}, conns: 1, code: fault.ProxyAuthFailed},
		{why: "a nonce that ran out is no refusal", answers: []string{demand(md5), demand(md5 + ", stale=TRUE"), established},
			sent: []string{"", "Digest ", "Digest "}, conns: 1},
		{why: "but only once", answers: []string{demand(md5), demand(md5 + ", stale=true")},
			sent: []string{"", "Digest ", "Digest "}, conns: 1, code: fault.ProxyAuthFailed},
		{why: "stale at first means nothing", answers: []string{demand(md5 + ", stale=true"), demand(md5)},
			sent: []string{"", "Digest "}, conns: 1, code: fault.ProxyAuthFailed},
		{why: "nothing that is known", answers: []string{demand("NTLM", "Negotiate")}, sent: []string{""}, conns: 1,
			code: fault.ProxyAuthFailed, words: []string{"ntlm, negotiate", "Basic and Digest"}},
		{why: "nothing at all", answers: []string{demand()}, sent: []string{""}, conns: 1,
			code: fault.ProxyAuthFailed, words: []string{"without saying how"}},
		{why: "Connection: close", answers: []string{closing(refuse), established}, hangUp: 1, sent: []string{"", basic}, conns: 2},
		{why: "HTTP/1.0 closes", answers: []string{strings.Replace(refuse, "1.1", "1.0", 1), established}, hangUp: 1,
			sent: []string{"", basic}, conns: 2},
		{why: "a body of unknown length", answers: []string{strings.Replace(refuse, "Content-Length: 7", "X: y", 1), established},
			hangUp: 1, sent: []string{"", basic}, conns: 2},
		{why: "a body in chunks", answers: []string{strings.Replace(refuse, "\r\n", "\r\nTransfer-Encoding: chunked\r\n", 1), established},
			hangUp: 1, sent: []string{"", basic}, conns: 2},
		{why: "a body too long to wait for", answers: []string{strings.Replace(refuse, ": 7", ": 99999999", 1), established},
			sent: []string{"", basic}, conns: 2},
		{why: "a body longer than it says", answers: []string{refuse + "more", established}, sent: []string{"", basic}, conns: 2},
		{why: "closed without saying so", answers: []string{refuse, established}, hangUp: 1, sent: []string{"", basic}, conns: 2},
		{why: "closed in the middle of the body", answers: []string{strings.TrimSuffix(refuse, "nied!"), established}, hangUp: 1,
			sent: []string{"", basic}, conns: 2},
		{why: "two lengths", answers: []string{strings.Replace(refuse, "\r\n", "\r\nContent-Length: 3\r\n", 1), established},
			sent: []string{"", basic}, conns: 2},
		{why: "403 after the password is a rule still", answers: []string{refuse, "HTTP/1.1 403 no\r\n\r\n"},
			sent: []string{"", basic}, conns: 1, code: fault.ProxyFailed},
	} {
		t.Run(tc.why, func(t *testing.T) {
			p := &scriptedProxy{answers: tc.answers, hangUp: map[int]bool{tc.hangUp - 1: true}}
			o := through(t, p, `us"er`, "päss")
			if tc.code != "" {
				wantFault(t, o, tc.code, tc.words...)
			} else {
				mustConnect(t, o, nil)
			}
			sent := p.authorizations()
			if len(sent) != len(tc.sent) || p.conns != tc.conns {
				t.Fatalf("%d requests on %d connections, want %d on %d: %q", len(sent), p.conns, len(tc.sent), tc.conns, sent)
			}
			for i := range sent {
				if !strings.HasPrefix(sent[i], tc.sent[i]) || tc.sent[i] == "" && sent[i] != "" {
					t.Errorf("request %d sent %q, want %q", i, sent[i], tc.sent[i])
				}
			}
			if strings.Contains(tc.why, "SHA-256") && !strings.Contains(sent[1], "algorithm=SHA-256") {
				t.Errorf("%q, want SHA-256", sent[1])
			}
		})
	}
}

func TestAnEmptyUserNameIsNoCredential(t *testing.T) {
	p := &scriptedProxy{answers: []string{demand("Basic"), established}}
	mustConnect(t, through(t, p, "", "token"), nil) // but a password alone is one
	if sent := p.authorizations(); sent[1] != "Basic "+base64.StdEncoding.EncodeToString([]byte(":token")) {
		t.Errorf("sent %q", sent)
	}
}

func TestTheProxyIsGoneWhenItIsDialedAgain(t *testing.T) {
	p := &scriptedProxy{answers: []string{strings.Replace(demand("Basic"), "1.1", "1.0", 1)}, hangUp: map[int]bool{0: true}}
	o := through(t, p, "u", "p")
	dial, dials := o.DialTCP, 0
	o.DialTCP = func(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, io.EOF
		}
		return dial(ctx, addr)
	}
	wantFault(t, o, fault.ProxyFailed, "closed")
}

func TestWhatComesGluedToTheProxysHeadBelongsToTLS(t *testing.T) {
	p := &scriptedProxy{answers: []string{established + "220 smtp.test ESMTP\r\n"}}
	wantFault(t, through(t, p, "", ""), fault.TLSFailed, "not TLS", "220")
}
