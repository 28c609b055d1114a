package auth

import (
	"bytes"
	"crypto/tls"
	"io"
	"time"

	"sstp/src/fault"
	"sstp/src/text"
)

// AuthenticatorConfig is what an Authenticator is made of.
type AuthenticatorConfig struct {
	Name    string                                       // ours, in challenges; may be empty
	Secret  func(user string) (password string, ok bool) // the name is as the peer sent it
	Methods []Method                                     // under EAP: what is proposed, in this order; CHAP is EAP-MD5 there

	TLS *tls.Config // EAP-TLS: certificate and how the client's is verified; nil: EAP-TLS is not proposed

	Rand        io.Reader     // for challenges and TLS
	FragmentLen int           // TLS bytes in one EAP-TLS packet, 0: 1024
	Timeout     time.Duration // for the whole authentication, 0: 60 s
	NextID      func() uint8  // the link's Id counter, for CHAP; nil: one of its own

	// What follows makes the server misbehave, to test clients.

	WrongProof   bool                            // MS-CHAPv2: S= as of a server that does not know the password
	SkipProof    bool                            // MS-CHAPv2: Success without S=
	EarlySuccess bool                            // EAP: EAP-Success in place of the method's own proof
	FailCode     int                             // refuse every login, by MS-CHAPv2 with this E= (RFC 2759 section 6)
	FailMessage  string                          // the text that goes with a refusal; empty: a usual one
	Drop         func(n int, packet []byte) bool // true: message n, from 1, is lost on the way
}

// failMessage is the text of a refusal, short enough for PAP's Message.
func (cfg *AuthenticatorConfig) failMessage() string {
	if cfg.FailMessage != "" {
		return cfg.FailMessage[:min(len(cfg.FailMessage), 255)]
	}
	return "Authentication failure"
}

// Authenticator is the server's side of one authentication. It does not ask a peer that has failed again.
type Authenticator struct {
	conversation conversation
	proto        serverProtocol
	drop         func(n int, packet []byte) bool
	sent         int
}

// serverProtocol is a protocol that can ask again.
type serverProtocol interface {
	protocol
	challenge(now time.Time) []Action
}

// NewAuthenticator returns an Authenticator for the protocol that LCP has agreed on. Without a protocol it admits everybody.
func NewAuthenticator(cfg AuthenticatorConfig, lcp LCPAuth) *Authenticator {
	cfg.NextID = orCounter(cfg.NextID)
	cfg.FragmentLen = orFragmentLen(cfg.FragmentLen)
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	a := &Authenticator{
		conversation: conversation{lcp: lcp, other: "client", timeout: cfg.Timeout},
		drop:         cfg.Drop,
	}
	switch lcp {
	case LCPAuth{}:
		a.conversation.unasked = true
		return a
	case LCPAuth{protocolPAP, 0}:
		a.proto = &papAuthenticator{cfg: &cfg}
	case LCPAuth{protocolCHAP, algorithmMD5}, LCPAuth{protocolCHAP, algorithmMSCHAPv2}:
		a.proto = &chapAuthenticator{cfg: &cfg, ms: lcp.Algorithm == algorithmMSCHAPv2}
	case LCPAuth{protocolEAP, 0}:
		a.proto = newEAPAuthenticator(&cfg)
	default:
		a.conversation.refusal = notAllowed(lcp.String())
		return a
	}
	a.conversation.proto = a.proto
	return a
}

// Start begins: LCP is open.
func (a *Authenticator) Start(now time.Time) []Action {
	return a.filterDropped(a.conversation.start(now))
}

// Receive takes one packet of the agreed protocol; it keeps nothing of packet.
func (a *Authenticator) Receive(now time.Time, packet []byte) []Action {
	return a.filterDropped(a.conversation.receive(now, packet))
}

// Advance does what is due at now. It must be called when Deadline has come.
func (a *Authenticator) Advance(now time.Time) []Action {
	return a.filterDropped(a.conversation.advance(now))
}

// Deadline returns when Advance must be called; zero: never.
func (a *Authenticator) Deadline() time.Time { return a.conversation.deadline() }

// Challenge asks the peer again, as some servers do at intervals (RFC 1994 section 2; accel-ppp's option interval). It
// does nothing under PAP, or before Start.
func (a *Authenticator) Challenge(now time.Time) []Action {
	if a.proto == nil || a.conversation.closed || a.conversation.heard.IsZero() {
		return nil
	}
	return a.filterDropped(a.conversation.filter(a.proto.challenge(now)))
}

// Close frees what an unfinished authentication holds; afterwards the Authenticator does nothing more.
func (a *Authenticator) Close() { a.conversation.close() }

// filterDropped takes out the packets that AuthenticatorConfig.Drop wants lost.
func (a *Authenticator) filterDropped(do []Action) []Action {
	if a.drop == nil {
		return do
	}
	kept := do[:0]
	for _, x := range do {
		if x.Kind == Send {
			if a.sent++; a.drop(a.sent, x.Data) {
				continue
			}
		}
		kept = append(kept, x)
	}
	return kept
}

// clientRefused is the server's own record of a refusal.
func clientRefused(cfg *AuthenticatorConfig, user string) *fault.Error {
	m := `The client "` + text.Show(user, maxText) + `" does not have the right password.`
	if cfg.FailCode != 0 {
		m = `The client "` + text.Show(user, maxText) + `" was refused, as configured.`
	}
	return fault.Plain(fault.AuthFailed, fault.StageAuth, m)
}

// transmission repeats a packet until it is answered.
type transmission struct {
	packet []byte
	times  int
	nextAt time.Time
}

// begin returns the first transmission.
func (t *transmission) begin(now time.Time, packet []byte) []Action {
	*t = transmission{packet, 1, now.Add(restartInterval)}
	return []Action{send(bytes.Clone(packet))}
}

// advance returns the next transmission, or the failure after the last.
func (t *transmission) advance(now time.Time, what LCPAuth) []Action {
	if t.times == maxTransmissions {
		return []Action{fail(silent("client", what))}
	}
	t.times++
	t.nextAt = now.Add(restartInterval)
	return []Action{send(bytes.Clone(t.packet))}
}

// end stops the repeating.
func (t *transmission) end() { *t = transmission{} }
