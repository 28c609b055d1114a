package session

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/datapath"
	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/transport"
	"sstp/src/transport/trust"
)

// minIPv6MTU is what IPv6 needs (RFC 8200 section 5): Linux takes no IPv6 address for a device with less.
const minIPv6MTU = 1280

// pingEvery is how often the round trip of a running call is measured.
const pingEvery = 10 * time.Second

// call is one connection to one server, from the HTTP 200 to the end.
type call struct {
	id     int
	server config.Server
	conn   Conn
	pumps  *datapath.Pumps
	quit   chan struct{} // closed when the loop is through with it
	engine *engine

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
	bytes    uint64 // received when the engine last heard of it
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
	c.engine = newEngine(callConfig{
		leaf: info.Leaf.Raw, verified: verified, username: t.Username, password: t.Password, methods: methods,
		innerTLS: inner, mru: c.mtu, ipv6: !c.ipv6Over, interfaceID: s.ifaceID,
		keepalive: t.Keepalive.Interval, failures: t.Keepalive.Failures, emptyKeys: s.emptyKeys[server.String()],
		random: s.cfg.Random, sendPacket: c.pumps.Send,
	})
	s.call = c
	s.mu.Lock()
	s.pumps = c.pumps
	s.mu.Unlock()
	s.update(func(st *Status) { st.Info, st.Auth, st.CryptoBinding, st.RTT = info, "", "", RTT{} })
	switch {
	case !verified && t.InsecureLogin:
		s.cfg.Log(config.LogWarn, "the server's certificate is not verified (verify 'none', insecure_login '1'): somebody in between can take the server's place, and search for the password")
	case !verified:
		s.cfg.Log(config.LogWarn, "the server's certificate is not verified (verify 'none'): anybody in between can read this tunnel")
	}
	s.logPath(info)
	c.pumps.Start()
	s.stage(now, fault.StageSSTP)
	c.engine.start(now)
	s.progress(now)
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
	return deadline.Earliest(c.engine.deadline(), c.ipv6At, c.pingAt)
}

func (c *call) advance(now time.Time) {
	c.listen(now)
	if deadline.Due(c.pingAt, now) {
		c.pingAt = now.Add(pingEvery)
		c.engine.ping(now)
	}
	if deadline.Due(c.ipv6At, now) {
		c.ipv6At, c.ipv6Over = time.Time{}, true
	}
	c.engine.advance(now)
}

// listen tells the engine of bytes that arrived since it last heard: any byte is a sign of life.
func (c *call) listen(now time.Time) {
	if n := c.pumps.Counters().StreamRxBytes; n != c.bytes {
		c.bytes = n
		c.engine.heard(now)
	}
}

// progress acts on what the engine reports.
func (s *Session) progress(now time.Time) {
	c := s.call
	if c == nil {
		return
	}
	for _, o := range c.engine.take() {
		switch o.kind {
		case linkOpen:
			s.stage(now, fault.StageAuth)
		case loggedIn:
			c.method = auth.Method(o.text)
			s.update(func(st *Status) { st.Auth, st.CryptoBinding = o.text, c.engine.bindingText() })
			s.stage(now, fault.StageNetwork)
		case ipv4Up:
			c.ipv4, c.agreed = &o.ipv4, true
			if !c.ipv6Over && c.ipv6At.IsZero() {
				c.ipv6At = now.Add(ipv6Wait)
			}
		case ipv4Down:
			c.ipv4 = nil
			c.pumps.CloseGate()
		case ipv6Up:
			c.ipv6, c.ipv6Over, c.ipv6At, c.agreed = &o.ipv6, true, time.Time{}, true
		case ipv6Down:
			c.agreed = c.agreed || c.ipv6 != nil
			c.ipv6, c.ipv6Over, c.ipv6At = nil, true, time.Time{}
		case roundTrip:
			c.rtt.add(o.rtt)
			s.update(func(st *Status) { st.RTT = c.rtt })
		case released:
			s.callOver(now, o.err, o.cut)
			return
		}
	}
	if c.agreed && c.ipv4 != nil && c.ipv6Over {
		s.establish(now)
	}
}
