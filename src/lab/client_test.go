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
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// testClient is a client made of the same pure packages in the client's role. It runs in its test's goroutine: run
// carries out what comes until a condition holds.
type testClient struct {
	t      testing.TB
	served chan error // what ServeConn returned

	conn  *tls.Conn
	leaf  []byte
	in    chan []byte // packets; closed at the end of the stream
	quit  chan struct{}
	bulk  atomic.Bool // from now on only bytes are counted, into sink
	sink  chan int
	call  *sstp.Call
	link  *ppp.Link
	login *auth.Peer
	peer  auth.PeerConfig

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
	c.call = sstp.NewCall(sstp.Config{Role: sstp.Client, LeafCertificate: c.leaf})
	cfg := ppp.Config{Role: ppp.Client, MRU: 1400, IPv4: true, IPv6: true, WantDNS: true, Rand: rand.Reader}
	for _, a := range auth.LCPProtocols(c.peer.Methods) {
		cfg.Auth = append(cfg.Auth, ppp.AuthProtocol{Protocol: ppp.Protocol(a.Protocol), Algorithm: a.Algorithm})
	}
	c.link = ppp.NewLink(cfg)
	c.doCall(c.call.Start(time.Now()))
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
		for _, t := range c.deadlines() {
			if !t.IsZero() && t.Before(next) {
				next = t
			}
		}
		select {
		case pkt, ok := <-c.in:
			c.receive(pkt, ok)
		case <-time.After(max(0, time.Until(next))):
			if !time.Now().Before(limit) {
				c.t.Fatalf("%s: nothing after two minutes; received %v", why, c.got)
			}
			c.doCall(c.call.Advance(time.Now()))
			c.doLink(c.link.Advance(time.Now()))
			if c.login != nil {
				c.doLogin(c.login.Advance(time.Now()))
			}
		}
	}
}

func (c *testClient) deadlines() []time.Time {
	list := []time.Time{c.call.Deadline(), c.link.Deadline()}
	if c.login != nil {
		list = append(list, c.login.Deadline())
	}
	return list
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
		c.doCall(c.call.Lost(now, io.EOF))
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
	c.doCall(c.call.Receive(now, pkt))
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

func (c *testClient) doCall(actions []sstp.Action) {
	for _, a := range append([]sstp.Action(nil), actions...) {
		now := time.Now()
		switch a.Kind {
		case sstp.Send:
			c.send(a.Data)
		case sstp.PPPUp:
			c.doLink(c.link.Start(now))
		case sstp.PPPFrame:
			c.doLink(c.link.Receive(now, bytes.Clone(a.Data)))
		case sstp.Connected:
			c.connected = true
		case sstp.ProbePPP:
			c.doLink(c.link.Echo(now))
		case sstp.Release:
			c.fail(a.Err)
			c.over = true
			c.conn.Close()
		}
	}
}

func (c *testClient) doLink(actions []ppp.Action) {
	for _, a := range append([]ppp.Action(nil), actions...) {
		now := time.Now()
		switch a.Kind {
		case ppp.Send:
			c.send(sstp.AppendData(nil, a.Data))
		case ppp.Authenticate:
			if a.Auth == (ppp.AuthProtocol{}) {
				c.authenticated(auth.Action{})
				continue
			}
			c.login = auth.NewPeer(c.peer, auth.LCPAuth{Protocol: uint16(a.Auth.Protocol), Algorithm: a.Auth.Algorithm})
			c.doLogin(c.login.Start(now))
		case ppp.AuthPacket:
			c.doLogin(c.login.Receive(now, bytes.Clone(a.Data)))
		case ppp.IPv4Up:
			c.ipv4 = a.IPv4
		case ppp.IPv6Up:
			c.ipv6 = a.IPv6
		case ppp.Terminated:
			c.fail(a.Err)
			c.doCall(c.call.Disconnect(now))
		}
	}
}

func (c *testClient) doLogin(actions []auth.Action) {
	for _, a := range append([]auth.Action(nil), actions...) {
		switch a.Kind {
		case auth.Send:
			c.send(sstp.AppendData(nil, c.link.AuthFrame(nil, a.Data)))
		case auth.Success:
			c.authenticated(a)
		case auth.Failure:
			c.fail(a.Err)
			c.doLink(c.link.Terminate(time.Now(), "bad login"))
		}
	}
}

func (c *testClient) authenticated(a auth.Action) {
	c.method = a.Method
	c.doCall(c.call.Authenticated(time.Now(), a.HLAK))
	c.doLink(c.link.Authenticated(time.Now()))
}

// fail keeps the first reason; the call's own end must not hide it.
func (c *testClient) fail(err error) {
	if err != nil && c.err == nil {
		c.err = err
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
	c.doLink(c.link.Terminate(time.Now(), "bye"))
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
