package sstp

import (
	"bytes"
	"testing"
	"time"

	"sstp/src/fault"
)

func TestServerAcceptsACall(t *testing.T) {
	p := server(t, StateRequestPending)
	p.sendsFrame("ff03 c021 01")
	p.wants("before the request PPP is not there")
	p.sends(callConnectRequest())
	p.wants("PPP is what we carry", "send CALL_CONNECT_ACK", "PPP up")
	if got := p.sent[0]; !bytes.Equal(got, callConnectAck(HashSHA1|HashSHA256)) {
		t.Errorf("CALL_CONNECT_ACK is %x", got)
	}
	p.sendsFrame("ff03 c021 01")
	p.sendsFrame("ff03 0021 45")
	p.wants("control frames go to PPP, IP is dropped", "frame ff03c02101")
	p.note(p.call.Authenticated(p.now, testKey))
	p.wants("the login alone does not connect")
	p.sends(AppendCallConnected(nil, HashSHA1, testNonce, testCert, testKey))
	p.wants("both together do", "connected")
	if p.call.Hash() != HashSHA1 {
		t.Errorf("the hash is %v, want what the client chose", p.call.Hash())
	}
}

func TestCallConnectedMayComeBeforeTheLoginsResult(t *testing.T) {
	p := server(t, StateConnectedPending)
	p.sends(AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey))
	p.wants("the result may still be asked for elsewhere: wait")
	p.sendsFrame("ff03 0021 45")
	p.wants("nothing flows meanwhile")
	p.note(p.call.Authenticated(p.now, testKey))
	p.wants("the result fits", "connected")

	p = server(t, StateConnectedPending)
	p.sends(AppendCallConnected(nil, HashSHA256, testNonce, testCert, HLAK{}))
	p.note(p.call.Authenticated(p.now, testKey))
	p.wants("the result does not fit", "send CALL_ABORT VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING", "PPP down")
	p.silentFor(3 * time.Second)
	p.wantsReason(fault.CryptoBindingFailed, "compound MAC")

	p = server(t, StateConnectedPending)
	early := AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey)
	p.sends(early, early)
	p.wants("one is enough", "send CALL_ABORT UNACCEPTED_FRAME_RECEIVED", "PPP down")
}

func TestTheFirstLoginCounts(t *testing.T) {
	p := server(t, StateConnectedPending)
	p.note(p.call.Authenticated(p.now, testKey))
	p.note(p.call.Authenticated(p.now, HLAK{}))
	p.sends(AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey))
	p.wants("a second login changes nothing of the binding", "connected")
}

func TestWrongBindingsEndTheCall(t *testing.T) {
	good := AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey)
	for _, test := range []struct {
		why  string
		pkt  []byte
		sent string
		part string
	}{
		{"another nonce", AppendCallConnected(nil, 2, [32]byte{}, testCert, testKey), "VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING", "nonce"},
		{"TLS intercepted", AppendCallConnected(nil, 2, testNonce, []byte("other"), testKey), "VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING", "another certificate"},
		{"another key", AppendCallConnected(nil, 2, testNonce, testCert, HLAK{}), "VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING", "compound MAC"},
		{"no attribute", AppendControl(nil, CallConnected), "ATTRIB_NOT_SUPPORTED_IN_MSG, attribute STATUS_INFO", "missing"},
		{
			"short attribute", AppendControl(nil, CallConnected, Attribute{CryptoBinding, good[12:80]}),
			"ATTRIB_NOT_SUPPORTED_IN_MSG, attribute STATUS_INFO", "length",
		},
	} {
		p := server(t, StateConnectedPending)
		p.note(p.call.Authenticated(p.now, testKey))
		p.sends(test.pkt)
		p.wants(test.why, "send CALL_ABORT "+test.sent, "PPP down")
		p.silentFor(3 * time.Second)
		p.wants("and the connection goes", "release CRYPTO_BINDING_FAILED")
		p.wantsReason(fault.CryptoBindingFailed, test.part)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	ppp := Attribute{EncapsulatedProtocolID, []byte{0, 1}}
	for _, test := range []struct {
		why   string
		attrs []Attribute
		nak   string
	}{
		{"nothing asked for", nil, "REQUIRED_ATTRIBUTE_MISSING, attribute ENCAPSULATED_PROTOCOL_ID"},
		{"another protocol", []Attribute{{EncapsulatedProtocolID, []byte{0, 2}}}, "VALUE_NOT_SUPPORTED, attribute ENCAPSULATED_PROTOCOL_ID"},
		{"three bytes", []Attribute{{EncapsulatedProtocolID, []byte{0, 1, 0}}}, "INVALID_ATTRIB_VALUE_LENGTH, attribute ENCAPSULATED_PROTOCOL_ID"},
		{"twice", []Attribute{ppp, ppp}, "DUPLICATE_ATTRIBUTE, attribute ENCAPSULATED_PROTOCOL_ID"},
		{"something new", []Attribute{ppp, {ID: 9}}, "UNRECOGNIZED_ATTRIBUTE, attribute 0x9"},
		{"a status", []Attribute{ppp, StatusInfo{}.Wrap()}, "STATUS_INFO_NOT_SUPPORTED_IN_MSG, attribute STATUS_INFO"},
		{"a binding", []Attribute{ppp, {ID: CryptoBinding}}, "ATTRIB_NOT_SUPPORTED_IN_MSG, attribute CRYPTO_BINDING"},
	} {
		p := server(t, StateRequestPending)
		p.sends(AppendControl(nil, CallConnectRequest, test.attrs...))
		p.wants(test.why, "send CALL_CONNECT_NAK "+test.nak)
		p.sends(callConnectRequest())
		p.wants("a better request may follow", "send CALL_CONNECT_ACK", "PPP up")
	}
	p := server(t, StateRequestPending)
	p.sends(AppendControl(nil, CallConnectRequest, Attribute{EncapsulatedProtocolID, []byte{0, 2}}))
	if want := wire(t, "10010016 0003 0001 0002 000e 000000 01 00000004 0002"); !bytes.Equal(p.sent[0], want) {
		t.Errorf("the refusal is %x, want %x: it repeats the value", p.sent[0], want)
	}
	p.sends(AppendControl(nil, CallConnectRequest), AppendControl(nil, CallConnectRequest))
	p.did = nil
	p.sends(AppendControl(nil, CallConnectRequest))
	p.wants("three refusals are enough", "send CALL_ABORT RETRY_COUNT_EXCEEDED")

	p = server(t, StateRequestPending)
	p.sendsHex("1001000c 0001 0001 0001 0000")
	p.wants("an attribute without end is no request", "send CALL_ABORT INVALID_FRAME_RECEIVED")
	p.silentFor(3 * time.Second)
	p.wantsReason(fault.SSTPRejected, "bad CALL_CONNECT_REQUEST")
}

func TestClientsThatDoNotFinish(t *testing.T) {
	p := server(t, StateRequestPending)
	p.silentFor(23 * time.Second)
	p.wants("no request", "send CALL_ABORT NEGOTIATION_TIMEOUT", "release PEER_SILENT")
	p.wantsReason(fault.PeerSilent, "client has not asked")

	p = server(t, StateConnectedPending)
	p.note(p.call.Authenticated(p.now, testKey))
	p.silentFor(63 * time.Second)
	p.wants("no CALL_CONNECTED", "send CALL_ABORT NEGOTIATION_TIMEOUT", "PPP down", "release PPP_NEGOTIATION_FAILED")
	p.wantsReason(fault.PPPNegotiationFailed, "CALL_CONNECTED within 1m0s")
}

func TestLenientServerNeverLooksAtTheBinding(t *testing.T) {
	lenient := Config{Lenient: true}
	p := serverWith(t, StateConnectedPending, lenient)
	p.note(p.call.Authenticated(p.now, testKey))
	p.wants("SoftEther 5.02 connects by the login alone", "connected")
	p.sends(AppendControl(nil, CallConnected))
	p.wants("and takes any CALL_CONNECTED, or none")

	p = serverWith(t, StateConnectedPending, lenient)
	p.sends(AppendControl(nil, CallConnected))
	p.wants("an early one too")
}

func TestServerOffersWhatItIsTold(t *testing.T) {
	p := serverWith(t, StateConnectedPending, Config{HashMask: HashSHA1})
	if got := p.sent[0]; HashProtocol(got[15]) != HashSHA1 {
		t.Errorf("the mask is %d, want SHA-1 alone", got[15])
	}
	p.note(p.call.Authenticated(p.now, testKey))
	p.sends(AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey))
	p.wants("a hash that was not offered is refused", "send CALL_ABORT VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING", "PPP down")
}
