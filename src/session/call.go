package session

import (
	mathrand "math/rand/v2"
	"time"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/joiner"
	"sstp/src/phrase"
	"sstp/src/ppp"
	"sstp/src/transport"
	"sstp/src/transport/trust"
)

// minIPv6MTU is what IPv6 needs (RFC 8200 section 5): Linux takes no IPv6 address for a device with less.
const minIPv6MTU = 1280

// pingEvery is how often the round trip of a running call is measured.
const pingEvery = 10 * time.Second

// ipv6Wait is how long an agreed IPv4 waits for the outcome of IPv6, so that the network hears of both at once.
const ipv6Wait = 250 * time.Millisecond

// call is one connection to one server, from the HTTP 200 to the end.
type call struct {
	id       int
	server   config.Server
	conn     Conn
	verified bool // the server has proved by TLS who it is
	pumps    *datapath.Pumps
	quit     chan struct{} // closed when the loop has finished with the call
	joiner   *joiner.Joiner
	pending  []joiner.Action // what the protocols want and what was not yet carried out

	mtu           int
	method        auth.Method // of the login
	ipv4          *ppp.IPv4   // nil: not agreed
	ipv6          *ppp.IPv6   // nil: not agreed
	ipv6Decided   bool        // IPv6 is agreed or refused, or was waited for long enough
	ipv6At        time.Time   // when to stop waiting for it
	agreed        bool        // ipv4 or ipv6 changed since the last announcement
	announcements int         // how often the network was told of the call
	usesDevice    bool        // the device is or will be this call's

	upSince time.Time // zero: never up
	pingAt  time.Time
	bytes   uint64 // received when the joiner last heard of it
	rtt     RTT
}

// startCall runs the protocols on a fresh connection.
func (s *Session) startCall(now time.Time, server config.Server, conn Conn) {
	t, info := s.cfg.Tunnel, conn.Info()
	methods, err := loginMethods(t, info)
	if t.Username == "" {
		err = nil // the server may let us in without a login
	}
	inner, innerErr := s.cfg.InnerTLS.forMethods(methods, server)
	if err == nil {
		err = fault.Of(innerErr, fault.InvalidOptions, fault.StageConfig)
	}
	if err != nil {
		conn.Close()
		s.tryNext(now, err)
		return
	}
	s.enter(phaseCalling)
	c := &call{
		id: s.dialer.nextID(), server: server, conn: conn, verified: info.VerifiedBy != trust.Unverified,
		quit: make(chan struct{}), mtu: t.MTUOver(info.Server.Addr()),
	}
	c.ipv6Decided = t.IPv6 == config.Off || c.mtu < minIPv6MTU
	c.pumps = datapath.New(conn, mathrand.Uint32(), func(e datapath.Event) { s.deliver(c, e) })
	cfg := joinerConfig(t, info, methods, inner, s.cfg.Random)
	cfg.PPP.IPv6, cfg.PPP.InterfaceID = !c.ipv6Decided, s.ifaceID
	cfg.EmptyKeys = s.servers.emptyKeys[server.String()]
	c.joiner = joiner.New(cfg)
	s.call = c
	s.mu.Lock()
	s.pumps = c.pumps
	s.mu.Unlock()
	s.update(func(st *Status) { begin(st, info) })
	switch {
	case !c.verified && t.InsecureLogin:
		s.cfg.Log(config.LogWarn, "the server's certificate is not verified (verify 'none', insecure_login '1'): somebody in between can take the server's place, and search for the password")
	case !c.verified:
		s.cfg.Log(config.LogWarn, "the server's certificate is not verified (verify 'none'): anybody in between can read this tunnel")
	}
	s.logPath(info)
	c.pumps.Start()
	s.showProgress(now, fault.StageSSTP)
	c.do(c.joiner.Start(now))
}

// logPath logs who encrypts and why. It warns when the kernel does not although the configuration insists.
func (s *Session) logPath(info transport.Info) {
	level := config.LogInfo
	if info.Path == transport.PathGo && s.cfg.Tunnel.KTLS == config.On {
		level = config.LogWarn
	}
	who := "Go"
	if info.Path == transport.PathKernel {
		who = "the kernel"
	}
	s.cfg.Log(level, "%s, %s, encrypted by %s: %s", info.TLSVersion, info.CipherSuite, who, info.PathReason)
}

// deliver hands an event of the data path to the loop. It gives up when the loop has finished with the call.
func (s *Session) deliver(c *call, e datapath.Event) {
	var ev event = packetEvent{c.id, e.Packet}
	if e.Kind == datapath.Ended {
		ev = streamEndedEvent{c.id, e.Err}
	}
	select {
	case s.events <- ev:
	case <-c.quit:
	}
}

// do queues what the protocols want; settle carries it out.
func (c *call) do(actions []joiner.Action) { c.pending = append(c.pending, actions...) }

// refuse ends the call for a reason of ours.
func (c *call) refuse(now time.Time, err *fault.Error) { c.do(c.joiner.Hangup(now, "", err)) }

// unannounced reports whether the call has agreed on addresses that the network was not told of.
func (c *call) unannounced() bool {
	return c.agreed && c.ipv4 != nil && c.ipv6Decided && !c.joiner.Ending()
}

// receive takes a packet of the call.
func receive(s *Session, now time.Time, ev event) {
	if e := ev.(packetEvent); s.call != nil && s.call.id == e.id {
		s.call.do(s.call.joiner.Receive(now, e.pkt))
	}
}

// streamEnded takes the end of the call's connection.
func streamEnded(s *Session, now time.Time, ev event) {
	if e := ev.(streamEndedEvent); s.call != nil && s.call.id == e.id {
		s.call.do(s.call.joiner.Lost(now, e.err))
	}
}

func (c *call) deadline() time.Time {
	return deadline.Earliest(c.joiner.Deadline(), c.ipv6At, c.pingAt)
}

// callDue does what is due in the call.
func callDue(s *Session, now time.Time, _ event) {
	c := s.call
	c.listen(now)
	if deadline.Due(c.pingAt, now) {
		c.pingAt = now.Add(pingEvery)
		c.do(c.joiner.Ping(now))
	}
	if deadline.Due(c.ipv6At, now) {
		c.ipv6At, c.ipv6Decided = time.Time{}, true
	}
	c.do(c.joiner.Advance(now))
}

// listen tells the joiner of bytes that arrived since it last heard: any byte is a sign of life.
func (c *call) listen(now time.Time) {
	if n := c.pumps.Counters().StreamRxBytes; n != c.bytes {
		c.bytes = n
		c.joiner.Heard(now)
	}
}

// perform carries out one action of the call's protocols.
func (s *Session) perform(now time.Time, a joiner.Action) {
	c := s.call
	switch a.Kind {
	case joiner.Send:
		if !c.pumps.Send(a.Data) {
			c.pending = c.joiner.Overflow()
		}
	case joiner.LinkOpen:
		s.showProgress(now, fault.StageAuth)
	case joiner.LoggedIn:
		c.method = a.Method
		s.update(func(st *Status) { st.Auth, st.CryptoBinding = string(a.Method), c.binding(a.Keyed) })
		s.showProgress(now, fault.StageNetwork)
	case joiner.IPv4Up:
		c.ipv4, c.agreed = &a.IPv4, true
		if !c.ipv6Decided && c.ipv6At.IsZero() {
			c.ipv6At = now.Add(ipv6Wait)
		}
	case joiner.IPv4Down:
		c.ipv4 = nil
		c.pumps.CloseGate()
	case joiner.IPv6Up:
		c.ipv6, c.ipv6Decided, c.ipv6At, c.agreed = &a.IPv6, true, time.Time{}, true
	case joiner.IPv6Down:
		c.agreed = c.agreed || c.ipv6 != nil
		c.ipv6, c.ipv6Decided, c.ipv6At = nil, true, time.Time{}
	case joiner.RoundTrip:
		c.rtt.Add(a.RTT)
		s.update(func(st *Status) { st.RTT = c.rtt })
	case joiner.Ended:
		s.react(now, callEndedEvent{a.Err, a.By})
	}
}

// binding describes how the call is bound to its TLS connection.
func (c *call) binding(keyed bool) phrase.Phrase {
	const (
		bare     phrase.Format = "%s without keys"
		withKeys phrase.Format = "%s with the login's keys"
		unproven               = ", not to be relied on: the server is not verified" // a relay of the login does not check the binding
	)
	hash := c.joiner.Hash().String()
	switch proven := c.verified || c.method == auth.EAPTLS; {
	case keyed && proven:
		return phrase.Of(withKeys, hash)
	case keyed:
		return phrase.Of(withKeys+unproven, hash)
	case proven:
		return phrase.Of(bare, hash)
	}
	return phrase.Of(bare+unproven, hash)
}

// callClosed cleans up after a call that ended while stopping.
func callClosed(s *Session, _ time.Time, _ event) { s.closeCall() }

// callFailed follows the end of a call that never came up.
func callFailed(s *Session, now time.Time, ev event) {
	c, err := s.closeCall(), ev.(callEndedEvent).err
	if err == nil {
		s.wait(now, 0) // somebody wanted a new call
		return
	}
	if info := c.conn.Info(); err.Code == fault.AuthMethodRefused && withholds(s.cfg.Tunnel, info) {
		err = explainWithheld(s.cfg.Tunnel, info, err)
	}
	if s.triesOtherKeys(c, err) {
		s.cfg.Log(config.LogInfo, "%s: %s Trying once with empty keys, as some servers expect for EAP-MSCHAPv2.", err.Code, err.Message)
		s.dial(now) // the same server: the others had their turn in this round
		return
	}
	s.tryNext(now, err)
}

// triesOtherKeys reports whether the server is to be called once more with empty keys in the crypto binding. Windows was
// seen to bind EAP-MSCHAPv2 like that; by definition the keys are the login's. Only a server that has proved who it is
// may make us try the weaker form, and what did not help is not kept.
func (s *Session) triesOtherKeys(c *call, err *fault.Error) bool {
	if err.Code != fault.CryptoBindingFailed || c.method != auth.EAPMSCHAPv2 || !c.verified {
		return false
	}
	server := c.server.String()
	s.servers.emptyKeys[server] = !s.servers.emptyKeys[server]
	return s.servers.emptyKeys[server]
}

// callLost follows the end of a call that was up: the device is held while the server is called again.
func callLost(s *Session, now time.Time, ev event) {
	c, e := s.closeCall(), ev.(callEndedEvent)
	s.update(func(st *Status) { st.Reconnects++ })
	if e.err != nil {
		s.failed(now, e.err)
	}
	if e.err != nil && e.err.Code == fault.TUNFailed {
		s.replaceDevice(now)
	} else {
		s.holdDevice(now)
	}
	s.wait(now, s.backoff.lost(now.Sub(c.upSince), endingOf(e.err, e.by), s.patience(), jitter()))
}

// closeCall frees what the call holds. Its device stays where the network has a link, or is told of one.
func (s *Session) closeCall() *call {
	c := s.call
	s.call = nil
	c.conn.Close()
	close(c.quit)
	c.pumps.Stop()
	c.joiner.Close()
	s.mu.Lock()
	s.counted = addCounters(s.counted, c.pumps.Counters())
	s.pumps = nil
	s.mu.Unlock()
	s.update(func(st *Status) { st.UpSince = time.Time{} })
	if s.phase != phaseStopping && s.network.state == announcerIdle {
		s.closeDevice()
	}
	return c
}
