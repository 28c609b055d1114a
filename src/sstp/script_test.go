package sstp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/fault"
)

// script plays the peer of a call: it sends packets, lets time pass and compares what the call wants done, written as
// words, with a sentence that says why.
type script struct {
	*testing.T
	call *Call
	now  time.Time
	did  []string     // not yet compared
	sent [][]byte     // all packets that the call sent
	err  *fault.Error // the reason given with Release
}

var (
	testNonce = [32]byte{0: 1, 31: 2}
	testCert  = []byte("a certificate")
	testKey   = HLAK{0: 3, 31: 4}
)

// newScript returns a call that has been started. What Start does is not compared.
func newScript(t *testing.T, cfg Config) *script {
	cfg.LeafCertificate = testCert
	if cfg.Role == Server {
		cfg.Nonce = testNonce
	}
	p := &script{T: t, call: NewCall(cfg), now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	p.note(p.call.Start(p.now))
	p.did = nil
	return p
}

// client returns a client's call in one of its states; what led there is not compared.
func client(t *testing.T, s State) *script { return clientWith(t, s, Config{}) }

func clientWith(t *testing.T, s State, cfg Config) *script {
	t.Helper()
	cfg.Role = Client
	p := newScript(t, cfg)
	p.lead(s)
	return p
}

// server is client for a server's call.
func server(t *testing.T, s State) *script { return serverWith(t, s, Config{}) }

func serverWith(t *testing.T, s State, cfg Config) *script {
	t.Helper()
	cfg.Role = Server
	p := newScript(t, cfg)
	p.lead(s)
	return p
}

func (p *script) lead(s State) {
	p.Helper()
	first := p.call.State()
	if s != StateRequestSent && s != StateRequestPending {
		if p.call.cfg.Role == Server {
			p.sends(callConnectRequest())
		} else {
			p.sends(callConnectAck(HashSHA256))
		}
	}
	switch s {
	case StateConnected:
		if p.call.cfg.Role == Server {
			p.sends(AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey))
		}
		p.note(p.call.Authenticated(p.now, testKey))
	case StateAbortPending:
		p.note(p.call.Abort(p.now, AttributeNone, StatusNoError, nil))
	case StateAbortTimeoutPending:
		p.sends(AppendControl(nil, CallAbort))
	case StateDisconnectAckPending:
		p.note(p.call.Disconnect(p.now))
	case StateDisconnectTimeoutPending:
		p.sends(AppendControl(nil, CallDisconnect))
	}
	if p.call.State() != s {
		p.Fatalf("led from %v to %v, want %v", first, p.call.State(), s)
	}
	p.did = nil
}

func callConnectRequest() []byte {
	return AppendControl(nil, CallConnectRequest, Attribute{EncapsulatedProtocolID, []byte{0, 1}})
}

func callConnectAck(mask HashProtocol) []byte {
	return AppendControl(nil, CallConnectAck, Attribute{CryptoBindingReq, append([]byte{0, 0, 0, byte(mask)}, testNonce[:]...)})
}

// sends is the peer sending packets; each must survive Cut as the stream's reader would see it.
func (p *script) sends(packets ...[]byte) {
	p.Helper()
	for _, pkt := range packets {
		cut, rest, err := Cut(pkt)
		if err != nil || cut == nil || len(rest) != 0 {
			p.Fatalf("the script sends %x, which is not one packet", pkt)
		}
		p.note(p.call.Receive(p.now, cut))
	}
}

// sendsHex is sends for one packet as hex text.
func (p *script) sendsHex(text string) {
	p.Helper()
	p.sends(wire(p.T, text))
}

// sendsFrame is the peer sending a PPP frame.
func (p *script) sendsFrame(text string) {
	p.Helper()
	p.sends(AppendData(nil, wire(p.T, text)))
}

// silentFor lets time pass, and the call do what is due.
func (p *script) silentFor(d time.Duration) {
	p.Helper()
	until := p.now.Add(d)
	for steps := 0; ; steps++ {
		at := p.call.Deadline()
		if at.IsZero() || at.After(until) {
			break
		}
		if steps > 1000 {
			p.Fatal("time stands still")
		}
		p.now = at
		p.note(p.call.Advance(at))
	}
	p.now = until
}

func (p *script) note(actions []Action) {
	p.Helper()
	for _, a := range actions {
		p.did = append(p.did, words(a))
		switch a.Kind {
		case Send:
			pkt, rest, err := Cut(a.Data)
			if err != nil || pkt == nil || len(rest) != 0 {
				p.Fatalf("sent %x, which is not one packet", a.Data)
			}
			p.sent = append(p.sent, slices.Clone(a.Data))
		case Release:
			p.err = a.Err
		}
	}
}

// wants compares what the call did since the last time.
func (p *script) wants(why string, want ...string) {
	p.Helper()
	if !slices.Equal(p.did, want) {
		p.Errorf("%s:\n got %q\nwant %q", why, p.did, want)
	}
	p.did = nil
}

// wantsReason compares the reason of the release, by its code and by words that its message must have.
func (p *script) wantsReason(code fault.Code, parts ...string) {
	p.Helper()
	f := p.err
	if f == nil || f.Code != code {
		p.Errorf("released with %#v, want %s", p.err, code)
		return
	}
	for _, part := range parts {
		if !strings.Contains(f.Message, part) {
			p.Errorf("the message is %q, want it to say %q", f.Message, part)
		}
	}
	if f.Hint == "" || !strings.HasSuffix(f.Message, ".") {
		p.Errorf("%+v is no sentence with a hint", f)
	}
}

// words writes an action as scripts do.
func words(a Action) string {
	switch a.Kind {
	case Send:
		m, _ := ParseControl(a.Data)
		if s, ok := m.StatusInfo(); ok {
			return fmt.Sprintf("send %v %v", m.Type, s)
		}
		return fmt.Sprintf("send %v", m.Type)
	case PPPFrame:
		return fmt.Sprintf("frame %x", a.Data)
	case EchoAnswered:
		return "echo answered after " + a.RTT.String()
	case Release:
		if a.Err != nil {
			return "release " + string(a.Err.Code)
		}
		return "release"
	}
	return map[ActionKind]string{PPPUp: "PPP up", PPPDown: "PPP down", Connected: "connected", ProbePPP: "probe PPP"}[a.Kind]
}
