package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf16"

	"sstp/src/fault"
)

// A server that does not know the password can let anybody in by MS-CHAPv2, but it cannot show S= (RFC 2759 section 5):
// success without it must never reach the crypto binding.
func TestConformance7SuccessWithoutProofIsASecurityFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		method Method
		server AuthenticatorConfig
		words  string
	}{
		{"S= wrong", MSCHAPv2, AuthenticatorConfig{Rand: rand.Reader, WrongProof: true}, "wrong proof (S=)"},
		{"S= missing", MSCHAPv2, AuthenticatorConfig{Rand: rand.Reader, SkipProof: true}, "without a proof (S=)"},
		{"S= wrong in EAP", EAPMSCHAPv2, AuthenticatorConfig{Rand: rand.Reader, WrongProof: true}, "wrong proof (S=)"},
		{"S= missing in EAP", EAPMSCHAPv2, AuthenticatorConfig{Rand: rand.Reader, SkipProof: true}, "without a proof (S=)"},
		{"EAP-Success without S=", EAPMSCHAPv2, AuthenticatorConfig{Rand: rand.Reader, EarlySuccess: true}, "before it had proven itself"},
		{"EAP-Success without TLS", EAPTLS, AuthenticatorConfig{Rand: rand.Reader, EarlySuccess: true}, "before it had proven itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.server.Methods, c.server.TLS = []Method{c.method}, serverTLS()
			k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{c.method}, TLS: clientTLS(0)}, c.server, lcpOf(c.method)).start()
			f := k.wantFailure(fault.AuthFailed, c.words, "it may be an attacker")
			if !strings.Contains(f.Hint, "certificate") {
				t.Errorf("the hint must send the user to the server's identity, not to the password: %q", f.Hint)
			}
		})
	}
}

func TestConformance7EAPSuccessBeforeAnyMethodIsASecurityFailure(t *testing.T) {
	success := []byte{3, 7, 0, 4}
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{EAPMSCHAPv2}}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(EAPMSCHAPv2))
	k.peer.take(k.peer.Receive(k.now, success))
	k.wantFailure(fault.AuthFailed, "without asking for the password")

	k = newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{EAPMSCHAPv2}}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(EAPMSCHAPv2))
	k.peer.take(k.peer.Receive(k.now, []byte{1, 7, 0, 5, 1}))
	k.peer.take(k.peer.Receive(k.now, success))
	k.wantFailure(fault.AuthFailed, "without asking for the password")
}

func TestCHAPSuccessBeforeAnyChallengeIsASecurityFailure(t *testing.T) {
	for _, m := range []Method{CHAP, MSCHAPv2} {
		k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(m))
		k.peer.take(k.peer.Receive(k.now, []byte{3, 1, 0, 4}))
		k.wantFailure(fault.AuthFailed, "without asking for the password", "it may be an attacker")
	}
}

// The handshake of TLS 1.3 ends for the client before the server has looked at its certificate: EAP-Success counts only
// after the server's byte 0x00 (RFC 9190 section 2.1.1).
func TestEAPSuccessBeforeTheCommitmentOfTLS13IsASecurityFailure(t *testing.T) {
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{EAPTLS}, TLS: clientTLS(tls.VersionTLS13)}, AuthenticatorConfig{
		Rand:    rand.Reader,
		Methods: []Method{EAPTLS}, TLS: serverTLS(), FragmentLen: 16 << 10,
		// Identity, Start, the server's flight, and then the commitment, which is lost.
		Drop: func(n int, _ []byte) bool { return n == 4 },
	}, lcpOf(EAPTLS)).start()
	p := k.peer.side.(*Peer).conversation.proto.(*eapPeer).method.(*tlsPeer)
	if p.engine.done {
		t.Fatal("the handshake must wait for the commitment")
	}
	k.peer.take(k.peer.Receive(k.now, []byte{3, k.peer.sent[len(k.peer.sent)-1][1], 0, 4}))
	k.wantFailure(fault.AuthFailed, "before it had proven itself")
}

// A server that lets us in without asking has not proven anything either.
func TestNoAuthenticationDoesNotGoAroundTheProof(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  PeerConfig
		ok   bool
	}{
		{"mschapv2 expected", PeerConfig{Rand: rand.Reader, Username: theUser, Password: thePassword, Methods: []Method{MSCHAPv2}}, false},
		{"eap-tls expected", PeerConfig{Rand: rand.Reader, Methods: []Method{EAPTLS}, TLS: clientTLS(0)}, false},
		{"pap allowed, which proves nothing either", PeerConfig{Rand: rand.Reader, Username: theUser, Password: thePassword, Methods: allOurs}, true},
		{"nothing to prove", PeerConfig{Rand: rand.Reader, Methods: []Method{MSCHAPv2, EAPMSCHAPv2}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t, PeerConfig{Rand: rand.Reader}, AuthenticatorConfig{Rand: rand.Reader}, LCPAuth{})
			k.peer.side = NewPeer(c.cfg, LCPAuth{})
			k.start()
			if c.ok {
				if got := k.wantSuccess(""); got.HLAK != [32]byte{} {
					t.Errorf("HLAK %x, want zeros", got.HLAK)
				}
				return
			}
			k.wantFailure(fault.AuthFailed, "asks for no authentication")
		})
	}
}

// passwordForms is how a password could be seen on the wire: as it is, in UTF-16, and by its hash.
func passwordForms(password string) [][]byte {
	wide := []byte{}
	for _, u := range utf16.Encode([]rune(password)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	hash := NtPasswordHash(password)
	return [][]byte{[]byte(password), wide, hash[:]}
}

func wantNoPassword(t *testing.T, sent [][]byte) {
	t.Helper()
	for _, packet := range sent {
		for _, form := range passwordForms(thePassword) {
			if bytes.Contains(packet, form) {
				t.Errorf("the password is on the wire: %x", packet)
			}
		}
	}
}

// A server that steps down through what it can do, EAP, MS-CHAPv2, PAP (SoftEther does, whatever we suggest), meets a
// clean failure at what is not allowed, and the password never leaves.
func TestConformance8ProposalsDownToPAPPutNoPasswordOnTheWire(t *testing.T) {
	for _, allowed := range [][]Method{{MSCHAPv2, EAPMSCHAPv2}, {EAPTLS}, {CHAP, EAPMSCHAPv2}, {}} {
		for _, m := range allOurs {
			lcp := lcpOf(m)
			k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: allowed, TLS: clientTLS(0)},
				AuthenticatorConfig{Rand: rand.Reader, Methods: []Method{EAPTLS, EAPMSCHAPv2, CHAP}, TLS: serverTLS()}, lcp).start()
			wantNoPassword(t, k.peer.sent)
			if inLCP := containsLCP(LCPProtocols(allowed), lcp); inLCP {
				continue
			}
			k.wantFailure(fault.AuthMethodRefused, "The server wants "+lcp.String(), "option auth does not allow")
			if len(k.peer.sent) != 0 {
				t.Errorf("%v with %v allowed: sent %x", lcp, allowed, k.peer.sent)
			}
		}
	}
}

func containsLCP(list []LCPAuth, l LCPAuth) bool {
	for _, have := range list {
		if have == l {
			return true
		}
	}
	return false
}

// PAP Ack with a Length of 4 and text behind it (RouterOS) is a success: the Length rules.
func TestConformance10PAPAckOfLength4WithTrailingText(t *testing.T) {
	for name, ack := range map[string]string{
		"RouterOS: text behind Length 4":   "0201000454657874",
		"SoftEther: Length 4":              "02010004",
		"message":                          "0201000a05" + hex.EncodeToString([]byte("Hello")),
		"message shorter than it claims":   "02010006ff41",
		"message length without a message": "0201000500",
	} {
		t.Run(name, func(t *testing.T) {
			k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{PAP}}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(PAP))
			k.peer.take(k.peer.Start(k.now))
			k.peer.take(k.peer.Receive(k.now, unhex(t, ack)))
			if len(k.peer.success) != 1 || len(k.peer.failures) != 0 {
				t.Errorf("successes %v, failures %v", k.peer.success, k.peer.failures)
			}
		})
	}
}
