package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"sstp/src/fault"
)

// eapHand is a peer whose server is the test.
func eapHand(t *testing.T, methods ...Method) *talk {
	t.Helper()
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Username: "user", Password: "pass", Methods: methods, TLS: clientTLS(0)},
		AuthenticatorConfig{Rand: rand.Reader}, lcpOf(EAPTLS))
	k.peer.take(k.peer.Start(k.now))
	return k
}

func (k *talk) wantAnswer(why, request, want string) {
	k.t.Helper()
	sent := k.peer.take(k.peer.Receive(k.now, unhex(k.t, strings.ReplaceAll(request, " ", ""))))
	got := ""
	for _, s := range sent {
		got += hex.EncodeToString(s)
	}
	if got != strings.ReplaceAll(want, " ", "") {
		k.t.Errorf("%s: %s was answered by %s, want %s", why, request, got, want)
	}
}

func TestEAPAnswersOnTheWire(t *testing.T) {
	k := eapHand(t, EAPTLS, EAPMSCHAPv2, CHAP)
	k.wantAnswer("identity: the user name", "01 07 0005 01", "02 07 0009 01 75736572")
	k.wantAnswer("SoftEther's identity request has text that ends with NUL", "01 08 0008 01 4e6f00", "02 08 0009 01 75736572")
	k.wantAnswer("notification: an empty one", "01 09 000a 02 48656c6c6f", "02 09 0005 02")
	k.wantAnswer("PEAP is not ours: Nak with what we would take, the best first", "01 0a 0006 19 20", "02 0a 0008 03 0d 1a 04")
	k.wantAnswer("an expanded type too", "01 0b 000c fe 000000 00000001", "02 0b 0008 03 0d 1a 04")
	k.wantAnswer("a Nak is no request", "01 0c 0006 03 04", "")
	k.wantAnswer("a type of 0 is none", "01 0c 0005 00", "")
	k.wantAnswer("a request without a type", "01 0c 0004", "")
	k.wantAnswer("a response is not for us", "02 0c 0005 01", "")
	k.wantAnswer("code 5 does not exist", "05 0c 0005 01", "")
	k.wantAnswer("shorter than its length", "01 0c 0006 01", "")
	k.wantAnswer("behind the length is padding", "01 0d 0005 01 ffff", "02 0d 0009 01 75736572")
}

func TestEAPNakNamesAllowedTypesOnly(t *testing.T) {
	for _, c := range []struct {
		methods  []Method
		proposed string
		want     string
	}{
		{[]Method{EAPMSCHAPv2}, "0d 20", "1a"},
		{[]Method{EAPMSCHAPv2, EAPTLS}, "19 20", "1a0d"},
		{[]Method{MSCHAPv2, EAPMSCHAPv2}, "04 01aa", "1a"}, // EAP-MD5 is for whom CHAP is allowed
		{[]Method{PAP, CHAP, EAPMSCHAPv2}, "19 20", "041a"},
		{[]Method{EAPTLS}, "1a 0101001a10 000102030405060708090a0b0c0d0e0f 414243444546", "0d"},
	} {
		k := eapHand(t, c.methods...)
		request := "01 05 0000 " + c.proposed
		raw := unhex(t, strings.ReplaceAll(request, " ", ""))
		raw[3] = byte(len(raw))
		k.wantAnswer("Nak", hex.EncodeToString(raw), "02 05 000"+strconv.Itoa(5+len(c.want)/2)+" 03"+c.want)
		wantNoPassword(t, k.peer.sent)
	}

	// EAP-TLS is listed but has no configuration: nothing is left to name.
	e := newEAPPeer(&PeerConfig{Rand: rand.Reader, Methods: []Method{EAPTLS, PAP, MSCHAPv2}})
	if r := e.nak(25); !bytes.Equal(r.data, []byte{3, 0}) {
		t.Errorf("Nak % x, want 03 00", r.data)
	}
}

func TestEAPFailureAfterNakNamesWhatTheServerWanted(t *testing.T) {
	k := eapHand(t, EAPMSCHAPv2)
	k.wantAnswer("identity", "01 01 0005 01", "02 01 0009 01 75736572")
	k.wantAnswer("PEAP", "01 02 0006 19 20", "02 02 0006 03 1a")
	k.wantAnswer("the server gives up", "04 02 0004", "")
	k.wantFailure(fault.AuthMethodRefused, "The server wants PEAP, which option auth does not allow.")
}

func TestEAPFailureRepeatsTheNotification(t *testing.T) {
	k := eapHand(t, EAPMSCHAPv2)
	k.wantAnswer("notification", "01 01 000b 02"+hex.EncodeToString([]byte("locked")), "02 01 0005 02")
	k.wantAnswer("failure", "04 01 0004", "")
	k.wantFailure(fault.AuthFailed, `refused the user name or the password. The server says: "locked".`)
}

func TestEAPRetransmissionGetsTheSameResponse(t *testing.T) {
	k := eapHand(t, EAPMSCHAPv2)
	challenge := assemble(eapRequest, 9, []byte{26}, appendMSCHAP(opChallenge, 9, counted(make([]byte, 16)), []byte("srv")))
	first := k.peer.take(k.peer.Receive(k.now, challenge))
	again := k.peer.take(k.peer.Receive(k.now, challenge))
	if len(first) != 1 || len(again) != 1 || !bytes.Equal(first[0], again[0]) {
		t.Fatalf("the same request was answered by % x and % x", first, again)
	}
	other := bytes.Clone(challenge)
	other[12]++ // a server that does not count its Ids
	if anew := k.peer.take(k.peer.Receive(k.now, other)); len(anew) != 1 || bytes.Equal(anew[0], first[0]) {
		t.Errorf("another challenge under the same Id was answered by % x", anew)
	}
}

// SoftEther takes the success response only as one byte behind the type, and repeats the last Id in EAP-Success.
func TestEAPMSCHAPv2OnTheWire(t *testing.T) {
	k := newTalk(t, PeerConfig{
		Username: "User", Password: "clientPass", Methods: []Method{EAPMSCHAPv2},
		Rand: bytes.NewReader(unhex(t, "21402324255e262a28295f2b3a337c7e")),
	}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(EAPMSCHAPv2))
	k.peer.take(k.peer.Start(k.now))
	k.wantAnswer("challenge", "01 21 001d 1a 01 21 0018 10 5b5d7c7d7b3f2f3e3c2c602132262628 737276",
		"02 21 003f 1a 02 21 003a 31 21402324255e262a28295f2b3a337c7e 0000000000000000"+
			"82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df 00 55736572")
	k.wantAnswer("success, with a new Id and the old MS-CHAPv2-ID",
		"01 22 0033 1a 03 21 002e "+hex.EncodeToString([]byte("S=407A5589115FD0D6209F510FE9C04566932CDA56")),
		"02 22 0006 1a 03")
	if len(k.peer.success) != 0 {
		t.Fatal("only EAP-Success is the success")
	}
	k.wantAnswer("EAP-Success", "03 22 0004", "")
	if len(k.peer.success) != 1 {
		t.Fatal("no success")
	}
	if got := hex.EncodeToString(k.peer.success[0].HLAK[:]); got != readVectors(t).Vectors[0].HLAK {
		t.Errorf("HLAK %s", got)
	}
	k.wantAnswer("one more EAP-Success is nothing", "03 22 0004", "")
	k.wantAnswer("and a late EAP-Failure neither", "04 22 0004", "")
}

func TestNewChallengeNeedsANewProof(t *testing.T) {
	k := newTalk(t, PeerConfig{
		Username: "User", Password: "clientPass", Methods: []Method{EAPMSCHAPv2},
		Rand: bytes.NewReader(append(unhex(t, "21402324255e262a28295f2b3a337c7e"), make([]byte, 16)...)),
	}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(EAPMSCHAPv2))
	k.peer.take(k.peer.Receive(k.now, unhex(t, "0121001d1a01210018105b5d7c7d7b3f2f3e3c2c602132262628737276")))
	k.peer.take(k.peer.Receive(k.now, unhex(t, "012200331a0321002e"+hex.EncodeToString([]byte("S=407A5589115FD0D6209F510FE9C04566932CDA56")))))
	k.peer.take(k.peer.Receive(k.now, unhex(t, "0123001d1a0123001810ffffff7d7b3f2f3e3c2c602132262628737276")))
	k.peer.take(k.peer.Receive(k.now, unhex(t, "03230004")))
	k.wantFailure(fault.AuthFailed, "before it had proven itself")
}

// One conversation has one method (RFC 3748 section 2.1): no way down from TLS to a password.
func TestMethodDoesNotChangeWithinAConversation(t *testing.T) {
	k := eapHand(t, EAPTLS, EAPMSCHAPv2, CHAP)
	if sent := k.peer.take(k.peer.Receive(k.now, unhex(t, "010100060d20"))); len(sent) != 1 || len(sent[0]) < 50 {
		t.Fatalf("start was answered by %x, want a ClientHello", sent)
	}
	k.wantAnswer("MD5 after TLS has begun", "01 02 0016 04 10 000102030405060708090a0b0c0d0e0f", "")
	k.wantAnswer("a new conversation begins with the identity", "01 03 0005 01", "02 03 0009 01 75736572")
	k.wantAnswer("there another method may come", "01 04 0016 04 10 000102030405060708090a0b0c0d0e0f",
		"02 04 001a 04 10"+hex.EncodeToString(md5Of(4, "pass", "000102030405060708090a0b0c0d0e0f"))+"75736572")
}

func md5Of(id uint8, secret, challenge string) []byte {
	c, _ := hex.DecodeString(challenge)
	sum := md5Response(id, secret, c)
	return sum[:]
}

func TestClientThatWantsNothingOffered(t *testing.T) {
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{EAPMSCHAPv2}}, AuthenticatorConfig{Rand: rand.Reader, Methods: []Method{EAPTLS}, TLS: serverTLS()},
		lcpOf(EAPMSCHAPv2)).start()
	k.wantFailure(fault.AuthMethodRefused, "EAP-TLS")
	k.server.wantFailure(fault.AuthMethodRefused)
}
