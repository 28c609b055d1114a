package auth

import (
	"crypto/tls"
	"io"
	"time"
)

// AuthenticatorConfig is what an Authenticator needs to know.
type AuthenticatorConfig struct {
	Name    string                                       // ours, in challenges; may be empty
	Secret  func(user string) (password string, ok bool) // the name is as the peer sent it
	Methods []Method                                     // under EAP: what is proposed, in this order; CHAP allows EAP-MD5

	TLS *tls.Config // EAP-TLS: certificate and how the client's is verified; nil: EAP-TLS is not proposed

	Rand        io.Reader     // nil: crypto/rand
	FragmentLen int           // TLS bytes in one EAP-TLS packet, 0: 1024
	Timeout     time.Duration // for the whole authentication, 0: 60 s
	NextID      func() uint8  // the link's Id counter, for CHAP; nil: one of its own

	// What follows makes the server misbehave, to test clients.

	WrongProof   bool                         // MS-CHAPv2: S= as of a server that does not know the password
	SkipProof    bool                         // MS-CHAPv2: Success without S=
	EarlySuccess bool                         // EAP: EAP-Success in place of the method's own proof
	FailCode     int                          // refuse every login; MS-CHAPv2: with this E= (RFC 2759 section 6)
	FailMessage  string                       // the text that goes with a refusal; empty: a usual one
	Drop         func(n int, pkt []byte) bool // true: message n (from 1) is lost on the way
}

// Authenticator is the server's side of one authentication.
type Authenticator struct {
	cfg AuthenticatorConfig
	lcp LCPAuth
}

// NewAuthenticator returns an Authenticator for the protocol that LCP has agreed on.
func NewAuthenticator(cfg AuthenticatorConfig, lcp LCPAuth) *Authenticator {
	return &Authenticator{cfg: cfg, lcp: lcp}
}

// Start begins: LCP is open.
func (a *Authenticator) Start(now time.Time) []Action { return nil }

// Receive takes one packet of the agreed protocol; it keeps nothing of packet.
func (a *Authenticator) Receive(now time.Time, packet []byte) []Action { return nil }

// Advance tells the time; due when Deadline has come.
func (a *Authenticator) Advance(now time.Time) []Action { return nil }

// Deadline returns when Advance must be called; zero: never.
func (a *Authenticator) Deadline() time.Time { return time.Time{} }

// Challenge asks the peer again, as some servers do at intervals (RFC 1994 section 2).
func (a *Authenticator) Challenge(now time.Time) []Action { return nil }

// Close gives up what an unfinished authentication holds; afterwards the Authenticator does nothing more.
func (a *Authenticator) Close() {}
