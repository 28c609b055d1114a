package lab

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/netip"
	"time"

	"sstp/src/auth"
	"sstp/src/sstp"
)

// Device is what the server needs from a TUN device; *tun.Device is one, tests bring their own.
type Device interface {
	// ReadPackets blocks until a packet can be read, and reads all that can be read without waiting. It puts the packets
	// into buf, each behind room free bytes; packet i is buf[ends[i-1]+room : ends[i]].
	ReadPackets(buf []byte, room int, ends []int) (n int, err error)
	// WritePackets writes packets to the kernel, in order.
	WritePackets(pkts [][]byte) (written int, err error)
	// SetReadDeadline ends a ReadPackets that waits, with os.ErrDeadlineExceeded.
	SetReadDeadline(t time.Time) error
}

// Config is what a Server is made of. The zero value of each field works, so that Config{} is a server
// with a fresh certificate, all methods, user "user" with password "password", and no device: it answers echoes itself.
type Config struct {
	// Certificate is the server's certificate with its key; nil: the server makes one for "vpn.test".
	Certificate *Certificate
	// TLSMin and TLSMax bound the version of the outer TLS; 0: TLS 1.2 and TLS 1.3.
	TLSMin, TLSMax uint16
	// CipherSuites bounds the suites up to TLS 1.2; nil: Go's defaults.
	CipherSuites []uint16
	// ClientCAs, if set, makes the server demand a client certificate in the outer TLS.
	ClientCAs *x509.CertPool

	// Methods are the authentication methods in the order in which they are proposed. Nil: all but EAP-TLS, and
	// EAP-TLS first where EAPTLS is set. An empty list that is not nil: no authentication at all.
	Methods []auth.Method
	// Users maps names to passwords; nil: {"user": "password"}.
	Users map[string]string
	// EAPTLS is the server's side of EAP-TLS: its certificate and the clients' CA.
	EAPTLS *tls.Config

	// PathSecret is what a request's path must have behind the usual one; others get status 404.
	PathSecret string
	// SingleSession ends a user's other call when the user comes again. Otherwise it has another address.
	SingleSession bool

	// HashMask is what the server offers for the crypto binding; 0: SHA-1 and SHA-256.
	HashMask sstp.HashProtocol
	// Timers are the server's timers of the call; zero: the defaults of the protocol.
	Timers sstp.Timers

	// Pool is where IPv4 addresses come from: the server has its first host address. Invalid: 10.99.0.0/24.
	Pool netip.Prefix
	// Pool6 is where IPv6 prefixes come from, one /64 for each client by router advertisement, the first /64 is the
	// server's. Invalid: fd53:5354:5000::/48.
	Pool6 netip.Prefix
	// NoIPv4 and NoIPv6 reject the protocol ([RFC 1661] 5.7).
	NoIPv4, NoIPv6 bool
	// FreshAddress hands a returning user another address each time instead of the same one.
	FreshAddress bool
	// DNS are the up to two name servers handed out; nil: the server's own address. Empty but not nil: none.
	DNS []netip.Addr
	// MRU is what the server asks for in LCP; 0: 1400.
	MRU int

	// Device carries the clients' packets. Nil: the server answers ICMP echo requests and UDP datagrams to port 7
	// itself, for tests without privileges.
	Device Device

	// Misbehave lists what the server does wrong on purpose.
	Misbehave Misbehaviour
	// OnEvent is called with each event, one at a time. It must not call back into the server. It may be nil.
	OnEvent func(Event)
	// OnPacket is called with each SSTP packet that carries no IP, as it goes over the wire. pkt is valid during the call
	// only. It may be nil.
	OnPacket func(conn int, sent bool, pkt []byte)
	// Rand is where nonces, challenges and magic numbers come from, for all clients at once; nil: crypto/rand.
	Rand io.Reader
}

// EventKind is what happened on a connection.
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
