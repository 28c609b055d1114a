package sstp

import (
	"bytes"
	"testing"
	"time"

	"sstp/src/fault"
)

func TestClientOpensACall(t *testing.T) {
	c := NewCall(Config{LeafCertificate: testCert})
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	do := c.Start(now)
	if len(do) != 1 || !bytes.Equal(do[0].Data, wire(t, "1001000e 0001 0001 0001 0006 0001")) {
		t.Fatalf("Start: %v, want CALL_CONNECT_REQUEST for PPP", do)
	}
	if do := c.Start(now); len(do) != 0 {
		t.Errorf("a second Start: %v, want nothing", do)
	}
	p := &script{T: t, call: c, now: now}
	p.sends(callConnectAck(HashSHA1 | HashSHA256))
	p.wants("the server accepts: PPP may begin", "PPP up")
	p.sendsFrame("ff03 c021 01")
	p.wants("its LCP goes to PPP", "frame ff03c02101")
	p.sendsFrame("ff03 0021 45")
	p.wants("IP before CALL_CONNECTED is dropped")
	p.note(c.Authenticated(now, testKey))
	p.wants("the login's success sends CALL_CONNECTED before anything else of PPP", "send CALL_CONNECTED", "connected")
	if got := p.sent[len(p.sent)-1]; !bytes.Equal(got, AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey)) {
		t.Errorf("CALL_CONNECTED is %x", got)
	}
	p.sendsFrame("ff03 0021 45")
	p.wants("now IP passes", "frame ff03002145")
	p.note(c.Authenticated(now, HLAK{}))
	p.wants("a later login changes nothing of the binding")
}

func TestConformance4HashOfTheAck(t *testing.T) {
	for mask, want := range map[HashProtocol]HashProtocol{1: HashSHA1, 2: HashSHA256, 3: HashSHA256, 0xff: HashSHA256} {
		p := client(t, StateRequestSent)
		p.sends(callConnectAck(mask))
		p.wants("a mask with a hash that we know is accepted", "PPP up")
		if p.call.Hash() != want {
			t.Errorf("mask %#x gives %v, want %v", uint8(mask), p.call.Hash(), want)
		}
		p.note(p.call.Authenticated(p.now, testKey))
		if got := p.sent[len(p.sent)-1]; HashProtocol(got[15]) != want {
			t.Errorf("mask %#x: CALL_CONNECTED names hash %d, want exactly one, %d", uint8(mask), got[15], want)
		}
	}
}

func TestConformance4BadAcksEndInAnAbort(t *testing.T) {
	short := Attribute{CryptoBindingReq, callConnectAck(3)[12:47]}
	for _, test := range []struct {
		why  string
		pkt  []byte
		sent string
		part string
	}{
		{"mask 0", callConnectAck(0), "VALUE_NOT_SUPPORTED", "neither SHA-1 nor SHA-256"},
		{"mask 0x80", callConnectAck(0x80), "VALUE_NOT_SUPPORTED", "neither SHA-1 nor SHA-256"},
		{"short attribute", AppendControl(nil, CallConnectAck, short), "INVALID_ATTRIB_VALUE_LENGTH", "too short"},
		{"no attribute", AppendControl(nil, CallConnectAck), "ATTRIB_NOT_SUPPORTED_IN_MSG", "no Crypto Binding Request"},
		{"attribute outside its packet", wire(t, "1001000c 0002 0001 0004 0028"), "ATTRIB_NOT_SUPPORTED_IN_MSG", "no Crypto Binding Request"},
	} {
		p := client(t, StateRequestSent)
		p.sends(test.pkt)
		p.wants(test.why, "send CALL_ABORT "+test.sent+", attribute CRYPTO_BINDING_REQ")
		p.silentFor(3 * time.Second)
		p.wants("an abort that nobody answers ends after 3 s", "release SSTP_REJECTED")
		p.wantsReason(fault.SSTPRejected, "bad CALL_CONNECT_ACK", test.part)
	}
}

func TestConformance4AckWithTrailingBytesIsAccepted(t *testing.T) {
	pkt := append(callConnectAck(2), 0xde, 0xad, 0xbe, 0xef)
	pkt[3] += 4
	p := client(t, StateRequestSent)
	p.sends(pkt)
	p.wants("bytes behind the last attribute mean nothing", "PPP up")
	p.sends(pkt)
	p.wants("the same answer twice is no offence")

	p = client(t, StateRequestSent)
	pkt[7] = 2 // a second attribute is claimed and the bytes are none
	p.sends(pkt)
	p.wants("only the attribute that is used is checked", "PPP up")
}

func TestNaksAreCounted(t *testing.T) {
	p := client(t, StateRequestSent)
	nak := "10010014 0003 0001 0002 000c 000000 01 00000004" // SoftEther 5.02, without end
	for range 3 {
		p.silentFor(15 * time.Second)
		p.sendsHex(nak)
		p.wants("a refused request is repeated, and has its whole time", "send CALL_CONNECT_REQUEST")
	}
	p.sendsHex(nak)
	p.wants("but not for ever", "send CALL_ABORT RETRY_COUNT_EXCEEDED")
	p.sends(AppendControl(nil, CallAbort))
	p.silentFor(time.Second)
	p.wants("the server's abort shortens the wait to 1 s", "release SSTP_REJECTED")
	p.wantsReason(fault.SSTPRejected, "refused every request", "VALUE_NOT_SUPPORTED, attribute ENCAPSULATED_PROTOCOL_ID")
}

func TestSilentServers(t *testing.T) {
	p := client(t, StateRequestSent)
	p.silentFor(20 * time.Second)
	p.wants("20 s are enough for an answer that needs no thought", "send CALL_ABORT NEGOTIATION_TIMEOUT")
	p.silentFor(3 * time.Second)
	p.wants("then it is over", "release PEER_SILENT")
	p.wantsReason(fault.PeerSilent, "has not answered the call for 20s")

	p = client(t, StateAckReceived)
	for range 3 {
		p.silentFor(19 * time.Second)
		p.sendsFrame("ff03 c021 09")
	}
	p.wants("PPP talks", "frame ff03c02109", "frame ff03c02109", "frame ff03c02109")
	p.silentFor(3 * time.Second)
	p.wants("the login has 60 s in all", "send CALL_ABORT NEGOTIATION_TIMEOUT", "PPP down")
	p.silentFor(3 * time.Second)
	p.wantsReason(fault.PPPNegotiationFailed, "within 1m0s")
}

func TestUnknownMessagesAreIgnoredUntilTheyFlood(t *testing.T) {
	p := client(t, StateConnected)
	for range 16 {
		p.sends(AppendControl(nil, 0x100))
	}
	p.wants("servers of the future may say more: not a word for 16 messages")
	p.sends(AppendControl(nil, 0x100))
	p.wants("the next is a flood", "send CALL_ABORT INVALID_FRAME_RECEIVED", "PPP down")
	p.silentFor(3 * time.Second)
	p.wantsReason(fault.SSTPRejected, "messages that SSTP does not have", "0x100")
}

func TestMessagesOutOfPlace(t *testing.T) {
	p := client(t, StateAckReceived)
	p.sends(callConnectRequest())
	p.wants("a server does not ask for calls", "send CALL_ABORT UNACCEPTED_FRAME_RECEIVED", "PPP down")
	p.sendsFrame("ff03 c021 09")
	p.sends(AppendControl(nil, EchoRequest), AppendControl(nil, CallDisconnect))
	p.wants("what comes after our abort means nothing")
	p.silentFor(3 * time.Second)
	p.wants("until its answer is overdue", "release SSTP_REJECTED")
	p.wantsReason(fault.SSTPRejected, "sent CALL_CONNECT_REQUEST out of place (state: ack received)")
}

func TestEchoIsAnsweredBeforeTheLogin(t *testing.T) {
	p := client(t, StateAckReceived)
	p.sends(AppendControl(nil, EchoRequest))
	p.wants("[MS-SSTP] would abort, which only hurts", "send ECHO_RESPONSE")
}
