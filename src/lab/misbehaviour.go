package lab

import (
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
