package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"testing"
	"time"

	"sstp/src/text"
)

// What is cut is what the Length field says, and laying it out again gives the packet.
func FuzzCut(f *testing.F) {
	f.Add([]byte{2, 1, 0, 4, 'T', 'e', 'x', 't'})
	f.Add([]byte{1, 9, 0, 5, 1})
	f.Add([]byte{1, 9, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		code, id, body, ok := cut(b)
		if !ok {
			return
		}
		if again := assemble(code, id, body); !bytes.HasPrefix(b, again) {
			t.Fatalf("% x was cut, % x laid out", b, again)
		}
		if field, rest, ok := cutCounted(body); ok && !bytes.Equal(append(counted(field), rest...), body) {
			t.Fatalf("% x was cut to % x and % x", body, field, rest)
		}
	})
}

// A turn that is cut into fragments of any size arrives as it was; what is held never passes the limit.
func FuzzFlow(f *testing.F) {
	f.Add([]byte("a turn of TLS"), uint16(3), []byte{0xc0, 0, 0, 0, 9, 1, 2})
	f.Add([]byte{}, uint16(1), []byte{0x40, 0x40, 0x00})
	f.Fuzz(func(t *testing.T, message []byte, size uint16, hostile []byte) {
		a, b := flow{fragmentLen: int(size) + 1}, flow{fragmentLen: 1}
		if len(message) <= maxFlight {
			packet := a.give(message)
			for {
				what, got, err := take(&b, packet)
				if err != nil {
					t.Fatal(err)
				}
				if what == turnComplete {
					if !bytes.Equal(got, message) {
						t.Fatal("the turn has changed")
					}
					break
				}
				if what, _, err := take(&a, b.give(nil)); what != turnAck || err != nil {
					t.Fatalf("acknowledgement: %v, %v", what, err)
				}
				packet = a.next()
			}
		}
		for n := 0; n < 100 && len(hostile) > 0; n++ {
			n := min(len(hostile), 1+int(hostile[0]&0x1f))
			flags, total, body, ok := cutTLS(hostile[:n])
			hostile = hostile[n:]
			if !ok {
				continue
			}
			if _, _, err := b.take(flags, total, bytes.Repeat(body, 512)); err != nil {
				break
			}
			if len(b.in) > maxFlight {
				t.Fatalf("%d bytes held", len(b.in))
			}
		}
	})
}

// Whatever a Failure says, the message for people can be shown, is short and a sentence with a hint.
func FuzzRefusal(f *testing.F) {
	f.Add([]byte("E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=Authentication failure"))
	f.Add([]byte("E=648 R=0 V=3"))
	f.Add([]byte("M= \x1b[31m\xff"))
	f.Fuzz(func(t *testing.T, verdict []byte) {
		e := refusedWith(verdict)
		if e.Hint == "" || len(e.Message) > 4*maxText+200 || !text.Plain(e.Message) {
			t.Fatalf("%q", e.Message)
		}
	})
}

// script turns the fuzzer's bytes into packets: a length, then so many bytes; the Length field is put right in most.
func script(b []byte, each func(packet []byte) (more bool)) {
	for n := 0; len(b) > 1 && n < 200; n++ {
		size, fix := int(b[0]), b[0]&7 != 0
		b = b[1:]
		size = min(size, len(b))
		packet := bytes.Clone(b[:size])
		b = b[size:]
		if fix && size >= headerLen {
			packet[2], packet[3] = byte(size>>8), byte(size)
		}
		if !each(packet) {
			return
		}
	}
}

// held is what a peer keeps of what it was sent.
func held(p *Peer) int {
	switch x := p.conversation.proto.(type) {
	case *chapPeer:
		return len(x.pending) * 64
	case *eapPeer:
		n := len(x.last) + len(x.answer) + len(x.notified) + len(x.denied)
		if m, ok := x.method.(*tlsPeer); ok {
			n += cap(m.flow.in) + cap(m.flow.out)
			if m.engine != nil {
				n += len(m.engine.in) + len(m.engine.out)
			}
		}
		return n
	}
	return 0
}

// A server that does not know the password sends what it likes: the peer does not panic, keeps little, says nothing
// after a failure, puts no password on the wire, and reports no success by a method that asks for proof.
func FuzzPeer(f *testing.F) {
	packet := func(p ...byte) []byte { return append([]byte{byte(len(p))}, p...) }
	challenge := assemble(chapChallenge, 1, counted(make([]byte, 16)), []byte("srv"))
	success := assemble(chapSuccess, 1, []byte("S=407A5589115FD0D6209F510FE9C04566932CDA56"))
	f.Add(uint8(0), append(packet(challenge...), packet(success...)...))
	eapChallenge := assemble(eapRequest, 2, []byte{26}, appendMSCHAP(opChallenge, 2, counted(make([]byte, 16))))
	eapProof := assemble(eapRequest, 3, []byte{26}, appendMSCHAP(opSuccess, 2, []byte("S=407A5589115FD0D6209F510FE9C04566932CDA56")))
	f.Add(uint8(1), bytes.Join([][]byte{packet(1, 1, 0, 5, 1), packet(eapChallenge...), packet(eapProof...), packet(3, 3, 0, 4)}, nil))
	f.Add(uint8(1), bytes.Join([][]byte{packet(1, 1, 0, 6, 13, 0x20), packet(1, 2, 0, 6, 13, 0), packet(3, 2, 0, 4)}, nil))
	f.Add(uint8(1), packet(1, 1, 0, 10, 13, 0xc0, 0, 0, 16, 0))
	f.Add(uint8(2), append(packet(challenge...), packet(3, 1, 0, 4)...))
	f.Add(uint8(3), packet(2, 1, 0, 4))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		methods := [][]Method{{MSCHAPv2}, {EAPTLS, EAPMSCHAPv2}, {CHAP}, {PAP}}[which%4]
		proves := which%4 < 2
		p := NewPeer(PeerConfig{Rand: rand.Reader, Username: theUser, Password: thePassword, Methods: methods, TLS: clientTLS(0)}, lcpOf(methods[0]))
		defer p.Close()
		now, over, sent := theStart, false, 0
		check := func(do []Action) {
			for _, a := range do {
				switch {
				case over:
					t.Fatalf("%+v after the failure", a)
				case a.Kind == Success && proves:
					t.Fatalf("success without proof: %+v", a)
				case a.Kind == Success && (sent == 0 || a.HLAK != [32]byte{}):
					t.Fatalf("success unasked, or with a key from nowhere: %+v", a)
				case a.Kind == Failure:
					over = true
				case a.Kind == Send:
					sent++
					if which%4 != 3 {
						wantNoPassword(t, [][]byte{a.Data})
					}
					if code, _, _, ok := cut(a.Data); !ok || code > 2 {
						t.Fatalf("sent % x", a.Data)
					}
				}
			}
		}
		check(p.Start(now))
		script(b, func(packet []byte) bool {
			now = now.Add(100 * time.Millisecond)
			check(p.Receive(now, packet))
			check(p.Advance(now))
			if n := held(p); n > 160<<10 {
				t.Fatalf("%d bytes held", n)
			}
			return true
		})
		check(p.Advance(now.Add(time.Hour)))
		if !over && !p.conversation.succeeded {
			t.Fatal("neither success nor failure after an hour")
		}
	})
}

// A client that does not know the password sends what it likes: it is never let in.
func FuzzAuthenticator(f *testing.F) {
	f.Add(uint8(0), []byte("\x0c\x01\x01\x00\x0c\x03abc\x03abc"))
	f.Add(uint8(1), []byte("\x09\x02\x01\x00\x09\x01abc"))
	f.Add(uint8(3), []byte("\x05\x02\x02\x00\x05\x01\x06\x02\x03\x00\x06\x03\x0d\x06\x02\x04\x00\x06\x0d\x00"))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		methods := [][]Method{{PAP}, {CHAP}, {MSCHAPv2}, {EAPMSCHAPv2, EAPTLS, CHAP}}[which%4]
		a := NewAuthenticator(AuthenticatorConfig{
			Methods: methods, TLS: serverTLS(), Rand: bytes.NewReader(make([]byte, 1<<16)),
			Secret: func(string) (string, bool) { return thePassword, true },
		}, lcpOf(methods[0]))
		defer a.Close()
		now, over := theStart, false
		check := func(do []Action) {
			for _, x := range do {
				if over || x.Kind == Success {
					t.Fatalf("%+v", x)
				}
				over = x.Kind == Failure
			}
		}
		check(a.Start(now))
		script(b, func(packet []byte) bool {
			now = now.Add(100 * time.Millisecond)
			check(a.Receive(now, packet))
			check(a.Advance(now))
			return true
		})
		check(a.Advance(now.Add(time.Hour)))
		if !over {
			t.Fatal("no failure after an hour")
		}
	})
}

// An honest conversation by a method that proves the server, of which the fuzzer changes, repeats, swaps and drops
// packets: the peer succeeds only where the server had the password, and only with the server's key.
func FuzzTamperedConversation(f *testing.F) {
	f.Add(uint8(0), false, []byte{0, 0, 0})
	f.Add(uint8(1), true, []byte{0, 1, 2, 3, 4})
	f.Add(uint8(2), false, []byte{0, 0, 0, 0, 3, 7, 1, 1})
	f.Add(uint8(1), false, []byte{1, 0, 1, 0, 2, 0})
	f.Fuzz(func(t *testing.T, which uint8, rogue bool, changes []byte) {
		m := []Method{MSCHAPv2, EAPMSCHAPv2, EAPTLS}[which%3]
		password := thePassword
		server := serverTLS()
		if rogue {
			password = "guess"
			server.Certificates = []tls.Certificate{testPKI().client} // not a server's
		}
		p := NewPeer(PeerConfig{Rand: rand.Reader, Username: theUser, Password: thePassword, Methods: []Method{m}, TLS: clientTLS(0)}, lcpOf(m))
		a := NewAuthenticator(AuthenticatorConfig{
			Rand:    rand.Reader,
			Methods: []Method{m}, TLS: server, EarlySuccess: rogue && which&0x80 != 0,
			SkipProof: rogue && which&0x40 != 0,
			Secret:    func(string) (string, bool) { return password, true },
		}, lcpOf(m))
		defer p.Close()
		defer a.Close()
		var keys [][32]byte
		var toPeer, past [][]byte
		queue := func(do []Action) {
			for _, x := range do {
				switch x.Kind {
				case Send:
					toPeer = append(toPeer, x.Data)
					past = append(past, x.Data)
				case Success:
					keys = append(keys, x.HLAK)
				}
			}
		}
		deliver := func(packet []byte) {
			for _, x := range p.Receive(theStart, packet) {
				switch x.Kind {
				case Send:
					queue(a.Receive(theStart, x.Data))
				case Success:
					if rogue || len(keys) == 0 || x.HLAK != keys[len(keys)-1] {
						t.Fatalf("%s: success without the server's: %+v, rogue %v", m, x, rogue)
					}
				}
			}
		}
		p.Start(theStart)
		queue(a.Start(theStart))
		for len(toPeer) > 0 {
			packet := toPeer[0]
			toPeer = toPeer[1:]
			change := byte(0)
			if len(changes) > 0 {
				change, changes = changes[0], changes[1:]
			}
			switch change % 8 {
			case 1:
				deliver(packet)
				deliver(packet)
			case 2: // lost
			case 3:
				b := bytes.Clone(packet)
				b[int(change)*7%len(b)] ^= 1 << (change >> 5)
				deliver(b)
			case 4:
				deliver(past[int(change)%len(past)])
				deliver(packet)
			case 5:
				deliver([]byte{3, packet[1], 0, 4})
				deliver(packet)
			case 6:
				deliver(packet[:len(packet)-1])
			default:
				deliver(packet)
			}
		}
	})
}
