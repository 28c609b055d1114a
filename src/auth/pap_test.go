package auth

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"sstp/src/fault"
)

func papTalk(t *testing.T) *talk {
	t.Helper()
	id := uint8(40)
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Username: "user", Password: "pass", Methods: []Method{PAP},
		NextID: func() uint8 { id++; return id }}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(PAP))
	k.peer.take(k.peer.Start(k.now))
	return k
}

func TestPAPRequestOnTheWire(t *testing.T) {
	k := papTalk(t)
	want := bytes.Join([][]byte{
		{1, 41},            // Authenticate-Request, the link's next Id
		{0, 14},            // length
		[]byte("\x04user"), // Peer-ID
		[]byte("\x04pass"), // Password
	}, nil)
	if !bytes.Equal(k.peer.sent[0], want) {
		t.Errorf("sent % x, want % x", k.peer.sent[0], want)
	}
}

func TestPAPAsksTenTimesEveryThreeSeconds(t *testing.T) {
	k := papTalk(t)
	for n := 2; n <= 10; n++ {
		if d := k.peer.Deadline(); d != k.now.Add(3*time.Second) {
			t.Fatalf("next request at %v, want 3 s later", d.Sub(k.now))
		}
		k.now = k.peer.Deadline()
		k.peer.take(k.peer.Advance(k.now))
		if len(k.peer.sent) != n {
			t.Fatalf("%d requests sent, want %d", len(k.peer.sent), n)
		}
		if id := k.peer.sent[n-1][1]; id != uint8(40+n) {
			t.Errorf("request %d has Id %d: it changes with each (RFC 1334 section 2.2.1)", n, id)
		}
	}
	k.now = k.now.Add(3 * time.Second)
	k.peer.take(k.peer.Advance(k.now))
	k.wantFailure(fault.PeerSilent, "did not answer during authentication (PAP)")
}

func TestPAPAnswerToAnEarlierRequestCounts(t *testing.T) {
	k := papTalk(t)
	k.now = k.now.Add(3 * time.Second)
	k.peer.take(k.peer.Advance(k.now))
	k.peer.take(k.peer.Receive(k.now, []byte{2, 41, 0, 4}))
	if len(k.peer.success) != 1 {
		t.Fatal("a server that took 3 s answers the first of two requests: that is a success")
	}
	if d := k.peer.Deadline(); !d.IsZero() {
		t.Errorf("after the success there is nothing to repeat, but a deadline %v", d)
	}
}

func TestPAPIgnoresWhatAnswersNothing(t *testing.T) {
	k := papTalk(t)
	for _, packet := range []string{"\x02\x63\x00\x04", "\x02\x29\x00\x05", "\x02\x29\x00", "", "\x07\x29\x00\x04"} {
		if do := k.peer.Receive(k.now, []byte(packet)); len(do) != 0 {
			t.Errorf("% x is no answer to us, but led to %v", packet, do)
		}
	}
}

func TestPAPNakCarriesTheServersText(t *testing.T) {
	for nak, words := range map[string]string{
		"\x03\x29\x00\x04":           "refused the user name or the password.",
		"\x03\x29\x00\x04garbage":    "refused the user name or the password.",
		"\x03\x29\x00\x09\x04Nope":   `The server says: "Nope".`,
		"\x03\x29\x00\x08\x03\x1b[m": `The server says: "\x1b[m".`,
		"\x03\x29\x00\x07\x09No":     "refused the user name or the password.",
	} {
		k := papTalk(t)
		k.peer.take(k.peer.Receive(k.now, []byte(nak)))
		k.wantFailure(fault.AuthFailed, words)
	}
}

func TestPeerRefusesToStartWithWhatCannotBeSent(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		method         Method
		user, password string
		words          string
	}{
		{PAP, long, "p", "Option username is longer than 255 bytes"},
		{CHAP, long, "p", "Option username is longer than 255 bytes"},
		{MSCHAPv2, long, "p", "Option username is longer than 255 bytes"},
		{EAPMSCHAPv2, long, "p", "Option username is longer than 255 bytes"},
		{MSCHAPv2, "", "p", "Option username is empty"},
		{PAP, "u", long, "Option password is longer than 255 bytes"},
		{MSCHAPv2, "u", long + "x", "Option password is longer than 256 characters"},
		{MSCHAPv2, "u", "\xff", "not valid UTF-8"},
		{EAPMSCHAPv2, "u", "\xff", "not valid UTF-8"},
	} {
		k := newTalk(t, PeerConfig{Rand: rand.Reader}, AuthenticatorConfig{Rand: rand.Reader}, LCPAuth{})
		k.peer.side = NewPeer(PeerConfig{Rand: rand.Reader, Username: c.user, Password: c.password, Methods: []Method{c.method}}, lcpOf(c.method))
		k.peer.take(k.peer.Start(k.now))
		f := k.wantFailure(fault.InvalidOptions, c.words)
		if c.password != "p" && len(c.password) > 1 && strings.Contains(f.Message, c.password) {
			t.Errorf("the message shows the password: %q", f.Message)
		}
		if len(k.peer.sent) != 0 {
			t.Errorf("sent %x", k.peer.sent)
		}
	}
}
