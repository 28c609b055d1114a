package ppp

import (
	"net/netip"
	"time"

	"sstp/src/fault"
)

// ActionKind is what an Action asks for or reports.
type ActionKind uint8

// What a Link asks its caller to do, or tells it.
const (
	// Send: put Data, a whole frame with its header, into one SSTP data packet.
	Send ActionKind = iota + 1
	// Authenticate: LCP is open and Auth is agreed. Begin to authenticate, and call Authenticated when that is done; with
	// the zero Auth call it at once. The action can come again before Authenticated was called, when the peer negotiates
	// LCP again (SoftEther 5.02 does after an EAP method was refused): drop what was begun and start over.
	Authenticate
	// AuthPacket: Data is a packet of the agreed authentication protocol. It aliases the frame given to Receive.
	AuthPacket
	// IPv4Up: IPCP is open, see IPv4.
	IPv4Up
	// IPv4Down: IPCP is no longer open. It may open again, with other addresses. Err is the reason, if there is one.
	IPv4Down
	// IPv6Up: IPV6CP is open, see IPv6.
	IPv6Up
	// IPv6Down: there is no IPv6 now, because it was refused, not answered, or ended. It may still come (IPv6Up). Err is
	// the reason, if there is one. It never ends the call.
	IPv6Down
	// EchoReply: the peer answered our last Echo-Request after RTT.
	EchoReply
	// Terminated: the link is over, the last action ever. Err is nil when we asked for it; By is who brought it about.
	Terminated
)

// String returns the kind's name.
func (k ActionKind) String() string {
	names := [...]string{"none", "Send", "Authenticate", "AuthPacket", "IPv4Up", "IPv4Down", "IPv6Up", "IPv6Down", "EchoReply", "Terminated"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Action is one thing to do or to know. Actions are in the order in which they must be carried out. They and their Data
// belong to the caller, except for the Data of AuthPacket.
type Action struct {
	Kind ActionKind
	Data []byte
	Auth AuthProtocol
	IPv4 IPv4
	IPv6 IPv6
	RTT  time.Duration
	Err  *fault.Error
	By   fault.Party
}

// IPv4 is the result of IPCP. Peer is invalid when the peer named no usable address. DNS has no duplicates and no
// unspecified, loopback or multicast address.
type IPv4 struct {
	Local, Peer netip.Addr
	DNS         []netip.Addr
}

// IPv6 is the result of IPV6CP: the two link-local addresses. Peer is invalid when the peer named no identifier.
type IPv6 struct {
	Local, Peer netip.Addr
}
