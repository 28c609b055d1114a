package ppp

// The option negotiation automaton of RFC 1661 section 4, as data. Nothing in this file knows a packet, a timer or a
// clock: layer.go carries the operations out.

// state is one of the ten states of RFC 1661 section 4.2, with the numbers that the RFC's table uses.
type state uint8

const (
	initial state = iota
	starting
	closed
	stopped
	closing
	stopping
	reqSent
	ackRcvd
	ackSent
	opened
	numStates
)

// String returns the state's name in the RFC.
func (s state) String() string {
	return [numStates]string{"Initial", "Starting", "Closed", "Stopped", "Closing", "Stopping", "Req-Sent", "Ack-Rcvd", "Ack-Sent", "Opened"}[s]
}

// negotiating reports whether Configure-Requests are under way: the layer is neither open nor given up.
func (s state) negotiating() bool { return s == reqSent || s == ackRcvd || s == ackSent }

// timed reports whether the restart timer runs in this state (RFC 1661 section 4.6).
func (s state) timed() bool { return s >= closing && s <= ackSent }

// event is one of the events of RFC 1661 section 4.3, in the order of the RFC's table.
type event uint8

const (
	evUp       event = iota // the lower layer is up
	evDown                  // the lower layer is down
	evOpen                  // administrative Open
	evClose                 // administrative Close
	evTOPlus                // timeout with the restart counter above zero
	evTOMinus               // timeout with the restart counter at zero
	evRCRPlus               // Configure-Request that we agree to
	evRCRMinus              // Configure-Request that we do not agree to
	evRCA                   // Configure-Ack
	evRCN                   // Configure-Nak or Configure-Reject
	evRTR                   // Terminate-Request
	evRTA                   // Terminate-Ack
	evRUC                   // unknown code
	evRXJPlus               // Code-Reject or Protocol-Reject that can be lived with
	evRXJMinus              // Code-Reject or Protocol-Reject that cannot
	evRXR                   // Echo-Request, Echo-Reply or Discard-Request
	numEvents
)

// operation is one of the actions of RFC 1661 section 4.4, by the RFC's short names.
type operation uint8

const (
	tlu operation = iota + 1 // this layer up
	tld                      // this layer down
	tls                      // this layer started
	tlf                      // this layer finished
	irc                      // initialize restart count
	zrc                      // zero restart count
	scr                      // send Configure-Request
	sca                      // send Configure-Ack
	scn                      // send Configure-Nak or Configure-Reject
	str                      // send Terminate-Request
	sta                      // send Terminate-Ack
	scj                      // send Code-Reject
	ser                      // send Echo-Reply
)

// cell is one entry of the table: what to do, and the state after it. The zero value stands for "-", which cannot
// happen and changes nothing.
type cell struct {
	do    []operation
	next  state
	legal bool
}

// to makes a cell. The next state comes first, as readers look for it first.
func to(next state, do ...operation) cell { return cell{do, next, true} }

// automaton is the table of RFC 1661 section 4.1: a row for each event, a column for each state. Its footnotes are not
// in it: the passive option [p] is what Stopped does anyway, the restart option [r] is not used, and crossed
// connections [x] are kept from it by layer.go, which drops an Ack that no request waits for.
var automaton = [numEvents][numStates]cell{
	evUp:    {initial: to(closed), starting: to(reqSent, irc, scr)},
	evDown:  {closed: to(initial), stopped: to(starting, tls), closing: to(initial), stopping: to(starting), reqSent: to(starting), ackRcvd: to(starting), ackSent: to(starting), opened: to(starting, tld)},
	evOpen:  {initial: to(starting, tls), starting: to(starting), closed: to(reqSent, irc, scr), stopped: to(stopped), closing: to(stopping), stopping: to(stopping), reqSent: to(reqSent), ackRcvd: to(ackRcvd), ackSent: to(ackSent), opened: to(opened)},
	evClose: {initial: to(initial), starting: to(initial, tlf), closed: to(closed), stopped: to(closed), closing: to(closing), stopping: to(closing), reqSent: to(closing, irc, str), ackRcvd: to(closing, irc, str), ackSent: to(closing, irc, str), opened: to(closing, tld, irc, str)},

	evTOPlus:  {closing: to(closing, str), stopping: to(stopping, str), reqSent: to(reqSent, scr), ackRcvd: to(reqSent, scr), ackSent: to(ackSent, scr)},
	evTOMinus: {closing: to(closed, tlf), stopping: to(stopped, tlf), reqSent: to(stopped, tlf), ackRcvd: to(stopped, tlf), ackSent: to(stopped, tlf)},

	evRCRPlus:  {closed: to(closed, sta), stopped: to(ackSent, irc, scr, sca), closing: to(closing), stopping: to(stopping), reqSent: to(ackSent, sca), ackRcvd: to(opened, sca, tlu), ackSent: to(ackSent, sca), opened: to(ackSent, tld, scr, sca)},
	evRCRMinus: {closed: to(closed, sta), stopped: to(reqSent, irc, scr, scn), closing: to(closing), stopping: to(stopping), reqSent: to(reqSent, scn), ackRcvd: to(ackRcvd, scn), ackSent: to(reqSent, scn), opened: to(reqSent, tld, scr, scn)},
	evRCA:      {closed: to(closed, sta), stopped: to(stopped, sta), closing: to(closing), stopping: to(stopping), reqSent: to(ackRcvd, irc), ackRcvd: to(reqSent, scr), ackSent: to(opened, irc, tlu), opened: to(reqSent, tld, scr)},
	evRCN:      {closed: to(closed, sta), stopped: to(stopped, sta), closing: to(closing), stopping: to(stopping), reqSent: to(reqSent, irc, scr), ackRcvd: to(reqSent, scr), ackSent: to(ackSent, irc, scr), opened: to(reqSent, tld, scr)},

	evRTR: {closed: to(closed, sta), stopped: to(stopped, sta), closing: to(closing, sta), stopping: to(stopping, sta), reqSent: to(reqSent, sta), ackRcvd: to(reqSent, sta), ackSent: to(reqSent, sta), opened: to(stopping, tld, zrc, sta)},
	evRTA: {closed: to(closed), stopped: to(stopped), closing: to(closed, tlf), stopping: to(stopped, tlf), reqSent: to(reqSent), ackRcvd: to(reqSent), ackSent: to(ackSent), opened: to(reqSent, tld, scr)},

	evRUC:      {closed: to(closed, scj), stopped: to(stopped, scj), closing: to(closing, scj), stopping: to(stopping, scj), reqSent: to(reqSent, scj), ackRcvd: to(ackRcvd, scj), ackSent: to(ackSent, scj), opened: to(opened, scj)},
	evRXJPlus:  {closed: to(closed), stopped: to(stopped), closing: to(closing), stopping: to(stopping), reqSent: to(reqSent), ackRcvd: to(reqSent), ackSent: to(ackSent), opened: to(opened)},
	evRXJMinus: {closed: to(closed, tlf), stopped: to(stopped, tlf), closing: to(closed, tlf), stopping: to(stopped, tlf), reqSent: to(stopped, tlf), ackRcvd: to(stopped, tlf), ackSent: to(stopped, tlf), opened: to(stopping, tld, irc, str)},

	evRXR: {closed: to(closed), stopped: to(stopped), closing: to(closing), stopping: to(stopping), reqSent: to(reqSent), ackRcvd: to(ackRcvd), ackSent: to(ackSent), opened: to(opened, ser)},
}

// step returns what event e does in state s.
func step(s state, e event) (next state, do []operation) {
	c := automaton[e][s]
	if !c.legal {
		return s, nil
	}
	return c.next, c.do
}
