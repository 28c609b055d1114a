package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sstp/src/auth"
	"sstp/src/fault"
	"sstp/src/joiner"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// do queues what the protocols of the call want; settle carries it out.
func (c *conn) do(actions []joiner.Action) { c.pending = append(c.pending, actions...) }

// settle carries out all that the protocols want.
func (c *conn) settle() {
	for len(c.pending) > 0 {
		next := c.pending[0]
		c.pending = c.pending[1:]
		c.perform(time.Now(), next)
	}
}

func (c *conn) perform(now time.Time, a joiner.Action) {
	switch a.Kind {
	case joiner.Send:
		c.sendOwn(a.Data)
	case joiner.Opened:
		c.sendBeforeLCP()
	case joiner.LinkOpen:
		switch {
		case c.m.CutInAuth:
			c.cut()
		case c.m.TerminateInAuth:
			c.goodbye(now, "told to refuse the login")
		}
	case joiner.LoggedIn:
		c.event(EventAuth, "method="+string(a.Method), nil)
		c.sendExtras()
	case joiner.Bound:
		c.bindCall()
	case joiner.IPv4Up:
		c.publish(func(cl *Client) { cl.IPv4 = a.IPv4.Peer })
		c.event(EventIPv4, "address="+address(a.IPv4.Peer), nil)
		c.route()
	case joiner.IPv4Down:
		c.publish(func(cl *Client) { cl.IPv4 = netip.Addr{} })
		c.route()
	case joiner.IPv6Up:
		c.publish(func(cl *Client) { cl.IPv6, cl.Prefix6 = a.IPv6.Peer, c.lease.prefix6 })
		c.event(EventIPv6, fmt.Sprintf("address=%s prefix=%v", address(a.IPv6.Peer), c.lease.prefix6), nil)
		c.route()
	case joiner.IPv6Down:
		c.publish(func(cl *Client) { cl.IPv6, cl.Prefix6 = netip.Addr{}, netip.Prefix{} })
		c.route()
	case joiner.Closing:
		c.connected = false
		c.pumps.CloseGate()
	case joiner.Ended:
		if a.Err != nil {
			c.noteReason(a.Err)
		}
		c.released = true
	}
}

// bindCall begins the life of the call: the crypto binding is right.
func (c *conn) bindCall() {
	c.connected = true
	c.srv.mu.Lock()
	c.bound, c.client.Connected = true, true
	c.srv.stats.Bound++
	c.srv.mu.Unlock()
	c.event(EventBound, c.spoil.binding, nil)
	c.route()
	for _, t := range []struct {
		wait time.Duration
		do   func(time.Time)
	}{
		{c.m.CutAfter, func(time.Time) { c.cut() }},
		{c.m.DisconnectAfter, func(now time.Time) { c.goodbye(now, "told to end the call") }},
		{c.m.SilentAfter, func(time.Time) { c.mute() }},
		{c.m.EchoFlood, c.flood},
		{c.m.Rechallenge, c.rechallenge},
		{c.m.LCPRestartAfter, func(time.Time) { c.sendRequest(ppp.ProtoLCP) }},
		{c.m.IPCPWander, c.wander},
	} {
		if t.wait > 0 {
			c.after(t.wait, t.do)
		}
	}
}

func (c *conn) flood(time.Time) {
	c.send(sstp.AppendControl(nil, sstp.EchoRequest))
	c.after(c.m.EchoFlood, c.flood)
}

// burst sends the frame with the verdict on the login behind many requests, all in one write.
func (c *conn) burst(verdict []byte) {
	var b []byte
	for i := range c.m.EchoBurst {
		if i%2 == 0 {
			b = sstp.AppendControl(b, sstp.EchoRequest)
		} else {
			b = sstp.AppendData(b, ppp.AppendFrame(nil, ppp.ProtoLCP, control(echoRequest, byte(i), []byte{0, 0, 0, 0})))
		}
	}
	for i := range c.m.RequestBurst {
		b = sstp.AppendData(b, ppp.AppendFrame(nil, ppp.ProtoCCP, control(configureRequest, byte(i), nil)))
	}
	c.pumps.Send(sstp.AppendData(b, verdict))
}

func (c *conn) rechallenge(now time.Time) {
	c.do(c.call.Challenge(now))
	c.after(c.m.Rechallenge, c.rechallenge)
}

// wander gives the client the address after its own, and its own again the next time.
func (c *conn) wander(time.Time) {
	assigned := c.lease.ipv4
	if c.spoil.wandered = !c.spoil.wandered; c.spoil.wandered {
		assigned = assigned.Next()
	}
	c.call.Assign(assigned)
	c.sendRequest(ppp.ProtoIPCP)
	c.after(c.m.IPCPWander, c.wander)
}

// newLogin returns the server's side of the login that LCP has agreed on; nil: the server never begins it.
func (c *conn) newLogin(agreed auth.LCPAuth, nextID func() uint8) joiner.Login {
	if c.m.AuthSilent || c.m.CutInAuth || c.m.TerminateInAuth {
		return nil
	}
	cfg := &c.srv.cfg
	return &spoiledLogin{c: c, protocol: ppp.Protocol(agreed.Protocol), Authenticator: auth.NewAuthenticator(auth.AuthenticatorConfig{
		Name: "sstp-lab",
		Secret: func(user string) (string, bool) {
			password, ok := cfg.Users[user]
			return password, ok
		},
		Methods:      c.methods(),
		TLS:          cfg.EAPTLS,
		Rand:         cfg.Rand,
		NextID:       nextID,
		WrongProof:   c.m.WrongProof,
		SkipProof:    c.m.NoProof,
		EarlySuccess: c.m.EarlySuccess,
		FailCode:     c.m.FailCode,
		FailMessage:  c.m.FailMessage,
	}, agreed)}
}

// spoiledLogin is an Authenticator whose verdict may get lost or come in odd company.
type spoiledLogin struct {
	*auth.Authenticator
	c        *conn
	protocol ppp.Protocol
}

// Start, Receive, Advance and Challenge are the Authenticator's, spoiled.

func (l *spoiledLogin) Start(now time.Time) []auth.Action {
	return l.spoil(l.Authenticator.Start(now))
}

func (l *spoiledLogin) Receive(now time.Time, packet []byte) []auth.Action {
	return l.spoil(l.Authenticator.Receive(now, packet))
}

func (l *spoiledLogin) Advance(now time.Time) []auth.Action {
	return l.spoil(l.Authenticator.Advance(now))
}

func (l *spoiledLogin) Challenge(now time.Time) []auth.Action {
	return l.spoil(l.Authenticator.Challenge(now))
}

func (l *spoiledLogin) spoil(actions []auth.Action) []auth.Action {
	has := func(k auth.Kind) bool {
		return slices.ContainsFunc(actions, func(a auth.Action) bool { return a.Kind == k })
	}
	m, succeeds, fails := &l.c.m, has(auth.Success), has(auth.Failure)
	if m.CutAtVerdict && (succeeds || fails) {
		l.c.cut()
		return nil
	}
	return slices.DeleteFunc(actions, func(a auth.Action) bool {
		switch {
		case a.Kind != auth.Send:
			return false
		case succeeds && m.EchoBurst+m.RequestBurst > 0:
			l.c.burst(ppp.AppendFrame(nil, l.protocol, a.Data))
			return true
		}
		return fails && m.FailByTerminate
	})
}

// admit enters the user into the server's books and returns the address for it.
func (c *conn) admit(now time.Time, a auth.Action) (netip.Addr, *fault.Error) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if c.srv.cfg.SingleSession {
		for _, other := range c.srv.conns {
			if other != c && !other.client.Since.IsZero() && other.client.User == a.User {
				other.order(orderReplaced)
				c.srv.pool.release(other.slot)
				other.slot = 0
			}
		}
	}
	l, err := c.srv.pool.take(a.User)
	if err != nil {
		return netip.Addr{}, fault.Plain(fault.NoAddress, fault.StageNetwork, err.Error())
	}
	c.lease, c.slot = l, l.slot
	c.srv.stats.Authenticated++
	c.client = Client{
		Conn:       c.id,
		User:       a.User,
		Method:     a.Method,
		Remote:     c.raw.RemoteAddr(),
		Since:      now,
		TLSVersion: c.tls.ConnectionState().Version,
	}
	return l.ipv4, nil
}

// hashMask is what the call offers for the crypto binding. A mask that names no hash is put into the packet afterwards.
func (c *conn) hashMask() sstp.HashProtocol {
	if c.m.AckMask != nil && *c.m.AckMask&3 != 0 {
		return sstp.HashProtocol(*c.m.AckMask & 3)
	}
	return c.srv.cfg.HashMask
}
