package ppp

import "time"

// Link is one PPP link.
type Link struct{ cfg Config }

// NewLink returns a link that waits for Start.
func NewLink(cfg Config) *Link { return &Link{cfg: cfg} }

// Start begins LCP.
func (l *Link) Start(now time.Time) []Action { return nil }

// Receive takes one frame.
func (l *Link) Receive(now time.Time, frame []byte) []Action { return nil }

// Authenticated starts the network protocols.
func (l *Link) Authenticated(now time.Time) []Action { return nil }

// AuthFrame appends a frame of the agreed authentication protocol.
func (l *Link) AuthFrame(dst, packet []byte) []byte { return AppendFrame(dst, 0, packet) }

// Echo sends an Echo-Request.
func (l *Link) Echo(now time.Time) []Action { return nil }

// Terminate ends the link.
func (l *Link) Terminate(now time.Time, reason string) []Action { return nil }

// NextID returns the next identifier.
func (l *Link) NextID() uint8 { return 0 }

// Advance tells the link the time.
func (l *Link) Advance(now time.Time) []Action { return nil }

// Deadline says when Advance wants to be called.
func (l *Link) Deadline() time.Time { return time.Time{} }

// PeerMRU is the largest information field the peer takes.
func (l *Link) PeerMRU() int { return 1500 }
