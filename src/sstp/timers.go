package sstp

import (
	"time"

	"sstp/src/fault"
)

// Timers are the durations of [MS-SSTP] 3.2.2 and 3.3.2. A call has one timer at a time: each state has its own.
type Timers struct {
	Negotiation     time.Duration // from the request to its answer
	NegotiationAuth time.Duration // from there until the call is connected: a person may have to type a code
	Hello           time.Duration // of silence, until the peer is asked whether it is alive
	Abort1          time.Duration // our CALL_ABORT waits for the peer's
	Abort2          time.Duration // after a CALL_ABORT was answered
	Disconnect1     time.Duration // our CALL_DISCONNECT waits for its answer
	Disconnect2     time.Duration // after a CALL_DISCONNECT was answered
}

// DefaultTimers returns the durations of [MS-SSTP] with two exceptions: 20 s instead of 60 for the answer to the request,
// which no person has to think about, and a hello often enough for NATs and load balancers.
func DefaultTimers() Timers {
	return Timers{
		Negotiation:     20 * time.Second,
		NegotiationAuth: 60 * time.Second,
		Hello:           10 * time.Second,
		Abort1:          3 * time.Second,
		Abort2:          1 * time.Second,
		Disconnect1:     5 * time.Second,
		Disconnect2:     1 * time.Second,
	}
}

// withDefaults fills the durations that are not given.
func (t Timers) withDefaults() Timers {
	d := DefaultTimers()
	for _, f := range []struct {
		into *time.Duration
		from time.Duration
	}{
		{&t.Negotiation, d.Negotiation}, {&t.NegotiationAuth, d.NegotiationAuth}, {&t.Hello, d.Hello},
		{&t.Abort1, d.Abort1}, {&t.Abort2, d.Abort2},
		{&t.Disconnect1, d.Disconnect1}, {&t.Disconnect2, d.Disconnect2},
	} {
		if *f.into <= 0 {
			*f.into = f.from
		}
	}
	return t
}

// liveness tracks whether a connected peer is alive. Any byte is a sign of life: SoftEther 5.02 never answers an SSTP
// ECHO_REQUEST, and accel-ppp sends none while PPP traffic flows.
type liveness struct {
	silentRounds int
	echoSent     time.Time // of the oldest ECHO_REQUEST without an answer; zero: none
}

// Heard notes that bytes came which Receive was not given, because the data path handled them.
func (c *Call) Heard(now time.Time) {
	if c.state == StateConnected {
		c.live.silentRounds = 0
		c.deadline = now.Add(c.cfg.Timers.Hello)
	}
}

// hello ends a round of silence ([MS-SSTP] 3.1.2.3): it asks the peer, and gives up after too many rounds without a byte.
// The connection is then closed without a CALL_ABORT, which nobody would read.
func hello(c *Call, in input) {
	if c.live.silentRounds >= c.cfg.EchoFailures {
		c.end(fault.Us, c.silence())
		c.release()
		return
	}
	c.live.silentRounds++
	if c.live.echoSent.IsZero() {
		c.live.echoSent = in.now
	}
	c.send(EchoRequest)
	c.do(Action{Kind: ProbePPP})
	c.deadline = in.now.Add(c.cfg.Timers.Hello)
}

func answerEcho(c *Call, _ input) { c.send(EchoResponse) }

// echoAnswered reports the round trip. Answers carry no number, so only the first one after a silence is measured.
func echoAnswered(c *Call, in input) {
	if sent := c.live.echoSent; !sent.IsZero() {
		c.live.echoSent = time.Time{}
		c.do(Action{Kind: EchoAnswered, RTT: in.now.Sub(sent)})
	}
}

func negotiationTimeout(c *Call, in input) {
	c.abort(in.now, StatusInfo{Status: StatusNegotiationTimeout}, c.negotiationTooLong())
}
