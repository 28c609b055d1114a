package joiner

import (
	"time"

	"sstp/src/auth"
	"sstp/src/fault"
	"sstp/src/ppp"
)

// Kind says what an Action asks for or reports.
type Kind uint8

// What a Joiner asks its owner to do, or tells it. A good call has them in this order.
const (
	// Send: put Data, a whole SSTP packet, on the stream.
	Send Kind = iota + 1
	// Opened: the server has accepted the call.
	Opened
	// LinkOpen: LCP is open. The login begins, or begins again.
	LinkOpen
	// LoggedIn: the login has succeeded, by Method. On a server User is who logged in. It comes once.
	LoggedIn
	// Bound: the crypto binding was sent; on a server, it was found right. IP may flow from now on. It comes once.
	Bound
	// IPv4Up: IPv4 is agreed. It may come again, with other addresses.
	IPv4Up
	// IPv4Down: the peer negotiates IPv4 again.
	IPv4Down
	// IPv6Up: IPv6 is agreed.
	IPv6Up
	// IPv6Down: there is no IPv6 now. It may still come.
	IPv6Down
	// RoundTrip: the peer answered a Ping after RTT.
	RoundTrip
	// Closing: the call is ending; nothing of PPP is sent any more.
	Closing
	// Ended: close the stream. Err is the reason, and nil after an end that we wanted; By is who brought it about. It is
	// the last action of all.
	Ended
)

// Action is one thing to do or to know. It belongs to the owner, and so does the list in which it is returned.
type Action struct {
	Kind   Kind
	Data   []byte
	Method auth.Method
	User   string
	Keyed  bool // LoggedIn: the crypto binding has the keys of the login
	IPv4   ppp.IPv4
	IPv6   ppp.IPv6
	RTT    time.Duration
	Err    *fault.Error
	By     fault.Party
}
