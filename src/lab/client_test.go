package lab

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/joiner"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// testClient is a client made of the same pure packages in the client's role. It runs in its test's goroutine: run
// carries out what comes until a condition holds.
type testClient struct {
	t      testing.TB
	served chan error // what ServeConn returned

	conn *tls.Conn
	leaf []byte
	in   chan []byte // packets; closed at the end of the stream
	quit chan struct{}
	bulk atomic.Bool // from now on only bytes are counted, into sink
	sink chan int
	call *joiner.Joiner
	peer auth.PeerConfig

	tamper func(pkt []byte) []byte // changes what is sent
	sent   []string                // names of what was sent
	got    []string                // and received
	ip     [][]byte                // IP packets received

	connected bool
	ipv4      ppp.IPv4
	ipv6      ppp.IPv6
	method    auth.Method
	over      bool
	err       error
}

type clientOptions struct {
	user, password string
	methods        []auth.Method
	tls            *tls.Config // of EAP-TLS
	outer          *tls.Config
}

// connect opens a connection to the server over net.Pipe, up to the end of TLS.
func connect(t *testing.T, s *Server, o clientOptions) (*testClient, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- s.ServeConn(t.Context(), theirs) }()
	c, err := dial(t, s, ours, o)
	c.served = served
	return c, err
}

// dial does the TLS handshake with the server on a connection.
func dial(t testing.TB, s *Server, ours net.Conn, o clientOptions) (*testClient, error) {
	t.Helper()
	if o.user == "" {
		o.user, o.password = "user", "password"
	}
	if o.methods == nil {
		o.methods = []auth.Method{auth.EAPTLS, auth.MSCHAPv2, auth.EAPMSCHAPv2, auth.CHAP, auth.PAP}
	}
	c := &testClient{t: t, in: make(chan []byte), quit: make(chan struct{}), sink: make(chan int, 64)}
	if o.outer == nil {
		o.outer = &tls.Config{RootCAs: s.CertificateInUse().Roots(), ServerName: "vpn.test"}
	}
	c.conn = tls.Client(ours, o.outer)
	t.Cleanup(func() {
		ours.Close()
		close(c.quit)
	})
	ours.SetDeadline(time.Now().Add(20 * time.Second))
	if err := c.conn.Handshake(); err != nil {
		return c, err
	}
	c.leaf = c.conn.ConnectionState().PeerCertificates[0].Raw
	c.peer = auth.PeerConfig{Username: o.user, Password: o.password, Methods: o.methods, TLS: o.tls, Rand: rand.Reader}
	return c, nil
}

// open does the HTTP opening and begins the call.
func (c *testClient) open() error {
	if _, err := c.conn.Write(sstp.AppendRequest(nil, "vpn.test", "", [16]byte{1})); err != nil {
		return err
	}
	var buf []byte
	for {
		head, rest, err := sstp.CutResponseHead(buf)
		switch {
		case err != nil:
			return err
		case head != nil && head.Continue():
			buf = rest
			continue
		case head != nil && head.Status != 200:
			return fmt.Errorf("status %d %s", head.Status, head.Location)
		case head != nil:
			c.conn.SetDeadline(time.Time{})
			go c.read(rest)
			c.begin()
			return nil
		}
		b := make([]byte, 4096)
		n, err := c.conn.Read(b)
		if err != nil {
			return err
		}
		buf = append(buf, b[:n]...)
	}
}

func (c *testClient) begin() {
	cfg := joiner.Config{
		SSTP: sstp.Config{Role: sstp.Client, LeafCertificate: c.leaf},
		PPP:  ppp.Config{Role: ppp.Client, MRU: 1400, IPv4: true, IPv6: true, WantDNS: true, Rand: rand.Reader},
		NewLogin: func(agreed auth.LCPAuth, nextID func() uint8) joiner.Login {
			return auth.NewPeer(c.peer, agreed)
		},
		Goodbye: joiner.Goodbye{Linger: time.Millisecond},
	}
	for _, a := range auth.LCPProtocols(c.peer.Methods) {
		cfg.PPP.Auth = append(cfg.PPP.Auth, ppp.AuthProtocol{Protocol: ppp.Protocol(a.Protocol), Algorithm: a.Algorithm})
	}
	c.call = joiner.New(cfg)
	c.do(c.call.Start(time.Now()))
}

// read cuts the stream into packets.
func (c *testClient) read(buf []byte) {
	defer close(c.in)
	b := make([]byte, 32<<10)
	for {
		for !c.bulk.Load() {
			pkt, rest, err := sstp.Cut(buf)
			if err != nil {
				return
			}
			if pkt == nil {
				break
			}
			buf = rest
			select {
			case c.in <- bytes.Clone(pkt):
			case <-c.quit:
				return
			}
		}
		n, err := c.conn.Read(b)
		if err != nil {
			return
		}
		if c.bulk.Load() {
			c.sink <- n
			continue
		}
		buf = append(bytes.Clone(buf), b[:n]...)
	}
}

// run goes on until done or the end of the call; it fails the test when neither comes within two minutes.
func (c *testClient) run(why string, done func() bool) {
	c.t.Helper()
	limit := time.Now().Add(2 * time.Minute)
	for !c.over && !done() {
		next := limit
		if t := c.call.Deadline(); !t.IsZero() && t.Before(next) {
			next = t
		}
		select {
		case pkt, ok := <-c.in:
			c.receive(pkt, ok)
		case <-time.After(max(0, time.Until(next))):
			if !time.Now().Before(limit) {
				c.t.Fatalf("%s: nothing after two minutes; received %v", why, c.got)
			}
			c.do(c.call.Advance(time.Now()))
		}
	}
}

// up runs until IPv4 and IPv6 are there.
func (c *testClient) up() {
	c.t.Helper()
	c.run("coming up", func() bool { return c.ipv4.Local.IsValid() && c.ipv6.Local.IsValid() })
	if c.over {
		c.t.Fatalf("the call ended: %v; received %v", c.err, c.got)
	}
}

// untilOver runs until the call ends and returns why.
func (c *testClient) untilOver() error {
	c.t.Helper()
	c.run("coming to an end", func() bool { return false })
	return c.err
}

func (c *testClient) receive(pkt []byte, ok bool) {
	now := time.Now()
	if !ok {
		c.do(c.call.Lost(now, io.EOF))
		return
	}
	c.got = append(c.got, name(pkt))
	if frame := sstp.Payload(pkt); !sstp.IsControl(pkt) {
		if p, info, err := ppp.CutHeader(frame); err == nil && (p == ppp.ProtoIPv4 || p == ppp.ProtoIPv6) {
			if c.connected {
				c.ip = append(c.ip, bytes.Clone(info))
			}
			c.call.Heard(now)
			return
		}
	}
	c.do(c.call.Receive(now, pkt))
}

// name is a packet's name in a script: a message's type, or the PPP protocol and code.
func name(pkt []byte) string {
	if sstp.IsControl(pkt) {
		m, _ := sstp.ParseControl(pkt)
		return m.Type.String()
	}
	p, info, err := ppp.CutHeader(sstp.Payload(pkt))
	switch {
	case err != nil || len(info) == 0:
		return "garbage"
	case p == ppp.ProtoIPv4 || p == ppp.ProtoIPv6:
		return p.String()
	}
	return fmt.Sprintf("%v %d", p, info[0])
}

func (c *testClient) send(pkt []byte) {
	if c.tamper != nil {
		if pkt = c.tamper(bytes.Clone(pkt)); pkt == nil {
			return
		}
	}
	c.sent = append(c.sent, name(pkt))
	c.conn.Write(pkt)
}

func (c *testClient) sendIP(p ppp.Protocol, packet []byte) {
	c.send(sstp.AppendData(nil, ppp.AppendFrame(nil, p, packet)))
}

func (c *testClient) do(actions []joiner.Action) {
	for _, a := range actions {
		switch a.Kind {
		case joiner.Send:
			c.send(a.Data)
		case joiner.LoggedIn:
			c.method = a.Method
		case joiner.Bound:
			c.connected = true
		case joiner.IPv4Up:
			c.ipv4 = a.IPv4
		case joiner.IPv6Up:
			c.ipv6 = a.IPv6
		case joiner.Ended:
			if a.Err != nil {
				c.err = a.Err
			}
			c.over = true
			c.conn.Close()
		}
	}
}

// ping sends an echo request and runs until the reply is there.
func (c *testClient) ping() {
	c.t.Helper()
	c.ip = nil
	c.sendIP(ppp.ProtoIPv4, ping4(c.ipv4.Local.String(), c.ipv4.Peer.String(), 7))
	c.run("waiting for the reply", func() bool { return c.has(func(p []byte) bool { return p[0]>>4 == 4 && p[20] == 0 }) })
}

func (c *testClient) ping6() {
	c.t.Helper()
	c.ip = nil
	c.sendIP(ppp.ProtoIPv6, ping6(c.ipv6.Local.String(), c.ipv6.Peer.String(), 7))
	c.run("waiting for the reply", func() bool { return c.has(func(p []byte) bool { return p[0]>>4 == 6 && p[40] == 129 }) })
}

func (c *testClient) has(match func([]byte) bool) bool {
	for _, p := range c.ip {
		if match(p) {
			return true
		}
	}
	return false
}

// bye ends the call in good order and waits for the server.
func (c *testClient) bye() error {
	c.t.Helper()
	c.do(c.call.Hangup(time.Now(), "bye", nil))
	c.untilOver()
	return <-c.served
}

func newServer(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Certificate == nil {
		cfg.Certificate = testCertificate()
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustOpen connects and opens, or ends the test.
func mustOpen(t *testing.T, s *Server, o clientOptions) *testClient {
	t.Helper()
	c, err := connect(t, s, o)
	if err == nil {
		err = c.open()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var made *Certificate

func testCertificate() *Certificate {
	if made == nil {
		c, err := NewCertificate(CertificateOptions{})
		if err != nil {
			panic(err)
		}
		made = c
	}
	return made
}

func before(list []string, first, second string) bool {
	s := strings.Join(list, "|")
	i, j := strings.Index(s, first), strings.Index(s, second)
	return i >= 0 && j >= 0 && i < j
}
