package lab

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"sstp/src/sstp"
)

// openingTimeout bounds everything before the first SSTP packet.
const openingTimeout = 60 * time.Second

// errOnPurpose ends a connection that the server was told to spoil.
var errOnPurpose = errors.New("ended on purpose")

// open leads a new connection through TLS and HTTP. The answer to a good request is returned, not sent, as SSTP may be
// glued to it; rest is what came behind the request.
func (c *conn) open(ctx context.Context) (answer, rest []byte, err error) {
	defer context.AfterFunc(ctx, func() { c.raw.Close() })()
	c.raw.SetDeadline(time.Now().Add(openingTimeout))
	defer func() { c.raw.SetDeadline(time.Time{}) }()
	if err := c.spoilTCP(); err != nil {
		return nil, nil, err
	}
	if err := c.spoilTLS(); err != nil {
		return nil, nil, err
	}
	c.tls = tls.Server(c.raw, c.tlsConfig())
	if err := c.tls.HandshakeContext(ctx); err != nil {
		return nil, nil, fmt.Errorf("TLS: %w", err)
	}
	state := c.tls.ConnectionState()
	c.event(EventTLS, tls.VersionName(state.Version)+" "+tls.CipherSuiteName(state.CipherSuite), nil)
	head, rest, err := c.readRequest()
	if err != nil {
		return nil, nil, err
	}
	if err := c.spoilHTTP(); err != nil {
		return nil, nil, err
	}
	if status := c.srv.judge(head); status != 200 {
		c.tls.Write(refusal(status, ""))
		return nil, nil, fmt.Errorf("answered %s %s with status %d", quoted(head.Method), quoted(head.Path), status)
	}
	c.event(EventHTTP, "host="+quoted(head.Host)+" id="+quoted(head.CorrelationID), nil)
	reason := "OK"
	if c.m.HTTPNoReason {
		reason = ""
	}
	if c.m.HTTPContinue {
		answer = append(answer, "HTTP/1.1 100 Continue\r\n\r\n"...)
	}
	return sstp.AppendResponse(answer, 200, reason, time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")), rest, nil
}

func (c *conn) tlsConfig() *tls.Config {
	cfg := &c.srv.cfg
	t := &tls.Config{
		Certificates: []tls.Certificate{c.srv.cert.TLS},
		MinVersion:   cfg.TLSMin,
		MaxVersion:   cfg.TLSMax,
		CipherSuites: cfg.CipherSuites,
		// No client resumes a session of SSTP, and a server that sends tickets blocks on a net.Pipe.
		SessionTicketsDisabled: true,
		// One write is one record, from the first on.
		DynamicRecordSizingDisabled: true,
	}
	if cfg.ClientCAs != nil {
		t.ClientCAs, t.ClientAuth = cfg.ClientCAs, tls.RequireAndVerifyClientCert
	}
	if want := c.m.TLSServerName; want != "" {
		t.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if hello.ServerName != want {
				return nil, fmt.Errorf("the client asks for the name %s", quoted(hello.ServerName))
			}
			return nil, nil
		}
	}
	return t
}

// readRequest reads the head of the client's request.
func (c *conn) readRequest() (*sstp.RequestHead, []byte, error) {
	buf := make([]byte, 0, sstp.MaxHeadLen)
	for {
		n, err := c.tls.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		head, rest, bad := sstp.CutRequestHead(buf)
		switch {
		case bad != nil:
			c.tls.Write(refusal(400, ""))
			return nil, nil, bad
		case head != nil:
			return head, rest, nil
		case err != nil:
			return nil, nil, fmt.Errorf("HTTP: %w", err)
		}
	}
}

// judge returns the status for a request ([MS-SSTP] 3.3.5.1).
func (s *Server) judge(h *sstp.RequestHead) int {
	switch {
	case h.Method != sstp.Method:
		return 405
	case h.Path != sstp.RequestPath+s.cfg.PathSecret:
		return 404
	}
	return 200
}

// refusal is an answer that is not 200, with a page as web servers send it.
func refusal(status int, location string) []byte {
	reason := map[int]string{302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
		405: "Method Not Allowed", 500: "Internal Server Error", 503: "Service Unavailable"}[status]
	page := fmt.Sprintf("<html><body><h1>%d %s</h1></body></html>\n", status, reason)
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nServer: sstp-lab\r\nContent-Type: text/html\r\nContent-Length: %d\r\n", status, reason, len(page))
	if location != "" {
		head += "Location: " + location + "\r\n"
	}
	return []byte(head + "Connection: close\r\n\r\n" + page)
}

// hold keeps a connection open without a word until the other side or the server's end closes it.
func hold(r io.Reader) error {
	io.Copy(io.Discard, r)
	return errOnPurpose
}

func (c *conn) spoilTCP() error {
	switch {
	case c.m.TCPSilent:
		c.raw.SetDeadline(time.Time{})
		return hold(c.raw)
	case c.m.TCPClose:
		return errOnPurpose
	}
	return nil
}

func (c *conn) spoilTLS() error {
	m := &c.m
	if !m.TLSStall && !m.TLSClose && !m.TLSGarbage && !m.TLSPlainHTTP {
		return nil
	}
	if _, err := c.raw.Read(make([]byte, 4096)); err != nil { // the ClientHello, or its beginning
		return err
	}
	switch {
	case m.TLSStall:
		c.raw.SetDeadline(time.Time{})
		return hold(c.raw)
	case m.TLSGarbage:
		return c.garbage(c.raw)
	case m.TLSPlainHTTP:
		c.raw.Write(refusal(400, ""))
	}
	return errOnPurpose
}

func (c *conn) spoilHTTP() error {
	m := &c.m
	switch {
	case m.HTTPStatus != 0:
		c.tls.Write(refusal(m.HTTPStatus, ""))
		c.tls.Close()
		return errOnPurpose
	case m.HTTPRedirect != "":
		c.tls.Write(refusal(302, m.HTTPRedirect))
		c.tls.Close()
		return errOnPurpose
	case m.HTTPSilent:
		c.raw.SetDeadline(time.Time{})
		return hold(c.tls)
	case m.HTTPEndless:
		line := []byte("HTTP/1.1 200 OK\r\n")
		for err := error(nil); err == nil; _, err = c.tls.Write(line) {
			line = append(line[:0], "X-Filler: "+filler+"\r\n"...)
		}
		return errOnPurpose
	case m.HTTPGarbage:
		return c.garbage(c.tls)
	case m.HTTPClose:
		return errOnPurpose
	}
	return nil
}

const filler = "this head has no end and a client must not wait for it"

// garbage writes random bytes and then holds the connection.
func (c *conn) garbage(w net.Conn) error {
	b := make([]byte, 512)
	rand.Read(b)
	if _, err := w.Write(b); err != nil {
		return err
	}
	w.SetDeadline(time.Time{})
	return hold(w)
}
