package ppp

import (
	"testing"
	"time"
)

func (s *script) wantsIPv6(why, local, peer string) {
	s.t.Helper()
	want := IPv6{Local: addr(local)}
	if peer != "" {
		want.Peer = addr(peer)
	}
	if a := s.wantsKind(why, IPv6Up); a.IPv6 != want {
		s.t.Fatalf("%s: got %v, want %v", why, a.IPv6, want)
	}
}

func TestIPv6Opens(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.authenticate()
	s.sends(ProtoIPV6CP, configureRequest, 1, "010a 0a0b0c0d0e0f1011")
	s.wants("the server's identifier", ProtoIPV6CP, configureAck, 1, "010a 0a0b0c0d0e0f1011")
	s.sends(ProtoIPV6CP, configureAck, 3, ourIP6Request)
	s.wantsIPv6("up", "fe80::1", "fe80::a0b:c0d:e0f:1011")
	s.sends(ProtoIPV6CP, configureRequest, 2, "010a 0a0b0c0d0e0f1012")
	s.wantsKind("a new request begins anew", IPv6Down)
	s.wants("ours", ProtoIPV6CP, configureRequest, 4, ourIP6Request)
	s.wants("theirs", ProtoIPV6CP, configureAck, 2, "010a 0a0b0c0d0e0f1012")
	s.sends(ProtoIPV6CP, configureAck, 4, ourIP6Request)
	s.wantsIPv6("up again", "fe80::1", "fe80::a0b:c0d:e0f:1012")
	s.sends(ProtoLCP, terminateRequest, 1, "")
	s.wantsKind("down with the link", IPv6Down)
}

func TestInterfaceIdentifiers(t *testing.T) {
	for _, tc := range []struct {
		why, request string
		code         byte
		answer       string
	}{
		{"none: one is suggested, not universally unique", "010a 0000000000000000", configureNak, "010a 0506 0708090a0b0c"},
		{"ours: another is suggested", ourIP6Request, configureNak, "010a 0506 0708090a0b0c"},
		{"compression", "010a 0a0b0c0d0e0f1011 0204 004f", configureReject, "0204 004f"},
		{"a short one", "0106 01020304", configureReject, "0106 01020304"},
		{"nothing at all", "", configureAck, ""},
	} {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.authenticate()
		s.sends(ProtoIPV6CP, configureRequest, 1, tc.request)
		s.wants(tc.why, ProtoIPV6CP, tc.code, 1, tc.answer)
	}

	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.authenticate()
	s.sends(ProtoIPV6CP, configureNak, 3, "010a 0a0b0c0d0e0f1011")
	s.wants("the server's suggestion is taken", ProtoIPV6CP, configureRequest, 4, "010a 0a0b0c0d0e0f1011")
	s.sends(ProtoIPV6CP, configureNak, 4, "010a 0a0b0c0d0e0f1011")
	s.wants("but not twice", ProtoIPV6CP, configureRequest, 5, "010a 05060708090a0b0c")
	s.sends(ProtoIPV6CP, configureNak, 5, "0206 00000000")
	s.wants("what was not asked for is ignored", ProtoIPV6CP, configureRequest, 6, "010a 05060708090a0b0c")
	s.sends(ProtoIPV6CP, configureRequest, 1, "")
	s.wantsKind("an empty request", Send)
	s.sends(ProtoIPV6CP, configureAck, 6, "010a 05060708090a0b0c")
	s.wantsIPv6("up without knowing the server's", "fe80::506:708:90a:b0c", "")
}

func TestARandomIdentifierIsNotUniversallyUnique(t *testing.T) {
	cfg := clientConfig(methodMSCHAPv2)
	cfg.InterfaceID, cfg.IPv4, cfg.Rand = [8]byte{}, false, &counting{last: 0xf9}
	s := newScript(t, cfg)
	s.start()
	s.wants("the magic number comes first", ProtoLCP, configureRequest, 1, "0104 0578 0506 fafbfcfd")
	s.sends(ProtoLCP, configureAck, 1, "0104 0578 0506 fafbfcfd")
	s.sends(ProtoLCP, configureRequest, 1, "")
	s.queue = nil
	s.take(s.link.Authenticated(s.now))
	s.wants("fe without bit 1 is fc", ProtoIPV6CP, configureRequest, 2, "010a fcff000102030405")
}

// IPv6 is optional by nature: none of these ends the call.
func TestNoIPv6(t *testing.T) {
	for _, tc := range []struct {
		why     string
		play    func(*script)
		said    bool // a Terminate-Request goes out
		message string
	}{
		{"Protocol-Reject (RRAS without IPv6, accel-ppp)", func(s *script) { s.sends(ProtoLCP, protocolReject, 1, "8057 0103000e") }, false,
			"The server does not support IPV6CP."},
		{"a Reject of the identifier", func(s *script) { s.sends(ProtoIPV6CP, configureReject, 3, ourIP6Request) }, true,
			"The server refused our IPv6 interface identifier."},
		{"ten seconds of silence (older SoftEther)", func(s *script) { s.wait(10 * time.Second) }, false,
			"The server does not answer IPV6CP."},
		{"Naks without end", func(s *script) {
			for i := range byte(6) {
				s.sends(ProtoIPV6CP, configureNak, s.link.ipv6cp.reqID, "010a 0a0b0c0d0e0f10"+string("0123456789"[i])+"1")
			}
		}, true, "The server refused our IPv6 interface identifier."},
	} {
		t.Run(tc.why, func(t *testing.T) {
			s := newScript(t, clientConfig(methodMSCHAPv2))
			s.up()
			tc.play(s)
			for len(s.queue) > 0 && s.queue[0].Kind == Send && s.queue[0].Data[4] == configureRequest {
				s.queue = s.queue[1:]
			}
			if tc.said {
				s.wantsKind("IPV6CP is closed", Send)
			}
			a := s.wantsKind(tc.why, IPv6Down)
			if a.Err == nil || a.Err.Message != tc.message {
				t.Errorf("reason %v, want %q", a.Err, tc.message)
			}
			s.queue = nil
			s.wait(time.Hour)
			for _, a := range s.queue {
				if a.Kind != Send {
					t.Fatalf("IPv6Down was said, then: %s", show(a))
				}
			}
			if d := s.link.Deadline(); !d.IsZero() {
				t.Errorf("still waiting for %v", d)
			}
			s.queue = nil
			s.take(s.link.Echo(s.now))
			s.wantsKind("the call lives on", Send)
		})
	}
}

func TestIPv6ThatEndsAndComesBack(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.up()
	s.sends(ProtoIPV6CP, configureRequest, 1, "010a 0a0b0c0d0e0f1011")
	s.wantsKind("fine", Send)
	s.sends(ProtoIPV6CP, configureAck, 3, ourIP6Request)
	s.wantsIPv6("up", "fe80::1", "fe80::a0b:c0d:e0f:1011")
	s.sends(ProtoIPV6CP, terminateRequest, 2, "")
	s.wantsKind("Terminate ends IPv6", IPv6Down)
	s.wants("with an Ack", ProtoIPV6CP, terminateAck, 2, "")
	s.wait(time.Minute)
	s.wantsNothing("and nothing else")
	s.sends(ProtoIPV6CP, configureRequest, 3, "010a 0a0b0c0d0e0f1011")
	s.wants("when the server begins again, so do we", ProtoIPV6CP, configureRequest, 6, ourIP6Request)
	s.wants("", ProtoIPV6CP, configureAck, 3, "010a 0a0b0c0d0e0f1011")
	s.sends(ProtoIPV6CP, configureAck, 6, ourIP6Request)
	s.wantsIPv6("up", "fe80::1", "fe80::a0b:c0d:e0f:1011")
	s.sends(ProtoLCP, protocolReject, 2, "8057 0106000e")
	s.wantsKind("a Protocol-Reject in Opened ends it too", IPv6Down)
	s.wants("RFC 1661: RXJ- in Opened", ProtoIPV6CP, terminateRequest, 7, "")
	s.wait(time.Minute)
	s.wants("twice", ProtoIPV6CP, terminateRequest, 8, "")
	s.wantsNothing("and the call stays")
}
