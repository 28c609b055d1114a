// Package joiner joins the three protocol machines of one call, in the role of the client and of the server: SSTP
// carries PPP, PPP asks for the login, and the login's keys bind the call to its TLS connection ([MS-SSTP] 3.2.5.3).
//
// The package computes only. A Joiner is told the time and which packet arrived, and returns what to do. It opens
// nothing, starts no goroutine, reads no clock and writes no log.
package joiner

import (
	"net/netip"
	"time"

	"sstp/src/auth"
	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// Config is what a Joiner is made of. SSTP.Role and PPP.Role must be the same side.
type Config struct {
	SSTP sstp.Config
	PPP  ppp.Config

	// NewLogin returns the machine of the login that LCP has agreed on. nextID counts the link's Identifiers. A nil Login
	// means that this side never begins the login.
	NewLogin func(agreed auth.LCPAuth, nextID func() uint8) Login
	// Admit decides on the server about a user whose login has succeeded, and returns the IPv4 address for it.
	Admit func(now time.Time, login auth.Action) (netip.Addr, *fault.Error)

	// EmptyKeys binds a call that logs in by EAP-MSCHAPv2 with keys of zeros, for servers that expect that.
	EmptyKeys bool
	// Until is the point at which a client hangs up by itself.
	Until Milestone

	// Goodbye bounds the parts of a goodbye; a zero duration takes the value of DefaultGoodbye.
	Goodbye Goodbye
}

// Login is one side of an authentication: auth.Peer or auth.Authenticator.
type Login interface {
	Start(now time.Time) []auth.Action
	Receive(now time.Time, packet []byte) []auth.Action
	Advance(now time.Time) []auth.Action
	Deadline() time.Time
	Close()
}

// Milestone is a point of a client's call.
type Milestone uint8

// The milestones.
const (
	TheEnd      Milestone = iota // the call runs until somebody ends it
	UntilOpened                  // goodbye as soon as the server has accepted the call
	UntilBound                   // goodbye as soon as the login has succeeded and the crypto binding is sent
)

// Goodbye holds the limits of a call's end.
type Goodbye struct {
	Terminate time.Duration // for LCP's Terminate-Ack, before SSTP's own goodbye
	Linger    time.Duration // for the peer's SSTP goodbye after it ended PPP
	Limit     time.Duration // for everything
}

// DefaultGoodbye returns the limits that suit a client.
func DefaultGoodbye() Goodbye {
	return Goodbye{Terminate: time.Second, Linger: 2 * time.Second, Limit: 2500 * time.Millisecond}
}

// Joiner is one call. It is not safe for concurrent use, and an owner carries the actions of one method out before it
// calls the next.
type Joiner struct {
	cfg   Config
	sstp  *sstp.Call
	link  *ppp.Link
	login Login // nil: not begun

	queue []step   // what the machines want done and what was not yet done
	todo  []Action // for the owner

	running  bool // PPP has begun
	loggedIn bool
	bound    bool
	closing  bool // nothing of PPP may be sent any more

	ending     bool         // a goodbye is under way
	cause      *fault.Error // why; nil: we wanted it
	causedBy   fault.Party
	terminate  time.Time // when to stop waiting for Terminate-Ack; zero: not waiting
	disconnect time.Time // when to stop waiting for the peer's SSTP goodbye; zero: not waiting
	limit      time.Time // when the goodbye ends at the latest; zero: no goodbye
	ended      bool
}

// step is one action of one of the three machines; the other two are nil.
type step struct {
	sstp  *sstp.Action
	ppp   *ppp.Action
	login *auth.Action
}

// New returns a Joiner that waits for Start.
func New(cfg Config) *Joiner {
	d := DefaultGoodbye()
	for _, f := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{{&cfg.Goodbye.Terminate, d.Terminate}, {&cfg.Goodbye.Linger, d.Linger}, {&cfg.Goodbye.Limit, d.Limit}} {
		if *f.value <= 0 {
			*f.value = f.fallback
		}
	}
	return &Joiner{cfg: cfg, sstp: sstp.NewCall(cfg.SSTP), link: ppp.NewLink(cfg.PPP)}
}

// Start opens the call once HTTP was answered with 200.
func (j *Joiner) Start(now time.Time) []Action {
	j.fromSSTP(j.sstp.Start(now))
	return j.drain(now)
}

// Receive takes one packet from sstp.Cut. It keeps nothing of pkt.
func (j *Joiner) Receive(now time.Time, pkt []byte) []Action {
	if j.ended {
		return nil
	}
	j.fromSSTP(j.sstp.Receive(now, pkt))
	return j.drain(now)
}

// Heard notes that bytes arrived which Receive was not shown: any byte is a sign of life.
func (j *Joiner) Heard(now time.Time) { j.sstp.Heard(now) }

// Lost takes the end of the stream. err is its cause; nil or io.EOF means an ordinary end.
func (j *Joiner) Lost(now time.Time, err error) []Action {
	if j.ended {
		return nil
	}
	j.fromSSTP(j.sstp.Lost(now, err))
	return j.drain(now)
}

// Ping measures the round trip by an LCP Echo-Request.
func (j *Joiner) Ping(now time.Time) []Action {
	if j.ended || j.ending || !j.running {
		return nil
	}
	j.fromPPP(j.link.Echo(now))
	return j.drain(now)
}

// Hangup ends the call in order: LCP's Terminate, then SSTP's disconnect, within the limits of Config.Goodbye. text goes
// into the Terminate-Request. cause becomes the Err of Ended; nil means that the end is wanted.
func (j *Joiner) Hangup(now time.Time, text string, cause *fault.Error) []Action {
	j.hangup(now, text, cause, fault.Us)
	return j.drain(now)
}

// Abort ends the call by SSTP's CALL_ABORT. err becomes the Err of Ended.
func (j *Joiner) Abort(now time.Time, attr sstp.AttributeID, status sstp.Status, err *fault.Error) []Action {
	j.fromSSTP(j.sstp.Abort(now, attr, status, err))
	return j.drain(now)
}

// Break ends the call at once, without a word to the peer. err becomes the Err of Ended, unless the call is ending for
// another reason already.
func (j *Joiner) Break(err *fault.Error) []Action {
	j.end(err, fault.Us)
	return j.done()
}

// Overflow ends the call because a packet could not be queued for sending. Without it the two sides would have different
// ideas of the call.
func (j *Joiner) Overflow() []Action {
	stage := fault.StageSSTP
	if j.running {
		stage = j.link.Stage()
	}
	return j.Break(fault.New(fault.SSTPRejected, stage, "The server sends requests faster than it takes the answers."))
}

// Challenge makes a server ask the client to log in again, where the method of the login can.
func (j *Joiner) Challenge(now time.Time) []Action {
	if c, ok := j.login.(interface{ Challenge(time.Time) []auth.Action }); ok && !j.ended {
		j.fromLogin(c.Challenge(now))
	}
	return j.drain(now)
}

// Assign sets the IPv4 address that a server gives to its client in the next negotiation.
func (j *Joiner) Assign(a netip.Addr) { j.link.Assign(a) }

// Advance does what is due at now.
func (j *Joiner) Advance(now time.Time) []Action {
	if deadline.Due(j.limit, now) {
		j.end(j.cause, j.causedBy)
	}
	if j.ended {
		return j.done()
	}
	j.fromSSTP(j.sstp.Advance(now))
	j.run(now)
	if j.running {
		j.fromPPP(j.link.Advance(now))
		j.run(now)
	}
	if j.login != nil {
		j.fromLogin(j.login.Advance(now))
		j.run(now)
	}
	if deadline.Due(j.terminate, now) || deadline.Due(j.disconnect, now) {
		j.disconnectNow(now)
	}
	return j.drain(now)
}

// Deadline returns when Advance must be called; zero means never.
func (j *Joiner) Deadline() time.Time {
	if j.ended {
		return time.Time{}
	}
	d := deadline.Earliest(j.sstp.Deadline(), j.terminate, j.disconnect, j.limit)
	if j.running {
		d = deadline.Earliest(d, j.link.Deadline())
	}
	if j.login != nil {
		d = deadline.Earliest(d, j.login.Deadline())
	}
	return d
}

// Close frees what an unfinished login holds. The owner calls it after Ended, or when it drops the call.
func (j *Joiner) Close() {
	if j.login != nil {
		j.login.Close()
	}
}

// Ending reports whether the call is over or a goodbye is under way.
func (j *Joiner) Ending() bool { return j.ending || j.ended }

// Ended reports whether the call is over.
func (j *Joiner) Ended() bool { return j.ended }

// Hash returns the hash of the crypto binding, 0 before it is agreed.
func (j *Joiner) Hash() sstp.HashProtocol { return j.sstp.Hash() }

// PeerMRU returns the size of the largest packet that the peer takes.
func (j *Joiner) PeerMRU() int { return j.link.PeerMRU() }
