package ppp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"sstp/src/fault"
)

// script plays the peer of a Link: it says what the peer sends and what the Link must answer, sentence by sentence.
type script struct {
	t     *testing.T
	link  *Link
	now   time.Time
	queue []Action
}

// counting is a source of randomness that gives 01 02 03 04 ...: the first magic number is 01020304.
type counting struct{ last byte }

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		c.last++
		b[i] = c.last
	}
	return len(b), nil
}

var (
	methodPAP      = AuthProtocol{ProtoPAP, 0}
	methodCHAP     = AuthProtocol{ProtoCHAP, AlgorithmMD5}
	methodMSCHAPv2 = AuthProtocol{ProtoCHAP, AlgorithmMSCHAPv2}
	methodEAP      = AuthProtocol{ProtoEAP, 0}
)

// clientConfig is what a client of ours asks for by default. Its first Configure-Request is ourRequest.
func clientConfig(auth ...AuthProtocol) Config {
	return Config{
		Role: Client, MRU: 1400, Auth: auth, IPv4: true, IPv6: true, WantDNS: true,
		InterfaceID: [8]byte{0, 0, 0, 0, 0, 0, 0, 1}, Rand: &counting{},
	}
}

const (
	ourRequest    = "0104 0578  0506 01020304"
	ourIPRequest  = "0306 00000000  8106 00000000  8306 00000000"
	ourIP6Request = "010a 0000000000000001"
)

func newScript(t *testing.T, cfg Config) *script {
	return &script{t: t, link: NewLink(cfg), now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
}

// unhex reads bytes written with spaces.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// frame builds a frame by hand: header, code, identifier, length, data.
func frame(p Protocol, code, id byte, data string) []byte {
	d := unhex(data)
	return append([]byte{0xff, 0x03, byte(p >> 8), byte(p), code, id, byte((4 + len(d)) >> 8), byte(4 + len(d))}, d...)
}

func (s *script) take(do []Action) {
	s.t.Helper()
	for _, a := range do {
		if a.Kind == Send {
			if !bytes.HasPrefix(a.Data, []byte{0xff, 0x03}) || a.Data[2]&1 != 0 || a.Data[3]&1 != 1 || len(a.Data) > 4091 {
				s.t.Fatalf("sent %x: only FF 03 and two bytes of protocol may be sent, and no more than an SSTP packet holds", a.Data)
			}
		}
	}
	s.queue = append(s.queue, do...)
}

func (s *script) start() {
	s.t.Helper()
	s.take(s.link.Start(s.now))
}

// sends is the peer sending a control packet.
func (s *script) sends(p Protocol, code, id byte, data string) {
	s.t.Helper()
	s.take(s.link.Receive(s.now, frame(p, code, id, data)))
}

// sendsRaw is the peer sending a frame as it stands.
func (s *script) sendsRaw(text string) {
	s.t.Helper()
	s.take(s.link.Receive(s.now, unhex(text)))
}

// wait lets time pass, with the Link's timers running out where they are due.
func (s *script) wait(d time.Duration) {
	s.t.Helper()
	end := s.now.Add(d)
	for {
		next := s.link.Deadline()
		if next.IsZero() || next.After(end) {
			s.now = end
			return
		}
		if next.After(s.now) {
			s.now = next
		}
		s.take(s.link.Advance(s.now))
		if again := s.link.Deadline(); !again.IsZero() && !again.After(s.now) {
			s.t.Fatalf("Deadline stays at %v after Advance", again)
		}
	}
}

func (s *script) next(why string) Action {
	s.t.Helper()
	if len(s.queue) == 0 {
		s.t.Fatalf("nothing happened, want: %s", why)
	}
	a := s.queue[0]
	s.queue = s.queue[1:]
	return a
}

// wants checks that the next action sends this control packet.
func (s *script) wants(why string, p Protocol, code, id byte, data string) {
	s.t.Helper()
	a := s.next(why)
	if want := frame(p, code, id, data); a.Kind != Send || !bytes.Equal(a.Data, want) {
		s.t.Fatalf("%s:\n got %s\nwant Send %x", why, show(a), want)
	}
}

// wantsKind checks the next action's kind and returns it.
func (s *script) wantsKind(why string, k ActionKind) Action {
	s.t.Helper()
	a := s.next(why)
	if a.Kind != k {
		s.t.Fatalf("%s:\n got %s\nwant %s", why, show(a), k)
	}
	return a
}

func (s *script) wantsAuth(why string, m AuthProtocol) {
	s.t.Helper()
	if a := s.wantsKind(why, Authenticate); a.Auth != m {
		s.t.Fatalf("%s: agreed on %s, want %s", why, a.Auth, m)
	}
}

func (s *script) wantsIPv4(why, local, peer string, dns ...string) {
	s.t.Helper()
	want := IPv4{Local: netip.MustParseAddr(local)}
	if peer != "" {
		want.Peer = netip.MustParseAddr(peer)
	}
	for _, d := range dns {
		want.DNS = append(want.DNS, netip.MustParseAddr(d))
	}
	if a := s.wantsKind(why, IPv4Up); !reflect.DeepEqual(a.IPv4, want) {
		s.t.Fatalf("%s: got %v, want %v", why, a.IPv4, want)
	}
}

func (s *script) wantsNothing(why string) {
	s.t.Helper()
	if len(s.queue) > 0 {
		s.t.Fatalf("%s, but: %s", why, show(s.queue...))
	}
}

// wantsEnd checks that the link is over with this code and stage, and stays so.
func (s *script) wantsEnd(why string, code fault.Code, stage fault.Stage) *fault.Error {
	s.t.Helper()
	a := s.wantsKind(why, Terminated)
	err := a.Err
	if err == nil || err.Code != code || err.Stage != stage {
		s.t.Fatalf("%s: ended with %#v, want %s in stage %s", why, a.Err, code, stage)
	}
	s.wantsSilence()
	return err
}

// wantsSilence checks that nothing comes out of a link that is over.
func (s *script) wantsSilence() {
	s.t.Helper()
	s.wantsNothing("Terminated is the last action")
	if d := s.link.Deadline(); !d.IsZero() {
		s.t.Fatalf("a link that is over waits for %v", d)
	}
	s.take(s.link.Start(s.now))
	s.sends(ProtoLCP, configureRequest, 0x77, "")
	s.sends(ProtoLCP, echoRequest, 0x78, "00000000")
	s.take(s.link.Echo(s.now))
	s.take(s.link.Authenticated(s.now))
	s.take(s.link.Terminate(s.now, ""))
	s.take(s.link.Advance(s.now.Add(time.Hour)))
	s.wantsNothing("a link that is over does nothing")
}

func show(as ...Action) string {
	var b strings.Builder
	for _, a := range as {
		fmt.Fprintf(&b, "%s %x", a.Kind, a.Data)
		switch a.Kind {
		case Authenticate:
			fmt.Fprintf(&b, "%s", a.Auth)
		case IPv4Up:
			fmt.Fprintf(&b, "%v", a.IPv4)
		case IPv6Up:
			fmt.Fprintf(&b, "%v", a.IPv6)
		}
		if a.Err != nil {
			fmt.Fprintf(&b, "%v", a.Err)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// establish brings LCP up with a peer that acknowledges everything and asks for method m (or none).
func (s *script) establish(m AuthProtocol) {
	s.t.Helper()
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	opts := "0506 11223344"
	if m != (AuthProtocol{}) {
		opts = hex.EncodeToString(appendAuth(nil, m)) + opts
	}
	s.sends(ProtoLCP, configureRequest, 0x10, opts)
	s.wants("the server's request is fine", ProtoLCP, configureAck, 0x10, opts)
	s.wantsAuth("LCP is open", m)
}

// authenticate brings the link to where the network protocols have begun.
func (s *script) authenticate() {
	s.t.Helper()
	s.establish(methodMSCHAPv2)
	s.take(s.link.Authenticated(s.now))
	if s.link.cfg.IPv4 {
		s.wants("IPCP begins", ProtoIPCP, configureRequest, 2, ourIPRequest)
	}
	if s.link.cfg.IPv6 {
		s.wants("IPV6CP begins", ProtoIPV6CP, configureRequest, 3, ourIP6Request)
	}
	s.wantsNothing("both wait for the server")
}

// up brings IPCP up: 192.168.30.10, server 192.168.30.1, no name servers.
func (s *script) up() {
	s.t.Helper()
	s.authenticate()
	s.sends(ProtoIPCP, configureReject, 2, "8106 00000000 8306 00000000")
	s.wants("without name servers", ProtoIPCP, configureRequest, 4, "0306 00000000")
	s.sends(ProtoIPCP, configureNak, 4, "0306 c0a81e0a")
	s.wants("with the address given", ProtoIPCP, configureRequest, 5, "0306 c0a81e0a")
	s.sends(ProtoIPCP, configureAck, 5, "0306 c0a81e0a")
	s.sends(ProtoIPCP, configureRequest, 0x20, "0306 c0a81e01")
	s.wants("the server may have its address", ProtoIPCP, configureAck, 0x20, "0306 c0a81e01")
	s.wantsIPv4("IPCP is open", "192.168.30.10", "192.168.30.1")
}
