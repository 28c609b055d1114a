package sstp

import "time"

// State is where a call stands ([MS-SSTP] 3.2.1 and 3.3.1). The document's IN_PROGRESS states lie between a decision and
// the message that follows from it; here the two happen at once.
type State uint8

// The states. The columns of the transition table are those from StateRequestSent to StateDisconnectTimeoutPending.
const (
	// StateIdle: Start has not been called.
	StateIdle State = iota
	// StateRequestSent: the client waits for the answer to its request.
	StateRequestSent
	// StateAckReceived: the client's PPP negotiates and logs in; control frames only.
	StateAckReceived
	// StateRequestPending: the server waits for a request.
	StateRequestPending
	// StateConnectedPending: the server waits for the login and for the CALL_CONNECTED; control frames only.
	StateConnectedPending
	// StateConnected: data flows.
	StateConnected
	// StateAbortPending: our CALL_ABORT waits for its answer.
	StateAbortPending
	// StateAbortTimeoutPending: a CALL_ABORT has been answered; the peer has a moment to read it.
	StateAbortTimeoutPending
	// StateDisconnectAckPending: our CALL_DISCONNECT waits for its answer.
	StateDisconnectAckPending
	// StateDisconnectTimeoutPending: a CALL_DISCONNECT has been answered; the peer has a moment to read it.
	StateDisconnectTimeoutPending
	// StateDisconnected: everything is released.
	StateDisconnected
)

const (
	firstColumn = StateRequestSent
	numColumns  = int(StateDisconnectTimeoutPending-firstColumn) + 1
)

var stateNames = [...]string{
	"idle", "request sent", "ack received", "request pending", "connected pending", "connected", "abort pending",
	"abort timeout pending", "disconnect ack pending", "disconnect timeout pending", "disconnected",
}

// String returns the state's name in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "no state"
}

// CarriesControl reports whether PPP control frames (protocols from 0x8000) may be sent.
func (s State) CarriesControl() bool {
	return s == StateAckReceived || s == StateConnectedPending || s == StateConnected
}

// CarriesData reports whether PPP network frames, IP that is, may be sent.
func (s State) CarriesData() bool { return s == StateConnected }

// event is what can happen to a call. The events of messages stand in the order of the message types.
type event uint8

const (
	rxRequest event = iota
	rxAck
	rxNak
	rxConnected
	rxAbort
	rxDisconnect
	rxDisconnectAck
	rxEchoRequest
	rxEchoResponse
	rxUnknown
	rxControlFrame
	rxNetworkFrame
	authenticated
	userDisconnect
	timerExpired
	numEvents
)

// input is what a reaction may need beside the call.
type input struct {
	now  time.Time
	pkt  []byte  // the packet received
	msg  Message // what a control packet says; with a broken attribute, what could be read of it
	err  error   // what was wrong with it
	hlak HLAK    // of authenticated
}

type reaction func(*Call, input)

// table is [MS-SSTP] 3.2.5 and 3.3.5: a row for each event, a column for each state in which a call lives. The first two
// columns are the client's, the next two the server's. It is more tolerant than the document in three points: it answers
// an ECHO_REQUEST as soon as PPP runs, accepts a repeated CALL_CONNECT_ACK, and only counts unknown messages (accel-ppp
// ignores them too).
var table = [numEvents][numColumns]reaction{
	//                RequestSent, AckReceived | RequestPending, ConnectedPending | Connected | AbortPending, AbortTimeoutPending, DisconnectAckPending, DisconnectTimeoutPending
	rxRequest:       {refuse, refuse, takeRequest, refuse, refuse, ignore, ignore, ignore, ignore},
	rxAck:           {takeAck, repeatedAck, refuse, refuse, refuse, ignore, ignore, ignore, ignore},
	rxNak:           {takeNak, refuse, refuse, refuse, refuse, ignore, ignore, ignore, ignore},
	rxConnected:     {refuse, refuse, refuse, takeConnected, lateConnected, ignore, ignore, ignore, ignore},
	rxAbort:         {answerAbort, answerAbort, answerAbort, answerAbort, answerAbort, abortAnswered, ignore, answerAbort, ignore},
	rxDisconnect:    {answerDisconnect, answerDisconnect, answerDisconnect, answerDisconnect, answerDisconnect, ignore, ignore, answerDisconnect, ignore},
	rxDisconnectAck: {refuse, refuse, refuse, refuse, refuse, ignore, ignore, finish, ignore},
	rxEchoRequest:   {refuse, answerEcho, refuse, answerEcho, answerEcho, ignore, ignore, ignore, ignore},
	rxEchoResponse:  {refuse, refuse, refuse, refuse, echoAnswered, ignore, ignore, ignore, ignore},
	rxUnknown:       {countUnknown, countUnknown, countUnknown, countUnknown, countUnknown, ignore, ignore, ignore, ignore},
	rxControlFrame:  {ignore, toPPP, ignore, toPPP, toPPP, ignore, ignore, ignore, ignore},
	rxNetworkFrame:  {ignore, ignore, ignore, ignore, toPPP, ignore, ignore, ignore, ignore},
	authenticated:   {ignore, bind, ignore, verify, ignore, ignore, ignore, ignore, ignore},
	userDisconnect:  {disconnect, disconnect, disconnect, disconnect, disconnect, ignore, ignore, ignore, ignore},
	timerExpired:    {negotiationTimeout, negotiationTimeout, negotiationTimeout, negotiationTimeout, hello, finish, finish, finish, finish},
}

// rxEvent returns the event of a packet.
func rxEvent(pkt []byte, msg Message) event {
	switch {
	case !IsControl(pkt) && isControlFrame(Payload(pkt)):
		return rxControlFrame
	case !IsControl(pkt):
		return rxNetworkFrame
	case msg.Type >= CallConnectRequest && msg.Type <= EchoResponse:
		return rxRequest + event(msg.Type-CallConnectRequest)
	}
	return rxUnknown
}

// isControlFrame reports whether a PPP frame's protocol is 0x8000 or above: LCP, the NCPs and authentication. Address
// and control field (FF 03) may be left out (RFC 1661 section 6.6); a protocol compressed to one byte is odd and never
// one of these (section 6.5).
func isControlFrame(frame []byte) bool {
	if len(frame) >= 2 && frame[0] == 0xff && frame[1] == 0x03 {
		frame = frame[2:]
	}
	return len(frame) >= 2 && frame[0] >= 0x80 && frame[0]&1 == 0
}
