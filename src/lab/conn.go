package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"sstp/src/auth"
	"sstp/src/datapath"
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

// conn is one client's connection. One goroutine, serve, owns all of its state but what is said to be shared; the pumps'
// goroutines send it events.
type conn struct {
	srv     *Server
	id      int
	m       Misbehaviour // fixed
	raw     net.Conn
	tls     *tls.Conn
	orders  chan order
	severed atomic.Bool // by cut
	port    *port

	stream *stream
	pumps  *datapath.Pumps
	events chan datapath.Event
	acted  chan struct{} // the event was acted upon
	agenda []task

	call  *sstp.Call
	link  *ppp.Link
	login *auth.Authenticator // nil: not begun
	spoil spoiler

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
		events: make(chan datapath.Event), acted: make(chan struct{})}
	var write func([][]byte) (int, error)
	if s.hub != nil {
		write = s.hub.writePackets
	}
	c.port = newPort(write)
	return c
}

// order passes an order on. A call that has eight of them waiting is ending already.
func (c *conn) order(o order) {
	select {
	case c.orders <- o:
	default:
	}
}

// cut closes the TCP connection as it is; any goroutine may call it.
func (c *conn) cut() {
	c.severed.Store(true)
	c.raw.Close()
}

func (c *conn) event(kind EventKind, text string, err error) {
	if c.srv.cfg.OnEvent == nil {
		return
	}
	c.srv.mu.Lock()
	user := c.client.User
	c.srv.mu.Unlock()
	c.srv.talking.Lock()
	defer c.srv.talking.Unlock()
	c.srv.cfg.OnEvent(Event{Conn: c.id, User: user, Kind: kind, Text: text, Err: err})
}

// traffic is the last event's text.
func (c *conn) traffic() string {
	if !c.bound {
		return ""
	}
	n := c.pumps.Counters()
	return fmt.Sprintf("rx=%d tx=%d", n.RxBytes, n.TxBytes)
}

// serve leads the connection from its first byte to its last.
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

// prepare makes the machines of the call.
func (c *conn) prepare(rest []byte) error {
	cfg := &c.srv.cfg
	c.stream = newStream(c.tls, rest, &c.m, cfg.Rand, c.cut)
	c.srv.mu.Lock() // Clients reads the pumps' counters
	c.pumps = datapath.New(c.stream, c.deliver)
	c.srv.mu.Unlock()
	callConfig := sstp.Config{
		Role:            sstp.Server,
		LeafCertificate: c.srv.cert.Leaf.Raw,
		Timers:          cfg.Timers,
		HashMask:        c.hashMask(),
		Lenient:         c.m.NoBindingCheck,
	}
	if c.m.SSTPSilent || c.m.NoLCP || c.m.AuthSilent { // then it is the client who must lose patience
		callConfig.Timers.Negotiation, callConfig.Timers.NegotiationAuth = time.Hour, time.Hour
	}
	if _, err := io.ReadFull(cfg.Rand, callConfig.Nonce[:]); err != nil {
		return err
	}
	c.call = sstp.NewCall(callConfig)
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
	c.link = ppp.NewLink(linkConfig)
	c.doCall(c.call.Start(time.Now()))
	return nil
}

// deliver hands an event of the pumps to the loop and waits until it was acted upon: the first IP packet may stand right
// behind the control packet that lets it in.
func (c *conn) deliver(ev datapath.Event) {
	select {
	case c.events <- ev:
	case <-c.pumps.Stopping():
		return
	}
	select {
	case <-c.acted:
	case <-c.pumps.Stopping():
	}
}

func (c *conn) methods() []auth.Method {
	if c.m.OfferOnly != "" {
		return []auth.Method{c.m.OfferOnly}
	}
	return c.srv.cfg.Methods
}

// loop is the life of the call: one event at a time, until the call says that it is over.
func (c *conn) loop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	done := ctx.Done()
	for !c.released {
		c.arm(timer)
		select {
		case ev := <-c.events:
			c.life(time.Now())
			c.receive(time.Now(), ev)
			c.acted <- struct{}{}
		case <-timer.C:
			c.life(time.Now())
			c.advance(time.Now())
		case o := <-c.orders:
			c.obey(time.Now(), o)
		case <-done:
			done = nil
			c.unmute()
			c.goodbye(time.Now(), "the server ends")
		}
	}
}

// arm sets the timer to the earliest of all deadlines.
func (c *conn) arm(timer *time.Timer) {
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, t := range c.agenda {
		sooner(t.at)
	}
	if !c.muted {
		sooner(c.call.Deadline())
		sooner(c.link.Deadline())
		if c.login != nil {
			sooner(c.login.Deadline())
		}
	}
	if next.IsZero() {
		next = time.Now().Add(time.Hour)
	}
	timer.Reset(max(0, time.Until(next)))
}

// life tells the call about bytes that the data path handled alone.
func (c *conn) life(now time.Time) {
	if n := c.pumps.Counters().StreamRxBytes; n != c.heard {
		c.heard = n
		c.call.Heard(now)
	}
}

// advance does what is due.
func (c *conn) advance(now time.Time) {
	for i := 0; i < len(c.agenda); i++ {
		if t := c.agenda[i]; !now.Before(t.at) {
			c.agenda = append(c.agenda[:i:i], c.agenda[i+1:]...)
			i = -1 // the task may have changed the agenda
			t.do(now)
		}
	}
	if c.muted || c.released {
		return
	}
	if due(now, c.call.Deadline()) {
		c.doCall(c.call.Advance(now))
	}
	if due(now, c.link.Deadline()) {
		c.doLink(c.link.Advance(now))
	}
	if c.login != nil && due(now, c.login.Deadline()) {
		c.doLogin(c.login.Advance(now))
	}
}

func due(now, deadline time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

// after puts a task on the agenda.
func (c *conn) after(wait time.Duration, do func(now time.Time)) {
	c.agenda = append(c.agenda, task{time.Now().Add(wait), do})
}

// receive takes an event of the pumps.
func (c *conn) receive(now time.Time, ev datapath.Event) {
	switch {
	case ev.Kind == datapath.Ended:
		if c.severed.Load() {
			c.fail(errCut)
		}
		c.doCall(c.call.Lost(now, ev.Err))
	case c.muted:
	default:
		c.trace(false, ev.Packet)
		if !c.intercept(now, ev.Packet) {
			c.doCall(c.call.Receive(now, ev.Packet))
		}
	}
}

func (c *conn) trace(sent bool, pkt []byte) {
	if c.srv.cfg.OnPacket != nil {
		c.srv.cfg.OnPacket(c.id, sent, pkt)
	}
}

func (c *conn) obey(now time.Time, o order) {
	switch o {
	case orderMute:
		c.mute()
	case orderReplaced:
		c.unmute()
		c.fail(errors.New("the user came again"))
		c.goodbye(now, "another login of this user")
	case orderDisconnect:
		c.unmute()
		c.goodbye(now, "the administrator ends the call")
	}
}

func (c *conn) mute() {
	c.muted = true
	c.stream.muted.Store(true)
}

func (c *conn) unmute() {
	c.muted = false
	c.stream.muted.Store(false)
}

// goodbye ends PPP and then the call; it does not wait for a client that is silent.
func (c *conn) goodbye(now time.Time, reason string) {
	c.after(goodbyeWait, func(now time.Time) { c.doCall(c.call.Disconnect(now)) })
	c.after(goodbyeTimeout, func(time.Time) { c.released = true })
	c.doLink(c.link.Terminate(now, reason))
}

// fail keeps the first reason for which the connection ends.
func (c *conn) fail(err error) {
	if c.reason == nil {
		c.reason = err
	}
}

// finish closes the connection after the call: what was queued goes out first.
func (c *conn) finish() {
	if c.login != nil {
		c.login.Close()
	}
	if c.srv.hub != nil {
		c.srv.hub.remove(c.port)
	}
	c.pumps.CloseGate()
	c.pumps.Drain(goodbyeWait)
	c.tls.Close()
	c.raw.Close()
	c.pumps.Stop()
}

// publish changes what Clients shows.
func (c *conn) publish(change func(*Client)) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	change(&c.client)
}

// route tells the hub whose packets are whose, and the pumps what may flow.
func (c *conn) route() {
	cl := c.client // written by this goroutine alone
	if c.srv.hub != nil {
		c.srv.hub.set(c.port, cl.IPv4, cl.IPv6, cl.Prefix6)
	}
	if !c.connected {
		return
	}
	v4, v6 := cl.IPv4.IsValid(), cl.IPv6.IsValid()
	if !v4 && !v6 {
		c.pumps.CloseGate()
		return
	}
	c.pumps.Open(c.port, c.link.PeerMRU(), v4, v6)
	if v6 && c.port.advert.Load() == nil {
		_, dns := c.srv.dns()
		ra := appendAdvertisement(nil, cl.Prefix6, c.srv.pool.net6, c.srv.cfg.MRU, dns)
		c.port.advert.Store(&ra)
		c.repeatAdvertisement(time.Time{})
	}
}

func (c *conn) repeatAdvertisement(time.Time) {
	c.port.advertise()
	c.after(advertiseInterval, c.repeatAdvertisement)
}

// address is how an event shows an address that may be missing.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return "none"
	}
	return a.String()
}
