package joiner

import (
	"math/rand/v2"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// FuzzServer plays a server that says whatever it likes, packet by packet, to the client of one call. It must never be
// believed to have proved anything, never make the call send without end, and never leave it without a deadline.
func FuzzServer(f *testing.F) {
	seedFromServer(f)
	f.Fuzz(func(t *testing.T, stream []byte) {
		play(t, New(clientConfig([]auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2})), stream, func(a Action) {
			if a.Kind == LoggedIn || a.Kind == Bound || a.Kind == IPv4Up || a.Kind == IPv6Up {
				t.Fatalf("the call believed a server without a proof: action %d", a.Kind)
			}
		})
	})
}

// FuzzServerThatLetsUsIn is FuzzServer for a client that may log in by PAP, which proves nothing: such a server can open
// the call. All the same no packet of a network protocol leaves before the login and the binding, and there is one login
// and one binding.
func FuzzServerThatLetsUsIn(f *testing.F) {
	seedFromServer(f)
	f.Fuzz(func(t *testing.T, stream []byte) {
		w := watch{T: t, client: true}
		play(t, New(clientConfig([]auth.Method{auth.PAP, auth.MSCHAPv2})), stream, w.check)
	})
}

// FuzzClient plays a client that says whatever it likes to a server. It never logs in without the password.
func FuzzClient(f *testing.F) {
	seedFromClient(f)
	f.Fuzz(func(t *testing.T, stream []byte) {
		w := watch{T: t}
		play(t, New(serverConfig(auth.MSCHAPv2)), stream, func(a Action) {
			if a.Kind == LoggedIn || a.Kind == Bound || a.Kind == IPv4Up {
				t.Fatalf("the server believed a client without the password: action %d", a.Kind)
			}
			w.check(a)
		})
	})
}

// watch holds what is true of the order of a call's actions.
type watch struct {
	*testing.T
	client, open, loggedIn, bound, closing, ended bool
}

func (w *watch) check(a Action) {
	once := func(done *bool, what string) {
		if *done {
			w.Fatalf("%s twice", what)
		}
		*done = true
	}
	if w.ended {
		w.Fatalf("action %d after the end", a.Kind)
	}
	switch a.Kind {
	case Send:
		w.checkSent(a.Data)
	case LinkOpen:
		w.open = true
	case LoggedIn:
		once(&w.loggedIn, "a login")
		if !w.open {
			w.Fatal("a login before LCP is open")
		}
	case Bound:
		once(&w.bound, "a binding")
		if !w.loggedIn {
			w.Fatal("a binding before the login")
		}
	case IPv4Up, IPv6Up:
		if !w.loggedIn || w.client && !w.bound {
			w.Fatal("addresses before the login and the binding")
		}
	case Closing:
		once(&w.closing, "closing")
	case Ended:
		w.ended = true
		if a.Err != nil && (a.Err.Message == "" || a.Err.Hint == "") {
			w.Fatalf("ended with %+v", a.Err)
		}
	}
}

func (w *watch) checkSent(data []byte) {
	pkt, rest, err := sstp.Cut(data)
	if err != nil || pkt == nil || len(rest) > 0 {
		w.Fatalf("sent %x, which is not one packet", data)
	}
	if sstp.IsControl(pkt) {
		return
	}
	p, _, err := ppp.CutHeader(sstp.Payload(pkt))
	switch {
	case err != nil:
		w.Fatalf("sent %x: %v", pkt, err)
	case w.closing:
		w.Fatalf("sent %v after PPP was said to be over", p)
	case p < 0x8000:
		w.Fatalf("sent %v, which belongs to the data path", p)
	case p < 0xc000 && (!w.loggedIn || w.client && !w.bound):
		w.Fatalf("sent %v before the login and the binding", p)
	}
}

// play gives the packets of stream to the call, then lets time pass until it ends.
func play(t *testing.T, j *Joiner, stream []byte, see func(Action)) {
	defer j.Close()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	look := func(do []Action) (sent int) {
		for _, a := range do {
			if a.Kind == Send {
				sent++
			}
			see(a)
		}
		if !j.Ended() && j.Deadline().IsZero() {
			t.Fatal("the call waits without a deadline")
		}
		return sent
	}
	look(j.Start(now))
	for {
		pkt, rest, err := sstp.Cut(stream)
		if pkt == nil || err != nil {
			break
		}
		stream = rest
		if sent := look(j.Receive(now, pkt)); sent > 8 {
			t.Fatalf("one packet made the call send %d", sent)
		}
		now = now.Add(10 * time.Millisecond)
	}
	for i := 0; !j.Ended(); i++ {
		if i > 10_000 {
			t.Fatal("the call never ends")
		}
		if d := j.Deadline(); d.After(now) {
			now = d
		}
		look(j.Advance(now))
	}
}

func seedFromServer(f *testing.F) {
	ack := sstp.AppendControl(nil, sstp.CallConnectAck, sstp.Attribute{ID: sstp.CryptoBindingReq, Value: append([]byte{0, 0, 0, 3}, make([]byte, 32)...)})
	frame := func(p ppp.Protocol, info ...byte) []byte { return sstp.AppendData(nil, ppp.AppendFrame(nil, p, info)) }
	mschap := frame(ppp.ProtoLCP, 1, 1, 0, 9, 3, 5, 0xc2, 0x23, 0x81)
	eap := frame(ppp.ProtoLCP, 1, 1, 0, 8, 3, 4, 0xc2, 0x27)
	pap := frame(ppp.ProtoLCP, 1, 1, 0, 8, 3, 4, 0xc0, 0x23)
	lcpAck := frame(ppp.ProtoLCP, 2, 1, 0, 4)
	// The magic number of clientConfig's client is not known here, so its request is rejected first.
	lcpReject := frame(ppp.ProtoLCP, 4, 1, 0, 8, 1, 4, 0x05, 0x78)
	challenge := frame(ppp.ProtoCHAP, append([]byte{1, 7, 0, 21, 16}, make([]byte, 16)...)...)
	success := frame(ppp.ProtoCHAP, []byte("\x03\x07\x00\x06S=")...)
	eapSuccess := frame(ppp.ProtoEAP, 3, 7, 0, 4)
	identity := frame(ppp.ProtoEAP, 1, 7, 0, 5, 1)
	papAck := frame(ppp.ProtoPAP, 2, 2, 0, 4)
	ipcp := frame(ppp.ProtoIPCP, 1, 9, 0, 10, 3, 6, 10, 0, 0, 1)
	terminate := frame(ppp.ProtoLCP, 5, 9, 0, 4)
	seed := func(pkts ...[]byte) {
		var b []byte
		for _, p := range pkts {
			b = append(b, p...)
		}
		f.Add(b)
	}
	seed(ack, mschap, lcpAck, challenge, success)
	seed(ack, eap, lcpAck, identity, eapSuccess)
	seed(ack, mschap, sstp.AppendControl(nil, sstp.CallDisconnect))
	seed(ack, pap, lcpReject, lcpAck, papAck, ipcp, papAck, terminate)
	seed(sstp.AppendControl(nil, sstp.CallAbort))
}

func seedFromClient(f *testing.F) {
	p := newPair(f, clientConfig([]auth.Method{auth.MSCHAPv2}), seededServer(2, auth.MSCHAPv2)) // its challenge is another one
	p.exchange()
	var whole []byte
	for _, pkt := range p.client.sent {
		whole = append(whole, pkt...)
	}
	f.Add(whole[:len(whole)/2])
	f.Add(sstp.AppendControl(nil, sstp.CallConnectRequest, sstp.Attribute{ID: sstp.EncapsulatedProtocolID, Value: []byte{0, 1}}))
}

// clientConfig is a client whose randomness is the same each time.
func clientConfig(methods []auth.Method) Config {
	random := rand.NewChaCha8([32]byte{})
	cfg := Config{
		SSTP: sstp.Config{Role: sstp.Client, LeafCertificate: []byte("certificate")},
		PPP:  ppp.Config{Role: ppp.Client, MRU: 1400, IPv4: true, IPv6: true, WantDNS: true, Rand: random},
		NewLogin: func(agreed auth.LCPAuth, nextID func() uint8) Login {
			return auth.NewPeer(auth.PeerConfig{
				Username: "user", Password: "password", Methods: methods, Rand: random, NextID: nextID,
			}, agreed)
		},
	}
	cfg.PPP.Auth = protocols(methods)
	return cfg
}

func protocols(methods []auth.Method) (list []ppp.AuthProtocol) {
	for _, l := range auth.LCPProtocols(methods) {
		list = append(list, ppp.AuthProtocol{Protocol: ppp.Protocol(l.Protocol), Algorithm: l.Algorithm})
	}
	return list
}
