package auth

import (
	"crypto/tls"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"sstp/src/fault"
)

// PeerConfig is what a Peer is made of.
type PeerConfig struct {
	Username string // sent unchanged; only the MS-CHAPv2 hash leaves a leading DOMAIN\ out
	Password string
	Methods  []Method // the methods that may be used, in order of preference

	// TLS is the client's side of EAP-TLS: client certificate, roots, name and verification. Nil: EAP-TLS is not used.
	// A MaxVersion of zero means TLS 1.2: Windows Server 2022 has trouble with EAP-TLS over TLS 1.3 (SoftEtherVPN's
	// issue 1722).
	TLS *tls.Config

	Rand        io.Reader     // for challenges and TLS
	FragmentLen int           // TLS bytes in one EAP-TLS packet, 0: 1024
	Timeout     time.Duration // for the whole authentication, 0: 60 s
	NextID      func() uint8  // the link's Id counter, for PAP; nil: one of its own
}

// Peer is the client's side of one authentication. It lives on after its Success, as a server may ask again at any time
// (RFC 1994 section 2). A re-authentication that fails is a Failure. One that succeeds is not reported: [MS-SSTP] binds
// the first one alone.
type Peer struct{ conversation conversation }

// NewPeer returns a Peer for the protocol that LCP has agreed on. If cfg does not allow the protocol, Start returns a
// Failure and nothing is sent.
func NewPeer(cfg PeerConfig, lcp LCPAuth) *Peer {
	cfg.NextID = orCounter(cfg.NextID)
	cfg.FragmentLen = orFragmentLen(cfg.FragmentLen)
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	p := &Peer{conversation{lcp: lcp, other: "server", timeout: cfg.Timeout}}
	c := &p.conversation
	if c.refusal = check(&cfg, lcp); c.refusal != nil {
		return p
	}
	switch {
	case lcp == (LCPAuth{}):
		c.unasked = true
	case lcp.Protocol == protocolPAP:
		c.proto = &papPeer{cfg: &cfg}
	case lcp.Protocol == protocolCHAP:
		c.proto = &chapPeer{cfg: &cfg, ms: lcp.Algorithm == algorithmMSCHAPv2}
	default:
		c.proto = newEAPPeer(&cfg)
	}
	return p
}

// Start begins: LCP is open.
func (p *Peer) Start(now time.Time) []Action { return p.conversation.start(now) }

// Receive takes one packet of the agreed protocol; it keeps nothing of packet. It ignores a packet that makes no sense
// (RFC 1994 section 4, RFC 3748 section 4).
func (p *Peer) Receive(now time.Time, packet []byte) []Action {
	return p.conversation.receive(now, packet)
}

// Advance does what is due at now. It must be called when Deadline has come.
func (p *Peer) Advance(now time.Time) []Action { return p.conversation.advance(now) }

// Deadline returns when Advance must be called; zero: never.
func (p *Peer) Deadline() time.Time { return p.conversation.deadline() }

// Close frees what an unfinished authentication holds; afterwards the Peer does nothing more. The caller must close a Peer
// when the link ends or LCP is negotiated again. A Peer that has reported Failure is closed already.
func (p *Peer) Close() { p.conversation.close() }

// check returns why the authentication must not or cannot begin, or nil.
func check(cfg *PeerConfig, lcp LCPAuth) *fault.Error {
	usable := usableMethods(cfg, lcp)
	switch {
	case lcp == (LCPAuth{}):
		return checkUnasked(cfg)
	case len(usable) == 0:
		return notAllowed(lcp.String())
	case len(cfg.Username) > 255:
		return badOption("Option username is longer than 255 bytes.")
	case cfg.Username == "" && !has(usable, EAPTLS):
		return badOption("Option username is empty, but the server asks who we are.")
	}
	if has(usable, PAP) && len(cfg.Password) > 255 {
		return badOption("Option password is longer than 255 bytes, more than PAP can carry.")
	}
	if has(usable, MSCHAPv2) || has(usable, EAPMSCHAPv2) {
		if !utf8.ValidString(cfg.Password) {
			return badOption("Option password is not valid UTF-8, as MS-CHAPv2 needs it.")
		}
		units := 0
		for _, r := range cfg.Password {
			units += utf16.RuneLen(r)
		}
		if units > 256 {
			return badOption("Option password is longer than 256 characters, more than MS-CHAPv2 allows.")
		}
	}
	return nil
}

// usableMethods returns the allowed methods that the agreed protocol can carry. CHAP under EAP is EAP-MD5, but alone it
// does not make EAP an allowed protocol.
func usableMethods(cfg *PeerConfig, lcp LCPAuth) (usable []Method) {
	for _, m := range cfg.Methods {
		protocol, algorithm := m.LCP()
		if protocol == 0 || (LCPAuth{protocol, algorithm}) != lcp || m == EAPTLS && cfg.TLS == nil {
			continue
		}
		usable = append(usable, m)
	}
	return usable
}

// checkUnasked decides about a server that lets us in without asking. If all allowed methods make the server prove itself,
// that would be a way around the proof.
func checkUnasked(cfg *PeerConfig) *fault.Error {
	credentials := cfg.Username != "" || cfg.Password != "" || has(cfg.Methods, EAPTLS)
	if !credentials || has(cfg.Methods, PAP) || has(cfg.Methods, CHAP) {
		return nil
	}
	return failed("The server asks for no authentication, so it does not prove that it knows the password: it may be an attacker.").
		WithHint("Have the server ask for one of the methods in option auth; a server that is meant to let everybody in " +
			"needs no username here.")
}
