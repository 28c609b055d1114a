package ppp

import (
	"io"
	"net/netip"
	"time"
)

// Role is the side of the call a Link plays.
type Role uint8

// The two sides of a call.
const (
	Client Role = iota
	Server
)

// Config is what a Link asks for and what it grants.
type Config struct {
	Role Role

	// MRU is the largest information field we ask the peer to send (RFC 1661 section 6.1); 0: not asked, which is 1500.
	MRU int

	// Auth is the list of methods that a client accepts, in order of preference, or that a server proposes, in this order.
	// A server with an empty list asks for no authentication.
	Auth []AuthProtocol

	// IPv4 and IPv6 say which network protocols are wanted. The control protocol of an unwanted one is Protocol-Rejected. A
	// client that wants IPv4 fails without it; IPv6 is always optional.
	IPv4, IPv6 bool

	// Address is our own IPv4 address: the server has one, the client may wish for one (invalid: any).
	Address netip.Addr
	// PeerAddress is what the server assigns to the client. Invalid: any usable address that the client asks for.
	PeerAddress netip.Addr
	// DNS is what the server hands out, at most two.
	DNS []netip.Addr
	// WantDNS makes the client ask for name servers (RFC 1877).
	WantDNS bool

	// InterfaceID and PeerInterfaceID are the lower halves of the link-local addresses (RFC 5072): ours, and what the
	// peer is told when it asks for one. Zero: random.
	InterfaceID, PeerInterfaceID [8]byte

	// Rand is the source of magic numbers and interface identifiers.
	Rand io.Reader

	Timers Timers
}

// Timers holds the timers and counters of RFC 1661 section 4.6, and the limits that it leaves to the implementation. A
// field that is zero has the value that DefaultTimers gives.
type Timers struct {
	Restart   time.Duration // from a Configure-Request to its repetition
	Terminate time.Duration // from a Terminate-Request to its repetition

	MaxConfigure int // Configure-Requests without an answer; also rounds of Nak and Reject
	MaxTerminate int // Terminate-Requests without an answer
	MaxFailure   int // Naks before they become Rejects, in both directions

	LCPTimeout  time.Duration // from the first Configure-Request until LCP is opened
	NCPTimeout  time.Duration // the same for IPCP
	IPv6Timeout time.Duration // the same for IPV6CP: after it there is no IPv6, unless the peer begins
}

// DefaultTimers returns the values of RFC 1661 section 4.6, which all servers known to us use too. The goodbye is
// shorter: on a reliable transport one second is enough.
func DefaultTimers() Timers {
	return Timers{
		Restart:      3 * time.Second,
		Terminate:    500 * time.Millisecond,
		MaxConfigure: 10,
		MaxTerminate: 2,
		MaxFailure:   5,
		LCPTimeout:   30 * time.Second,
		NCPTimeout:   30 * time.Second,
		IPv6Timeout:  10 * time.Second,
	}
}

// orDefault fills the fields that are zero.
func (t Timers) orDefault() Timers {
	d := DefaultTimers()
	for _, f := range []struct{ p, d *time.Duration }{
		{&t.Restart, &d.Restart},
		{&t.Terminate, &d.Terminate},
		{&t.LCPTimeout, &d.LCPTimeout},
		{&t.NCPTimeout, &d.NCPTimeout},
		{&t.IPv6Timeout, &d.IPv6Timeout},
	} {
		if *f.p == 0 {
			*f.p = *f.d
		}
	}
	for _, f := range []struct{ p, d *int }{
		{&t.MaxConfigure, &d.MaxConfigure},
		{&t.MaxTerminate, &d.MaxTerminate},
		{&t.MaxFailure, &d.MaxFailure},
	} {
		if *f.p == 0 {
			*f.p = *f.d
		}
	}
	return t
}
