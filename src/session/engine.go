package session

import (
	"crypto/tls"
	"fmt"
	"io"
	"time"

	"sstp/src/auth"
	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// Deadlines of a call's end.
const (
	terminateWait = time.Second     // for LCP's Terminate-Ack, before SSTP's own goodbye
	lingerWait    = 2 * time.Second // for the server's SSTP goodbye after it ended PPP
	goodbyeLimit  = 2500 * time.Millisecond
)

// callConfig is what the protocols of one call need to know.
type callConfig struct {
	leaf        []byte // DER of the server's certificate, for the crypto binding
	verified    bool   // the server proved who it is by TLS
	username    string
	password    string
	methods     []auth.Method
	innerTLS    *tls.Config // for EAP-TLS
	mru         int
	ipv6        bool
	interfaceID [8]byte // our half of the link-local address; zero: random
	keepalive   time.Duration
	failures    int
	emptyKeys   bool // crypto binding of EAP-MSCHAPv2 with keys of zeros, for servers that expect that
	logInOnly   bool // a probe: stop after the login
	noLogIn     bool // a probe without a user: stop after SSTP's acknowledgement
	random      io.Reader
	sendPacket  func(pkt []byte) bool // false: too many wait, and the packet is lost
}

type outcomeKind uint8

const (
	linkOpen  outcomeKind = iota + 1 // LCP is open; the login begins
	loggedIn                         // auth.Success; text is the method
	acked                            // SSTP's call request was acknowledged
	ipv4Up                           // ipv4 is valid
	ipv4Down                         // the server negotiates IPv4 again
	ipv6Up                           // ipv6 is valid
	ipv6Down                         // there is no IPv6 on this call
	roundTrip                        // rtt is valid
	released                         // the call is over; err says why, nil after our own goodbye; cut is valid
)

// outcome is what the session's loop must know about a call's progress.
type outcome struct {
	kind outcomeKind
	text string
	ipv4 ppp.IPv4
	ipv6 ppp.IPv6
	rtt  time.Duration
	err  *fault.Error
	cut  bool // the connection ended without a word of the server, as anybody on the path can make it end
}

// engine joins the protocol machines of one call: SSTP carries PPP, PPP asks for the login, the login's keys bind the
// call to its TLS connection. It has no I/O and no clock; what it wants sent goes to sendPacket in order, what the loop
// must know is returned by take.
type engine struct {
	cfg  callConfig
	sstp *sstp.Call
	link *ppp.Link
	peer *auth.Peer

	outcomes []outcome
	binding  string
	method   auth.Method // of the login that succeeded

	success    *auth.Action // the login succeeded, not yet acted on
	cause      *fault.Error // why the call is being ended
	ending     bool         // goodbye is under way
	terminate  time.Time    // when to stop waiting for Terminate-Ack; zero: not waiting
	disconnect time.Time    // when to stop waiting for the server's goodbye; zero: not waiting
	limit      time.Time    // when to hang up whatever is missing; zero: no goodbye
	over       bool
}

func newEngine(cfg callConfig) *engine {
	timers := sstp.DefaultTimers()
	timers.Hello = cfg.keepalive
	return &engine{
		cfg: cfg,
		sstp: sstp.NewCall(sstp.Config{
			Role: sstp.Client, LeafCertificate: cfg.leaf, Timers: timers, EchoFailures: cfg.failures,
		}),
	}
}

// start opens the call.
func (e *engine) start(now time.Time) { e.doSSTP(now, e.sstp.Start(now)) }

// packet takes one SSTP packet from the server.
func (e *engine) packet(now time.Time, pkt []byte) {
	if e.over {
		return
	}
	e.doSSTP(now, e.sstp.Receive(now, pkt))
	e.settle(now)
}

// heard notes that bytes arrived which packet was not shown.
func (e *engine) heard(now time.Time) { e.sstp.Heard(now) }

// lost notes that the connection has ended.
func (e *engine) lost(now time.Time, err error) {
	if !e.over {
		e.doSSTP(now, e.sstp.Lost(now, err))
	}
}

// ping measures the round trip by an LCP echo.
func (e *engine) ping(now time.Time) {
	if e.link != nil && !e.ending {
		e.doLink(now, e.link.Echo(now))
	}
}

// deadline returns when advance must be called, zero for never.
func (e *engine) deadline() time.Time {
	if e.over {
		return time.Time{}
	}
	d := deadline.Earliest(e.sstp.Deadline(), e.terminate, e.disconnect, e.limit)
	if e.link != nil {
		d = deadline.Earliest(d, e.link.Deadline())
	}
	if e.peer != nil {
		d = deadline.Earliest(d, e.peer.Deadline())
	}
	return d
}

// advance does what is due.
func (e *engine) advance(now time.Time) {
	if deadline.Due(e.limit, now) {
		e.release(e.cause, false)
	}
	if e.over {
		return
	}
	e.doSSTP(now, e.sstp.Advance(now))
	if e.link != nil {
		e.doLink(now, e.link.Advance(now))
	}
	if e.peer != nil {
		e.doPeer(now, e.peer.Advance(now))
	}
	e.settle(now)
	if deadline.Due(e.terminate, now) || deadline.Due(e.disconnect, now) {
		e.hangUp(now)
	}
}

// goodbye ends the call in order: LCP terminate, SSTP disconnect, at most goodbyeLimit together. cause is nil where the
// user wants it.
func (e *engine) goodbye(now time.Time, cause *fault.Error) {
	if e.over || e.ending {
		return
	}
	e.ending, e.cause, e.limit = true, cause, now.Add(goodbyeLimit)
	if e.link == nil {
		e.hangUp(now)
		return
	}
	e.terminate = now.Add(terminateWait)
	e.doLink(now, e.link.Terminate(now, ""))
}

// hangUp sends SSTP's goodbye.
func (e *engine) hangUp(now time.Time) {
	e.terminate, e.disconnect = time.Time{}, time.Time{}
	if e.limit.IsZero() {
		e.limit = now.Add(goodbyeLimit)
	}
	e.doSSTP(now, e.sstp.Disconnect(now))
}

// close frees what an abandoned login holds.
func (e *engine) close() {
	if e.peer != nil {
		e.peer.Close()
	}
}

// take returns the outcomes since the last call.
func (e *engine) take() []outcome {
	out := e.outcomes
	e.outcomes = nil
	return out
}

func (e *engine) emit(o outcome) { e.outcomes = append(e.outcomes, o) }

// send queues a packet. One that is lost would leave the two sides with different ideas of the call, so it ends.
func (e *engine) send(pkt []byte) {
	if e.over || e.cfg.sendPacket(pkt) {
		return
	}
	stage := fault.StageSSTP
	if e.link != nil {
		stage = e.link.Stage()
	}
	e.release(fault.New(fault.SSTPRejected, stage, "The server sends requests faster than it takes the answers."), false)
}

// release ends the call. cut says that err is a connection that ended without a word of the server.
func (e *engine) release(err *fault.Error, cut bool) {
	if e.over {
		return
	}
	e.over = true
	switch {
	case e.cause != nil:
		err, cut = e.cause, false // what made us or the server hang up says more than the hanging up
	case e.ending:
		err, cut = nil, false // our own goodbye: how the server took it is nobody's trouble
	case cut:
		err = e.cutOff(err)
	case err != nil && err.Code == fault.ClosedByServer && e.link != nil:
		if why := e.link.EndedByPeer(); why.Code != fault.ClosedByServer {
			err = why.Wrap(err) // PPP knows what the server did not like
		}
	}
	e.emit(outcome{kind: released, err: err, cut: cut})
}

// cutOff completes what the data path knows of a broken connection by where the call stood. It is never a refused
// login: whoever can forge a FIN or a RST would otherwise decide how long the tunnel waits.
func (e *engine) cutOff(err *fault.Error) *fault.Error {
	if err.Code != fault.ClosedByServer || e.link == nil {
		return err
	}
	if why := e.link.EndedByPeer(); why.Code == fault.AuthMethodRefused {
		return why.Wrap(err) // the server's own proposals say what it does not like
	}
	f := fault.New(fault.ClosedByServer, e.link.Stage(), err.Message).Wrap(err)
	if f.Stage == fault.StageAuth {
		f.WithHint("The connection broke during the login. Some servers end it like this when the user name or the password is " +
			"wrong: check both if it goes on.")
	}
	return f
}

func (e *engine) doSSTP(now time.Time, actions []sstp.Action) {
	for _, a := range actions {
		switch a.Kind {
		case sstp.Send:
			e.send(a.Data)
		case sstp.PPPUp:
			e.emit(outcome{kind: acked})
			if e.cfg.noLogIn {
				e.goodbye(now, nil)
				continue
			}
			e.startLink(now)
		case sstp.PPPFrame:
			if e.link != nil {
				e.doLink(now, e.link.Receive(now, a.Data))
			}
		case sstp.Connected:
			if e.cfg.logInOnly {
				e.goodbye(now, nil)
				continue
			}
			e.doLink(now, e.link.Authenticated(now))
		case sstp.ProbePPP:
			e.ping(now)
		case sstp.Release:
			e.release(fault.Of(a.Err, fault.ClosedByServer, fault.StageSSTP), a.Lost)
		}
	}
}

func (e *engine) startLink(now time.Time) {
	cfg := ppp.Config{
		Role: ppp.Client, MRU: e.cfg.mru, IPv4: true, IPv6: e.cfg.ipv6, WantDNS: true, Rand: e.cfg.random,
		InterfaceID: e.cfg.interfaceID, Timers: ppp.DefaultTimers(),
	}
	for _, l := range auth.LCPProtocols(e.cfg.methods) {
		cfg.Auth = append(cfg.Auth, ppp.AuthProtocol{Protocol: ppp.Protocol(l.Protocol), Algorithm: l.Algorithm})
	}
	e.link = ppp.NewLink(cfg)
	e.doLink(now, e.link.Start(now))
}

func (e *engine) doLink(now time.Time, actions []ppp.Action) {
	for _, a := range actions {
		switch a.Kind {
		case ppp.Send:
			e.send(sstp.AppendData(nil, a.Data))
		case ppp.Authenticate:
			e.emit(outcome{kind: linkOpen})
			e.logIn(now, a.Auth)
		case ppp.AuthPacket:
			if e.peer != nil {
				e.doPeer(now, e.peer.Receive(now, a.Data))
			}
		case ppp.IPv4Up:
			e.emit(outcome{kind: ipv4Up, ipv4: a.IPv4})
		case ppp.IPv4Down:
			e.emit(outcome{kind: ipv4Down})
		case ppp.IPv6Up:
			e.emit(outcome{kind: ipv6Up, ipv6: a.IPv6})
		case ppp.IPv6Down:
			e.emit(outcome{kind: ipv6Down})
		case ppp.EchoReply:
			e.emit(outcome{kind: roundTrip, rtt: a.RTT})
		case ppp.Terminated:
			e.linkEnded(now, a.Err)
		}
	}
}

// linkEnded follows PPP's end: after our own goodbye SSTP's comes at once; after the server's it gets lingerWait to say
// its own.
func (e *engine) linkEnded(now time.Time, err error) {
	if e.ending {
		if !e.terminate.IsZero() {
			e.hangUp(now)
		}
		return
	}
	e.ending = true
	e.cause = fault.Of(err, fault.ClosedByServer, fault.StagePPP)
	e.disconnect = now.Add(lingerWait)
}

// logIn starts the method that LCP agreed on; it may be none.
func (e *engine) logIn(now time.Time, method ppp.AuthProtocol) {
	if e.peer != nil {
		e.peer.Close() // LCP was negotiated again, with another method
	}
	e.peer = auth.NewPeer(auth.PeerConfig{
		Username: e.cfg.username, Password: e.cfg.password, Methods: e.cfg.methods, TLS: e.cfg.innerTLS,
		Rand: e.cfg.random, NextID: e.link.NextID,
	}, auth.LCPAuth{Protocol: uint16(method.Protocol), Algorithm: method.Algorithm})
	e.doPeer(now, e.peer.Start(now))
}

func (e *engine) doPeer(now time.Time, actions []auth.Action) {
	for _, a := range actions {
		switch a.Kind {
		case auth.Send:
			e.send(sstp.AppendData(nil, e.link.AuthFrame(nil, a.Data)))
		case auth.Success:
			if e.binding == "" {
				e.success = &a
			}
		case auth.Failure:
			e.goodbye(now, fault.Of(a.Err, fault.AuthFailed, fault.StageAuth))
		}
	}
}

// settle acts on a login that has just succeeded: the wire order is success, CALL_CONNECTED, then the first NCP packet
// ([MS-SSTP] 3.2.5.3).
func (e *engine) settle(now time.Time) {
	if e.success == nil || e.ending || e.over {
		return
	}
	a := e.success
	e.success = nil
	hlak := a.HLAK
	if e.cfg.emptyKeys && a.Method == auth.EAPMSCHAPv2 {
		hlak = [32]byte{}
	}
	e.binding = "without keys"
	if hlak != ([32]byte{}) {
		e.binding = "with the login's keys"
	}
	e.method = a.Method
	e.emit(outcome{kind: loggedIn, text: string(a.Method)})
	e.doSSTP(now, e.sstp.Authenticated(now, sstp.HLAK(hlak)))
	clear(a.HLAK[:])
	clear(hlak[:])
}

// bindingText says how the call is bound to its TLS connection, "" before it is.
func (e *engine) bindingText() string {
	if e.binding == "" {
		return ""
	}
	text := fmt.Sprintf("%v %s", e.sstp.Hash(), e.binding)
	if !e.cfg.verified && e.method != auth.EAPTLS {
		text += ", not to be relied on: the server is not verified" // whoever relays the login does not check it
	}
	return text
}
