package session

import (
	"math/rand/v2"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// FuzzServer plays a server that says whatever it likes, packet by packet, to the protocols of one call. It must never be
// believed to have proved anything, never make the call send without end, and never leave it without a deadline.
func FuzzServer(f *testing.F) {
	ack := sstp.AppendControl(nil, sstp.CallConnectAck, sstp.Attribute{ID: sstp.CryptoBindingReq, Value: append([]byte{0, 0, 0, 3}, make([]byte, 32)...)})
	lcp := sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoLCP, []byte{1, 1, 0, 9, 3, 5, 0xc2, 0x23, 0x81}))
	eap := sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoLCP, []byte{1, 1, 0, 8, 3, 4, 0xc2, 0x27}))
	lcpAck := sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoLCP, []byte{2, 1, 0, 4}))
	chap := sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoCHAP, append([]byte{1, 7, 0, 21, 16}, make([]byte, 16)...)))
	success := sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoCHAP, []byte("\x03\x07\x00\x06S=")))
	eapSuccess := sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoEAP, []byte{3, 7, 0, 4}))
	identity := sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoEAP, []byte{1, 7, 0, 5, 1}))
	seed := func(pkts ...[]byte) {
		var b []byte
		for _, p := range pkts {
			b = append(b, p...)
		}
		f.Add(b)
	}
	seed(ack, lcp, lcpAck, chap, success)
	seed(ack, eap, identity, eapSuccess)
	seed(ack, lcp, sstp.AppendControl(nil, sstp.CallDisconnect))
	seed(sstp.AppendControl(nil, sstp.CallAbort))

	f.Fuzz(func(t *testing.T, stream []byte) {
		sent := 0
		e := newEngine(callConfig{
			leaf: []byte("certificate"), verified: true, username: "user", password: "password",
			methods: []auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2}, mru: 1400, ipv6: true, keepalive: 10 * time.Second, failures: 3,
			random: rand.NewChaCha8([32]byte{}), sendPacket: func([]byte) bool { sent++; return true },
		})
		defer e.close()
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		e.start(now)
		for {
			pkt, rest, err := sstp.Cut(stream)
			if pkt == nil || err != nil {
				break
			}
			stream = rest
			before := sent
			e.packet(now, pkt)
			if sent-before > 8 {
				t.Fatalf("one packet made the call send %d", sent-before)
			}
			for _, o := range e.take() {
				if o.kind == loggedIn || o.kind == ipv4Up {
					t.Fatalf("the call believed a server without a proof: outcome %d", o.kind)
				}
			}
			if !e.over && e.deadline().IsZero() {
				t.Fatal("the call waits without a deadline")
			}
			now = now.Add(10 * time.Millisecond)
		}
		for i := 0; !e.over; i++ {
			if i > 10_000 {
				t.Fatal("the call never ends")
			}
			d := e.deadline()
			if d.IsZero() {
				t.Fatal("the call waits without a deadline")
			}
			if d.After(now) {
				now = d
			}
			e.advance(now)
			e.take()
		}
	})
}
