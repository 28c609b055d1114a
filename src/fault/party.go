package fault

// Party says who brought the end of a call, of a link or of a login about. An end is as much to be believed as whoever
// brought it about.
type Party uint8

// The parties.
const (
	// Us is this side: it wanted the end, or it does not accept what the peer does or leaves out.
	Us Party = iota
	// Peer is the other side: it said so, protected by TLS.
	Peer
	// Path is nobody in particular: the connection ended without a word, as anybody on the path can make it end.
	Path
)

// String returns the party's name.
func (p Party) String() string {
	names := [...]string{"us", "the peer", "the path"}
	if int(p) < len(names) {
		return names[p]
	}
	return "nobody"
}
