package control

import (
	"net/netip"
	"time"

	"sstp/src/killswitch"
)

// Status is what method status tells of a tunnel. Zero values are left out of the answer, except the numbers that count.
type Status struct {
	Interface     string
	State         string    // as in the list of session's states
	Since         time.Time // of State
	Server        string    // as configured, host:port of the server in use or tried last
	ServerAddress string    // address:port of the TCP connection's far end: the server's or the proxy's
	Uplink        string    // interface by which the server is reached
	Proxy         string    // host:port
	Attempt       int       // number of the call since the tunnel was last up
	NextRetry     time.Duration
	TLS           *TLS
	Auth          string // method of the login
	CryptoBinding string
	Device        string
	MTU           int
	IPv4          IPv4
	IPv6          IPv6
	Reach         Reach // zero: nothing was looked up
	Uptime        time.Duration
	RTT           RTT
	Counters      Counters
	Reconnects    int
	LastError     *Error
	Warned        []Warning // about the options
	// AddressWarnings are sentences on addresses that the server gave and that are not used.
	AddressWarnings []string
	Version         string
	KillSwitch      *killswitch.Status // nil: nobody looked
}

// TLS is what is known of the connection and of the server's certificate.
type TLS struct {
	Version     string // as "TLS 1.3"
	Cipher      string
	Path        string // who enciphers: "go", or "kernel"
	PathReason  string // why
	VerifiedBy  string // "full", "pin ...", "none"
	Subject     string
	Issuer      string
	NotAfter    time.Time
	Fingerprint string // as option cert_pin has it
}

// IPv4 is what the server gave.
type IPv4 struct {
	Address, Peer netip.Addr
	DNS           []netip.Addr
}

// IPv6 is what both sides agreed on; both addresses are of the link.
type IPv6 struct {
	Address, Peer netip.Addr
}

// Reach is where traffic really goes, as looked up in the kernel.
type Reach struct {
	Checked                         time.Time
	Internet, IPv6, Names, Firewall Finding
}

// Finding is one fact that was looked up, with a sentence; Key and Args are for translation. The zero value was not.
type Finding struct {
	Key  string
	Args []string
	Text string
	OK   bool // false is a warning
}

// RTT sums up the measured round trips; all are zero before the first.
type RTT struct {
	Last, Min, Avg, Max time.Duration
}

// Counters count IP packets and their bytes since the device was made.
type Counters struct {
	RxBytes, TxBytes     uint64
	RxPackets, TxPackets uint64
	RxDropped, TxDropped uint64
}

// Error is a failure, as people see it.
type Error struct {
	Code, Stage, Message, Hint string
	Time                       time.Time
}

// Warning is about an option that does not do what it seems to.
type Warning struct {
	Option, Text string
}

// Entry is a line of the history.
type Entry struct {
	Time  time.Time
	State string
	Code  string // "" where nothing failed
	Text  string
}
