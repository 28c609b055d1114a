// Package sstp is the Secure Socket Tunneling Protocol of [MS-SSTP] (v21.0): its packets, the HTTP opening that comes
// before them, the state machine of a call in the client's and in the server's role, and the crypto binding that ties
// the TLS connection to the login inside it.
//
// The package computes: bytes, time and results of the authentication come in as arguments, what must be done comes out
// as a list of actions. It opens no connection, starts no goroutine and reads no clock. Of PPP it knows only how to tell a
// control frame from a network frame.
package sstp

import (
	"time"

	"sstp/src/fault"
)

// Role is the side of the call that a Call plays.
type Role uint8

// The roles.
const (
	Client Role = iota
	Server
)

// Config is what a Call is made of. Zero values take the defaults given here.
type Config struct {
	Role Role
	// LeafCertificate is the server's certificate of this TLS connection: the DER as it came over the wire, in the
	// server's role as it was sent.
	LeafCertificate []byte
	Timers          Timers // each zero duration takes the value of DefaultTimers
	EchoFailures    int    // so many rounds of silence end the call; 0: 3

	HashMask HashProtocol // server: the hashes offered; 0: SHA-1 and SHA-256
	Nonce    [32]byte     // server: random, fresh for each call
	// Lenient makes a server that never checks the crypto binding, as SoftEther 5.02: the login alone connects the call,
	// with a wrong CALL_CONNECTED or without one.
	Lenient bool
}

// ActionKind is what the owner of a Call must do.
type ActionKind uint8

// The actions. Their order in a list is the order in which they must be done.
const (
	// Send: Data is a whole SSTP packet for the stream.
	Send ActionKind = iota + 1
	// PPPUp: the lower layer of PPP is up; control frames may be sent, network frames may not yet.
	PPPUp
	// PPPFrame: Data is a frame for PPP.
	PPPFrame
	// Connected: the call is up, data may flow both ways.
	Connected
	// PPPDown: the call is ending; nothing of PPP may be sent any more. The reason comes with Release.
	PPPDown
	// ProbePPP: the peer is silent; send an LCP Echo-Request beside the SSTP one that was sent.
	ProbePPP
	// EchoAnswered: the peer answered an SSTP echo after RTT.
	EchoAnswered
	// Release: close the connection now, with close_notify but without waiting. Err is the reason, and nil after an end
	// that we wanted; By is who brought it about. It is the last action of a call.
	Release
)

// Action is one thing to do. It belongs to the caller, and so does the list in which it is returned. Only the Data of a
// PPPFrame is not the caller's: it aliases the packet that was received.
type Action struct {
	Kind ActionKind
	Data []byte
	RTT  time.Duration
	Err  *fault.Error
	By   fault.Party
}

// Call is one SSTP call ([MS-SSTP] 3.2 and 3.3). It is not safe for concurrent use.
type Call struct {
	cfg      Config
	state    State
	deadline time.Time // of the one timer that the state has

	ending  bool         // the reason is known
	reason  *fault.Error // nil: we wanted the end
	by      fault.Party  // who brought it about
	pppUp   bool
	heard   bool // a well-formed packet has come
	unknown int  // messages of unknown types so far
	naks    int  // CALL_CONNECT_NAKs received or sent so far

	live        liveness
	connectedAt time.Time

	hash    HashProtocol
	nonce   [32]byte      // client: from the CALL_CONNECT_ACK
	binding serverBinding // server

	todo []Action // of the current event
}

// NewCall returns a call that waits for Start.
func NewCall(cfg Config) *Call {
	cfg.Timers = cfg.Timers.withDefaults()
	if cfg.EchoFailures <= 0 {
		cfg.EchoFailures = 3
	}
	if cfg.HashMask == 0 {
		cfg.HashMask = HashSHA1 | HashSHA256
	}
	return &Call{cfg: cfg}
}

// State returns where the call stands.
func (c *Call) State() State { return c.state }

// Deadline returns when Advance wants to be called, the zero time for never.
func (c *Call) Deadline() time.Time { return c.deadline }

// Hash returns the hash of the crypto binding, 0 before it is agreed.
func (c *Call) Hash() HashProtocol { return c.hash }

// Start begins the call once HTTP has been answered with 200: a client sends its request, a server waits for one.
func (c *Call) Start(now time.Time) []Action {
	if c.state != StateIdle {
		return nil
	}
	if c.cfg.Role == Server {
		c.enter(now, StateRequestPending, c.cfg.Timers.Negotiation)
	} else {
		c.request(now)
	}
	return c.done()
}

// Receive takes one packet from Cut.
func (c *Call) Receive(now time.Time, pkt []byte) []Action {
	if len(pkt) < HeaderLen {
		return nil
	}
	c.heard = true
	c.Heard(now)
	if len(pkt) == HeaderLen {
		return nil // an empty data packet is legal, and a sign of life
	}
	in := input{now: now, pkt: pkt}
	if IsControl(pkt) {
		in.msg, in.err = ParseControl(pkt)
	}
	return c.step(rxEvent(pkt, in.msg), in)
}

// Authenticated reports that the login inside PPP has succeeded, with the key that it made. It must be called before the
// first NCP packet is sent. A client then sends CALL_CONNECTED; a server checks the client's CALL_CONNECTED against the
// key, whether that has come or is still to come. Later logins of the same call change nothing.
func (c *Call) Authenticated(now time.Time, hlak HLAK) []Action {
	return c.step(authenticated, input{now: now, hlak: hlak})
}

// Disconnect ends the call in good order. PPP should have ended before.
func (c *Call) Disconnect(now time.Time) []Action {
	if c.state == StateIdle {
		c.release()
		return c.done()
	}
	return c.step(userDisconnect, input{now: now})
}

// Abort ends the call with a CALL_ABORT that carries the given Status Info. err becomes the Err of Release.
func (c *Call) Abort(now time.Time, attr AttributeID, status Status, err *fault.Error) []Action {
	switch {
	case c.state == StateIdle:
		c.end(fault.Us, err)
		c.release()
	case c.state <= StateConnected:
		c.abort(now, StatusInfo{Attribute: attr, Status: status}, err)
	}
	return c.done()
}

// Lost reports that the connection has ended, or that Cut found its framing broken. The call is released at once, as
// nobody is left to talk to. err is the cause; io.EOF or nil means an ordinary end.
func (c *Call) Lost(now time.Time, err error) []Action {
	if c.state != StateDisconnected {
		if !c.ending {
			c.end(fault.Path, c.lost(now, err))
		}
		c.release()
	}
	return c.done()
}

// Advance does what is due at now.
func (c *Call) Advance(now time.Time) []Action {
	if c.deadline.IsZero() || now.Before(c.deadline) {
		return nil
	}
	return c.step(timerExpired, input{now: now})
}

// step looks the event up in the table.
func (c *Call) step(e event, in input) []Action {
	if column := int(c.state) - int(firstColumn); column >= 0 && column < numColumns {
		table[e][column](c, in)
	}
	return c.done()
}

func (c *Call) do(a Action) { c.todo = append(c.todo, a) }

// done hands the actions of the current event over to the caller.
func (c *Call) done() []Action {
	do := c.todo
	c.todo = nil
	return do
}

// send appends a control message to what must be done.
func (c *Call) send(t MessageType, attrs ...Attribute) {
	c.do(Action{Kind: Send, Data: AppendControl(nil, t, attrs...)})
}

// enter changes the state and sets its timer.
func (c *Call) enter(now time.Time, s State, timeout time.Duration) {
	c.state, c.deadline = s, now.Add(timeout)
	if !s.CarriesControl() {
		c.down()
	}
}

func (c *Call) up() {
	c.pppUp = true
	c.do(Action{Kind: PPPUp})
}

func (c *Call) down() {
	if c.pppUp {
		c.pppUp = false
		c.do(Action{Kind: PPPDown})
	}
}

func (c *Call) connect(now time.Time) {
	c.connectedAt = now
	c.enter(now, StateConnected, c.cfg.Timers.Hello)
	c.do(Action{Kind: Connected})
}

func ignore(*Call, input) {}

func toPPP(c *Call, in input) { c.do(Action{Kind: PPPFrame, Data: Payload(in.pkt)}) }

// maxUnknown is how many messages of unknown types a peer may send before it is taken for a flood.
const maxUnknown = 16

func countUnknown(c *Call, in input) {
	c.unknown++
	if c.unknown > maxUnknown {
		c.abort(in.now, StatusInfo{Status: StatusInvalidFrameReceived}, c.flooded(in.msg.Type))
	}
}

// refuse answers a message that is not allowed in the state.
func refuse(c *Call, in input) {
	c.abort(in.now, StatusInfo{Status: StatusUnacceptedFrameReceived}, c.outOfPlace(in.msg.Type))
}

// end notes why the call ends ([MS-SSTP] 3.1.5.2 and 3.1.5.3). The first reason counts: nothing that comes while the
// goodbyes are exchanged changes it.
func (c *Call) end(by fault.Party, reason *fault.Error) {
	if !c.ending {
		c.ending, c.by, c.reason = true, by, reason
	}
}

// release is the last thing that a call does.
func (c *Call) release() {
	c.state, c.deadline = StateDisconnected, time.Time{}
	c.binding = serverBinding{} // the key is not needed any more
	c.down()
	c.do(Action{Kind: Release, Err: c.reason, By: c.by})
}

func finish(c *Call, _ input) { c.release() }

// abort sends the peer the reason why the call cannot go on, and waits a little for the answer.
func (c *Call) abort(now time.Time, why StatusInfo, reason *fault.Error) {
	c.end(fault.Us, reason)
	c.send(CallAbort, why.Wrap())
	c.enter(now, StateAbortPending, c.cfg.Timers.Abort1)
}

// answerAbort looks at the message's type alone: SoftEther 5.02 sends no Status Info, sorz sstp-server a short one.
func answerAbort(c *Call, in input) {
	c.end(fault.Peer, c.aborted(in.now, in.msg))
	c.send(CallAbort, StatusInfo{}.Wrap())
	c.enter(in.now, StateAbortTimeoutPending, c.cfg.Timers.Abort2)
}

func abortAnswered(c *Call, in input) {
	c.enter(in.now, StateAbortTimeoutPending, c.cfg.Timers.Abort2)
}

func disconnect(c *Call, in input) {
	c.end(fault.Us, nil)
	c.send(CallDisconnect, StatusInfo{}.Wrap())
	c.enter(in.now, StateDisconnectAckPending, c.cfg.Timers.Disconnect1)
}

func answerDisconnect(c *Call, in input) {
	c.end(fault.Peer, c.disconnected(in.msg))
	c.send(CallDisconnectAck)
	c.enter(in.now, StateDisconnectTimeoutPending, c.cfg.Timers.Disconnect2)
}
