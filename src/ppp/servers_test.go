package ppp

import (
	"testing"
	"time"

	"sstp/src/fault"
)

// What servers in the field send, as far as PPP is concerned.

func TestRRAS2008R2(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("both sides start at once", ProtoLCP, configureRequest, 1, ourRequest)
	const endpoint = "1317 01 0123456789abcdef0123456789abcdef01234567"
	s.sends(ProtoLCP, configureRequest, 0, "0104 0ffb  0304 c227  0506 5a6b7c8d  0702  0802  0d03 06  1104 064e "+endpoint)
	s.wants("callback, MRRU and endpoint are rejected, the Nak of EAP must wait", ProtoLCP, configureReject, 0, "0d03 06  1104 064e "+endpoint)
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	s.sends(ProtoLCP, configureRequest, 1, "0104 0ffb  0304 c227  0506 5a6b7c8d  0702  0802")
	s.wants("EAP is not allowed", ProtoLCP, configureNak, 1, "0305 c22381")
	s.sends(ProtoLCP, configureRequest, 2, "0104 0ffb  0305 c22381  0506 5a6b7c8d  0702  0802")
	s.wants("RRAS takes the suggestion", ProtoLCP, configureAck, 2, "0104 0ffb  0305 c22381  0506 5a6b7c8d  0702  0802")
	s.wantsAuth("open", methodMSCHAPv2)
	if got := s.link.PeerMRU(); got != 4087 {
		t.Errorf("PeerMRU %d, want 4087: 4091 does not fit with an uncompressed header", got)
	}

	// From here on RRAS may leave FF 03 out.
	s.sendsRaw("c223 0100 0015 10 00112233445566778899aabbccddeeff")
	s.wantsKind("the challenge", AuthPacket)
	s.take(s.link.Authenticated(s.now))
	s.wants("IPCP", ProtoIPCP, configureRequest, 2, ourIPRequest)
	s.wants("IPV6CP", ProtoIPV6CP, configureRequest, 3, ourIP6Request)
	s.wait(3500 * time.Millisecond)
	s.wants("RRAS takes its time", ProtoIPCP, configureRequest, 2, ourIPRequest)
	s.wants("RRAS takes its time", ProtoIPV6CP, configureRequest, 3, ourIP6Request)
	s.sendsRaw("80fd 0104 000a 1206 01000001")
	s.wants("CCP is rejected with the packet", ProtoLCP, protocolReject, 4, "80fd 0104 000a 1206 01000001")
	s.sendsRaw("8021 0105 000a 0306 0a010001")
	s.wants("the server's address", ProtoIPCP, configureAck, 5, "0306 0a010001")
	s.sendsRaw("8021 0302 0016 0306 0a010007 8106 0a010035 8306 0a010036")
	s.wants("all values from one Nak", ProtoIPCP, configureRequest, 5, "0306 0a010007 8106 0a010035 8306 0a010036")
	s.sendsRaw("8021 0302 0016 0306 0a010007 8106 0a010035 8306 0a010036")
	s.wantsNothing("the answer to the copy is late")
	s.sendsRaw("c021 0806 0014 8057 0103000e 010a 0000000000000001")
	s.wantsKind("there is no IPv6", IPv6Down)
	s.sendsRaw("8021 0205 0016 0306 0a010007 8106 0a010035 8306 0a010036")
	s.wantsIPv4("up", "10.1.0.7", "10.1.0.1", "10.1.0.53", "10.1.0.54")
}

func TestSoftEther502(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("SoftEther waits for us", ProtoLCP, configureRequest, 1, ourRequest)
	const aho = "00000000 41686f2042616b61204d616e756b6500"
	s.sends(ProtoLCP, echoRequest, 0, aho)
	s.wantsNothing("its first Echo-Request comes before LCP is open and is dropped")
	s.sends(ProtoLCP, configureReject, 1, "0506 01020304")
	s.wants("it does not know magic numbers", ProtoLCP, configureRequest, 2, "0104 0578")
	s.sends(ProtoLCP, configureRequest, 1, "0304 c227")
	s.wants("it asks for EAP and nothing else", ProtoLCP, configureNak, 1, "0305 c22381")
	s.sends(ProtoLCP, configureAck, 2, "0104 0578")
	s.sends(ProtoLCP, configureRequest, 2, "0305 c22381")
	s.wants("MS-CHAPv2 is its second", ProtoLCP, configureAck, 2, "0305 c22381")
	s.wantsAuth("open", methodMSCHAPv2)
	s.sends(ProtoLCP, echoRequest, 3, aho)
	s.wants("now it gets its reply, with 0 for our magic number", ProtoLCP, echoReply, 3, aho)
	s.take(s.link.Echo(s.now))
	s.wants("our echo", ProtoLCP, echoRequest, 3, "00000000")
	s.sends(ProtoLCP, echoReply, 3, "00000000")
	s.wantsKind("comes back as it was", EchoReply)

	s.take(s.link.Authenticated(s.now))
	s.wants("IPCP: SoftEther waits again", ProtoIPCP, configureRequest, 4, ourIPRequest)
	s.wants("IPV6CP", ProtoIPV6CP, configureRequest, 5, ourIP6Request)
	s.sends(ProtoIPCP, configureReject, 4, "8306 00000000")
	s.wants("its DHCP has one name server", ProtoIPCP, configureRequest, 6, "0306 00000000 8106 00000000")
	s.sends(ProtoIPCP, configureNak, 6, "0306 c0a81e0a 8106 c0a81e01")
	s.wants("as told", ProtoIPCP, configureRequest, 7, "0306 c0a81e0a 8106 c0a81e01")
	s.sends(ProtoIPCP, configureRequest, 4, "0306 c0a81e01")
	s.wants("its own address", ProtoIPCP, configureAck, 4, "0306 c0a81e01")
	s.sends(ProtoIPCP, configureAck, 7, "0306 c0a81e0a 8106 c0a81e01")
	s.wantsIPv4("up", "192.168.30.10", "192.168.30.1", "192.168.30.1")
	s.sends(ProtoIPV6CP, configureAck, 5, ourIP6Request)
	s.sends(ProtoIPV6CP, configureRequest, 5, "010a 5e00000000000001")
	s.wants("5.02 has IPv6", ProtoIPV6CP, configureAck, 5, "010a 5e00000000000001")
	s.wantsIPv6("up", "fe80::1", "fe80::5e00:0:0:1")
}

func TestSoftEther502WhenNoEAPMethodSuits(t *testing.T) {
	s := newScript(t, clientConfig(methodEAP, methodMSCHAPv2))
	s.start()
	s.wants("SoftEther waits for us", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureReject, 1, "0506 01020304")
	s.wants("no magic number", ProtoLCP, configureRequest, 2, "0104 0578")
	s.sends(ProtoLCP, configureAck, 2, "0104 0578")
	s.sends(ProtoLCP, configureRequest, 1, "0304 c227")
	s.wants("EAP", ProtoLCP, configureAck, 1, "0304 c227")
	s.wantsAuth("begin with EAP", methodEAP)
	s.sends(ProtoLCP, protocolReject, 2, "c227 0203 0006 030d")
	s.wantsNothing("after an EAP Nak that it cannot follow it rejects EAP")
	s.sends(ProtoLCP, configureRequest, 3, "0305 c22381")
	s.wants("and begins LCP anew", ProtoLCP, configureRequest, 3, "0104 0578")
	s.wants("with MS-CHAPv2", ProtoLCP, configureAck, 3, "0305 c22381")
	s.sends(ProtoLCP, configureAck, 3, "0104 0578")
	s.wantsAuth("start over with MS-CHAPv2", methodMSCHAPv2)
	s.sends(ProtoLCP, configureRequest, 4, "0304 c227")
	s.wants("our request", ProtoLCP, configureRequest, 4, "0104 0578")
	s.wants("and EAP is over", ProtoLCP, configureNak, 4, "0305 c22381")
}

func TestSoftEther502RefusesThePassword(t *testing.T) {
	s := newScript(t, clientConfig(methodPAP))
	s.establish(methodPAP)
	s.link.AuthFrame(nil, unhex("0101 0008 0175 0170"))
	s.sends(ProtoLCP, terminateRequest, 5, "")
	s.wants("no Nak of PAP, just Terminate", ProtoLCP, terminateAck, 5, "")
	s.wantsEnd("that is a refused password", fault.AuthFailed, fault.StageAuth)
}

func TestAccelPPP(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("both start", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureNak, 1, "0104 0500")
	s.wants("its min-mtu is taken", ProtoLCP, configureRequest, 2, "0104 0500 0506 01020304")
	for id, method := range []string{"0304 c023", "0305 c22305", "0305 c22380"} {
		s.sends(ProtoLCP, configureRequest, byte(id), "0104 05ac "+method+" 0506 5a6b7c8d")
		s.wants("it steps through its modules whatever the Nak says", ProtoLCP, configureNak, byte(id), "0305 c22381")
	}
	s.sends(ProtoLCP, configureRequest, 3, "0104 05ac 0305 c22381 0506 5a6b7c8d")
	s.wants("until it comes to ours", ProtoLCP, configureAck, 3, "0104 05ac 0305 c22381 0506 5a6b7c8d")
	s.sends(ProtoLCP, configureAck, 2, "0104 0500 0506 01020304")
	s.wantsAuth("open", methodMSCHAPv2)
	s.take(s.link.Authenticated(s.now))
	s.wants("IPCP", ProtoIPCP, configureRequest, 3, ourIPRequest)
	s.wants("IPV6CP", ProtoIPV6CP, configureRequest, 4, ourIP6Request)
	s.sends(ProtoIPCP, terminateAck, 3, "")
	s.wantsNothing("too early for IPCP, as CCP is pending: ask again later")
	s.sends(ProtoLCP, protocolReject, 5, "8057")
	s.wantsKind("ipv6=deny is said in two bytes", IPv6Down)
	s.wait(3 * time.Second)
	s.wants("later", ProtoIPCP, configureRequest, 3, ourIPRequest)
	s.sends(ProtoIPCP, configureReject, 3, "8106 00000000 8306 00000000")
	s.wants("no name servers are configured there", ProtoIPCP, configureRequest, 5, "0306 00000000")
	s.sends(ProtoIPCP, configureNak, 5, "0306 0a080008")
	s.wants("the pool's address", ProtoIPCP, configureRequest, 6, "0306 0a080008")
	s.sends(ProtoIPCP, configureAck, 6, "0306 0a080008")
	s.sends(ProtoIPCP, configureRequest, 7, "0306 0a080001")
	s.wants("its own", ProtoIPCP, configureAck, 7, "0306 0a080001")
	s.wantsIPv4("up", "10.8.0.8", "10.8.0.1")
}

func TestAccelPPPAtTheEndOfItsList(t *testing.T) {
	s := newScript(t, clientConfig(methodEAP))
	s.start()
	for id, method := range []string{"0304 c023", "0305 c22305", "0305 c22381"} {
		s.sends(ProtoLCP, configureRequest, byte(id), "0104 05ac "+method+" 0506 5a6b7c8d")
	}
	s.queue = nil
	s.sends(ProtoLCP, terminateRequest, 9, "")
	s.wantsKind("Ack", Send)
	err := s.wantsEnd("it has no EAP at all", fault.AuthMethodRefused, fault.StageAuth)
	if want := "No common authentication method: the server offers PAP, CHAP-MD5, MS-CHAPv2; allowed here: EAP."; err.Message != want {
		t.Errorf("message %q", err.Message)
	}
}

func TestRouterOS(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("both start", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureRequest, 1, "0305 c22381 0104 05dc 0506 5a6b7c8d")
	s.wants("its order of options is kept", ProtoLCP, configureAck, 1, "0305 c22381 0104 05dc 0506 5a6b7c8d")
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	s.wantsAuth("open", methodMSCHAPv2)
	s.take(s.link.Authenticated(s.now))
	s.queue = nil
	s.sends(ProtoIPV6CP, configureRequest, 1, "010a 0a0b0c0d0e0f1011")
	s.wants("it asks for IPv6 right away", ProtoIPV6CP, configureAck, 1, "010a 0a0b0c0d0e0f1011")
	s.sends(ProtoIPCP, configureRequest, 1, "0306 c0a85801")
	s.wants("and IPv4", ProtoIPCP, configureAck, 1, "0306 c0a85801")
	s.sends(ProtoIPCP, configureNak, 2, "0306 c0a85864 8106 c0a85801 8306 00000000")
	s.wants("its second name server is none", ProtoIPCP, configureRequest, 4, "0306 c0a85864 8106 c0a85801")
	s.sends(ProtoIPCP, configureAck, 4, "0306 c0a85864 8106 c0a85801")
	s.wantsIPv4("up", "192.168.88.100", "192.168.88.1", "192.168.88.1")
	s.sends(ProtoIPV6CP, configureAck, 3, ourIP6Request)
	s.wantsIPv6("up", "fe80::1", "fe80::a0b:c0d:e0f:1011")
}

func TestPPPDBehindSorz(t *testing.T) {
	s := newScript(t, clientConfig(methodMSCHAPv2))
	s.start()
	s.wants("both start", ProtoLCP, configureRequest, 1, ourRequest)
	s.sends(ProtoLCP, configureRequest, 1, "0206 00000000 0305 c22381 0506 5a6b7c8d 0702 0802")
	s.wants("pppd's usual request", ProtoLCP, configureAck, 1, "0206 00000000 0305 c22381 0506 5a6b7c8d 0702 0802")
	s.sends(ProtoLCP, configureAck, 1, ourRequest)
	s.wantsAuth("open", methodMSCHAPv2)
	s.take(s.link.Authenticated(s.now))
	s.queue = nil
	s.sends(ProtoCCP, configureRequest, 1, "1206 01000040 1503 2f")
	s.wants("CCP", ProtoLCP, protocolReject, 4, "80fd 0101 000d 1206 01000040 1503 2f")
	s.sends(ProtoIPCP, configureRequest, 1, "0206 002d 0f01 0306 c0a80101")
	s.wants("VJ compression", ProtoIPCP, configureReject, 1, "0206 002d 0f01")
	s.sends(ProtoIPCP, configureRequest, 2, "0306 c0a80101")
	s.wants("without", ProtoIPCP, configureAck, 2, "0306 c0a80101")
}
