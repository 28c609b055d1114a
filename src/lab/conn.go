package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"sstp/src/auth"
	"sstp/src/datapath"
	"sstp/src/joiner"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// How long the server gives a goodbye, and how long it waits for the client's own after the client ended PPP.
const (
	goodbyeTimeout = 3 * time.Second
	goodbyeWait    = time.Second
)

// errCut is the end of a connection by Server.Cut or a misbehaviour.
var errCut = errors.New("the connection was cut")

// order is what the server's owner wants of a call.
type order uint8

const (
	orderDisconnect order = iota + 1
	orderMute
	orderReplaced // the user came again
)

// conn is one client's connection. One goroutine, serve, owns all of its state except what is marked as shared; the pumps'
// goroutines send it events.
type conn struct {
	srv    *Server
	id     int
	m      Misbehaviour // fixed
	raw    net.Conn
	tls    *tls.Conn
	orders chan order
	wasCut atomic.Bool // by cut
	device *clientDevice

	stream  *stream
	pumps   *datapath.Pumps
	events  chan datapath.Event
	handled chan struct{} // the loop has handled the event
	agenda  []task

	call    *joiner.Joiner
	pending []joiner.Action // of call, not yet carried out
	spoil   spoiler

	heard     uint64 // stream bytes that the call knows of
	connected bool
	released  bool
	muted     bool
	lease     lease
	reason    error // the first reason counts

	// Shared: written by serve's goroutine under Server.mu.
	client Client
	bound  bool
	slot   int // of the lease; 0: none, or given to the user's next call
}

// task is something to do at a certain time.
type task struct {
	at time.Time
	do func(now time.Time)
}

func newConn(s *Server, id int, raw net.Conn) *conn {
	c := &conn{srv: s, id: id, raw: raw, orders: make(chan order, 8),
		events: make(chan datapath.Event), handled: make(chan struct{})}
	if s.hub != nil {
		c.device = s.hub.newClientDevice()
	} else {
		c.device = newClientDevice(nil)
	}
	return c
}

// order hands an order to the loop. With eight of them waiting the call is ending already.
func (c *conn) order(o order) {
	select {
	case c.orders <- o:
	default:
	}
}

// cut closes the TCP connection without a word. Any goroutine may call it.
func (c *conn) cut() {
	c.wasCut.Store(true)
	c.raw.Close()
}

func (c *conn) event(kind EventKind, text string, err error) {
	if c.srv.cfg.OnEvent == nil {
		return
	}
	c.srv.mu.Lock()
	user := c.client.User
	c.srv.mu.Unlock()
	c.srv.eventMu.Lock()
	defer c.srv.eventMu.Unlock()
	c.srv.cfg.OnEvent(Event{Conn: c.id, User: user, Kind: kind, Text: text, Err: err})
}

// traffic returns the text of the last event.
func (c *conn) traffic() string {
	if !c.bound {
		return ""
	}
	n := c.pumps.Counters()
	return fmt.Sprintf("rx=%d tx=%d", n.RxBytes, n.TxBytes)
}

// serve serves the connection from its first byte to its last.
func (c *conn) serve(ctx context.Context) error {
	defer c.raw.Close()
	answer, rest, err := c.open(ctx)
	if err != nil {
		if c.tls != nil && !errors.Is(err, errOnPurpose) {
			c.tls.Close()
		}
		return err
	}
	if err := c.prepare(rest); err != nil {
		return err
	}
	if c.m.HTTPGlued {
		answer = c.glue(answer)
	}
	if err := c.writeAnswer(ctx, answer); err != nil {
		return err
	}
	c.pumps.Start()
	c.loop(ctx)
	c.finish()
	return c.reason
}

// prepare makes the pumps and the protocols of the call.
func (c *conn) prepare(rest []byte) error {
	cfg := &c.srv.cfg
	c.stream = newStream(c.tls, c.raw, rest, &c.m, cfg.Rand, c.cut)
	c.srv.mu.Lock() // Clients reads the pumps' counters
	c.pumps = datapath.New(c.stream, mathrand.Uint32(), c.deliver)
	c.srv.mu.Unlock()
	callConfig := sstp.Config{
		Role:            sstp.Server,
		LeafCertificate: c.srv.cert.Leaf.Raw,
		Timers:          cfg.Timers,
		HashMask:        c.hashMask(),
		Lenient:         c.m.NoBindingCheck,
	}
	if c.m.SSTPSilent || c.m.NoLCP || c.m.AuthSilent { // the client must lose patience first
		callConfig.Timers.Negotiation, callConfig.Timers.NegotiationAuth = time.Hour, time.Hour
	}
	if _, err := io.ReadFull(cfg.Rand, callConfig.Nonce[:]); err != nil {
		return err
	}
	dns, _ := c.srv.dns()
	linkConfig := ppp.Config{
		Role:        ppp.Server,
		MRU:         cfg.MRU,
		IPv4:        !cfg.NoIPv4,
		IPv6:        !cfg.NoIPv6 && !c.m.NoIPv6,
		Address:     c.srv.pool.server4(),
		DNS:         dns,
		InterfaceID: routerOwn,
		Rand:        cfg.Rand,
	}
	for _, a := range auth.LCPProtocols(c.methods()) {
		linkConfig.Auth = append(linkConfig.Auth, ppp.AuthProtocol{Protocol: ppp.Protocol(a.Protocol), Algorithm: a.Algorithm})
	}
	c.call = joiner.New(joiner.Config{
		SSTP: callConfig, PPP: linkConfig, NewLogin: c.newLogin, Admit: c.admit,
		Goodbye: joiner.Goodbye{Terminate: goodbyeWait, Linger: goodbyeWait, Limit: goodbyeTimeout},
	})
	c.do(c.call.Start(time.Now()))
	return nil
}

// deliver hands an event of the pumps to the loop and waits until it is handled: the first IP packet may come right
// behind the control packet that lets it in.
func (c *conn) deliver(ev datapath.Event) {
	select {
	case c.events <- ev:
	case <-c.pumps.Stopping():
		return
	}
	select {
	case <-c.handled:
	case <-c.pumps.Stopping():
	}
}

func (c *conn) methods() []auth.Method {
	if c.m.OfferOnly != "" {
		return []auth.Method{c.m.OfferOnly}
	}
	return c.srv.cfg.Methods
}
