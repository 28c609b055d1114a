package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"sstp/src/fault"
)

func TestCHAPMD5Vector(t *testing.T) {
	v := readVectors(t).CHAPMD5
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Username: "User", Password: v.Secret, Methods: []Method{CHAP}}, AuthenticatorConfig{Rand: rand.Reader},
		lcpOf(CHAP))
	sent := k.peer.take(k.peer.Receive(k.now, assemble(chapChallenge, v.Identifier, counted(unhex(t, v.Challenge)))))
	want := assemble(chapResponse, v.Identifier, counted(unhex(t, v.Response)), []byte("User"))
	if len(sent) != 1 || !bytes.Equal(sent[0], want) {
		t.Errorf("sent %x, want %x", sent, want)
	}
}

// The exchange of RFC 2759's example as whole packets, as they would be captured.
func TestMSCHAPv2VectorOnTheWire(t *testing.T) {
	v := readVectors(t)
	packet := func(name string) []byte {
		whole := unhex(t, v.Wire[name])
		return whole[8:binary.BigEndian.Uint16(whole[2:])] // behind the headers of SSTP and PPP
	}
	k := newTalk(t, PeerConfig{
		Username: "User", Password: "clientPass", Methods: []Method{MSCHAPv2},
		Rand: bytes.NewReader(unhex(t, "21402324255e262a28295f2b3a337c7e")),
	}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(MSCHAPv2))
	k.peer.take(k.peer.Start(k.now))
	sent := k.peer.take(k.peer.Receive(k.now, packet("mschapv2_challenge")))
	if len(sent) != 1 || !bytes.Equal(sent[0], packet("mschapv2_response")) {
		t.Fatalf("response %x, want %x", sent, packet("mschapv2_response"))
	}
	success := packet("mschapv2_success")
	success[1] = sent[0][1]
	k.peer.take(k.peer.Receive(k.now, success))
	if len(k.peer.success) != 1 {
		t.Fatalf("no success: %v", k.peer.failures)
	}
	if got := hex.EncodeToString(k.peer.success[0].HLAK[:]); got != v.Vectors[0].HLAK {
		t.Errorf("HLAK %s, want %s", got, v.Vectors[0].HLAK)
	}
}

// handServer answers for a server, packet by packet.
type handServer struct {
	k         *talk
	challenge [16]byte
}

func (h *handServer) ask(id, fill byte) (value []byte) {
	h.k.t.Helper()
	for i := range h.challenge {
		h.challenge[i] = fill
	}
	sent := h.k.peer.take(h.k.peer.Receive(h.k.now, assemble(chapChallenge, id, counted(h.challenge[:]), []byte("srv"))))
	if len(sent) != 1 {
		h.k.t.Fatalf("a challenge must be answered at any time, sent %x", sent)
	}
	if sent[0][0] != chapResponse || sent[0][1] != id || sent[0][4] != 49 {
		h.k.t.Fatalf("response % x, want Id %d and a value of 49 bytes", sent[0], id)
	}
	return sent[0][5:54]
}

// verdict returns the right Success for a response and the key that goes with it.
func (h *handServer) verdict(id byte, challenge byte, value []byte) (packet []byte, hlak [32]byte) {
	auth := [16]byte(bytes.Repeat([]byte{challenge}, 16))
	hash := NtPasswordHash(thePassword)
	s := GenerateAuthenticatorResponse(hash, [24]byte(value[24:]), [16]byte(value), auth, theUser)
	return assemble(chapSuccess, id, s[:]), MSCHAPv2HLAK(hash, [24]byte(value[24:]))
}

func mschapHand(t *testing.T) (*talk, *handServer) {
	t.Helper()
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{MSCHAPv2}}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(MSCHAPv2))
	k.peer.take(k.peer.Start(k.now))
	return k, &handServer{k: k}
}

// accel-ppp repeats its challenge; each is answered anew, with another peer challenge, and the keys are those of the
// response that the Success is for.
func TestRepeatedChallengeIsAnsweredAnewAndTheMatchingKeysCount(t *testing.T) {
	for _, c := range []struct {
		name           string
		id2, challenge byte
		winner         int
	}{
		{"success for the second", 2, 0xbb, 2},
		{"success for the first, which crossed the second challenge", 2, 0xbb, 1},
		{"same Id, same challenge: success for the second", 1, 0xaa, 2},
		{"same Id, same challenge: success for the first", 1, 0xaa, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, h := mschapHand(t)
			first := bytes.Clone(h.ask(1, 0xaa))
			second := bytes.Clone(h.ask(c.id2, c.challenge))
			if bytes.Equal(first[:16], second[:16]) {
				t.Error("the same peer challenge twice")
			}
			packet, hlak := h.verdict(1, 0xaa, first)
			if c.winner == 2 {
				packet, hlak = h.verdict(c.id2, c.challenge, second)
			}
			k.peer.take(k.peer.Receive(k.now, packet))
			if len(k.peer.success) != 1 {
				t.Fatalf("no success: %v", k.peer.failures)
			}
			if got := k.peer.success[0].HLAK; got != hlak {
				t.Errorf("HLAK %x, want %x", got, hlak)
			}
		})
	}
}

func TestProofOfAnotherResponseDoesNotCount(t *testing.T) {
	k, h := mschapHand(t)
	first := bytes.Clone(h.ask(1, 0xaa))
	h.ask(2, 0xbb)
	packet, _ := h.verdict(1, 0xaa, first)
	packet[1] = 2 // under the other's Id
	k.peer.take(k.peer.Receive(k.now, packet))
	k.wantFailure(fault.AuthFailed, "wrong proof")
}

func TestAnswersThatWaitAreFew(t *testing.T) {
	k, h := mschapHand(t)
	for id := range 50 {
		h.ask(byte(id), 0xaa)
	}
	if n := len(k.peer.side.(*Peer).conversation.proto.(*chapPeer).pending); n > maxPending {
		t.Errorf("%d answers wait for a verdict, want at most %d", n, maxPending)
	}
}

func TestServerMayAskAgainAtAnyTime(t *testing.T) {
	for _, m := range []Method{CHAP, MSCHAPv2, EAPMSCHAPv2, EAPTLS} {
		t.Run(string(m), func(t *testing.T) {
			k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}, TLS: clientTLS(0)},
				AuthenticatorConfig{Rand: rand.Reader, Methods: []Method{m}, TLS: serverTLS()}, lcpOf(m)).start()
			key := k.wantSuccess(m).HLAK
			for range 3 {
				k.now = k.now.Add(time.Minute)
				before := len(k.server.sent)
				k.peer.got = append(k.peer.got, k.server.take(k.server.side.(*Authenticator).Challenge(k.now))...)
				k.run()
				if len(k.server.sent) < before+2 {
					t.Fatal("the server came to no verdict")
				}
			}
			if again := k.wantSuccess(m).HLAK; again != key {
				t.Error("the binding is made once; a re-authentication must not report other keys")
			}
		})
	}
}

func TestReauthenticationThatFailsIsAFailure(t *testing.T) {
	k, h := mschapHand(t)
	packet, _ := h.verdict(1, 0xaa, h.ask(1, 0xaa))
	k.peer.take(k.peer.Receive(k.now, packet))
	h.ask(2, 0xbb)
	k.peer.take(k.peer.Receive(k.now, assemble(chapSuccess, 2, []byte("S=407A5589115FD0D6209F510FE9C04566932CDA56"))))
	if len(k.peer.failures) != 1 {
		t.Error("a wrong proof after the first success must end the call")
	}
}

func TestCHAPIgnoresWhatAnswersNothing(t *testing.T) {
	k, h := mschapHand(t)
	value := bytes.Clone(h.ask(1, 0xaa))
	right, _ := h.verdict(1, 0xaa, value)
	for what, packet := range map[string][]byte{
		"challenge of 8 bytes (MS-CHAPv1)": assemble(chapChallenge, 2, counted(make([]byte, 8))),
		"empty challenge":                  assemble(chapChallenge, 2, []byte{0}),
		"challenge longer than the packet": assemble(chapChallenge, 2, []byte{16, 1, 2, 3}),
		"success for another Id":           assemble(chapSuccess, 9, right[4:]),
		"failure for another Id":           assemble(chapFailure, 9, []byte("E=691 R=0 V=3")),
		"a response":                       assemble(chapResponse, 1, counted(value), []byte("x")),
		"change password":                  assemble(7, 1, nil),
		"shorter than its length":          right[:20],
		"length below the header":          {3, 1, 0, 3},
		"nothing":                          nil,
	} {
		if do := k.peer.Receive(k.now, packet); len(do) != 0 {
			t.Errorf("%s led to %v", what, do)
		}
	}
	k.peer.take(k.peer.Receive(k.now, right))
	if len(k.peer.success) != 1 {
		t.Error("after all that the right success counts")
	}
	if do := k.peer.Receive(k.now, right); len(do) != 0 {
		t.Errorf("the same success once more led to %v", do)
	}
}

// The codes of RFC 2759 section 6, told apart in words; the forms are those of accel-ppp (no C=), SoftEther (no M=) and
// RFC 2759.
func TestFailureCodesAreToldApart(t *testing.T) {
	for _, c := range []struct {
		text  string
		code  fault.Code
		words string
	}{
		{"E=646 R=0 C=00112233445566778899aabbccddeeff V=3 M=Not now", fault.AccountDisabled, "may not log in at this hour (error 646)"},
		{"E=647 R=0 V=3", fault.AccountDisabled, "The account is disabled (error 647)"},
		{"E=648 R=0 V=3", fault.PasswordExpired, "The password has expired (error 648)"},
		{"E=649 R=0 V=3", fault.AccountDisabled, "no dial-in permission (error 649)"},
		{"E=691 R=0 V=3 M=Authentication failure", fault.AuthFailed, `refused the user name or the password (error 691). The server says: "Authentication failure".`},
		{"E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3", fault.AuthFailed, "(error 691)"},
		{"E=709 R=0 V=3", fault.AuthFailed, "could not change the password (error 709)"},
		{"E=812 R=0 V=3 M=policy", fault.AuthFailed, `refused the login (error 812). The server says: "policy".`},
		{"V=3 M=E=648 is not a code here E=647", fault.AuthFailed, `"E=648 is not a code here E=647"`},
		{"V=3 R=0 E=649", fault.AccountDisabled, "(error 649)"},
		{"E=-691", fault.AuthFailed, "refused the user name or the password"},
		{"E=99999999999999999999", fault.AuthFailed, "refused the user name or the password"},
		{"go away", fault.AuthFailed, `The server says: "go away".`},
		{"", fault.AuthFailed, "refused the user name or the password."},
	} {
		k, h := mschapHand(t)
		h.ask(1, 0xaa)
		k.peer.take(k.peer.Receive(k.now, assemble(chapFailure, 1, []byte(c.text))))
		k.wantFailure(c.code, c.words)
		if do := k.peer.Receive(k.now, assemble(chapChallenge, 2, counted(make([]byte, 16)))); len(do) != 0 {
			t.Errorf("after %q the same password is tried again, which could lock the account", c.text)
		}

		e := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{EAPMSCHAPv2}}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(EAPMSCHAPv2))
		sent := e.peer.take(e.peer.Receive(e.now, assemble(eapRequest, 5, []byte{26}, appendMSCHAP(opFailure, 4, []byte(c.text)))))
		e.wantFailure(c.code, c.words)
		if want := []byte{2, 5, 0, 6, 26, 4}; len(sent) != 1 || !bytes.Equal(sent[0], want) {
			t.Errorf("the failure is acknowledged by % x, want % x", sent, want)
		}
	}
}

func TestRefusalOfTheLabReachesThePeer(t *testing.T) {
	for _, m := range []Method{MSCHAPv2, EAPMSCHAPv2} {
		k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}},
			AuthenticatorConfig{Rand: rand.Reader, Methods: []Method{m}, FailCode: 648, FailMessage: "change it"}, lcpOf(m)).start()
		k.wantFailure(fault.PasswordExpired, `(error 648). The server says: "change it".`)
	}
	for _, m := range []Method{PAP, CHAP, EAPMD5} {
		k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}},
			AuthenticatorConfig{Rand: rand.Reader, Methods: []Method{m}, FailCode: 691}, lcpOf(m)).start()
		k.wantFailure(fault.AuthFailed)
		k.server.wantFailure(fault.AuthFailed, "as configured")
	}
}

func TestCHAPVerdictIsRepeatedForARepeatedResponse(t *testing.T) {
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{MSCHAPv2}}, AuthenticatorConfig{
		Rand: rand.Reader,
		Drop: func(n int, _ []byte) bool { return n == 2 }, // the Success
	}, lcpOf(MSCHAPv2)).start()
	response := k.peer.sent[0]
	k.peer.got = k.server.take(k.server.Receive(k.now, bytes.Clone(response)))
	k.run().wantSuccess(MSCHAPv2)
}

// failingRand is a source of randomness that does not work.
type failingRand struct{}

func (failingRand) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

func TestWithoutRandomnessNothingIsSent(t *testing.T) {
	challenge := counted(make([]byte, 16))
	for m, packet := range map[Method][]byte{
		MSCHAPv2:    assemble(chapChallenge, 1, challenge),
		EAPMSCHAPv2: assemble(eapRequest, 1, []byte{26}, appendMSCHAP(opChallenge, 1, challenge)),
	} {
		k := newTalk(t, PeerConfig{Methods: []Method{m}, Rand: failingRand{}}, AuthenticatorConfig{Rand: failingRand{}}, lcpOf(m))
		k.peer.take(k.peer.Receive(k.now, packet))
		k.wantFailure(fault.AuthFailed, "No random numbers")
		if len(k.peer.sent) != 0 {
			t.Errorf("%s: sent %x", m, k.peer.sent)
		}
		k.server.take(k.server.Start(k.now))
		k.server.wantFailure(fault.AuthFailed, "No random numbers")
	}
}
