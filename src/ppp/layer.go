package ppp

import (
	"bytes"
	"time"

	"sstp/src/deadline"
	"sstp/src/fault"
	"sstp/src/phrase"
)

// verdict is what becomes of one option of the peer's Configure-Request.
type verdict uint8

const (
	ack     verdict = iota
	nak             // another value would do; after MaxFailure Naks it is a Reject
	nakOnly         // another value would do, and a Reject would say something else
	reject
)

// policy is the part of a control protocol that differs from the others: what it asks for, what it grants, and what
// follows from the result. The layer does the rest.
type policy interface {
	// begin is called before a negotiation, the first and each later one.
	begin()
	// ask appends the options of our next Configure-Request to dst.
	ask(dst []byte) []byte
	// judge looks at one option of the peer's. For a Nak, instead is the option that we would take. It changes nothing:
	// the answer to the request as a whole may be another.
	judge(o option) (v verdict, instead []byte)
	// naking is called before a Nak of o is sent; an error ends the negotiation instead.
	naking(o option) *fault.Error
	// accept takes over all options of a request that is acknowledged.
	accept(opts []byte)
	// naked and rejected take the peer's opinion about an option of ours, or about one that we never sent.
	naked(o option) *fault.Error
	rejected(o option) *fault.Error
	// up and down are This-Layer-Up and This-Layer-Down; an error of up means that the result is of no use.
	up() *fault.Error
	down()
	// failed is called when the negotiation came to nothing.
	failed(now time.Time, err *fault.Error)
}

// layer runs the automaton for one control protocol: it carries the operations out, keeps the restart timer and guards
// against negotiations that do not end.
type layer struct {
	link    *Link
	policy  policy
	proto   Protocol
	timeout time.Duration // how long a negotiation may take
	code    fault.Code    // what its failure is called
	stage   fault.Stage
	silence phrase.Format // the hint when the peer says nothing at all; empty: the usual one

	state state
	count int       // the restart counter
	timer time.Time // the restart timer; zero: stopped
	limit time.Time // when the negotiation has taken too long; zero: there is none

	reqID   byte   // of our last Configure-Request
	req     []byte // and its options
	waiting bool   // for the answer to it

	peerReq answer // the last Configure-Request of the peer and what it got

	heard    bool // the peer takes part in this negotiation
	naks     int  // Naks sent in it
	nakeds   int  // Naks received in it
	refusals int  // Naks and Rejects received in it
}

// answer is a Configure-Request of the peer with our answer to it.
type answer struct {
	valid bool
	id    byte
	opts  []byte
	code  byte
	reply []byte
}

// to reports whether p is a copy of the request that was answered, sent because our answer took long.
func (a *answer) to(p packet) bool {
	return a.valid && a.id == p.id && bytes.Equal(a.opts, p.data)
}

// receive takes a packet with a code that all control protocols share; others are unknown here.
func (y *layer) receive(now time.Time, p packet) {
	switch p.code {
	case configureRequest:
		if wellFormed(p.data) {
			y.heard = true
			y.receiveRequest(now, p)
		}
	case configureAck:
		// RFC 1661 section 5.2: the Identifier must match and the options must be those of the request.
		if y.waiting && p.id == y.reqID && bytes.Equal(p.data, y.req) {
			y.heard, y.waiting = true, false
			y.event(now, evRCA, p)
		}
	case configureNak, configureReject:
		if y.waiting && p.id == y.reqID && wellFormed(p.data) {
			y.heard, y.waiting = true, false
			y.receiveRefusal(now, p)
		}
	case terminateRequest:
		y.event(now, evRTR, p)
	case terminateAck:
		y.event(now, evRTA, p)
	case codeReject:
		if len(p.data) > 0 && p.data[0] >= configureRequest && p.data[0] <= terminateAck {
			y.event(now, evRXJMinus, p)
		} else {
			y.event(now, evRXJPlus, p)
		}
	default:
		y.event(now, evRUC, p)
	}
}

// receiveRequest answers a Configure-Request. It gets exactly one of Ack, Nak and Reject, and Reject goes before Nak (RFC
// 1661 section 5.4).
func (y *layer) receiveRequest(now time.Time, p packet) {
	switch y.state {
	case closed, closing, stopping:
		y.event(now, evRCRPlus, p) // not looked at
		return
	case opened:
		if y.peerReq.to(p) {
			// Our Ack crossed a copy of the request. By the RFC the negotiation would start again; accel-ppp acknowledges
			// the copy and stays open.
			y.sendAnswer(p)
			return
		}
	}
	if !y.state.negotiating() {
		y.renew()
		y.heard = true
	}
	if !y.peerReq.to(p) {
		if err := y.decide(p); err != nil {
			y.policy.failed(now, err)
			return
		}
	}
	if y.peerReq.code == configureAck {
		y.event(now, evRCRPlus, p)
	} else {
		y.event(now, evRCRMinus, p)
	}
}

// decide finds the answer to a Configure-Request and keeps it in peerReq.
func (y *layer) decide(p packet) *fault.Error {
	var naked []option
	var naks, rejects []byte
	var suggested [256]bool
	for rest := p.data; len(rest) > 0; {
		var o option
		o, rest, _ = cutOption(rest)
		v, instead := y.policy.judge(o)
		if v == nak && y.naks >= y.link.cfg.Timers.MaxFailure {
			v = reject
		}
		switch {
		case v == reject:
			rejects = append(rejects, o.raw...)
		case v != ack && !suggested[o.typ]:
			suggested[o.typ] = true
			naked = append(naked, o)
			naks = append(naks, instead...)
		}
	}
	a := answer{valid: true, id: p.id, opts: bytes.Clone(p.data)}
	switch {
	case rejects != nil:
		a.code, a.reply = configureReject, rejects
	case naked != nil:
		for _, o := range naked {
			if err := y.policy.naking(o); err != nil {
				return err
			}
		}
		y.naks++
		a.code, a.reply = configureNak, naks
	default:
		y.policy.accept(p.data)
		a.code, a.reply = configureAck, a.opts
	}
	y.peerReq = a
	return nil
}

// receiveRefusal takes a Nak or a Reject of our request. After MaxFailure Naks the options in it count as rejected, and
// there is a limit to all rounds, as RFC 1661 section 4.6 has none for a peer that never agrees.
func (y *layer) receiveRefusal(now time.Time, p packet) {
	take := y.policy.rejected
	if p.code == configureNak {
		y.nakeds++
		if y.nakeds <= y.link.cfg.Timers.MaxFailure {
			take = y.policy.naked
		}
	}
	y.refusals++
	if y.refusals > y.link.cfg.Timers.MaxConfigure {
		y.policy.failed(now, y.fault("No agreement with the server about %s options.", y.proto.String()))
		return
	}
	for rest := p.data; len(rest) > 0; {
		var o option
		o, rest, _ = cutOption(rest)
		if err := take(o); err != nil {
			y.policy.failed(now, err)
			return
		}
	}
	y.event(now, evRCN, p)
}

// event runs the automaton. p is the packet that is answered, where there is one.
func (y *layer) event(now time.Time, e event, p packet) {
	before := y.state
	next, do := step(before, e)
	if next.negotiating() && !before.negotiating() {
		if e != evRCRPlus && e != evRCRMinus { // for these it was done before the options were judged
			y.renew()
		}
		y.limit = now.Add(y.timeout)
	}
	if !next.negotiating() {
		y.limit, y.waiting = time.Time{}, false
	}
	if !next.timed() {
		y.timer = time.Time{}
	}
	y.state = next
	for _, op := range do {
		if y.link.phase == phaseEnded {
			return
		}
		y.operate(now, op, cause{e, before, p})
	}
	if y.state.timed() && y.timer.IsZero() {
		y.timer = now.Add(y.link.cfg.Timers.Restart)
	}
}

// cause is why an operation is carried out.
type cause struct {
	event
	from   state
	packet // zero where no packet did it
}

// operate carries one operation out (RFC 1661 section 4.4).
func (y *layer) operate(now time.Time, op operation, why cause) {
	t := &y.link.cfg.Timers
	switch op {
	case tlu:
		if err := y.policy.up(); err != nil {
			y.policy.failed(now, err)
		}
	case tld:
		y.policy.down()
	case tlf:
		y.policy.failed(now, y.reason(why))
	case irc:
		y.count = t.MaxConfigure
		if y.state == closing || y.state == stopping {
			y.count = t.MaxTerminate
		}
	case zrc:
		y.count = 0
		y.timer = now.Add(t.Restart)
	case scr:
		y.sendRequest()
		y.count--
		y.timer = now.Add(t.Restart)
	case sca, scn:
		y.sendAnswer(why.packet)
	case str:
		y.link.send(y.proto, terminateRequest, y.link.NextID(), []byte(y.link.goodbye))
		y.count--
		y.timer = now.Add(t.Terminate)
	case sta:
		var data []byte
		if why.event == evRTR {
			data = y.link.cut(why.data, packetLen)
		}
		y.link.send(y.proto, terminateAck, why.id, data)
	case scj:
		y.link.send(y.proto, codeReject, y.link.NextID(), y.link.cut(why.raw, packetLen))
	case ser:
		y.link.sendEchoReply(why.packet)
	}
}

// sendRequest sends a Configure-Request. One that has not been answered is repeated with its Identifier, so that an answer
// to either copy counts; SoftEther 5.02 drops a copy by it. One that has been answered needs a new Identifier (RFC 1661
// section 5.1).
func (y *layer) sendRequest() {
	if !y.waiting {
		y.reqID = y.link.NextID()
		y.req = y.policy.ask(nil)
		y.waiting = true
	}
	y.link.send(y.proto, configureRequest, y.reqID, y.req)
}

func (y *layer) sendAnswer(p packet) {
	y.link.send(y.proto, y.peerReq.code, p.id, y.peerReq.reply)
}

// renew forgets the last negotiation.
func (y *layer) renew() {
	y.waiting = false
	y.peerReq = answer{}
	y.heard, y.naks, y.nakeds, y.refusals = false, 0, 0, 0
	y.policy.begin()
}

// advance lets the timers that are due run out.
func (y *layer) advance(now time.Time) {
	switch {
	case deadline.Due(y.limit, now):
		y.event(now, evTOMinus, packet{})
	case !deadline.Due(y.timer, now):
	case y.count > 0:
		y.timer = time.Time{}
		y.event(now, evTOPlus, packet{})
	default:
		y.event(now, evTOMinus, packet{})
	}
}

// deadline is the time at which advance has something to do.
func (y *layer) deadline() time.Time { return deadline.Earliest(y.timer, y.limit) }

// fault makes an error of this layer.
func (y *layer) fault(format phrase.Format, args ...string) *fault.Error {
	return y.link.fault(y.code, y.stage, format, args...)
}

// reason says why the layer finished.
func (y *layer) reason(why cause) *fault.Error {
	proto := y.proto.String()
	switch {
	case why.event == evRXJMinus:
		return y.fault("The server does not support %s.", proto)
	case why.event != evTOMinus || why.from == stopping:
		return y.fault("The server ended %s.", proto)
	case y.heard:
		return y.fault("No agreement with the server about %s.", proto)
	}
	err := y.fault("The server does not answer %s.", proto)
	if y.silence != "" {
		err.WithHint(y.silence)
	}
	return err
}
