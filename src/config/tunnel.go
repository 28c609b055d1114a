// Package config turns the options of an interface section, as netifd, ubus or a UCI file give them, into typed values.
// It is the only place where text becomes numbers, durations and addresses. It does no I/O: the packages that use a certificate
// file or a name find out whether it exists.
//
// One table (see Options) holds every option with its type, default, what is allowed and whether it is a secret; Parse,
// the netifd handler's test and the documentation follow it.
package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sstp/src/phrase"
)

// Values is one interface section: option name to value or values, as text. An absent key and an empty text mean that
// the option is not set, as in UCI.
type Values map[string][]string

// Last returns the last value of an option, "" where it has none.
func (v Values) Last(name string) string {
	if list := v[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

// Tunnel is a checked configuration: all that the client knows about one interface.
type Tunnel struct {
	Name       string        // the interface's name in netifd, which names the lock, the ubus object and the device
	Servers    []Server      // in the order given; at least one
	Username   string        // as typed, DOMAIN\user included
	Password   string        //
	Auth       []AuthMethod  // what may be used, in order of preference; never empty
	Verify     Verify        //
	CACert     string        // file with the trusted CAs; empty: the system's
	Pins       []Pin         //
	ServerName string        // the name to verify; empty: the server's host, see VerifyName
	SNI        string        // the name to send; empty: the name to verify, see SNIName
	SendSNI    bool          //
	Cert, Key  string        // files of the client certificate; both or none
	TLSMin     uint16        // lowest TLS version as on the wire: 0x0301 (1.0) to 0x0304 (1.3)
	TLSLegacy  bool          // also RSA key exchange and CBC suites
	PathSecret string        // appended to the request path
	Proxy      *Proxy        // nil: none
	Tunlink    string        // the uplink interface; empty: the best route's
	MTU        int           // upper bound of MRU and TUN MTU in bytes; 0: by address family, see MTUOver
	IPv6       Mode          // IPV6CP; Auto and On add the child interface with DHCPv6
	Keepalive  Keepalive     //
	Hold       time.Duration // how long a lost call's device, addresses and routes stay; HoldForever: for good
	AuthFail   bool          // stop after a refused password
	MaxFail    int           // give up after so many failed calls; 0: never
	KTLS       Mode          // kernel TLS; Auto: where it is faster
	Offload    bool          // large segments between the kernel and us
	LogLevel   LogLevel

	// InsecureLogin allows MS-CHAPv2, alone and in EAP, with a server that has not proved by TLS who it is.
	InsecureLogin bool

	// Congestion is the TCP congestion control of the connection to the server, such as "bbr"; empty: the kernel's.
	Congestion string

	// These three are netifd's own options. They matter only where no netifd does their work.
	DefaultRoute bool
	PeerDNS      bool
	Metric       int
}

// Server is one place to dial.
type Server struct {
	Host string // a name, or an address without brackets
	Port uint16
}

// String returns host:port, with brackets around an IPv6 address.
func (s Server) String() string {
	port := strconv.Itoa(int(s.Port))
	if strings.Contains(s.Host, ":") {
		return "[" + s.Host + "]:" + port
	}
	return s.Host + ":" + port
}

// Addr returns the host's address where the host is one, else the invalid address.
func (s Server) Addr() netip.Addr {
	a, _ := netip.ParseAddr(s.Host)
	return a
}

// AuthMethod is the name of a way to authenticate.
type AuthMethod string

// The methods of option auth.
const (
	EAPTLS      AuthMethod = "eap-tls"
	MSCHAPv2    AuthMethod = "mschapv2"
	EAPMSCHAPv2 AuthMethod = "eap-mschapv2"
	CHAP        AuthMethod = "chap"
	PAP         AuthMethod = "pap"
)

// NeedsVerifiedServer reports whether the method gives the server what it needs to be somebody else: PAP the password
// itself, CHAP an answer that any server can ask for. Neither proves anything to us about the server.
func (m AuthMethod) NeedsVerifiedServer() bool { return m == CHAP || m == PAP }

// CanBeRelayed reports whether a man in the middle with a certificate of his own can relay the login to the real server and
// take its place: MS-CHAPv2 does not bind the login to the connection. What he hears also lets him search for the password.
// EAP-TLS verifies the server inside the login.
func (m AuthMethod) CanBeRelayed() bool { return m == MSCHAPv2 || m == EAPMSCHAPv2 }

// Verify is the policy by which the server's certificate is verified.
type Verify uint8

// The values of option verify.
const (
	VerifyFull Verify = iota // chain and name, or a listed pin
	VerifyPin                // a listed pin only
	VerifyNone               // anything
)

// String returns the value as option verify has it.
func (v Verify) String() string {
	switch v {
	case VerifyFull:
		return "full"
	case VerifyPin:
		return "pin"
	}
	return "none"
}

// Mode is the value of an option that can decide by itself.
type Mode uint8

// The values of options ipv6 and ktls.
const (
	Auto Mode = iota
	On
	Off
)

// String returns the value as the options have it.
func (m Mode) String() string {
	switch m {
	case Auto:
		return "auto"
	case On:
		return "1"
	}
	return "0"
}

// Keepalive detects a silent server: after Interval without a received byte the server is sent an echo request, and after
// Failures requests without an answer the call is lost.
type Keepalive struct {
	Failures int
	Interval time.Duration
}

// HoldForever is the value of Tunnel.Hold for "option hold 'forever'". It is longer than any machine runs.
const HoldForever time.Duration = 1<<63 - 1

// HoldsForever reports whether the device, its addresses and routes of a lost call stay until the interface is taken
// down, whatever happens to the calls that follow.
func (t *Tunnel) HoldsForever() bool { return t.Hold == HoldForever }

// LogLevel is the detail of the log, counted as sstpc counts it.
type LogLevel uint8

// The values of option log_level.
const (
	LogError LogLevel = iota
	LogWarn
	LogInfo
	LogDebug
	LogTrace
)

// Proxy is an HTTP proxy that connects us to the server.
type Proxy struct {
	Host     string // a name, or an address without brackets
	Port     uint16
	User     string // empty: no credentials
	Password string
}

// Address returns host:port without the credentials.
func (p Proxy) Address() string { return Server{Host: p.Host, Port: p.Port}.String() }

// Warning is trouble that does not keep the tunnel from working. Text is a sentence and never holds a secret.
type Warning struct {
	Option string
	phrase.Phrase
}

// Default MTUs: what is left of 1500 bytes for a packet in PPP in SSTP in TLS in TCP over IPv4 and IPv6, with room for
// TCP options, a PPPoE uplink and the largest TLS record overhead.
const (
	DefaultMTU    = 1400
	DefaultMTUOv6 = 1380
)

// MTUOver returns the upper bound of the MTU for a connection to the given address.
func (t *Tunnel) MTUOver(server netip.Addr) int {
	switch {
	case t.MTU != 0:
		return t.MTU
	case server.Is6() && !server.Is4In6():
		return DefaultMTUOv6
	}
	return DefaultMTU
}

// VerifyName returns the name that the server's certificate must have.
func (t *Tunnel) VerifyName(s Server) string {
	if t.ServerName != "" {
		return t.ServerName
	}
	return strings.TrimSuffix(s.Host, ".")
}

// SNIName returns the name to send in the TLS hello, empty for none. Addresses are never sent (RFC 6066 section 3).
func (t *Tunnel) SNIName(s Server) string {
	name := t.SNI
	if name == "" {
		name = t.VerifyName(s)
	}
	if !t.SendSNI || (Server{Host: name}).Addr().IsValid() {
		return ""
	}
	return name
}

// Device returns the name of the tunnel's network device.
func (t *Tunnel) Device() string { return DeviceName(t.Name) }

// deviceNameMax is the kernel's IFNAMSIZ without the ending zero.
const deviceNameMax = 15

// DeviceName returns the name of the network device of an interface: sstp-NAME, which LuCI expects too. A name that the
// kernel would find too long keeps its first letters and ends in a hash of the whole.
func DeviceName(iface string) string {
	const prefix = "sstp-"
	if len(prefix)+len(iface) <= deviceNameMax {
		return prefix + iface
	}
	h := uint32(2166136261) // FNV-1a
	for i := range len(iface) {
		h = (h ^ uint32(iface[i])) * 16777619
	}
	h = h>>24 ^ h&0xffffff
	const digits = "0123456789abcdef"
	name := append([]byte(prefix), iface[:4]...)
	for shift := 20; shift >= 0; shift -= 4 {
		name = append(name, digits[h>>shift&15])
	}
	return string(name)
}
