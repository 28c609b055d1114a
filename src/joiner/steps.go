package joiner

import (
	"time"

	"sstp/src/auth"
	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

func (j *Joiner) fromSSTP(actions []sstp.Action) {
	for i := range actions {
		j.queue = append(j.queue, step{sstp: &actions[i]})
	}
}

func (j *Joiner) fromPPP(actions []ppp.Action) {
	for i := range actions {
		j.queue = append(j.queue, step{ppp: &actions[i]})
	}
}

func (j *Joiner) fromLogin(actions []auth.Action) {
	for i := range actions {
		j.queue = append(j.queue, step{login: &actions[i]})
	}
}

// drain carries out all that is queued and returns what the owner must do.
func (j *Joiner) drain(now time.Time) []Action {
	j.run(now)
	return j.done()
}

// run carries out all that is queued. What one action leads to is done before the actions that were behind it: a machine
// returns them in the order in which they must take effect. After the end nothing is done any more.
func (j *Joiner) run(now time.Time) {
	for len(j.queue) > 0 && !j.ended {
		next, behind := j.queue[0], j.queue[1:]
		j.queue = nil
		switch {
		case next.sstp != nil:
			j.doSSTP(now, next.sstp)
		case next.ppp != nil:
			j.doPPP(now, next.ppp)
		case next.login != nil:
			j.doLogin(now, next.login)
		}
		j.queue = append(j.queue, behind...)
	}
	j.queue = nil
}

func (j *Joiner) tell(a Action) { j.todo = append(j.todo, a) }

// done hands the actions over to the owner.
func (j *Joiner) done() []Action {
	do := j.todo
	j.todo = nil
	return do
}

// sendFrame sends a PPP frame in an SSTP packet.
func (j *Joiner) sendFrame(frame []byte) {
	if !j.closing {
		j.tell(Action{Kind: Send, Data: sstp.AppendData(nil, frame)})
	}
}

func (j *Joiner) client() bool { return j.cfg.PPP.Role == ppp.Client }

func (j *Joiner) doSSTP(now time.Time, a *sstp.Action) {
	switch a.Kind {
	case sstp.Send:
		j.tell(Action{Kind: Send, Data: a.Data})
	case sstp.PPPUp:
		j.tell(Action{Kind: Opened})
		if j.cfg.Until == UntilOpened {
			j.hangup(now, "", nil, fault.Us)
			return
		}
		j.running = true
		j.fromPPP(j.link.Start(now))
	case sstp.PPPFrame:
		j.fromPPP(j.link.Receive(now, a.Data))
	case sstp.Connected:
		j.bound = true
		j.tell(Action{Kind: Bound})
		switch {
		case j.cfg.Until == UntilBound:
			j.hangup(now, "", nil, fault.Us)
		case j.client():
			j.fromPPP(j.link.Authenticated(now)) // the first NCP packet follows CALL_CONNECTED ([MS-SSTP] 3.2.5.3)
		}
	case sstp.PPPDown:
		j.closing = true
		j.tell(Action{Kind: Closing})
	case sstp.ProbePPP:
		if !j.ending {
			j.fromPPP(j.link.Echo(now))
		}
	case sstp.Release:
		j.end(a.Err, a.By)
	}
}

func (j *Joiner) doPPP(now time.Time, a *ppp.Action) {
	switch a.Kind {
	case ppp.Send:
		j.sendFrame(a.Data)
	case ppp.Authenticate:
		j.tell(Action{Kind: LinkOpen})
		j.beginLogin(now, a.Auth)
	case ppp.AuthPacket:
		if j.login != nil {
			j.fromLogin(j.login.Receive(now, a.Data))
		}
	case ppp.IPv4Up:
		j.tell(Action{Kind: IPv4Up, IPv4: a.IPv4})
	case ppp.IPv4Down:
		j.tell(Action{Kind: IPv4Down})
	case ppp.IPv6Up:
		j.tell(Action{Kind: IPv6Up, IPv6: a.IPv6})
	case ppp.IPv6Down:
		j.tell(Action{Kind: IPv6Down})
	case ppp.EchoReply:
		j.tell(Action{Kind: RoundTrip, RTT: a.RTT})
	case ppp.Terminated:
		j.linkEnded(now, a)
	}
}

// beginLogin starts the method that LCP agreed on; it may be none. A login that has begun is dropped: the peer has
// negotiated LCP again.
func (j *Joiner) beginLogin(now time.Time, agreed ppp.AuthProtocol) {
	j.Close()
	j.login = j.cfg.NewLogin(auth.LCPAuth{Protocol: uint16(agreed.Protocol), Algorithm: agreed.Algorithm}, j.link.NextID)
	if j.login != nil {
		j.fromLogin(j.login.Start(now))
	}
}

func (j *Joiner) doLogin(now time.Time, a *auth.Action) {
	switch a.Kind {
	case auth.Send:
		j.sendFrame(j.link.AuthFrame(nil, a.Data))
	case auth.Success:
		if !j.loggedIn && !j.ending {
			j.succeeded(now, a)
		}
	case auth.Failure:
		text := ""
		if !j.client() {
			text = "the login was refused"
		}
		j.hangup(now, text, a.Err, a.By)
	}
}

// succeeded binds the call to the login that has just succeeded. The order on the wire is success, CALL_CONNECTED, the
// first NCP packet ([MS-SSTP] 3.2.5.3). A server does not wait for CALL_CONNECTED: no server in the field does.
func (j *Joiner) succeeded(now time.Time, a *auth.Action) {
	if !j.client() {
		address, err := j.cfg.Admit(now, *a)
		if err != nil {
			j.hangup(now, "no address", err, fault.Us)
			return
		}
		j.link.Assign(address)
	}
	j.loggedIn = true
	key := a.HLAK
	if j.cfg.EmptyKeys && a.Method == auth.EAPMSCHAPv2 {
		key = [32]byte{}
	}
	j.tell(Action{Kind: LoggedIn, Method: a.Method, User: a.User, Keyed: key != [32]byte{}})
	j.fromSSTP(j.sstp.Authenticated(now, key))
	if !j.client() {
		j.fromPPP(j.link.Authenticated(now))
	}
	clear(a.HLAK[:])
	clear(key[:])
}

// hangup begins the goodbye unless it is under way.
func (j *Joiner) hangup(now time.Time, text string, cause *fault.Error, by fault.Party) {
	if j.ended || j.ending {
		return
	}
	j.ending, j.cause, j.causedBy, j.limit = true, cause, by, now.Add(j.cfg.Goodbye.Limit)
	if !j.running {
		j.disconnectNow(now)
		return
	}
	j.terminate = now.Add(j.cfg.Goodbye.Terminate)
	j.fromPPP(j.link.Terminate(now, text))
}

// disconnectNow sends SSTP's goodbye, which follows PPP's.
func (j *Joiner) disconnectNow(now time.Time) {
	j.terminate, j.disconnect = time.Time{}, time.Time{}
	if j.limit.IsZero() {
		j.limit = now.Add(j.cfg.Goodbye.Limit)
	}
	j.fromSSTP(j.sstp.Disconnect(now))
}

// linkEnded handles PPP's end. After our own goodbye SSTP's follows at once. After the peer's, or after a failure of
// PPP, the peer has a while to send SSTP's goodbye itself. A client that ends a bound call is no failure for a server.
func (j *Joiner) linkEnded(now time.Time, a *ppp.Action) {
	if j.ending {
		if !j.terminate.IsZero() {
			j.disconnectNow(now)
		}
		return
	}
	j.ending = true
	if j.client() || !j.bound {
		j.cause, j.causedBy = a.Err, a.By
	}
	j.disconnect = now.Add(j.cfg.Goodbye.Linger)
}

// end ends the call for the best reason that is known. What made either side hang up explains more than the hanging up.
func (j *Joiner) end(err *fault.Error, by fault.Party) {
	if j.ended {
		return
	}
	j.ended = true
	switch {
	case j.cause != nil:
		err, by = j.cause, j.causedBy
	case j.ending:
		err, by = nil, fault.Us // after our own goodbye it does not matter how the peer took it
	case j.client() && err != nil && err.Code == fault.ClosedByServer && j.running:
		err = j.explain(err, by)
	}
	j.tell(Action{Kind: Ended, Err: err, By: by})
}

// explain returns PPP's reason for an end of which SSTP knows only that the server brought it about. A connection that
// ended without a word is never a refused login: otherwise anybody who can forge a FIN or a RST would decide how long the
// tunnel waits.
func (j *Joiner) explain(err *fault.Error, by fault.Party) *fault.Error {
	why := j.link.EndedByPeer()
	switch {
	case by != fault.Path && why.Code != fault.ClosedByServer:
		return why.Wrap(err)
	case by != fault.Path:
		return err
	case why.Code == fault.AuthMethodRefused:
		return why.Wrap(err) // the server's own proposals say what it does not like
	}
	f := fault.Newf(fault.ClosedByServer, j.link.Stage(), err.MessageKey, err.MessageArgs...).Wrap(err)
	f.Message = err.Message // of which a text of somebody else has no key
	if f.Stage == fault.StageAuth {
		f.WithHint("The connection broke during the login. Some servers end it like this when the user name or the password is " +
			"wrong: check both if it goes on.")
	}
	return f
}
