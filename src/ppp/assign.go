package ppp

import "net/netip"

// Assign sets Config.PeerAddress of a link that runs already: a server knows which address to give only when the login
// has told who asks. It must come before Authenticated.
func (l *Link) Assign(peer netip.Addr) { l.cfg.PeerAddress = peer }
