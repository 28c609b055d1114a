package lab

import "fmt"

// EventKind says what happened on a connection.
type EventKind string

// The kinds of events, in the order in which a good call has them.
const (
	EventAccepted EventKind = "accepted" // a TCP connection came
	EventTLS      EventKind = "tls"      // the TLS handshake is over
	EventHTTP     EventKind = "http"     // the request was answered
	EventAuth     EventKind = "auth"     // the user proved who it is
	EventBound    EventKind = "bound"    // the crypto binding was checked and found right
	EventIPv4     EventKind = "ipv4"     // IPCP is up
	EventIPv6     EventKind = "ipv6"     // IPV6CP is up
	EventEnded    EventKind = "ended"    // the connection is over; Err says why, nil: orderly
)

// Event is one thing that happened.
type Event struct {
	Conn int // number of the connection, from 1
	User string
	Kind EventKind
	Text string
	Err  error
}

// String returns the event as one line.
func (e Event) String() string {
	s := fmt.Sprintf("#%d %s", e.Conn, e.Kind)
	if e.User != "" {
		s += " user=" + quoted(e.User)
	}
	if e.Text != "" {
		s += " " + e.Text
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// quoted makes text of the client's choice safe to print on one line.
func quoted(s string) string { return fmt.Sprintf("%q", s) }
