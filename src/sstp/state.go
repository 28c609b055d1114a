package sstp

// State is where a call stands ([MS-SSTP] 3.2.1 and 3.3.1). The IN_PROGRESS states of the document lie between a
// decision and the message that follows from it; here the two are one.
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
