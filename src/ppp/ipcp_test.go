package ppp

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sstp/src/fault"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestAllFromOneNak(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.authenticate()
	s.sends(ProtoIPCP, configureNak, 2, "0306 0a000005 8106 0a000001 8306 08080808")
	s.wants("all three values are taken", ProtoIPCP, configureRequest, 4, "0306 0a000005 8106 0a000001 8306 08080808")
	s.sends(ProtoIPCP, configureRequest, 1, "0306 0a000001")
	s.wants("the server's address", ProtoIPCP, configureAck, 1, "0306 0a000001")
	s.sends(ProtoIPCP, configureAck, 4, "0306 0a000005 8106 0a000001 8306 08080808")
	s.wantsIPv4("up", "10.0.0.5", "10.0.0.1", "10.0.0.1", "8.8.8.8")
}

func TestConformance9AnIPCPAnswerAfterTenSecondsStillOpens(t *testing.T) {
	cfg := clientConfig(methodMSCHAPv2)
	cfg.IPv6 = false
	s := newScript(t, cfg)
	s.authenticate()
	s.wait(10 * time.Second)
	for range 3 {
		s.wants("a copy every 3 s", ProtoIPCP, configureRequest, 2, ourIPRequest)
	}
	s.sends(ProtoIPCP, terminateAck, 2, "")
	s.wantsNothing("accel-ppp answers early requests with Terminate-Ack: keep asking")
	s.sends(ProtoIPCP, configureRequest, 1, "0306 0a000001")
	s.wants("the server's address", ProtoIPCP, configureAck, 1, "0306 0a000001")
	s.sends(ProtoIPCP, configureNak, 2, "0306 0a000005 8106 0a000001 8306 00000000")
	s.wants("a name server of 0.0.0.0 is not asked for again", ProtoIPCP, configureRequest, 3, "0306 0a000005 8106 0a000001")
	s.sends(ProtoIPCP, configureAck, 3, "0306 0a000005 8106 0a000001")
	s.wantsIPv4("up", "10.0.0.5", "10.0.0.1", "10.0.0.1")
}

func TestConformance9AnswersToTheServersIPCPOptions(t *testing.T) {
	for _, tc := range []struct {
		why, request string
		code         byte
		answer       string
		peer         string
	}{
		{"its address", "0306 0a000001", configureAck, "0306 0a000001", "10.0.0.1"},
		{"0.0.0.0, which some RRAS profiles send", "0306 00000000", configureAck, "0306 00000000", ""},
		{"nothing", "", configureAck, "", ""},
		{"a loopback address is its own affair, but no peer", "0306 7f000001", configureAck, "0306 7f000001", ""},
		{"Van Jacobson compression", "0306 0a000001 0206 002d 0f01", configureReject, "0206 002d 0f01", ""},
		{"name servers, which we do not have", "8106 00000000 8206 00000000 8306 00000000 8406 00000000", configureReject, "8106 00000000 8206 00000000 8306 00000000 8406 00000000", ""},
		{"IP-Addresses of RFC 1172", "010a 00000000 00000000", configureReject, "010a 00000000 00000000", ""},
		{"an address of five bytes", "0307 0a00000100", configureReject, "0307 0a00000100", ""},
	} {
		t.Run(tc.why, func(t *testing.T) {
			cfg := clientConfig(methodMSCHAPv2)
			cfg.WantDNS = false
			s := newScript(t, cfg)
			s.establish(methodMSCHAPv2)
			s.take(s.link.Authenticated(s.now))
			s.wants("without name servers", ProtoIPCP, configureRequest, 2, "0306 00000000")
			s.wantsKind("IPV6CP", Send)
			s.sends(ProtoIPCP, configureRequest, 1, tc.request)
			s.wants(tc.why, ProtoIPCP, tc.code, 1, tc.answer)
			if tc.code == configureAck {
				s.sends(ProtoIPCP, configureNak, 2, "0306 0a000005")
				s.wantsKind("again", Send)
				s.sends(ProtoIPCP, configureAck, 4, "0306 0a000005")
				s.wantsIPv4("up", "10.0.0.5", tc.peer)
			}
		})
	}
}

func TestNameServersAreChecked(t *testing.T) {
	for _, tc := range []struct {
		why, nak string
		dns      []string
	}{
		{"two good ones", "8106 01010101 8306 08080808", []string{"1.1.1.1", "8.8.8.8"}},
		{"the same twice", "8106 01010101 8306 01010101", []string{"1.1.1.1"}},
		{"only a second", "8106 00000000 8306 08080808", []string{"8.8.8.8"}},
		{"loopback", "8106 7f000035 8306 08080808", []string{"8.8.8.8"}},
		{"multicast", "8106 e00000fb 8306 ffffffff", nil},
	} {
		t.Run(tc.why, func(t *testing.T) {
			s := newScript(t, clientConfig(methodMSCHAPv2))
			s.authenticate()
			s.sends(ProtoIPCP, configureNak, 2, "0306 0a000005"+tc.nak)
			request := s.wantsKind("with what can be used", Send).Data
			s.take(s.link.Receive(s.now, append([]byte{0xff, 3, 0x80, 0x21, configureAck}, request[5:]...)))
			s.sends(ProtoIPCP, configureRequest, 1, "")
			s.wantsKind("the server's", Send)
			s.wantsIPv4(tc.why, "10.0.0.5", "", tc.dns...)
		})
	}
}

func TestAddressesThatAreNoneAreRefused(t *testing.T) {
	for why, address := range map[string]string{
		"unspecified": "00000000", "this network": "00000001", "loopback": "7f000001", "multicast": "e0000001", "broadcast": "ffffffff",
	} {
		t.Run(why, func(t *testing.T) {
			s := newScript(t, clientConfig(methodMSCHAPv2))
			s.authenticate()
			s.sends(ProtoIPCP, configureNak, 2, "0306"+address)
			s.wants("farewell", ProtoLCP, terminateRequest, 4, "")
			err := s.wantsEnd(why, fault.NoAddress, fault.StageNetwork)
			if !strings.Contains(err.Message, "cannot be used") {
				t.Errorf("message %q", err.Message)
			}
		})
	}
	t.Run("0.0.0.0 acknowledged as it is", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.authenticate()
		s.sends(ProtoIPCP, configureAck, 2, ourIPRequest)
		s.sends(ProtoIPCP, configureRequest, 1, "")
		s.wantsKind("the server's", Send)
		s.wants("farewell", ProtoLCP, terminateRequest, 4, "")
		s.wantsEnd("no address is no result", fault.NoAddress, fault.StageNetwork)
	})
}

func TestAStaticAddressIsAskedFor(t *testing.T) {
	cfg := clientConfig(methodMSCHAPv2)
	cfg.Address, cfg.IPv6, cfg.WantDNS = addr("10.0.0.77"), false, false
	s := newScript(t, cfg)
	s.establish(methodMSCHAPv2)
	s.take(s.link.Authenticated(s.now))
	s.wants("the wish", ProtoIPCP, configureRequest, 2, "0306 0a00004d")
	s.sends(ProtoIPCP, configureNak, 2, "0306 0a000005")
	s.wants("the server knows better", ProtoIPCP, configureRequest, 3, "0306 0a000005")
}

func TestNoAddress(t *testing.T) {
	for _, tc := range []struct {
		why     string
		play    func(*script)
		message string
		hint    string
	}{
		{"SoftEther in a hub without DHCP says nothing for 30 s", func(s *script) { s.wait(30 * time.Second) },
			"The server does not answer IPCP.", "the hub probably has no DHCP server"},
		{"the option is rejected", func(s *script) { s.sends(ProtoIPCP, configureReject, 2, "0306 00000000") },
			"The server refused to assign an IPv4 address.", "address pool"},
		{"IPCP is rejected, in accel-ppp's two bytes", func(s *script) { s.sends(ProtoLCP, protocolReject, 2, "8021") },
			"The server does not support IPCP.", "address pool"},
		{"IPCP's codes are rejected", func(s *script) { s.sends(ProtoIPCP, codeReject, 2, "0102 0004") },
			"The server does not support IPCP.", "address pool"},
		{"the server Naks forever", func(s *script) {
			for range 6 {
				s.sends(ProtoIPCP, configureNak, s.link.ipcp.reqID, "0306 0a000005")
			}
		}, "The server refused to assign an IPv4 address.", "address pool"},
		{"the server never acknowledges", func(s *script) {
			s.sends(ProtoIPCP, configureRequest, 1, "")
			s.wait(30 * time.Second)
		}, "No agreement with the server about IPCP.", "address pool"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			s := newScript(t, clientConfig(methodMSCHAPv2))
			s.authenticate()
			tc.play(s)
			for len(s.queue) > 1 {
				s.queue = s.queue[1:]
			}
			err := s.wantsEnd(tc.why, fault.NoAddress, fault.StageNetwork)
			if err.Message != tc.message || !strings.Contains(err.Hint, tc.hint) {
				t.Errorf("message %q, hint %q", err.Message, err.Hint)
			}
		})
	}
}

func TestIPCPBeginsAnew(t *testing.T) {
	t.Run("with a request", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.up()
		s.sends(ProtoIPCP, configureRequest, 0x20, "0306 c0a81e01")
		s.wants("a copy of the last is acknowledged again", ProtoIPCP, configureAck, 0x20, "0306 c0a81e01")
		s.sends(ProtoIPCP, configureRequest, 0x21, "0306 c0a81e01")
		s.wantsKind("a new one stops IP", IPv4Down)
		s.wants("everything is asked for again", ProtoIPCP, configureRequest, 6, ourIPRequest)
		s.wants("the server's is fine", ProtoIPCP, configureAck, 0x21, "0306 c0a81e01")
		s.sends(ProtoIPCP, configureNak, 6, "0306 c0a81e14 8106 c0a81e01 8306 c0a81e02")
		s.wantsKind("as told", Send)
		s.sends(ProtoIPCP, configureAck, 7, "0306 c0a81e14 8106 c0a81e01 8306 c0a81e02")
		s.wantsIPv4("up with another address", "192.168.30.20", "192.168.30.1", "192.168.30.1", "192.168.30.2")
	})
	t.Run("or ends", func(t *testing.T) {
		s := newScript(t, clientConfig(methodMSCHAPv2))
		s.up()
		s.sends(ProtoIPCP, terminateRequest, 0x22, "")
		s.wantsKind("IP stops", IPv4Down)
		s.wants("Ack", ProtoIPCP, terminateAck, 0x22, "")
		s.wait(3 * time.Second)
		s.wants("farewell", ProtoLCP, terminateRequest, 6, "")
		if err := s.wantsEnd("without an address", fault.NoAddress, fault.StageNetwork); err.Message != "The server ended IPCP." {
			t.Errorf("message %q", err.Message)
		}
	})
}

func TestCodesUnknownToIPCPAreRejected(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.authenticate()
	s.sends(ProtoIPCP, 9, 7, "00000000")
	s.wants("echoes are LCP's", ProtoIPCP, codeReject, 4, "09 07 0008 00000000")
	s.sends(ProtoIPCP, codeReject, 7, "0e01 0004")
	s.wantsNothing("a Code-Reject of what we never sent")
}

func TestTheServerAssigns(t *testing.T) {
	begin := func(t *testing.T, cfg Config) *script {
		cfg.Rand = &counting{last: 0x80}
		s := newScript(t, cfg)
		s.start()
		s.wantsKind("the server begins", Send)
		s.sends(ProtoLCP, configureAck, 1, "0104 0578 0506 81828384")
		s.sends(ProtoLCP, configureRequest, 1, "")
		s.wantsKind("fine", Send)
		s.wantsAuth("no authentication", AuthProtocol{})
		s.take(s.link.Authenticated(s.now))
		s.wants("the server's address", ProtoIPCP, configureRequest, 2, "0306 0a000001")
		return s
	}
	cfg := serverConfig()
	cfg.IPv6 = false
	cfg.DNS = []netip.Addr{addr("10.0.0.53")}

	t.Run("address and name server by Nak", func(t *testing.T) {
		s := begin(t, cfg)
		s.sends(ProtoIPCP, configureRequest, 2, ourIPRequest)
		s.wants("what it does not have is rejected first", ProtoIPCP, configureReject, 2, "8306 00000000")
		s.sends(ProtoIPCP, configureRequest, 3, "0306 00000000 8106 00000000")
		s.wants("then the values are given", ProtoIPCP, configureNak, 3, "0306 0a000002 8106 0a000035")
		s.sends(ProtoIPCP, configureRequest, 4, "0306 0a000002 8106 0a000035")
		s.wants("and acknowledged", ProtoIPCP, configureAck, 4, "0306 0a000002 8106 0a000035")
		s.sends(ProtoIPCP, configureAck, 2, "0306 0a000001")
		s.wantsIPv4("up", "10.0.0.1", "10.0.0.2")
	})
	t.Run("five times, then it rejects", func(t *testing.T) {
		s := begin(t, cfg)
		for id := byte(2); id < 7; id++ {
			s.sends(ProtoIPCP, configureRequest, id, "0306 0b0b0b0b")
			s.wants("another address", ProtoIPCP, configureNak, id, "0306 0a000002")
		}
		s.sends(ProtoIPCP, configureRequest, 7, "0306 0b0b0b0b")
		s.wants("enough", ProtoIPCP, configureReject, 7, "0306 0b0b0b0b")
		s.sends(ProtoIPCP, configureRequest, 8, "")
		s.wants("a client that asks for nothing gets it", ProtoIPCP, configureAck, 8, "")
		s.sends(ProtoIPCP, configureReject, 2, "0306 0a000001")
		s.wants("nor need it know the server's", ProtoIPCP, configureRequest, 3, "")
		s.sends(ProtoIPCP, configureAck, 3, "")
		s.wantsIPv4("up", "10.0.0.1", "10.0.0.2")
	})
	t.Run("whatever is wished for, when it has no address of its own to give", func(t *testing.T) {
		cfg := cfg
		cfg.PeerAddress = netip.Addr{}
		s := begin(t, cfg)
		s.sends(ProtoIPCP, configureRequest, 2, "0306 00000000")
		s.wants("no wish, no address", ProtoIPCP, configureReject, 2, "0306 00000000")
		s.sends(ProtoIPCP, configureRequest, 3, "0306 0b0b0b0b")
		s.wants("a wish", ProtoIPCP, configureAck, 3, "0306 0b0b0b0b")
	})
	t.Run("a client without IPv4 is no failure", func(t *testing.T) {
		s := begin(t, cfg)
		s.sends(ProtoLCP, protocolReject, 9, "8021")
		if a := s.wantsKind("only IPv4 is out", IPv4Down); a.Err == nil {
			t.Error("without a reason")
		}
		s.wait(time.Hour)
		s.wantsNothing("the link stays")
		s.sends(ProtoIPCP, configureRequest, 2, "0306 0a000002")
		s.wants("and the client may still change its mind", ProtoIPCP, configureRequest, 3, "0306 0a000001")
		s.wants("", ProtoIPCP, configureAck, 2, "0306 0a000002")
	})
	t.Run("nor is one that is silent", func(t *testing.T) {
		s := begin(t, cfg)
		for range 9 {
			s.wait(3 * time.Second)
			s.wants("the request again", ProtoIPCP, configureRequest, 2, "0306 0a000001")
		}
		s.wait(time.Hour)
		s.wantsKind("no IPv4", IPv4Down)
		s.wantsNothing("the link stays")
	})
	t.Run("nor one that never agrees", func(t *testing.T) {
		s := begin(t, cfg)
		for id := byte(2); id < 12; id++ {
			s.sends(ProtoIPCP, configureReject, id, "0203 00")
			s.wantsKind("asked again", Send)
		}
		s.sends(ProtoIPCP, configureReject, 12, "0203 00")
		s.wants("IPCP is closed", ProtoIPCP, terminateRequest, 13, "")
		s.wantsKind("no IPv4", IPv4Down)
		s.sends(ProtoIPCP, terminateAck, 13, "")
		s.sends(ProtoIPCP, configureRequest, 1, "")
		s.wants("and stays so", ProtoIPCP, terminateAck, 1, "")
	})
	t.Run("what the login made known", func(t *testing.T) {
		s := newScript(t, cfg)
		s.link.Assign(addr("10.0.0.9"))
		s.start()
		s.wantsKind("the server begins", Send)
		s.sends(ProtoLCP, configureAck, 1, "0104 0578 "+hex.EncodeToString(s.link.lcp.req[4:]))
		s.sends(ProtoLCP, configureRequest, 1, "")
		s.take(s.link.Authenticated(s.now))
		s.queue = nil
		s.sends(ProtoIPCP, configureRequest, 2, "0306 00000000")
		s.wants("the address assigned late", ProtoIPCP, configureNak, 2, "0306 0a000009")
	})
}
