package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sstp/src/auth"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// doCall carries out what the SSTP call wants. The actions are copied before the first is carried out: that may call the
// same machine again, and their bytes are good only until then.
func (c *conn) doCall(actions []sstp.Action) {
	actions = slices.Clone(actions)
	for i := range actions {
		actions[i].Data = bytes.Clone(actions[i].Data)
	}
	for _, a := range actions {
		now := time.Now()
		switch a.Kind {
		case sstp.Send:
			c.send(a.Data)
		case sstp.PPPUp:
			c.startPPP(now)
		case sstp.PPPFrame:
			if !c.interceptFrame(now, a.Data) {
				c.doLink(c.link.Receive(now, a.Data))
			}
		case sstp.Connected:
			c.isConnected(now)
		case sstp.PPPDown:
			c.connected = false
			c.pumps.CloseGate()
		case sstp.ProbePPP:
			c.doLink(c.link.Echo(now))
		case sstp.Release:
			if a.Err != nil {
				c.fail(a.Err)
			}
			c.released = true
		}
	}
}

// isConnected begins the life of the call: the crypto binding is right.
func (c *conn) isConnected(now time.Time) {
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

// burst sends the verdict on the login behind many requests, all in one write.
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
	c.pumps.Send(sstp.AppendData(b, c.link.AuthFrame(nil, verdict)))
}

func (c *conn) rechallenge(now time.Time) {
	if c.login != nil {
		c.doLogin(c.login.Challenge(now))
		c.after(c.m.Rechallenge, c.rechallenge)
	}
}

// wander gives the client the address after its own, and its own again the next time.
func (c *conn) wander(time.Time) {
	assigned := c.lease.ipv4
	if c.spoil.wandered = !c.spoil.wandered; c.spoil.wandered {
		assigned = assigned.Next()
	}
	c.link.Assign(assigned)
	c.sendRequest(ppp.ProtoIPCP)
	c.after(c.m.IPCPWander, c.wander)
}

// doLink carries out what PPP wants.
func (c *conn) doLink(actions []ppp.Action) {
	for _, a := range slices.Clone(actions) {
		now := time.Now()
		switch a.Kind {
		case ppp.Send:
			c.sendFrame(a.Data)
		case ppp.Authenticate:
			c.authenticate(now, a.Auth)
		case ppp.AuthPacket:
			if c.login != nil {
				c.doLogin(c.login.Receive(now, a.Data))
			}
		case ppp.IPv4Up:
			c.publish(func(cl *Client) { cl.IPv4 = a.IPv4.Peer })
			c.event(EventIPv4, "address="+address(a.IPv4.Peer), nil)
			c.route()
		case ppp.IPv4Down:
			c.publish(func(cl *Client) { cl.IPv4 = netip.Addr{} })
			c.route()
		case ppp.IPv6Up:
			c.publish(func(cl *Client) { cl.IPv6, cl.Prefix6 = a.IPv6.Peer, c.lease.prefix6 })
			c.event(EventIPv6, fmt.Sprintf("address=%s prefix=%v", address(a.IPv6.Peer), c.lease.prefix6), nil)
			c.route()
		case ppp.IPv6Down:
			c.publish(func(cl *Client) { cl.IPv6, cl.Prefix6 = netip.Addr{}, netip.Prefix{} })
			c.route()
		case ppp.Terminated:
			c.linkIsOver(now, a.Err)
		}
	}
}

// linkIsOver ends the call behind PPP: at once when that was our wish, after a while when it was the client's, who wants
// to say so itself.
func (c *conn) linkIsOver(now time.Time, err error) {
	if err == nil {
		c.doCall(c.call.Disconnect(now))
		return
	}
	if !c.connected {
		c.fail(err)
	}
	c.after(goodbyeWait, func(now time.Time) { c.doCall(c.call.Disconnect(now)) })
}

// authenticate begins the login with what LCP has agreed on. LCP may begin anew, and the login with it.
func (c *conn) authenticate(now time.Time, agreed ppp.AuthProtocol) {
	if c.login != nil {
		c.login.Close()
		c.login = nil
	}
	switch {
	case c.m.AuthSilent:
		return
	case c.m.CutInAuth:
		c.cut()
		return
	case c.m.TerminateInAuth:
		c.goodbye(now, "told to refuse the login")
		return
	case agreed == ppp.AuthProtocol{}:
		c.isAuthenticated(now, auth.Action{})
		return
	}
	cfg := &c.srv.cfg
	c.login = auth.NewAuthenticator(auth.AuthenticatorConfig{
		Name: "sstp-lab",
		Secret: func(user string) (string, bool) {
			password, ok := cfg.Users[user]
			return password, ok
		},
		Methods:      c.methods(),
		TLS:          cfg.EAPTLS,
		Rand:         cfg.Rand,
		NextID:       c.link.NextID,
		WrongProof:   c.m.WrongProof,
		SkipProof:    c.m.NoProof,
		EarlySuccess: c.m.EarlySuccess,
		FailCode:     c.m.FailCode,
		FailMessage:  c.m.FailMessage,
	}, auth.LCPAuth{Protocol: uint16(agreed.Protocol), Algorithm: agreed.Algorithm})
	c.doLogin(c.login.Start(now))
}

// doLogin carries out what the authentication wants.
func (c *conn) doLogin(actions []auth.Action) {
	failed := slices.ContainsFunc(actions, func(a auth.Action) bool { return a.Kind == auth.Failure })
	if c.m.CutAtVerdict && slices.ContainsFunc(actions, func(a auth.Action) bool { return a.Kind != auth.Send }) {
		c.cut()
		return
	}
	succeeds := slices.ContainsFunc(actions, func(a auth.Action) bool { return a.Kind == auth.Success })
	for _, a := range slices.Clone(actions) {
		now := time.Now()
		switch a.Kind {
		case auth.Send:
			if succeeds && c.m.EchoBurst+c.m.RequestBurst > 0 {
				c.burst(a.Data)
				continue
			}
			if !failed || !c.m.FailByTerminate {
				c.sendFrame(c.link.AuthFrame(nil, a.Data))
			}
		case auth.Success:
			c.isAuthenticated(now, a)
		case auth.Failure:
			c.fail(a.Err)
			c.goodbye(now, "the login was refused")
		}
	}
}

// isAuthenticated gives the user an address, lets the call check the crypto binding and the network protocols begin.
func (c *conn) isAuthenticated(now time.Time, a auth.Action) {
	if !c.client.Since.IsZero() {
		return // asked again during the call
	}
	if err := c.admit(now, a); err != nil {
		c.fail(err)
		c.goodbye(now, "no address")
		return
	}
	c.event(EventAuth, "method="+string(a.Method), nil)
	c.link.Assign(c.lease.ipv4)
	c.doCall(c.call.Authenticated(now, a.HLAK))
	if c.released {
		return
	}
	c.sendExtras()
	c.doLink(c.link.Authenticated(now))
}

// admit enters the user into the server's books.
func (c *conn) admit(now time.Time, a auth.Action) error {
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
		return err
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
	return nil
}

// hashMask is what the call offers for the crypto binding. A mask that names no hash is put into the packet afterwards.
func (c *conn) hashMask() sstp.HashProtocol {
	if c.m.AckMask != nil && *c.m.AckMask&3 != 0 {
		return sstp.HashProtocol(*c.m.AckMask & 3)
	}
	return c.srv.cfg.HashMask
}
