// Package status has the status of a tunnel: one type, which the session fills and the bus shows.
package status

import (
	"net/netip"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/killswitch"
	"sstp/src/phrase"
	"sstp/src/reach"
)

// State is where a tunnel stands in its life, in the words that users see. Package session has the list.
type State string

// Status is a consistent snapshot of a tunnel. It holds no secret. A zero value means "none" or "unknown".
type Status struct {
	Interface string
	State     State
	Since     time.Time // of State
	Server    string    // as configured, host:port of the server in use or tried last
	Attempt   int       // number of the call since the tunnel was last up
	NextRetry time.Time // zero unless State is waiting, or holding between two calls

	ServerAddress string        // address:port of the TCP connection's far end: the server's or the proxy's
	Proxy         string        // host:port
	TLS           *TLS          // nil unless a call runs
	Auth          string        // method of the login, "" before it
	CryptoBinding phrase.Phrase // "SHA-256 with the login's keys", "SHA-256 without keys", "" before it
	RTT           RTT

	Device          string
	MTU             int
	Local, Peer     netip.Addr
	DNS             []netip.Addr
	Local6, Peer6   netip.Addr
	AddressWarnings []string     // sentences on addresses that the server gave and that are not used
	Reach           reach.Report // zero while nothing is announced to the machine's network
	UpSince         time.Time    // zero unless the tunnel is up
	Counters        Counters
	Reconnects      int
	LastError       *fault.Error
	LastErrorTime   time.Time
	Warnings        []config.Warning // about the options

	// What the session does not know; the program that runs it adds them.
	Uplink     string // interface by which the server is reached
	Version    string
	KillSwitch *killswitch.Status // nil: nobody has looked
}

// TLS is what is known of the connection and of the server's certificate.
type TLS struct {
	Version     string // such as "TLS 1.3"
	Cipher      string
	Path        string // who enciphers: "go" or "kernel"
	PathReason  string
	VerifiedBy  string // "full", "pin ...", "none"
	Subject     string
	Issuer      string
	NotAfter    time.Time
	Fingerprint string // as option cert_pin takes it
}

// Counters count IP packets and their bytes since the device was made. They survive a lost call.
type Counters struct {
	RxBytes, TxBytes     uint64
	RxPackets, TxPackets uint64
	RxDropped, TxDropped uint64
}

// RTT sums up the round trips measured by the LCP echoes of one call. All are zero before the first answer.
type RTT struct {
	Last, Min, Avg, Max time.Duration
	samples             int
	sum                 time.Duration
}

// Add takes one more round trip into account.
func (r *RTT) Add(d time.Duration) {
	r.Last = d
	if r.samples == 0 || d < r.Min {
		r.Min = d
	}
	r.Max = max(r.Max, d)
	r.samples++
	r.sum += d
	r.Avg = r.sum / time.Duration(r.samples)
}

// Samples returns the number of round trips.
func (r *RTT) Samples() int { return r.samples }

// Event is one line of a tunnel's history.
type Event struct {
	Time  time.Time
	State State
	Code  fault.Code // "" unless something failed
	phrase.Phrase
}
