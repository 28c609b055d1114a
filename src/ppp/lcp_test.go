package ppp

import (
	"strings"
	"testing"
	"time"

	"sstp/src/fault"
)

func TestBytesOfTheFirstRequests(t *testing.T) {
	cfg := clientConfig(methodMSCHAPv2)
	cfg.MRU = 1500
	s := newScript(t, cfg)
	s.start()
	if got, want := s.next("a client's request").Data, unhex("ff03 c021 0101000e 010405dc 050601020304"); string(got) != string(want) {
		t.Errorf("client: %x, want %x", got, want)
	}
	cfg.Role, cfg.MRU, cfg.Rand = Server, 1400, &counting{}
	s = newScript(t, cfg)
	s.start()
	if got, want := s.next("a server's request").Data, unhex("ff03 c021 01010013 01040578 0305c22381 050601020304"); string(got) != string(want) {
		t.Errorf("server: %x, want %x", got, want)
	}
}

func TestConformance9EmptyConfigureRequestIsAcknowledged(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureRequest, 9, "")
	s.wants("no options are valid options", ProtoLCP, configureAck, 9, "")
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	s.wantsAuth("without the option nobody authenticates", AuthProtocol{})
	if got := s.link.PeerMRU(); got != 1500 {
		t.Errorf("PeerMRU %d, want 1500 when nothing is said", got)
	}
}

func TestConformance9RejectsOfMRUAndMagic(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureReject, 1, "0506 01020304")
	s.wants("without the magic number, with a new identifier", ProtoLCP, configureRequest, 2, "0104 0578")
	s.sends(ProtoLCP, configureReject, 2, "0104 0578")
	s.wants("without the MRU too", ProtoLCP, configureRequest, 3, "")
	s.sends(ProtoLCP, configureAck, 3, "")
	s.sends(ProtoLCP, configureRequest, 9, "0305 c22381")
	s.wants("fine", ProtoLCP, configureAck, 9, "0305 c22381")
	s.wantsAuth("open", methodMSCHAPv2)
	s.take(s.link.Echo(s.now))
	s.wants("echoes carry 0 without a magic number", ProtoLCP, echoRequest, 4, "00000000")
}

func TestConformance9NakOfMRU(t *testing.T) {
	for _, tc := range []struct{ why, suggested, then string }{
		{"accel-ppp's 1452 is taken", "0104 05ac", "0104 05ac 0506 01020304"},
		{"400 is too little to be asked for", "0104 0190", "0506 01020304"},
		{"what an SSTP packet cannot hold is not asked for", "0104 ffff", "0506 01020304"},
		{"an option that was not asked for is ignored", "0206 00000000", ourRequest},
		{"a magic number is drawn anew", "0506 00000000", "0104 0578 0506 05060708"},
	} {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.start()
		s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
		s.sends(ProtoLCP, configureNak, 1, tc.suggested)
		s.wants(tc.why, ProtoLCP, configureRequest, 2, tc.then)
	}
}

func TestAnswersToTheServersOptions(t *testing.T) {
	for _, tc := range []struct {
		why, request string
		code         byte
		answer       string
	}{
		{"any MRU", "0104 0ff7", configureAck, "0104 0ff7"},
		{"an MRU that no one can work with", "0104 0020", configureNak, "0104 05dc"},
		{"ACCM means nothing here (pppd)", "0206 00000000", configureAck, "0206 00000000"},
		{"a magic number", "0506 11223344", configureAck, "0506 11223344"},
		{"our own magic number", "0506 01020304", configureNak, "0506 05060708"},
		{"a magic number of zero", "0506 00000000", configureNak, "0506 05060708"},
		{"PFC and ACFC", "0702 0802", configureAck, "0702 0802"},
		{"callback, multilink, endpoint, link quality: all in one Reject",
			"0104 05dc 0d03 06 1104 064e 1303 00 0408 c025 00000064", configureReject,
			"0d03 06 1104 064e 1303 00 0408 c025 00000064"},
		{"a Reject goes before a Nak", "0506 01020304 0d03 06", configureReject, "0d03 06"},
		{"an option of a length that it cannot have", "0103 05", configureReject, "0103 05"},
		{"one suggestion for one option, however often it comes", "0506 01020304 0506 01020304", configureNak, "0506 05060708"},
	} {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.start()
		s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
		s.sends(ProtoLCP, configureRequest, 9, tc.request)
		s.wants(tc.why, ProtoLCP, tc.code, 9, tc.answer)
		s.wantsNothing("there is exactly one answer")
	}
}

func TestPeerMRUIsWhatAnSSTPPacketHolds(t *testing.T) {
	for request, want := range map[string]int{"0104 0ffb": 4087, "0104 0578": 1400, "0104 ffff": 4087, "": 1500} {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.start()
		s.sends(ProtoLCP, configureRequest, 9, request)
		if got := s.link.PeerMRU(); got != want {
			t.Errorf("request %q: PeerMRU %d, want %d", request, got, want)
		}
	}
}

func TestBrokenAndStrayPacketsAreDropped(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.sends(ProtoLCP, configureRequest, 1, "")
	s.wantsNothing("nothing is heard before Start")
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	s.take(s.link.Start(s.now))
	s.sends(ProtoLCP, configureRequest, 9, "0105 05dc")
	s.sends(ProtoLCP, configureNak, 1, "0100")
	s.sends(ProtoLCP, configureAck, 2, ourRequest)
	s.sends(ProtoLCP, configureAck, 1, "0104 0579 0506 01020304")
	s.sends(ProtoLCP, configureAck, 1, "0104 0578")
	s.sends(ProtoLCP, configureNak, 2, "0104 05ac")
	s.sends(ProtoLCP, configureReject, 0, "0104 0578")
	s.sends(ProtoLCP, echoReply, 1, "00000000")
	s.sendsRaw("")
	s.sendsRaw("ff03 c021")
	s.sendsRaw("ff03 c021 0109 0003")
	s.sendsRaw("ff03 c020 0109 0004")
	s.sendsRaw("ff03 0021 4500")
	s.wantsNothing("broken options, other identifiers, changed options, echoes, bad frames and IP say nothing")
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	s.sends(ProtoLCP, configureNak, 1, "0104 05ac")
	s.wantsNothing("a second answer to the same request is one too many")
}

func TestNothingIsRejectedBeforeLCPIsOpen(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoCCP, configureRequest, 1, "1206 01000001")
	s.sends(ProtoIPCP, configureRequest, 2, "0306 01020304")
	s.sends(ProtoCHAP, 1, 3, "")
	s.sends(ProtoLCP, protocolReject, 4, "8021")
	s.sends(ProtoLCP, echoRequest, 0, "00000000 41686f2042616b61204d616e756b6500")
	s.take(s.link.Echo(s.now))
	s.take(s.link.Authenticated(s.now))
	s.wantsNothing("before Opened these are dropped without a word")
}

func TestConformance10UnknownProtocolsAreRejectedWithTheirPacket(t *testing.T) {
	cfg := clientConfig(methodMSCHAPv2)
	cfg.IPv6 = false
	s := newScript(t, cfg)
	s.establish(methodMSCHAPv2)
	for i, tc := range []struct {
		why, frame, quoted string
	}{
		{"CCP", "ff03 80fd 0106000a 1206 01000001", "80fd 0106000a 1206 01000001"},
		{"CBCP", "ff03 c029 01000006 0102", "c029 01000006 0102"},
		{"MPLSCP", "ff03 8281 01010004", "8281 01010004"},
		{"IPV6CP that is not wanted", "ff03 8057 01020010 010a 0200000000000001 ", "8057 01020010 010a 0200000000000001"},
		{"link quality", "c025 00", "c025 00"},
		{"multilink, in short form", "3d 00", "003d 00"},
		{"MPPE", "ff03 00fd 1000", "00fd 1000"},
		{"Van Jacobson compression", "ff03 002d 1000", "002d 1000"},
		{"an authentication protocol that was not agreed on", "ff03 c023 01010004", "c023 01010004"},
	} {
		s.sendsRaw(strings.TrimSpace(tc.frame))
		s.wants(tc.why, ProtoLCP, protocolReject, byte(2+i), tc.quoted)
	}
	s.wantsNothing("one Reject each")
}

func TestWhatIsQuotedIsCutToThePeersMRU(t *testing.T) {
	s := newScript(t, clientConfig())
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	s.sends(ProtoLCP, configureRequest, 9, "0104 0080")
	s.wants("128 bytes are few but legal", ProtoLCP, configureAck, 9, "0104 0080")
	s.wantsAuth("open", AuthProtocol{})
	long := strings.Repeat("5a", 300)
	s.sendsRaw("ff03 80fd" + long)
	s.wants("Protocol-Reject", ProtoLCP, protocolReject, 2, "80fd"+strings.Repeat("5a", 122))
	s.sends(ProtoLCP, echoRequest, 3, "11223344"+long)
	s.wants("Echo-Reply (accel-ppp issue 204)", ProtoLCP, echoReply, 3, "01020304"+strings.Repeat("5a", 120))
	s.sends(ProtoLCP, 0x55, 4, long)
	s.wants("Code-Reject", ProtoLCP, codeReject, 3, "55 04 0130"+strings.Repeat("5a", 120))
	s.sends(ProtoLCP, terminateRequest, 5, long)
	s.wants("Terminate-Ack", ProtoLCP, terminateAck, 5, strings.Repeat("5a", 124))
}

func TestARequestThatNoAnswerCanHoldIsNotAnswered(t *testing.T) {
	s := newScript(t, clientConfig())
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	// A compressed header leaves room for an acknowledgement that is too long with ours.
	data := strings.Repeat("0702", 2042)
	s.take(s.link.Receive(s.now, frame(ProtoLCP, configureRequest, 9, data)[2:]))
	s.wantsNothing("4084 bytes of options do not fit behind our header")
}

func TestEcho(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.establish(methodMSCHAPv2)
	s.sends(ProtoLCP, echoRequest, 0x30, "11223344")
	s.wants("the reply has our magic number, for accel-ppp takes its own for a loop", ProtoLCP, echoReply, 0x30, "01020304")
	s.sends(ProtoLCP, echoRequest, 0x31, "11223344 6869")
	s.wants("and the data", ProtoLCP, echoReply, 0x31, "01020304 6869")
	s.sends(ProtoLCP, echoRequest, 0x32, "112233")
	s.wantsNothing("a request without room for a magic number is broken")

	s.take(s.link.Echo(s.now))
	s.wants("our request", ProtoLCP, echoRequest, 2, "01020304")
	s.now = s.now.Add(20 * time.Millisecond)
	s.sends(ProtoLCP, echoReply, 7, "11223344")
	s.wantsNothing("another identifier is another echo")
	s.sends(ProtoLCP, echoReply, 2, "01020304")
	if a := s.wantsKind("SoftEther sends our own magic number back: no loop", EchoReply); a.RTT != 20*time.Millisecond {
		t.Errorf("RTT %v, want 20ms", a.RTT)
	}
	s.sends(ProtoLCP, echoReply, 2, "01020304")
	s.wantsNothing("an echo is answered once")
	s.sends(ProtoLCP, discardRequest, 1, "11223344")
	s.sends(ProtoLCP, identification, 1, "11223344 4d53524153")
	s.sends(ProtoLCP, timeRemaining, 1, "11223344 00000e10")
	s.wantsNothing("Discard-Request, Identification and Time-Remaining want no answer")
}

func TestASilentServerIsAskedTenTimes(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	for range 10 {
		s.wants("the same request with the same identifier, every 3 s", ProtoLCP, configureRequest, 1, ourRequest)
		s.wantsNothing("one at a time")
		s.wait(3 * time.Second)
	}
	s.wants("a word of farewell", ProtoLCP, terminateRequest, 2, "")
	err := s.wantsEnd("30 s are enough", fault.PPPNegotiationFailed, fault.StagePPP)
	if err.Message != "The server does not answer LCP." {
		t.Errorf("message %q", err.Message)
	}
}

func TestAnAnswerToEitherCopyCounts(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wait(4 * time.Second)
	s.wants("the request", ProtoLCP, configureRequest, 1, ourRequest)
	s.wants("and its copy", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureNak, 1, "0104 05ac")
	s.wants("the answer to the first", ProtoLCP, configureRequest, 2, "0104 05ac 0506 01020304")
	s.sends(ProtoLCP, configureNak, 1, "0104 05ac")
	s.wantsNothing("the answer to the second is late")
}

func TestAnAcknowledgedRequestIsNotRepeatedUnderItsIdentifier(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	s.wait(3 * time.Second)
	s.wants("Ack-Rcvd falls back to Req-Sent; the identifier must change after a valid reply", ProtoLCP, configureRequest, 2, ourRequest)
}

func TestNegotiationsThatDoNotEndAreEnded(t *testing.T) {
	t.Run("a server that Naks forever", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.start()
		for id := byte(1); id <= 5; id++ {
			s.wants("asked again", ProtoLCP, configureRequest, id, ourRequest)
			s.sends(ProtoLCP, configureNak, id, "0104 0578")
		}
		s.wants("asked again", ProtoLCP, configureRequest, 6, ourRequest)
		s.sends(ProtoLCP, configureNak, 6, "0104 0578")
		s.wants("the sixth Nak is taken for a Reject", ProtoLCP, configureRequest, 7, "0506 01020304")
		for id := byte(7); id <= 10; id++ {
			s.sends(ProtoLCP, configureNak, id, "0104 0578")
			if id < 10 {
				s.wants("asked again", ProtoLCP, configureRequest, id+1, "0506 01020304")
			}
		}
		s.wants("asked again", ProtoLCP, configureRequest, 11, "0506 01020304")
		s.sends(ProtoLCP, configureNak, 11, "0104 0578")
		s.wants("enough", ProtoLCP, terminateRequest, 12, "")
		s.wantsEnd("after ten rounds", fault.PPPNegotiationFailed, fault.StagePPP)
	})
	t.Run("a server that insists", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.start()
		s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
		for id := byte(1); id <= 5; id++ {
			s.sends(ProtoLCP, configureRequest, id, "0104 0020")
			s.wants("five Naks", ProtoLCP, configureNak, id, "0104 05dc")
		}
		s.sends(ProtoLCP, configureRequest, 6, "0104 0020")
		s.wants("then a Reject", ProtoLCP, configureReject, 6, "0104 0020")
	})
	t.Run("a server that talks but never agrees", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.start()
		s.sends(ProtoLCP, configureAck, 1, ourRequest)
		for id := byte(1); id < 30; id++ {
			s.sends(ProtoLCP, configureRequest, id, "0d03 06")
			s.wait(time.Second)
		}
		s.queue = nil
		s.wait(time.Second)
		s.wantsKind("farewell", Send)
		err := s.wantsEnd("30 s for all of LCP", fault.PPPNegotiationFailed, fault.StagePPP)
		if err.Message != "No agreement with the server about LCP." {
			t.Errorf("message %q", err.Message)
		}
	})
	t.Run("a copy of a request is not a new round", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.start()
		s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
		for range 8 {
			s.sends(ProtoLCP, configureRequest, 1, "0304 c023")
			s.wants("the same answer", ProtoLCP, configureNak, 1, "0305 c22381")
		}
	})
}

func TestConfigureRequestInOpened(t *testing.T) {
	t.Run("a copy of the last one crossed our Ack", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.up()
		s.sends(ProtoLCP, configureRequest, 0x10, "0305 c22381 0506 11223344")
		s.wants("it is acknowledged again", ProtoLCP, configureAck, 0x10, "0305 c22381 0506 11223344")
		s.wantsNothing("and nothing else happens")
	})
	t.Run("while the call is up it ends the call", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.up()
		s.sends(ProtoLCP, configureRequest, 0x11, "0305 c22381 0506 11223344")
		s.wants("the server is told", ProtoLCP, terminateRequest, 6, "")
		s.wantsKind("IP stops", IPv4Down)
		s.wantsEnd("and the call is dialed again", fault.PPPNegotiationFailed, fault.StagePPP)
	})
	t.Run("during authentication it begins anew, three times", func(t *testing.T) {
		s := newScript(t, clientConfig(methodEAP, methodMSCHAPv2))
		s.establish(methodEAP)
		for i := range byte(3) {
			s.sends(ProtoLCP, configureRequest, 0x40+i, "0305 c22381")
			s.wants("our request again", ProtoLCP, configureRequest, 2+i, ourRequest)
			s.wants("the new method is fine", ProtoLCP, configureAck, 0x40+i, "0305 c22381")
			s.sends(ProtoLCP, configureAck, 2+i, ourRequest)
			s.wantsAuth("authentication starts over", methodMSCHAPv2)
		}
		s.sends(ProtoLCP, configureRequest, 0x50, "0305 c22381")
		s.wants("enough", ProtoLCP, terminateRequest, 5, "")
		s.wantsEnd("enough", fault.PPPNegotiationFailed, fault.StagePPP)
	})
	t.Run("a Terminate-Ack out of the blue", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.up()
		s.sends(ProtoLCP, terminateAck, 1, "")
		s.wants("the server is told", ProtoLCP, terminateRequest, 6, "")
		s.wantsKind("IP stops", IPv4Down)
		s.wantsEnd("the server thinks that it is over", fault.PPPNegotiationFailed, fault.StagePPP)
	})
}

func TestCodesThatTheServerRejects(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.establish(methodMSCHAPv2)
	s.sends(ProtoLCP, codeReject, 1, "09 02 0008 01020304")
	s.sends(ProtoLCP, codeReject, 1, "")
	s.wantsNothing("one can live without echoes")
	s.sends(ProtoLCP, codeReject, 1, "01 01 0004")
	s.wants("farewell", ProtoLCP, terminateRequest, 2, "")
	s.wantsEnd("but not without Configure-Requests", fault.PPPNegotiationFailed, fault.StagePPP)

	s = newScript(t, clientConfig(methodMSCHAPv2))
	s.establish(methodMSCHAPv2)
	s.sends(ProtoLCP, protocolReject, 1, "c0")
	s.sends(ProtoLCP, protocolReject, 1, "80fd")
	s.wantsNothing("nor does one need what one never sent")
	s.sends(ProtoLCP, protocolReject, 1, "c021 0101 0004")
	s.wants("farewell", ProtoLCP, terminateRequest, 2, "")
	s.wantsEnd("LCP is needed", fault.PPPNegotiationFailed, fault.StagePPP)
}

func TestTerminateFromTheServer(t *testing.T) {
	for _, tc := range []struct {
		why     string
		prepare func(*script)
		data    string
		code    fault.Code
		stage   fault.Stage
		message string
	}{
		{"before LCP is open", func(s *script) { s.start() }, "",
			fault.PPPNegotiationFailed, fault.StagePPP, "The server ended the negotiation."},
		{"after we refused its methods", func(s *script) { s.start(); s.sends(ProtoLCP, configureRequest, 1, "0304 c023") }, "",
			fault.AuthMethodRefused, fault.StageAuth, "No common authentication method: the server offers PAP; allowed here: MS-CHAPv2."},
		{"before we have said who we are", func(s *script) { s.establish(methodMSCHAPv2) }, "",
			fault.PPPNegotiationFailed, fault.StageAuth, "The server ended the call before the login."},
		{"after our answer: SoftEther's word for a wrong password",
			func(s *script) { s.establish(methodMSCHAPv2); s.link.AuthFrame(nil, []byte{2, 1, 0, 4}) }, "",
			fault.AuthFailed, fault.StageAuth, "The server ended the call during authentication."},
		{"without authentication, before the network", func(s *script) { s.establish(AuthProtocol{}) }, "",
			fault.PPPNegotiationFailed, fault.StagePPP, "The server ended the negotiation."},
		{"before there is an address", func(s *script) { s.authenticate() }, "",
			fault.NoAddress, fault.StageNetwork, "The server ended the call before it assigned an address."},
		{"when up, with pppd's words", func(s *script) { s.up() }, "557365722072657175657374",
			fault.ClosedByServer, fault.StageUp, "The server ended the call. The reason given: \"User request\"."},
		{"when up, with what Windows sends", func(s *script) { s.up() }, "11223344 003ccd74 00000000",
			fault.ClosedByServer, fault.StageUp, "The server ended the call."},
	} {
		t.Run(tc.why, func(t *testing.T) {
			s := newScript(t, clientConfig(methodMSCHAPv2))
			tc.prepare(s)
			s.queue = nil
			if got := s.link.EndedByPeer(); got.Code != tc.code || got.Stage != tc.stage {
				t.Errorf("EndedByPeer says %s in stage %s", got.Code, got.Stage)
			}
			s.sends(ProtoLCP, terminateRequest, 0x66, tc.data)
			if tc.stage == fault.StageUp {
				s.wantsKind("IP stops", IPv4Down)
			}
			s.wants("it gets its Ack with its data", ProtoLCP, terminateAck, 0x66, tc.data)
			if err := s.wantsEnd(tc.why, tc.code, tc.stage); err.Message != tc.message {
				t.Errorf("message %q, want %q", err.Message, tc.message)
			}
		})
	}
}

func TestOurGoodbye(t *testing.T) {
	wantsGone := func(s *script, why string) {
		s.t.Helper()
		if a := s.wantsKind(why, Terminated); a.Err != nil {
			s.t.Errorf("%s: %v", why, a.Err)
		}
		s.wantsSilence()
	}
	t.Run("answered", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.up()
		s.take(s.link.Terminate(s.now, "bye"))
		s.wantsKind("IP stops", IPv4Down)
		s.wants("the request with the reason", ProtoLCP, terminateRequest, 6, "627965")
		s.take(s.link.Terminate(s.now, "bye"))
		s.sends(ProtoLCP, echoRequest, 1, "00000000")
		s.sends(ProtoLCP, configureRequest, 2, "")
		s.sends(ProtoIPCP, configureRequest, 2, "")
		s.take(s.link.Echo(s.now))
		s.wantsNothing("nothing else is said while we wait")
		s.sends(ProtoLCP, terminateAck, 6, "")
		wantsGone(s, "the Ack ends it")
	})
	t.Run("not answered", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.establish(methodMSCHAPv2)
		s.take(s.link.Terminate(s.now, ""))
		s.wants("the request", ProtoLCP, terminateRequest, 2, "")
		s.wait(time.Second)
		s.wants("and once more", ProtoLCP, terminateRequest, 3, "")
		wantsGone(s, "a second is enough")
	})
	t.Run("both at once", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.establish(methodMSCHAPv2)
		s.take(s.link.Terminate(s.now, ""))
		s.wants("the request", ProtoLCP, terminateRequest, 2, "")
		s.sends(ProtoLCP, terminateRequest, 9, "")
		s.wants("the server's gets its Ack", ProtoLCP, terminateAck, 9, "")
		wantsGone(s, "and it was us who wanted it")
	})
	t.Run("to a server that does not know the word", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.establish(methodMSCHAPv2)
		s.take(s.link.Terminate(s.now, ""))
		s.wants("the request", ProtoLCP, terminateRequest, 2, "")
		s.sends(ProtoLCP, codeReject, 9, "05 02 0004")
		wantsGone(s, "no error of ours")
	})
	t.Run("while LCP negotiates", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.start()
		s.wants("the client begins", ProtoLCP, configureRequest, 1, ourRequest)
		s.take(s.link.Terminate(s.now, strings.Repeat("x", 200)))
		s.wants("a reason is kept short", ProtoLCP, terminateRequest, 2, strings.Repeat("78", minMRU-packetLen))
		s.sends(ProtoLCP, terminateAck, 2, "")
		wantsGone(s, "the Ack ends it")
	})
	t.Run("before it began", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.take(s.link.Terminate(s.now, ""))
		wantsGone(s, "there is nobody to tell")
	})
}

func TestIdentifiersAreOneCounter(t *testing.T) {
	s := newScript(t, clientConfig(methodPAP))
	s.establish(methodPAP)
	if id := s.link.NextID(); id != 2 {
		t.Errorf("NextID gave %d after one LCP request, want 2", id)
	}
	s.take(s.link.Echo(s.now))
	s.wants("the echo goes on", ProtoLCP, echoRequest, 3, "01020304")
	s.take(s.link.Authenticated(s.now))
	s.wants("IPCP goes on", ProtoIPCP, configureRequest, 4, ourIPRequest)
	s.wants("IPV6CP goes on", ProtoIPV6CP, configureRequest, 5, ourIP6Request)
}

func TestWithoutRandomnessNoMagicNumberIsAskedFor(t *testing.T) {
	cfg := clientConfig(methodMSCHAPv2)
	cfg.Rand, cfg.InterfaceID = strings.NewReader(""), [8]byte{}
	s := newScript(t, cfg)
	s.start()
	s.wants("MRU alone", ProtoLCP, configureRequest, 1, "0104 0578")
}
