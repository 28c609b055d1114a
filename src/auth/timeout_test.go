package auth

import (
	"crypto/rand"
	"testing"
	"time"

	"sstp/src/fault"
)

// A server that says nothing more is silent, and known to be after the time limit at the latest.
func TestSilentServer(t *testing.T) {
	for _, m := range []Method{CHAP, MSCHAPv2, EAPMSCHAPv2, EAPTLS} {
		t.Run(string(m)+", never asks", func(t *testing.T) {
			k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}, TLS: clientTLS(0)}, AuthenticatorConfig{
				Rand:    rand.Reader,
				Methods: []Method{m}, TLS: serverTLS(), Drop: func(int, []byte) bool { return true },
			}, lcpOf(m)).start().wait(59 * time.Second)
			if len(k.peer.failures) != 0 {
				t.Fatal("a slow authentication server has 60 s")
			}
			k.wait(2*time.Second).wantFailure(fault.PeerSilent, "The server did not answer", lcpOf(m).String())
			k.server.wantFailure(fault.PeerSilent, "The client did not answer")
		})
		t.Run(string(m)+", drops its verdict", func(t *testing.T) {
			last := map[Method]int{CHAP: 2, MSCHAPv2: 2, EAPMSCHAPv2: 3, EAPTLS: 4}[m]
			k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}, TLS: clientTLS(0)}, AuthenticatorConfig{
				Rand:    rand.Reader,
				Methods: []Method{m}, TLS: serverTLS(), Drop: func(n int, _ []byte) bool { return n >= last },
			}, lcpOf(m)).start().wait(61 * time.Second)
			k.wantFailure(fault.PeerSilent, "The server did not answer")
		})
	}
}

func TestServerThatAsksWithoutEnd(t *testing.T) {
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{CHAP}}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(CHAP))
	k.peer.take(k.peer.Start(k.now))
	for id := range 61 {
		k.peer.take(k.peer.Receive(k.now, assemble(chapChallenge, byte(id), counted([]byte{1, 2, 3}))))
		k.peer.take(k.peer.Receive(k.now, assemble(chapSuccess, byte(id+1), nil)))
		k.now = k.now.Add(time.Second)
		k.peer.take(k.peer.Advance(k.now))
		if len(k.peer.failures) > 0 {
			break
		}
	}
	k.wantFailure(fault.PPPNegotiationFailed, "CHAP-MD5", "did not come to an end within 1m0s",
		"a Success that answers none of our responses")
}

func TestTimeLimitIsConfigurable(t *testing.T) {
	k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{CHAP}, Timeout: 5 * time.Second}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(CHAP))
	k.peer.take(k.peer.Start(k.now))
	if d := k.peer.Deadline(); d != k.now.Add(5*time.Second) {
		t.Errorf("deadline %v, want 5 s", d.Sub(k.now))
	}
}

// Every packet of the server is lost once; retransmission brings the two to the same end.
func TestLostPacketsAreRepeated(t *testing.T) {
	for _, m := range []Method{CHAP, MSCHAPv2, EAPMSCHAPv2, EAPTLS} {
		t.Run(string(m), func(t *testing.T) {
			lost := map[string]bool{}
			k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}, TLS: clientTLS(0), FragmentLen: 300}, AuthenticatorConfig{
				Rand:    rand.Reader,
				Methods: []Method{m}, TLS: serverTLS(), FragmentLen: 400,
				Drop: func(n int, packet []byte) bool {
					verdict := lcpOf(m).Protocol == protocolEAP && packet[0] == eapSuccess ||
						lcpOf(m).Protocol == protocolCHAP && packet[0] == chapSuccess
					drop := !verdict && !lost[string(packet)]
					lost[string(packet)] = true
					return drop
				},
			}, lcpOf(m)).start().wait(58 * time.Second)
			k.wantSuccess(m)
		})
	}
}

func TestPeerIsDoneAfterClose(t *testing.T) {
	for _, m := range allOurs {
		k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{m}, TLS: clientTLS(0)}, AuthenticatorConfig{Rand: rand.Reader}, lcpOf(m))
		k.peer.take(k.peer.Start(k.now))
		k.peer.Close()
		if do := k.peer.Receive(k.now, []byte{1, 1, 0, 5, 1}); len(do) != 0 {
			t.Errorf("%s: a closed peer does %v", m, do)
		}
		if do := k.peer.Advance(k.now.Add(time.Hour)); len(do) != 0 {
			t.Errorf("%s: a closed peer does %v", m, do)
		}
		if d := k.peer.Deadline(); !d.IsZero() {
			t.Errorf("%s: a closed peer waits for %v", m, d)
		}
	}
}
