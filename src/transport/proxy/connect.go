// Package proxy asks an HTTP proxy for a way to a server (RFC 9110 section 9.3.6) and answers its demand for credentials
// (RFC 7616, RFC 7617).
package proxy

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/httphead"
	"sstp/src/phrase"
	"sstp/src/text"
	"sstp/src/transport/netio"
)

// Client asks one proxy for a way to one server.
type Client struct {
	Proxy  *config.Proxy
	Server config.Server
	Rand   io.Reader
	// Redial closes conn and returns a new connection to the same proxy, or on failure conn.
	Redial func(ctx context.Context, conn net.Conn) (net.Conn, error)
}

// Connect asks the proxy at the other end of conn for a way to the server. The connection that it returns leads to the server,
// or on failure is what the caller has to close.
//
// The first request has no credentials, so that a proxy that offers Digest does not get the password in the clear. They are
// sent once, and once more when the proxy says that only its nonce was stale.
func (c *Client) Connect(ctx context.Context, conn net.Conn) (net.Conn, phrase.Phrase, error) {
	var answer string // the Proxy-Authorization value
	var answered, renewed bool
	var used bool // the proxy has answered on this connection before
	for {
		head, rest, err := c.ask(ctx, conn, answer)
		if err != nil && used && netio.IsClosed(err) {
			// The proxy closed without announcing it, before it read the request.
			used = false
			if conn, err = c.Redial(ctx, conn); err == nil {
				continue
			}
		}
		if err != nil {
			return conn, phrase.Phrase{}, c.proxyFault(ctx, err)
		}
		if head.Status >= 200 && head.Status < 300 {
			if len(rest) > 0 {
				conn = &glued{conn, rest}
			}
			return conn, phrase.Foreign(strings.TrimRight("HTTP "+strconv.Itoa(head.Status)+" "+text.Phrase(head.Reason), " ")), nil
		}
		if head.Status != 407 {
			return conn, phrase.Phrase{}, c.refusal(head)
		}
		ch, schemes := bestChallenge(head.Authenticate)
		switch stale := ch != nil && isStale(ch); {
		case c.Proxy.User == "" && c.Proxy.Password == "":
			return conn, phrase.Phrase{}, proxyAuthFault("The proxy asks for a user name and password.").
				WithHint("Give them in option proxy: http://user:password@host:port.")
		case answered && (renewed || !stale):
			return conn, phrase.Phrase{}, proxyAuthFault("The proxy refused the user name or password.")
		case ch == nil && schemes == "":
			return conn, phrase.Phrase{}, proxyAuthFault("The proxy asks for credentials without saying how to give them.")
		case ch == nil:
			return conn, phrase.Phrase{}, proxyAuthFault("The proxy offers no way to authenticate that is known here: %s.", text.Phrase(schemes)).
				WithHint("Basic and Digest (MD5, SHA-256) are known; enable one of them on the proxy.")
		case answered:
			renewed = true
		}
		answered = true
		if answer, err = c.authorization(ch); err != nil {
			return conn, phrase.Phrase{}, c.proxyFault(ctx, err)
		}
		used = !head.Closes && drain(ctx, conn, head.ContentLength-int64(len(rest)))
		if !used {
			if conn, err = c.Redial(ctx, conn); err != nil {
				return conn, phrase.Phrase{}, c.proxyFault(ctx, err)
			}
		}
	}
}

// ask sends one CONNECT and reads the head of the answer. SSTPVERSION tells a proxy what the traffic is ([MS-SSTP] 4.5), and
// Proxy-Connection keeps old proxies from closing after a 407.
func (c *Client) ask(ctx context.Context, conn net.Conn, authorization string) (*answer, []byte, error) {
	defer netio.Guard(ctx, conn)()
	target := c.Server.String()
	request := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\nSSTPVERSION: 1.0\r\nProxy-Connection: Keep-Alive\r\n"
	if authorization != "" {
		request += "Proxy-Authorization: " + authorization + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return nil, nil, err
	}
	buf := make([]byte, 0, 1024)
	for {
		head, rest, err := cutAnswer(buf)
		switch {
		case err != nil:
			return nil, nil, err
		case head == nil:
			if buf, err = netio.ReadMore(conn, buf); err != nil {
				return nil, nil, err
			}
		case head.Status < 200:
			buf = rest
		default:
			return head, rest, nil
		}
	}
}

// drain reads the rest of a body of n bytes. It reports whether the connection can be used again.
func drain(ctx context.Context, conn net.Conn, n int64) bool {
	const most = 64 << 10
	if n < 0 || n > most {
		return false
	}
	defer netio.Guard(ctx, conn)()
	buf := make([]byte, 1024)
	for n > 0 {
		got, err := conn.Read(buf[:min(n, int64(len(buf)))])
		if n -= int64(got); err != nil && n > 0 {
			return false
		}
	}
	return true
}

func (c *Client) authorization(ch *challenge) (string, error) {
	p := c.Proxy
	if ch.scheme == "basic" {
		return basicAuthorization(p.User, p.Password), nil
	}
	var cnonce [16]byte
	if _, err := io.ReadFull(c.Rand, cnonce[:]); err != nil {
		return "", err
	}
	return digestAuthorization(ch, p.User, p.Password, "CONNECT", c.Server.String(), hex.EncodeToString(cnonce[:])), nil
}

func isStale(ch *challenge) bool {
	stale, _ := ch.get("stale")
	return strings.EqualFold(stale, "true")
}

func proxyAuthFault(format phrase.Format, args ...string) *fault.Error {
	return fault.Newf(fault.ProxyAuthFailed, fault.StageProxy, format, args...)
}

// refusal explains the answer of a proxy that did not connect to the server.
func (c *Client) refusal(head *answer) error {
	target := text.Phrase(c.Server.String())
	said := strings.TrimRight(strconv.Itoa(head.Status)+" "+text.Phrase(head.Reason), " ")
	switch head.Status {
	case 403, 405:
		return fault.Newf(fault.ProxyFailed, fault.StageProxy, "The proxy does not allow connections to %s (%s).", target, said).
			WithHintf("The proxy's rules must allow CONNECT to %s.", target)
	case 502, 503, 504:
		return fault.Newf(fault.ProxyFailed, fault.StageProxy, "The proxy could not reach %s (%s).", target, said).
			WithHint("Check option server; if it is right, the server is down or the proxy cannot reach it.")
	}
	return fault.Newf(fault.ProxyFailed, fault.StageProxy, "The proxy did not connect to %s (%s).", target, said)
}

// proxyFault explains why no answer came from the proxy.
func (c *Client) proxyFault(ctx context.Context, err error) error {
	f := fault.Newf(fault.ProxyFailed, fault.StageProxy, "The proxy failed: %s.", text.Phrase(err.Error()))
	switch {
	case ctx.Err() != nil || netio.IsTimeout(err):
		f.Say("The proxy did not answer.")
	case errors.Is(err, httphead.ErrNotHTTP):
		f.Say("What answers at %s is not an HTTP proxy.", text.Phrase(c.Proxy.Address()))
	case errors.Is(err, httphead.ErrTooLong):
		f.Say("The proxy's answer does not end.")
	case netio.IsClosed(err):
		f.Say("The proxy closed the connection without an answer.")
	}
	return f.Wrap(err)
}

// glued is a connection some of whose bytes came together with the proxy's head.
type glued struct {
	net.Conn
	early []byte
}

// Read returns these bytes first.
func (g *glued) Read(b []byte) (int, error) {
	if len(g.early) == 0 {
		return g.Conn.Read(b)
	}
	n := copy(b, g.early)
	g.early = g.early[n:]
	return n, nil
}

// Socket returns the connection below conn when conn is one that Connect returned and no byte is left that was read
// together with the proxy's head; otherwise it returns conn.
func Socket(conn net.Conn) net.Conn {
	if g, ok := conn.(*glued); ok && len(g.early) == 0 {
		return g.Conn
	}
	return conn
}
