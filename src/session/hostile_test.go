package session

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
)

func mask(m uint8) *uint8 { return &m }

// TestEachServerFaultEndsInItsCode plays a server that goes wrong at one step and checks what the user is told, and that
// it comes within the step's deadline.
func TestEachServerFaultEndsInItsCode(t *testing.T) {
	for _, c := range []struct {
		name   string
		server lab.Misbehaviour
		code   fault.Code
		within time.Duration
	}{
		{"closes the TCP connection at once", lab.Misbehaviour{TCPClose: true}, fault.TLSFailed, time.Second},
		{"says nothing on TCP", lab.Misbehaviour{TCPSilent: true}, fault.TLSFailed, 20 * time.Second},
		{"answers garbage instead of TLS", lab.Misbehaviour{TLSGarbage: true}, fault.TLSFailed, time.Second},
		{"speaks plain HTTP", lab.Misbehaviour{TLSPlainHTTP: true}, fault.TLSFailed, time.Second},
		{"stalls in the TLS handshake", lab.Misbehaviour{TLSStall: true}, fault.TLSFailed, 20 * time.Second},
		{"is a web server", lab.Misbehaviour{HTTPStatus: 404}, fault.NotSSTP, time.Second},
		{"redirects", lab.Misbehaviour{HTTPRedirect: "https://example.test/"}, fault.HTTPRefused, time.Second},
		{"is overloaded", lab.Misbehaviour{HTTPStatus: 503}, fault.HTTPRefused, time.Second},
		{"never answers the request", lab.Misbehaviour{HTTPSilent: true}, fault.NotSSTP, 30 * time.Second},
		{"sends an endless head", lab.Misbehaviour{HTTPEndless: true}, fault.NotSSTP, 30 * time.Second},
		{"sends garbage as a head", lab.Misbehaviour{HTTPGarbage: true}, fault.NotSSTP, 30 * time.Second},
		{"never acknowledges the call", lab.Misbehaviour{SSTPSilent: true}, fault.PeerSilent, 30 * time.Second},
		{"refuses PPP for ever", lab.Misbehaviour{Nak: true}, fault.SSTPRejected, 10 * time.Second},
		{"aborts the request", lab.Misbehaviour{AbortAfterRequest: true}, fault.SSTPRejected, 10 * time.Second},
		{"acknowledges without an attribute", lab.Misbehaviour{AckNoAttribute: true}, fault.SSTPRejected, 10 * time.Second},
		{"offers no hash", lab.Misbehaviour{AckMask: mask(0)}, fault.SSTPRejected, 10 * time.Second},
		{"offers an unknown hash", lab.Misbehaviour{AckMask: mask(0x80)}, fault.SSTPRejected, 10 * time.Second},
		{"sends a packet of length 0", lab.Misbehaviour{ZeroLength: true}, fault.SSTPRejected, 10 * time.Second},
		{"sends another version", lab.Misbehaviour{WrongVersion: true}, fault.SSTPRejected, 10 * time.Second},
		{"aborts after CALL_CONNECTED", lab.Misbehaviour{AbortAfterConnected: true}, fault.CryptoBindingFailed, 10 * time.Second},
		{"negotiates no link", lab.Misbehaviour{NoLCP: true}, fault.PPPNegotiationFailed, 90 * time.Second},
		{"suggests another MRU for ever", lab.Misbehaviour{LCPNakForever: true}, fault.PPPNegotiationFailed, 90 * time.Second},
		{"offers only PAP", lab.Misbehaviour{OfferOnly: auth.PAP}, fault.AuthMethodRefused, 10 * time.Second},
		{"never answers the login", lab.Misbehaviour{AuthSilent: true}, fault.PeerSilent, 90 * time.Second},
		{"ends the link before it asks who we are", lab.Misbehaviour{TerminateInAuth: true}, fault.PPPNegotiationFailed, 10 * time.Second},
		{"ends the link after our answer", lab.Misbehaviour{FailCode: 691, FailByTerminate: true}, fault.AuthFailed, 10 * time.Second},
		{"closes before it asks who we are", lab.Misbehaviour{CutInAuth: true}, fault.ClosedByServer, 10 * time.Second},
		{"closes instead of a verdict", lab.Misbehaviour{CutAtVerdict: true}, fault.ClosedByServer, 10 * time.Second},
		{"proves to know another password", lab.Misbehaviour{WrongProof: true}, fault.AuthFailed, 10 * time.Second},
		{"proves nothing", lab.Misbehaviour{NoProof: true}, fault.AuthFailed, 10 * time.Second},
		{"says the hours are wrong", lab.Misbehaviour{FailCode: 646}, fault.AccountDisabled, 10 * time.Second},
		{"says the account is disabled", lab.Misbehaviour{FailCode: 647}, fault.AccountDisabled, 10 * time.Second},
		{"says the password has expired", lab.Misbehaviour{FailCode: 648}, fault.PasswordExpired, 10 * time.Second},
		{"says there is no dial-in permission", lab.Misbehaviour{FailCode: 649}, fault.AccountDisabled, 10 * time.Second},
		{"says the password is wrong", lab.Misbehaviour{FailCode: 691}, fault.AuthFailed, 10 * time.Second},
		{"gives no address", lab.Misbehaviour{IPCPSilent: true}, fault.NoAddress, 60 * time.Second},
		{"refuses to talk about addresses", lab.Misbehaviour{IPCPRejectAddress: true}, fault.NoAddress, 60 * time.Second},
		{"ends the call after a while", lab.Misbehaviour{DisconnectAfter: 2 * time.Second}, fault.ClosedByServer, 20 * time.Second},
		{"drops the connection after a while", lab.Misbehaviour{CutAfter: 2 * time.Second}, fault.ClosedByServer, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, lab.Config{Misbehave: c.server}, nil, func(w *world) {
				w.wantError(c.name, c.code, c.within)
				if c.code != fault.ClosedByServer && w.network.link() != nil {
					t.Error("the network was told of a link that never was")
				}
			})
		})
	}
}

// TestOddServersWork plays servers that do unusual things which are allowed, or harmless.
func TestOddServersWork(t *testing.T) {
	for name, m := range map[string]lab.Misbehaviour{
		"says 100 Continue first":              {HTTPContinue: true},
		"glues SSTP to the HTTP head":          {HTTPGlued: true},
		"sends the head byte by byte":          {HTTPSplit: true},
		"gives no reason phrase":               {HTTPNoReason: true},
		"adds bytes after the attributes":      {AckTrailing: true},
		"acknowledges twice":                   {AckTwice: true},
		"offers SHA-1 only":                    {AckMask: mask(1)},
		"offers both hashes":                   {AckMask: mask(3)},
		"sends unknown messages":               {UnknownMessages: 5},
		"floods with echo requests":            {EchoFlood: 50 * time.Millisecond},
		"asks for an echo before the login":    {EarlyEcho: true},
		"sends an empty Configure-Request":     {LCPEmptyRequest: true},
		"wants a smaller MRU":                  {LCPNakMRU: 1300},
		"rejects MRU and magic":                {LCPReject: true},
		"asks for callback and multilink":      {LCPExtras: true},
		"offers CCP, CBCP and MPLS":            {ExtraProtocols: true},
		"has no IPv6":                          {NoIPv6: true},
		"says nothing about IPv6":              {IPv6CPSilent: true},
		"takes ten seconds for an address":     {IPCPDelay: 10 * time.Second},
		"has no name servers":                  {IPCPRejectDNS: true},
		"adds text to its answer to the login": {TrailingText: true},
		"sends one byte per TLS record":        {SplitBytes: true},
		"uses all forms of PPP header":         {HeaderForms: true},
		"sends garbage frames":                 {GarbageFrames: 50},
		"sends IP before the call is up":       {EarlyIP: true},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, lab.Config{Misbehave: m}, nil, func(w *world) {
				w.wantUp(name)
				w.wait(30 * time.Second)
				if st := w.session.Status(); st.State != Up || st.Reconnects != 0 {
					t.Errorf("state %s, %d reconnections, last error %v", st.State, st.Reconnects, st.LastError)
				}
			})
		})
	}
}

func TestAnUntrustedCertificateIsRefusedBeforeAnythingIsSaid(t *testing.T) {
	play(t, lab.Config{}, config.Values{"cert_pin": {"sha256:" + "00000000000000000000000000000000000000000000000000000000000000aa"}}, func(w *world) {
		w.wantError("another pin", fault.CertPinMismatch, 20*time.Second)
		if n := w.server.Stats().Authenticated; n != 0 {
			t.Error("the client logged in")
		}
	})
}

// TestACallThatIsLostAsSoonAsItIsUpIsNoLoop plays servers that let the tunnel come up and break it at once, each time. A
// connection that closes without a word may be somebody else's doing: the pauses stay well within hold.
func TestACallThatIsLostAsSoonAsItIsUpIsNoLoop(t *testing.T) {
	for name, c := range map[string]struct {
		m    lab.Misbehaviour
		most int
	}{
		"begins LCP anew":     {lab.Misbehaviour{LCPRestartAfter: 10 * time.Millisecond}, 4},
		"closes":              {lab.Misbehaviour{CutAfter: 10 * time.Millisecond}, 65},
		"disconnects":         {lab.Misbehaviour{DisconnectAfter: 10 * time.Millisecond}, 4},
		"changes the address": {lab.Misbehaviour{IPCPWander: time.Millisecond}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, lab.Config{Misbehave: c.m}, nil, func(w *world) {
				w.wait(4 * time.Minute)
				w.mu.Lock()
				defer w.mu.Unlock()
				if n := len(w.dialed); n < 2 || n > c.most {
					t.Errorf("%d calls in 4 minutes, want the first, one at once, then pauses, and no more than %d", n, c.most)
				}
			})
		})
	}
}

// TestAServerThatChangesTheAddressAllTheTime must neither keep the machine's network busy for ever nor fill the memory
// with what it still has to hear.
func TestAServerThatChangesTheAddressAllTheTime(t *testing.T) {
	playAfter(t, lab.Config{Misbehave: lab.Misbehaviour{IPCPWander: 5 * time.Millisecond}}, nil,
		func(w *world) { w.network.takes = time.Second },
		func(w *world) {
			w.wantError("it never settles", fault.PPPNegotiationFailed, 2*time.Minute)
			if ups, _ := w.network.counts(); ups != maxAnnouncements {
				t.Errorf("the network was told %d times, want %d", ups, maxAnnouncements)
			}
		})
}

// TestTheNetworkHasTheAddressesThatWereAgreedOnLast: what the server changes while the network is told of something else
// follows, and packets flow with the addresses that hold.
func TestTheNetworkHasTheAddressesThatWereAgreedOnLast(t *testing.T) {
	playAfter(t, lab.Config{Misbehave: lab.Misbehaviour{IPCPWander: 2500 * time.Millisecond}}, nil,
		func(w *world) { w.network.takes = time.Second },
		func(w *world) {
			for i := range 5 {
				w.wait(2450 * time.Millisecond)
				w.wantEcho(fmt.Sprint("address ", i+1))
				w.wait(50 * time.Millisecond)
			}
		})
}

// TestAServerWithOneAddressInsideAndOutside, as some have: a route to its inner address would carry the tunnel into itself.
func TestAServerWithOneAddressInsideAndOutside(t *testing.T) {
	play(t, lab.Config{Pool: netip.MustParsePrefix("203.0.113.0/24")}, nil, func(w *world) {
		w.wantState("the address is the client's business", Up, time.Minute)
		if l := w.network.link(); l.Peer.IsValid() || !l.Local.IsValid() {
			t.Errorf("the network was told of %v with the peer %v, want none", l.Local, l.Peer)
		}
	})
}
