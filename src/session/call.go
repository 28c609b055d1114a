package session

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"time"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/joiner"
	"sstp/src/ppp"
	"sstp/src/sstp"
	"sstp/src/transport"
	"sstp/src/transport/trust"
)

// minIPv6MTU is what IPv6 needs (RFC 8200 section 5): Linux takes no IPv6 address for a device with less.
const minIPv6MTU = 1280

// pingEvery is how often the round trip of a running call is measured.
const pingEvery = 10 * time.Second

// call is one connection to one server, from the HTTP 200 to the end.
type call struct {
	id       int
	server   config.Server
	conn     Conn
	pumps    *datapath.Pumps
	quit     chan struct{} // closed when the loop is through with it
	joiner   *joiner.Joiner
	verified bool // the server has proved by TLS who it is

	mtu      int
	agreed   bool // ipv4 or ipv6 changed since establish
	inUse    bool // the device is or will be this call's
	pictures int  // how often the network was told of it
	ipv4     *ppp.IPv4
	ipv6     *ppp.IPv6
	ipv6Over bool      // IPv6 is decided, or waited for long enough
	ipv6At   time.Time // when to stop waiting for it
	upSince  time.Time // zero: never up
	pingAt   time.Time
	method   auth.Method
	bytes    uint64 // received when the joiner last heard of it
	rtt      RTT
}

// startCall runs the protocols on a fresh connection.
func (s *Session) startCall(now time.Time, server config.Server, conn Conn) {
	t := s.cfg.Tunnel
	info := conn.Info()
	verified := info.VerifiedBy != trust.Unverified
	methods, err := loginMethods(t, info)
	if err != nil && t.Username != "" { // without a user the server may let us in as we are
		conn.Close()
		s.callFailed(now, err)
		return
	}
	inner, innerErr := s.cfg.InnerTLS.forMethods(methods, server)
	if innerErr != nil {
		conn.Close()
		s.callFailed(now, fault.Of(innerErr, fault.InvalidOptions, fault.StageConfig))
		return
	}
	s.calls++
	c := &call{id: s.calls, server: server, conn: conn, quit: make(chan struct{}), mtu: t.MTUOver(info.Server.Addr())}
	c.ipv6Over = t.IPv6 == config.Off || c.mtu < minIPv6MTU
	c.pumps = datapath.New(conn, func(e datapath.Event) { s.deliver(c, e) })
	cfg := joinerConfig(t, info, methods, inner, s.cfg.Random)
	cfg.PPP.IPv6, cfg.PPP.InterfaceID = !c.ipv6Over, s.ifaceID
	cfg.EmptyKeys = s.emptyKeys[server.String()]
	c.joiner, c.verified = joiner.New(cfg), verified
	s.call = c
	s.mu.Lock()
	s.pumps = c.pumps
	s.mu.Unlock()
	s.update(func(st *Status) { begin(st, info) })
	switch {
	case !verified && t.InsecureLogin:
		s.cfg.Log(config.LogWarn, "the server's certificate is not verified (verify 'none', insecure_login '1'): somebody in between can take the server's place, and search for the password")
	case !verified:
		s.cfg.Log(config.LogWarn, "the server's certificate is not verified (verify 'none'): anybody in between can read this tunnel")
	}
	s.logPath(info)
	c.pumps.Start()
	s.stage(now, fault.StageSSTP)
	s.do(c.joiner.Start(now))
}

// logPath says who encrypts and why. That the kernel does not, though the configuration insists, is a warning.
func (s *Session) logPath(info transport.Info) {
	level := config.LogInfo
	if info.Path == transport.PathGo && s.cfg.Tunnel.KTLS == config.On {
		level = config.LogWarn
	}
	who := map[string]string{transport.PathGo: "Go", transport.PathKernel: "the kernel"}[info.Path]
	s.cfg.Log(level, "%s, %s, encrypted by %s: %s", info.TLSVersion, info.CipherSuite, who, info.PathReason)
}

// deliver hands what the data path does not handle to the loop; it gives up when the loop is through with the call.
func (s *Session) deliver(c *call, e datapath.Event) {
	var ev event = packetEvent{c.id, e.Packet}
	if e.Kind == datapath.Ended {
		ev = endedEvent{c.id, e.Err}
	}
	select {
	case s.events <- ev:
	case <-c.quit:
	}
}

// allowedMethods returns the login methods that may be used with a server that has proved by TLS who it is, or has not.
// insecure is option insecure_login.
func allowedMethods(wanted []config.AuthMethod, verified, insecure bool) (allowed []auth.Method) {
	for _, m := range wanted {
		if verified || !m.NeedsVerifiedServer() && (insecure || !m.CanBeRelayed()) {
			allowed = append(allowed, auth.Method(m))
		}
	}
	return allowed
}

// loginMethods returns what may be used for the login over a connection; the error says why nothing may.
func loginMethods(t *config.Tunnel, info transport.Info) ([]auth.Method, *fault.Error) {
	verified := info.VerifiedBy != trust.Unverified
	allowed := allowedMethods(t.Auth, verified, t.InsecureLogin)
	switch {
	case len(allowed) > 0:
		return allowed, nil
	case withholds(t, info):
		return nil, explainWithheld(t, info, fault.New(fault.AuthMethodRefused, fault.StageAuth,
			"The server's certificate is not verified, so the login would let somebody in between take the server's place. It is not made."))
	}
	return nil, fault.New(fault.AuthMethodRefused, fault.StageAuth,
		"Option auth allows only pap or chap, and these are never used with a server that is not verified.").
		WithHint("Set verify to full or pin, or allow mschapv2 in option auth.")
}

// withholds reports whether a method that option auth allows is not used because the server is not verified.
func withholds(t *config.Tunnel, info transport.Info) bool {
	return info.VerifiedBy == trust.Unverified && !t.InsecureLogin && slices.ContainsFunc(t.Auth, config.AuthMethod.CanBeRelayed)
}

// explainWithheld gives an error the hint that names the ways out, ready to be used.
func explainWithheld(t *config.Tunnel, info transport.Info, err *fault.Error) *fault.Error {
	pin := fmt.Sprintf("sha256:%x", sha256.Sum256(info.Leaf.Raw))
	return err.WithHint(fmt.Sprintf("If it is your server, choose Trust this certificate in Test connection, or run: "+
		"uci add_list network.%[1]s.cert_pin=%[2]s; uci set network.%[1]s.verify=pin; uci commit network; ifup %[1]s. "+
		"Option insecure_login '1' takes the risk instead.", t.Name, pin))
}

func (c *call) deadline() time.Time {
	return deadline.Earliest(c.joiner.Deadline(), c.ipv6At, c.pingAt)
}

// advance does what is due and returns what the protocols want.
func (c *call) advance(now time.Time) (do []joiner.Action) {
	c.listen(now)
	if deadline.Due(c.pingAt, now) {
		c.pingAt = now.Add(pingEvery)
		do = c.joiner.Ping(now)
	}
	if deadline.Due(c.ipv6At, now) {
		c.ipv6At, c.ipv6Over = time.Time{}, true
	}
	return append(do, c.joiner.Advance(now)...)
}

// listen tells the joiner of bytes that arrived since it last heard: any byte is a sign of life.
func (c *call) listen(now time.Time) {
	if n := c.pumps.Counters().StreamRxBytes; n != c.bytes {
		c.bytes = n
		c.joiner.Heard(now)
	}
}

// do queues what the protocols of the running call want; settle carries it out.
func (s *Session) do(actions []joiner.Action) { s.pending = append(s.pending, actions...) }

// settle carries out all that the protocols want, tells the network of what was agreed on, and ends the loop where
// nothing is left to do. The loop calls it after each event.
func (s *Session) settle(now time.Time) {
	for {
		switch {
		case len(s.pending) > 0:
			next := s.pending[0]
			s.pending = s.pending[1:]
			s.perform(now, next)
		case s.call != nil && s.call.settled() && !s.telling:
			s.establish(now)
		default:
			s.finish()
			return
		}
	}
}

// settled reports whether the call has agreed on addresses that the network does not know yet.
func (c *call) settled() bool { return c.agreed && c.ipv4 != nil && c.ipv6Over && !c.joiner.Ending() }

// perform carries out one action of the running call's protocols.
func (s *Session) perform(now time.Time, a joiner.Action) {
	c := s.call
	switch a.Kind {
	case joiner.Send:
		if !c.pumps.Send(a.Data) {
			s.pending = c.joiner.Overflow()
		}
	case joiner.LinkOpen:
		s.stage(now, fault.StageAuth)
	case joiner.LoggedIn:
		c.method = a.Method
		s.update(func(st *Status) { st.Auth, st.CryptoBinding = string(a.Method), c.bindingText(a.Keyed) })
		s.stage(now, fault.StageNetwork)
	case joiner.IPv4Up:
		c.ipv4, c.agreed = &a.IPv4, true
		if !c.ipv6Over && c.ipv6At.IsZero() {
			c.ipv6At = now.Add(ipv6Wait)
		}
	case joiner.IPv4Down:
		c.ipv4 = nil
		c.pumps.CloseGate()
	case joiner.IPv6Up:
		c.ipv6, c.ipv6Over, c.ipv6At, c.agreed = &a.IPv6, true, time.Time{}, true
	case joiner.IPv6Down:
		c.agreed = c.agreed || c.ipv6 != nil
		c.ipv6, c.ipv6Over, c.ipv6At = nil, true, time.Time{}
	case joiner.RoundTrip:
		c.rtt.Add(a.RTT)
		s.update(func(st *Status) { st.RTT = c.rtt })
	case joiner.Ended:
		s.callOver(now, a.Err, a.By)
	}
}

// bindingText describes how the call is bound to its TLS connection.
func (c *call) bindingText(keyed bool) string {
	text := c.joiner.Hash().String() + " without keys"
	if keyed {
		text = c.joiner.Hash().String() + " with the login's keys"
	}
	if !c.verified && c.method != auth.EAPTLS {
		text += ", not to be relied on: the server is not verified" // whoever relays the login does not check it
	}
	return text
}

// joinerConfig returns what the protocols of a call with the tunnel's server need to know.
func joinerConfig(t *config.Tunnel, info transport.Info, methods []auth.Method, inner *tls.Config, random io.Reader) joiner.Config {
	timers := sstp.DefaultTimers()
	timers.Hello = t.Keepalive.Interval
	cfg := joiner.Config{
		SSTP: sstp.Config{
			Role: sstp.Client, LeafCertificate: info.Leaf.Raw, Timers: timers, EchoFailures: t.Keepalive.Failures,
		},
		PPP: ppp.Config{Role: ppp.Client, MRU: t.MTUOver(info.Server.Addr()), IPv4: true, WantDNS: true, Rand: random},
		NewLogin: func(agreed auth.LCPAuth, nextID func() uint8) joiner.Login {
			return auth.NewPeer(auth.PeerConfig{
				Username: t.Username, Password: t.Password, Methods: methods, TLS: inner, Rand: random, NextID: nextID,
			}, agreed)
		},
	}
	for _, l := range auth.LCPProtocols(methods) {
		cfg.PPP.Auth = append(cfg.PPP.Auth, ppp.AuthProtocol{Protocol: ppp.Protocol(l.Protocol), Algorithm: l.Algorithm})
	}
	return cfg
}
