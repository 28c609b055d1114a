package ppp

import (
	"testing"

	"sstp/src/fault"
)

// beginLCP starts a client whose own request is acknowledged, so that only the server's is open.
func beginLCP(t *testing.T, auth ...AuthProtocol) *script {
	s := newScript(t, clientConfig(auth...))
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	return s
}

func TestConformance8ProposalsEAPThenMSCHAPv2ThenPAPWithPAPDisallowedFailCleanly(t *testing.T) {
	s := beginLCP(t, methodCHAP)
	s.sends(ProtoLCP, configureRequest, 1, "0304 c227")
	s.wants("EAP is not allowed", ProtoLCP, configureNak, 1, "0305 c22305")
	s.sends(ProtoLCP, configureRequest, 2, "0305 c22381")
	s.wants("MS-CHAPv2 is not allowed", ProtoLCP, configureNak, 2, "0305 c22305")
	s.sends(ProtoLCP, configureRequest, 3, "0304 c023")
	s.wants("PAP is not allowed, be it the last", ProtoLCP, configureNak, 3, "0305 c22305")
	s.wantsNothing("no Authenticate: the password stays here")
	s.sends(ProtoLCP, terminateRequest, 4, "")
	s.wants("SoftEther gives up", ProtoLCP, terminateAck, 4, "")
	err := s.wantsEnd("and the message says what it offers", fault.AuthMethodRefused, fault.StageAuth)
	if want := "No common authentication method: the server offers EAP, MS-CHAPv2, PAP; allowed here: CHAP-MD5."; err.Message != want {
		t.Errorf("message %q, want %q", err.Message, want)
	}
}

func TestAProposalThatIsRepeatedEndsTheCall(t *testing.T) {
	s := beginLCP(t, methodMSCHAPv2)
	for id := byte(1); id <= 2; id++ {
		s.sends(ProtoLCP, configureRequest, id, "0304 c023")
		s.wants("no PAP", ProtoLCP, configureNak, id, "0305 c22381")
	}
	s.sends(ProtoLCP, configureRequest, 3, "0304 c023")
	s.wants("the third time is once too often", ProtoLCP, terminateRequest, 2, "")
	s.wantsEnd("no common method", fault.AuthMethodRefused, fault.StageAuth)
}

func TestAProposalThatComesBackTwiceEndsTheCall(t *testing.T) {
	s := beginLCP(t, methodMSCHAPv2)
	for id, proposal := range []string{"0304 c023", "0304 c227", "0304 c023", "0304 c227"} {
		s.sends(ProtoLCP, configureRequest, byte(id), proposal)
		s.wants("denied", ProtoLCP, configureNak, byte(id), "0305 c22381")
	}
	s.sends(ProtoLCP, configureRequest, 9, "0304 c023")
	s.wantsKind("denied twice already", Send)
	s.wantsEnd("no common method", fault.AuthMethodRefused, fault.StageAuth)
}

func TestAServerWithEndlessIdeasIsLeft(t *testing.T) {
	s := beginLCP(t, methodMSCHAPv2)
	for id := range byte(8) {
		s.sends(ProtoLCP, configureRequest, id, "0305 c223 0"+string(rune('0'+id)))
		if id == 5 {
			continue // CHAP-MD5, not allowed either
		}
	}
	if len(s.queue) != 8 {
		t.Fatalf("%d answers, want 8 Naks", len(s.queue))
	}
	s.queue = nil
	s.sends(ProtoLCP, configureRequest, 99, "0305 c223 09")
	s.wantsKind("farewell", Send)
	s.wantsEnd("nine different methods, none of them ours", fault.AuthMethodRefused, fault.StageAuth)
}

func TestTheNakNamesTheMostPreferredMethodNotYetPassedOver(t *testing.T) {
	s := beginLCP(t, methodEAP, methodMSCHAPv2, methodCHAP)
	s.sends(ProtoLCP, configureRequest, 1, "0304 c023")
	s.wants("EAP first", ProtoLCP, configureNak, 1, "0304 c227")
	s.sends(ProtoLCP, configureRequest, 2, "0305 c22380")
	s.wants("the server passed EAP over: MS-CHAPv2", ProtoLCP, configureNak, 2, "0305 c22381")
	s.sends(ProtoLCP, configureRequest, 3, "0305 c22380")
	s.wants("and MS-CHAPv2: CHAP", ProtoLCP, configureNak, 3, "0305 c22305")
	s.sends(ProtoLCP, configureRequest, 4, "0305 c22381")
	s.wants("what is allowed is agreed to, suggested or not", ProtoLCP, configureAck, 4, "0305 c22381")
	s.wantsAuth("MS-CHAPv2", methodMSCHAPv2)
}

func TestTheAuthenticationOptionIsNeverRejected(t *testing.T) {
	s := beginLCP(t, methodMSCHAPv2)
	s.sends(ProtoLCP, configureRequest, 1, "0304 c023 0d03 06")
	s.wants("what must be rejected is, alone", ProtoLCP, configureReject, 1, "0d03 06")
	s.sends(ProtoLCP, configureRequest, 2, "0304 c023")
	s.wants("the first Nak comes with the next request, and is the first to count", ProtoLCP, configureNak, 2, "0305 c22381")
	s.sends(ProtoLCP, configureRequest, 3, "0303 c0")
	s.wants("nor when it is broken", ProtoLCP, configureNak, 3, "0305 c22381")
	s.sends(ProtoLCP, configureRequest, 4, "0306 c22381 00")
	s.wants("MS-CHAPv2 and something is not MS-CHAPv2", ProtoLCP, configureNak, 4, "0305 c22381")
}

func TestNothingAllowedMeansNoAuthentication(t *testing.T) {
	s := beginLCP(t)
	s.sends(ProtoLCP, configureRequest, 1, "0304 c227")
	s.wants("there is nothing to suggest", ProtoLCP, terminateRequest, 2, "")
	err := s.wantsEnd("no method", fault.AuthMethodRefused, fault.StageAuth)
	if want := "No common authentication method: the server offers EAP; allowed here: nothing."; err.Message != want {
		t.Errorf("message %q, want %q", err.Message, want)
	}
}

func TestAProtocolRejectOfTheAgreedMethod(t *testing.T) {
	s := newScript(t, clientConfig(methodEAP))
	s.establish(methodEAP)
	s.sends(ProtoLCP, protocolReject, 1, "c227 0201 0006 0300")
	s.wants("nothing is left to agree on", ProtoLCP, terminateRequest, 2, "")
	s.wantsEnd("the server took it back", fault.AuthMethodRefused, fault.StageAuth)
}

func TestAuthenticationPacketsPassThrough(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.establish(methodMSCHAPv2)
	s.sendsRaw("c223 0101 0006 aabb 0000")
	if a := s.wantsKind("a challenge, with its padding", AuthPacket); string(a.Data) != string(unhex("0101 0006 aabb 0000")) {
		t.Errorf("got %x", a.Data)
	}
	if got, want := s.link.AuthFrame([]byte{0xee}, unhex("0201 0004")), unhex("ee ff03 c223 0201 0004"); string(got) != string(want) {
		t.Errorf("AuthFrame: %x, want %x", got, want)
	}
	s.take(s.link.Authenticated(s.now))
	s.queue = nil
	s.sendsRaw("c223 0102 0004")
	s.wantsKind("a challenge can come at any time (accel-ppp, option interval)", AuthPacket)
	s.take(s.link.Authenticated(s.now))
	s.wantsNothing("the network protocols are started once")
}

func serverConfig(auth ...AuthProtocol) Config {
	return Config{
		Role: Server, MRU: 1400, Auth: auth, IPv4: true, IPv6: true,
		Address: addr("10.0.0.1"), PeerAddress: addr("10.0.0.2"), Rand: &counting{last: 0x80},
		InterfaceID: [8]byte{7: 0xfe}, PeerInterfaceID: [8]byte{7: 0x02},
	}
}

func TestTheServersProposals(t *testing.T) {
	const eap, mschap, chap, pap = "0304c227", "0305c22381", "0305c22305", "0304c023"
	const before, after = "01040578", "050681828384"
	for _, tc := range []struct {
		why     string
		answers []string // "reject", or the option in the Nak
		then    []string // what is proposed after each
	}{
		{"each Nak without a usable suggestion moves to the next", []string{"0304c999", pap}, []string{mschap, chap}},
		{"so does each Reject", []string{"reject", "reject"}, []string{mschap, chap}},
		{"a suggestion from the list is honoured", []string{chap}, []string{chap}},
		{"what was refused is not proposed again", []string{chap, eap, eap}, []string{chap, mschap, ""}},
		{"nor what is not in the list", []string{pap, pap, pap}, []string{mschap, chap, ""}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			s := newScript(t, serverConfig(methodEAP, methodMSCHAPv2, methodCHAP))
			s.start()
			last := eap
			s.wants("the first of the list", ProtoLCP, configureRequest, 1, before+last+after)
			for i, a := range tc.answers {
				id := byte(1 + i)
				if a == "reject" {
					s.sends(ProtoLCP, configureReject, id, last)
				} else {
					s.sends(ProtoLCP, configureNak, id, a)
				}
				if last = tc.then[i]; last == "" {
					s.wants("the list is at its end", ProtoLCP, terminateRequest, id+1, "")
					s.wantsEnd("no common method", fault.AuthMethodRefused, fault.StageAuth)
					return
				}
				s.wants("the next", ProtoLCP, configureRequest, id+1, before+last+after)
			}
			s.sends(ProtoLCP, configureAck, byte(1+len(tc.answers)), before+last+after)
			s.sends(ProtoLCP, configureRequest, 1, "")
			s.wants("the client asks for nothing", ProtoLCP, configureAck, 1, "")
			a := s.wantsKind("open", Authenticate)
			if got, _ := parseAuth(unhex(last)[2:]); a.Auth != got {
				t.Errorf("agreed on %s, want %s", a.Auth, got)
			}
		})
	}
}

func TestTheServerDoesNotAuthenticateItself(t *testing.T) {
	s := newScript(t, serverConfig(methodPAP))
	s.start()
	s.wantsKind("the server begins", Send)
	s.sends(ProtoLCP, configureRequest, 1, "0304 c023")
	s.wants("the client may not ask for that", ProtoLCP, configureReject, 1, "0304 c023")
}

func TestNamesOfMethods(t *testing.T) {
	for a, want := range map[AuthProtocol]string{
		{}: "none", methodPAP: "PAP", methodCHAP: "CHAP-MD5", methodMSCHAPv2: "MS-CHAPv2", methodEAP: "EAP",
		{ProtoCHAP, AlgorithmMSCHAP}: "MS-CHAPv1", {ProtoCHAP, 0x42}: "CHAP with algorithm 0x42", {Protocol(0xc281), 0}: "0xc281",
	} {
		if got := a.String(); got != want {
			t.Errorf("%#v: %q, want %q", a, got, want)
		}
	}
}

func TestNamesOfProtocolsAndActions(t *testing.T) {
	for p, want := range map[Protocol]string{
		ProtoIPv4: "IPv4", ProtoIPv6: "IPv6", ProtoIPCP: "IPCP", ProtoIPV6CP: "IPV6CP", ProtoLCP: "LCP",
		ProtoPAP: "PAP", ProtoCHAP: "CHAP", ProtoEAP: "EAP", ProtoCCP: "CCP", ProtoCBCP: "CBCP", 0x8281: "0x8281",
	} {
		if got := p.String(); got != want {
			t.Errorf("%04x: %q, want %q", uint16(p), got, want)
		}
	}
	if Send.String() != "Send" || Terminated.String() != "Terminated" || ActionKind(99).String() != "unknown" {
		t.Errorf("%s, %s, %s", Send, Terminated, ActionKind(99))
	}
}
