package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"slices"
	"testing"

	"sstp/src/fault"
)

// Each method, peer against authenticator: both succeed by it and have the same key, which is zero where the method
// makes none ([MS-SSTP] 3.2.5.2).
func TestPeerAndAuthenticatorAgreeByEachMethod(t *testing.T) {
	for _, c := range []struct {
		name     string
		lcp      Method
		peer     []Method
		server   []Method
		tls      uint16
		fragment int
		want     Method
		key      bool
	}{
		{"pap", PAP, []Method{PAP}, nil, 0, 0, PAP, false},
		{"chap-md5", CHAP, []Method{CHAP}, nil, 0, 0, CHAP, false},
		{"mschapv2", MSCHAPv2, []Method{MSCHAPv2}, nil, 0, 0, MSCHAPv2, true},
		{"eap-mschapv2", EAPMSCHAPv2, []Method{EAPMSCHAPv2}, []Method{EAPMSCHAPv2}, 0, 0, EAPMSCHAPv2, true},
		{"eap-md5", EAPTLS, []Method{EAPMSCHAPv2, CHAP}, []Method{CHAP}, 0, 0, EAPMD5, false},
		{"eap-tls 1.2 by default", EAPTLS, []Method{EAPTLS}, []Method{EAPTLS}, 0, 0, EAPTLS, true},
		{"eap-tls 1.3", EAPTLS, []Method{EAPTLS}, []Method{EAPTLS}, tls.VersionTLS13, 0, EAPTLS, true},
		{"eap-tls 1.2 in fragments", EAPTLS, []Method{EAPTLS}, []Method{EAPTLS}, tls.VersionTLS12, 50, EAPTLS, true},
		{"eap-tls 1.3 in fragments", EAPTLS, []Method{EAPTLS}, []Method{EAPTLS}, tls.VersionTLS13, 1, EAPTLS, true},
		{"nak from tls to mschapv2", EAPTLS, []Method{EAPMSCHAPv2}, []Method{EAPTLS, EAPMSCHAPv2}, 0, 0, EAPMSCHAPv2, true},
		{"nak from md5 to tls", EAPTLS, []Method{EAPTLS, EAPMSCHAPv2}, []Method{CHAP, EAPMSCHAPv2, EAPTLS}, 0, 0, EAPTLS, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t,
				PeerConfig{Rand: rand.Reader, Methods: c.peer, TLS: clientTLS(c.tls), FragmentLen: c.fragment},
				AuthenticatorConfig{Rand: rand.Reader, Name: "lab", Methods: c.server, TLS: serverTLS(), FragmentLen: c.fragment},
				lcpOf(c.lcp)).start()
			got := k.wantSuccess(c.want)
			if hasKey := got.HLAK != [32]byte{}; hasKey != c.key {
				t.Errorf("HLAK %x, want a key: %v", got.HLAK, c.key)
			}
			if user := k.server.success[0].User; user != theUser {
				t.Errorf("the server knows the peer as %q, want %q", user, theUser)
			}
			if d := k.peer.Deadline(); !d.IsZero() {
				t.Errorf("the peer still waits for %v", d)
			}
		})
	}
}

func TestWrongPasswordIsRefusedByEachMethod(t *testing.T) {
	for _, c := range []struct {
		lcp    Method
		method Method
		words  string
	}{
		{PAP, PAP, `The server says: "Authentication failure"`},
		{CHAP, CHAP, `The server says: "Authentication failure"`},
		{MSCHAPv2, MSCHAPv2, `(error 691). The server says: "Authentication failure"`},
		{EAPMSCHAPv2, EAPMSCHAPv2, `(error 691). The server says: "Authentication failure"`},
		{EAPTLS, CHAP, "refused the user name or the password"},
	} {
		t.Run(string(c.method)+" in "+lcpOf(c.lcp).String(), func(t *testing.T) {
			for _, p := range []PeerConfig{
				{Rand: rand.Reader, Username: theUser, Password: "not " + thePassword, Methods: []Method{EAPMSCHAPv2, c.method}},
				{Rand: rand.Reader, Username: "mallory", Password: thePassword, Methods: []Method{EAPMSCHAPv2, c.method}},
			} {
				k := newTalk(t, p, AuthenticatorConfig{Rand: rand.Reader, Methods: []Method{c.method}}, lcpOf(c.lcp)).start()
				k.wantFailure(fault.AuthFailed, c.words)
				k.server.wantFailure(fault.AuthFailed)
			}
		})
	}
}

func TestUserNameGoesOutAsConfigured(t *testing.T) {
	for _, m := range []Method{PAP, CHAP, MSCHAPv2, EAPMSCHAPv2} {
		k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}}, AuthenticatorConfig{Rand: rand.Reader, Methods: []Method{m}}, lcpOf(m)).start()
		k.wantSuccess(m)
		if !bytes.Contains(bytes.Join(k.peer.sent, nil), []byte(theUser)) {
			t.Errorf("%s: the name is not sent as %q, with its domain", m, theUser)
		}
	}
}

func TestLCPProtocolsStandOnceInTheOrderOfTheMethods(t *testing.T) {
	eap, ms, md5, pap := LCPAuth{0xc227, 0}, LCPAuth{0xc223, 0x81}, LCPAuth{0xc223, 5}, LCPAuth{0xc023, 0}
	for _, c := range []struct {
		methods []Method
		want    []LCPAuth
	}{
		{allOurs, []LCPAuth{eap, ms, md5, pap}},
		{[]Method{MSCHAPv2, EAPMSCHAPv2}, []LCPAuth{ms, eap}},
		{[]Method{CHAP}, []LCPAuth{md5}}, // EAP-MD5 alone does not make EAP worth agreeing on
		{[]Method{"mschap"}, nil},
		{nil, nil},
	} {
		if got := LCPProtocols(c.methods); !slices.Equal(got, c.want) {
			t.Errorf("LCPProtocols(%v) = %v, want %v", c.methods, got, c.want)
		}
	}
}

func TestProtocolsHaveNames(t *testing.T) {
	for l, want := range map[LCPAuth]string{
		{}:             "no authentication",
		{0xc023, 0}:    "PAP",
		{0xc223, 0x05}: "CHAP-MD5",
		{0xc223, 0x80}: "MS-CHAPv1",
		{0xc223, 0x81}: "MS-CHAPv2",
		{0xc227, 0}:    "EAP",
		{0xc025, 0}:    "authentication protocol 0xc025",
		{0xc223, 0x06}: "authentication protocol 0xc223/0x6",
	} {
		if got := l.String(); got != want {
			t.Errorf("%#v is named %q, want %q", l, got, want)
		}
	}
}
