package auth

import (
	"crypto/tls"
	"io"
	"time"
)

// PeerConfig is what a Peer needs to know.
type PeerConfig struct {
	Username string // sent as it is; a leading DOMAIN\ is left out of the MS-CHAPv2 hash alone
	Password string
	Methods  []Method // what may be used, in order of preference; nothing else ever is

	// TLS is the client's side of EAP-TLS: client certificate, roots, name and verification. Nil: EAP-TLS is not used.
	// A MaxVersion of zero means TLS 1.2: Windows Server 2022 has trouble with EAP-TLS over TLS 1.3.
	TLS *tls.Config

	Rand        io.Reader     // nil: crypto/rand
	FragmentLen int           // TLS bytes in one EAP-TLS packet, 0: 1024
	Timeout     time.Duration // for the whole authentication, 0: 60 s
	NextID      func() uint8  // the link's Id counter, for PAP; nil: one of its own
}

// Peer is the client's side of one authentication. After its success it stays: a server may ask again at any time
// (RFC 1994 section 2), which is answered; a re-authentication that fails is a Failure, one that succeeds says nothing.
type Peer struct {
	cfg PeerConfig
	lcp LCPAuth
}

// NewPeer returns a Peer for the protocol that LCP has agreed on.
func NewPeer(cfg PeerConfig, lcp LCPAuth) *Peer { return &Peer{cfg: cfg, lcp: lcp} }

// Start begins: LCP is open.
func (p *Peer) Start(now time.Time) []Action { return nil }

// Receive takes one packet of the agreed protocol; it keeps nothing of packet.
func (p *Peer) Receive(now time.Time, packet []byte) []Action { return nil }

// Advance tells the time; due when Deadline has come.
func (p *Peer) Advance(now time.Time) []Action { return nil }

// Deadline returns when Advance must be called; zero: never.
func (p *Peer) Deadline() time.Time { return time.Time{} }

// Close gives up what an unfinished authentication holds; afterwards the Peer does nothing more. A Peer that has
// reported Failure is closed already.
func (p *Peer) Close() {}
