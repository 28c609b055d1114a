package session

import "sstp/src/fault"

// event is something that happened to a session.
type event interface{ kind() eventKind }

type (
	stageEvent struct {
		id    int // of the dial
		stage fault.Stage
	}
	dialedEvent struct {
		id   int
		conn Conn
		err  error
	}
	packetEvent struct {
		id  int // of the call
		pkt []byte
	}
	streamEndedEvent struct {
		id  int
		err error
	}
	callEndedEvent struct {
		err *fault.Error // nil: we wanted the end
		by  fault.Party
	}
	announcedEvent struct {
		id       int      // of the call that the link was announced for; 0: for none
		link     Link     // what was announced
		agreed   Link     // what it was made from
		warnings []string // what was left out of it, and why
		err      error
	}
	checkedEvent struct {
		link   Link
		reach  Reach
		doubts int // calls of Doubt before it began
		err    error
	}
	deviceLostEvent struct{ err error }
	// noteEvent is an event without data; reason says why it happened, for the log.
	noteEvent struct {
		what   eventKind
		reason string
	}
)

func (stageEvent) kind() eventKind       { return evStage }
func (dialedEvent) kind() eventKind      { return evDialed }
func (packetEvent) kind() eventKind      { return evPacket }
func (streamEndedEvent) kind() eventKind { return evStreamEnded }
func (callEndedEvent) kind() eventKind   { return evCallEnded }
func (announcedEvent) kind() eventKind   { return evAnnounced }
func (checkedEvent) kind() eventKind     { return evChecked }
func (deviceLostEvent) kind() eventKind  { return evDeviceLost }
func (e noteEvent) kind() eventKind      { return e.what }

// post hands an event to the loop. It reports false when the loop has ended.
func (s *Session) post(e event) bool {
	select {
	case s.events <- e:
		return true
	case <-s.gone:
		return false
	}
}

// Reconnect ends the running call or dial, if any, and dials at once. It does so even where options authfail or maxfail
// have ended the calls of a tunnel that is held for ever. reason goes into the log and the history.
func (s *Session) Reconnect(reason string) { s.post(noteEvent{evReconnect, reason}) }

// UplinkFound is Reconnect for an uplink that has appeared or is better than the one in use. It does not end the wait
// after options authfail or maxfail have given up: only the user does.
func (s *Session) UplinkFound(reason string) { s.post(noteEvent{evUplinkFound, reason}) }

// UplinkLost reports that the uplink by which the server is reached or dialed is gone. The call or dial over it is dropped
// without a goodbye, which nobody would hear, and the server is dialed at once by another uplink, if there is one. reason
// is what happened, such as "uplink wan went down".
func (s *Session) UplinkLost(reason string) { s.post(noteEvent{evUplinkLost, reason}) }

// Recheck asks for a check of the kernel soon, because something changed there or may have. reason is what changed, such
// as "route of sstp-vpn deleted". Several calls in a row cause one check. Recheck does nothing while no link is announced.
func (s *Session) Recheck(reason string) { s.post(noteEvent{evRecheck, reason}) }
