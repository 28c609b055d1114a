package lab

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sstp/src/auth"
)

// Misbehaviour is what the server does wrong on purpose. The zero value is a server that behaves. Each field stands in
// the table of knobs, which names it for the command line and says what it does.
type Misbehaviour struct {
	// First is for how many connections the server misbehaves; later ones are served well. 0: always.
	First int

	// TCP.
	TCPSilent bool
	TCPClose  bool

	// TLS.
	TLSGarbage    bool
	TLSPlainHTTP  bool
	TLSStall      bool
	TLSClose      bool
	TLSServerName string

	// HTTP.
	HTTPStatus   int
	HTTPRedirect string
	HTTPSilent   bool
	HTTPEndless  bool
	HTTPGarbage  bool
	HTTPClose    bool
	HTTPContinue bool
	HTTPGlued    bool
	HTTPSplit    bool
	HTTPNoReason bool
	HTTPTrickle  time.Duration

	// SSTP.
	SSTPSilent          bool
	Nak                 bool
	AbortAfterRequest   bool
	AbortAfterConnected bool
	AckNoAttribute      bool
	AckShort            bool
	AckWrongAttribute   bool
	AckTrailing         bool
	AckMask             *uint8
	AckTwice            bool
	AckNewNonce         bool
	UnknownMessages     int
	ZeroLength          bool
	WrongVersion        bool
	Oversized           bool
	BrokenControl       bool
	BareGoodbye         bool
	EchoFlood           time.Duration
	EarlyEcho           bool
	EchoBurst           int
	RequestBurst        int
	NoBindingCheck      bool
	NoSSTPEcho          bool
	NoLCPEcho           bool

	// PPP.
	NoLCP             bool
	TerminateInAuth   bool
	LCPNakForever     bool
	LCPEmptyRequest   bool
	LCPNakMRU         int
	LCPReject         bool
	LCPExtras         bool
	ExtraProtocols    bool
	BrokenPPP         bool
	LCPRestartAfter   time.Duration
	NoIPv6            bool
	IPCPSilent        bool
	IPCPDelay         time.Duration
	IPCPRejectDNS     bool
	IPCPRejectAddress bool
	IPCPZeroAddress   bool
	IPCPNoPeerAddress bool
	IPCPWander        time.Duration
	IPv6CPSilent      bool

	// Authentication.
	OfferOnly       auth.Method
	AuthSilent      bool
	CutInAuth       bool
	CutAtVerdict    bool
	WrongProof      bool
	NoProof         bool
	EarlySuccess    bool
	FailCode        int
	FailMessage     string
	FailByTerminate bool
	TrailingText    bool
	Rechallenge     time.Duration

	// Data.
	SplitBytes    bool
	HeaderForms   bool
	GarbageFrames int
	EarlyIP       bool

	// Life.
	CutAfter        time.Duration
	CutAfterBytes   int
	DisconnectAfter time.Duration
	SilentAfter     time.Duration
}

// Knob is one entry of the table of misbehaviours.
type Knob struct {
	Name string
	Help string
	// field returns the address of the knob's field; its type says what the value looks like.
	field func(*Misbehaviour) any
}

// knobs is the table of misbehaviours, in the order of a call. A new one needs a field, a line here, and the place that
// acts on it.
var knobs = []Knob{
	{"first", "misbehave on the first N connections only", func(m *Misbehaviour) any { return &m.First }},

	{"tcp-silent", "accept the connection and say nothing", func(m *Misbehaviour) any { return &m.TCPSilent }},
	{"tcp-close", "accept the connection and close it", func(m *Misbehaviour) any { return &m.TCPClose }},

	{"tls-garbage", "answer the ClientHello with random bytes", func(m *Misbehaviour) any { return &m.TLSGarbage }},
	{"tls-plain-http", "answer the ClientHello with a plain HTTP 400", func(m *Misbehaviour) any { return &m.TLSPlainHTTP }},
	{"tls-stall", "read the ClientHello and say nothing", func(m *Misbehaviour) any { return &m.TLSStall }},
	{"tls-close", "read the ClientHello and close", func(m *Misbehaviour) any { return &m.TLSClose }},
	{"tls-server-name", "refuse any SNI but this one, as accel-ppp does", func(m *Misbehaviour) any { return &m.TLSServerName }},

	{"http-status", "answer with this status", func(m *Misbehaviour) any { return &m.HTTPStatus }},
	{"http-redirect", "answer 302 with this Location", func(m *Misbehaviour) any { return &m.HTTPRedirect }},
	{"http-silent", "read the request and say nothing", func(m *Misbehaviour) any { return &m.HTTPSilent }},
	{"http-endless", "answer with a head that never ends", func(m *Misbehaviour) any { return &m.HTTPEndless }},
	{"http-garbage", "answer with random bytes", func(m *Misbehaviour) any { return &m.HTTPGarbage }},
	{"http-close", "read the request and close", func(m *Misbehaviour) any { return &m.HTTPClose }},
	{"http-continue", "send 100 Continue before the answer", func(m *Misbehaviour) any { return &m.HTTPContinue }},
	{"http-glued", "send the first SSTP packets in the same write as the head", func(m *Misbehaviour) any { return &m.HTTPGlued }},
	{"http-split", "send the head byte by byte", func(m *Misbehaviour) any { return &m.HTTPSplit }},
	{"http-trickle", "send the head byte by byte, one each so often", func(m *Misbehaviour) any { return &m.HTTPTrickle }},
	{"http-no-reason", "answer with an empty reason, as RRAS does", func(m *Misbehaviour) any { return &m.HTTPNoReason }},

	{"sstp-silent", "never answer CALL_CONNECT_REQUEST", func(m *Misbehaviour) any { return &m.SSTPSilent }},
	{"nak", "answer each CALL_CONNECT_REQUEST with a NAK", func(m *Misbehaviour) any { return &m.Nak }},
	{"abort-after-request", "abort instead of acknowledging", func(m *Misbehaviour) any { return &m.AbortAfterRequest }},
	{"abort-after-connected", "abort on CALL_CONNECTED, as for a wrong crypto binding", func(m *Misbehaviour) any { return &m.AbortAfterConnected }},
	{"ack-no-attribute", "CALL_CONNECT_ACK without the crypto binding request", func(m *Misbehaviour) any { return &m.AckNoAttribute }},
	{"ack-short", "CALL_CONNECT_ACK with a nonce of 16 bytes", func(m *Misbehaviour) any { return &m.AckShort }},
	{"ack-wrong-attribute", "CALL_CONNECT_ACK with an attribute of another number", func(m *Misbehaviour) any { return &m.AckWrongAttribute }},
	{"ack-trailing", "CALL_CONNECT_ACK with bytes behind its attribute", func(m *Misbehaviour) any { return &m.AckTrailing }},
	{"ack-mask", "the hash bitmask: 0, 1 (SHA-1), 2 (SHA-256), 3, 0x80", func(m *Misbehaviour) any { return &m.AckMask }},
	{"ack-twice", "send CALL_CONNECT_ACK twice", func(m *Misbehaviour) any { return &m.AckTwice }},
	{"ack-new-nonce", "send a second CALL_CONNECT_ACK with another nonce", func(m *Misbehaviour) any { return &m.AckNewNonce }},
	{"unknown-messages", "send N control messages of unknown types", func(m *Misbehaviour) any { return &m.UnknownMessages }},
	{"zero-length", "send a packet with length 0", func(m *Misbehaviour) any { return &m.ZeroLength }},
	{"wrong-version", "send a packet of SSTP version 2.0", func(m *Misbehaviour) any { return &m.WrongVersion }},
	{"oversized", "send data packets of 4095 bytes, the longest there are", func(m *Misbehaviour) any { return &m.Oversized }},
	{"broken-control", "send ECHO_REQUESTs with attributes of impossible lengths", func(m *Misbehaviour) any { return &m.BrokenControl }},
	{"bare-goodbye", "ABORT and DISCONNECT without attributes, as SoftEther sends them", func(m *Misbehaviour) any { return &m.BareGoodbye }},
	{"echo-flood", "send an ECHO_REQUEST each so often", func(m *Misbehaviour) any { return &m.EchoFlood }},
	{"echo-burst", "send so many echo requests in one write with the good verdict", func(m *Misbehaviour) any { return &m.EchoBurst }},
	{"request-burst", "send so many requests that must be rejected, in the same way", func(m *Misbehaviour) any { return &m.RequestBurst }},
	{"early-echo", "send an ECHO_REQUEST before the call is connected", func(m *Misbehaviour) any { return &m.EarlyEcho }},
	{"no-binding-check", "never look at CALL_CONNECTED, as SoftEther", func(m *Misbehaviour) any { return &m.NoBindingCheck }},
	{"no-sstp-echo", "never answer ECHO_REQUEST, as SoftEther", func(m *Misbehaviour) any { return &m.NoSSTPEcho }},
	{"no-lcp-echo", "never answer an LCP Echo-Request", func(m *Misbehaviour) any { return &m.NoLCPEcho }},

	{"no-lcp", "never send LCP", func(m *Misbehaviour) any { return &m.NoLCP }},
	{"lcp-nak-forever", "answer each LCP Configure-Request with another Nak", func(m *Misbehaviour) any { return &m.LCPNakForever }},
	{"lcp-empty-request", "send an LCP Configure-Request without options first", func(m *Misbehaviour) any { return &m.LCPEmptyRequest }},
	{"lcp-nak-mru", "insist on this MRU", func(m *Misbehaviour) any { return &m.LCPNakMRU }},
	{"lcp-reject", "reject MRU and magic number, as SoftEther does the latter", func(m *Misbehaviour) any { return &m.LCPReject }},
	{"lcp-extras", "ask for callback, multilink and header compression first, as RRAS does", func(m *Misbehaviour) any { return &m.LCPExtras }},
	{"extra-protocols", "begin CCP, CBCP and MPLSCP", func(m *Misbehaviour) any { return &m.ExtraProtocols }},
	{"broken-ppp", "send control packets of PPP with impossible lengths", func(m *Misbehaviour) any { return &m.BrokenPPP }},
	{"lcp-restart-after", "negotiate LCP again so long after the call was connected", func(m *Misbehaviour) any { return &m.LCPRestartAfter }},
	{"no-ipv6", "reject IPV6CP", func(m *Misbehaviour) any { return &m.NoIPv6 }},
	{"ipv6cp-silent", "never answer IPV6CP", func(m *Misbehaviour) any { return &m.IPv6CPSilent }},
	{"ipcp-silent", "never answer IPCP, as SoftEther without DHCP", func(m *Misbehaviour) any { return &m.IPCPSilent }},
	{"ipcp-delay", "answer IPCP so late", func(m *Misbehaviour) any { return &m.IPCPDelay }},
	{"ipcp-reject-dns", "reject the name server options", func(m *Misbehaviour) any { return &m.IPCPRejectDNS }},
	{"ipcp-reject-address", "reject the address option", func(m *Misbehaviour) any { return &m.IPCPRejectAddress }},
	{"ipcp-zero-address", "hand out 0.0.0.0", func(m *Misbehaviour) any { return &m.IPCPZeroAddress }},
	{"ipcp-no-peer-address", "give 0.0.0.0 as the server's own address", func(m *Misbehaviour) any { return &m.IPCPNoPeerAddress }},
	{"ipcp-wander", "negotiate IPCP again each so often, with another address for the client", func(m *Misbehaviour) any { return &m.IPCPWander }},

	{"offer-only", "propose this authentication method alone", func(m *Misbehaviour) any { return &m.OfferOnly }},
	{"auth-silent", "never begin the authentication", func(m *Misbehaviour) any { return &m.AuthSilent }},
	{"cut-in-auth", "close the TCP connection when the authentication begins", func(m *Misbehaviour) any { return &m.CutInAuth }},
	{"cut-at-verdict", "close the TCP connection instead of answering the login", func(m *Misbehaviour) any { return &m.CutAtVerdict }},
	{"terminate-in-auth", "terminate LCP when the authentication begins", func(m *Misbehaviour) any { return &m.TerminateInAuth }},
	{"wrong-proof", "MS-CHAPv2: prove with a wrong password", func(m *Misbehaviour) any { return &m.WrongProof }},
	{"no-proof", "MS-CHAPv2: no proof in the success message", func(m *Misbehaviour) any { return &m.NoProof }},
	{"early-success", "EAP: success before the method's proof", func(m *Misbehaviour) any { return &m.EarlySuccess }},
	{"fail-code", "refuse each login, with this code: 646 to 649, 691, 709", func(m *Misbehaviour) any { return &m.FailCode }},
	{"fail-message", "the text of a refusal", func(m *Misbehaviour) any { return &m.FailMessage }},
	{"fail-by-terminate", "refuse by terminating LCP, as SoftEther does under PAP", func(m *Misbehaviour) any { return &m.FailByTerminate }},
	{"trailing-text", "PAP: text behind the packet's length, as RouterOS", func(m *Misbehaviour) any { return &m.TrailingText }},
	{"rechallenge", "ask for the password again each so often, as accel-ppp can", func(m *Misbehaviour) any { return &m.Rechallenge }},

	{"split-bytes", "each byte in a TLS record of its own", func(m *Misbehaviour) any { return &m.SplitBytes }},
	{"header-forms", "PPP headers in all compressed forms by turns", func(m *Misbehaviour) any { return &m.HeaderForms }},
	{"garbage-frames", "a random data frame behind each Nth write", func(m *Misbehaviour) any { return &m.GarbageFrames }},
	{"early-ip", "IP packets before the call is connected", func(m *Misbehaviour) any { return &m.EarlyIP }},

	{"cut-after", "close the TCP connection so long after the call was connected", func(m *Misbehaviour) any { return &m.CutAfter }},
	{"cut-after-bytes", "close the TCP connection after so many bytes, both ways together", func(m *Misbehaviour) any { return &m.CutAfterBytes }},
	{"disconnect-after", "end the call in an orderly way so long after it was connected", func(m *Misbehaviour) any { return &m.DisconnectAfter }},
	{"silent-after", "fall silent so long after the call was connected, the connection stays", func(m *Misbehaviour) any { return &m.SilentAfter }},
}

// Knobs returns the table of misbehaviours.
func Knobs() []Knob { return knobs }

// Form shows how the knob is written: its name alone, or with a value.
func (k Knob) Form() string {
	switch k.field(new(Misbehaviour)).(type) {
	case *bool:
		return k.Name
	case *time.Duration:
		return k.Name + "=DURATION"
	case *int, **uint8:
		return k.Name + "=N"
	case *auth.Method:
		return k.Name + "=METHOD"
	}
	return k.Name + "=TEXT"
}

// ParseMisbehaviour reads a list like "nak,first=2,ipcp-delay=10s". Text with a comma in it cannot be given this way.
func ParseMisbehaviour(list string) (Misbehaviour, error) {
	var m Misbehaviour
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, value, given := strings.Cut(item, "=")
		k := findKnob(name)
		if k == nil {
			return m, fmt.Errorf("there is no misbehaviour %q", name)
		}
		if _, isBool := k.field(&m).(*bool); isBool == given {
			return m, fmt.Errorf("misbehaviour %q is written %s", name, k.Form())
		}
		if err := k.set(&m, value); err != nil {
			return m, fmt.Errorf("misbehaviour %s: %w", k.Form(), err)
		}
	}
	return m, nil
}

func findKnob(name string) *Knob {
	for i := range knobs {
		if knobs[i].Name == name {
			return &knobs[i]
		}
	}
	return nil
}

func (k *Knob) set(m *Misbehaviour, value string) (err error) {
	switch f := k.field(m).(type) {
	case *bool:
		*f = true
	case *int:
		*f, err = strconv.Atoi(value)
	case *time.Duration:
		*f, err = time.ParseDuration(value)
	case *string:
		*f = value
	case *auth.Method:
		*f = auth.Method(value)
		if p, _ := f.LCP(); p == 0 {
			err = fmt.Errorf("%q is no authentication method", value)
		}
	case **uint8:
		var n uint64
		n, err = strconv.ParseUint(value, 0, 8)
		*f = new(uint8(n))
	}
	return err
}
