package sstp

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// FuzzCall lets a peer, an owner and the clock do anything in any order: each step is a byte that says what, and for a
// packet the bytes that follow.
func FuzzCall(f *testing.F) {
	good := [][]byte{
		callConnectRequest(), callConnectAck(3), AppendControl(nil, CallConnectNak), AppendControl(nil, EchoRequest),
		AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey), AppendControl(nil, EchoResponse),
		AppendControl(nil, CallAbort), AppendControl(nil, CallDisconnect), AppendControl(nil, CallDisconnectAck),
		AppendData(nil, []byte{0xff, 3, 0xc0, 0x21, 9}), AppendData(nil, []byte{0, 0x21, 0x45}),
	}
	f.Add(uint8(0), slicesWith(0, good[1], 1, good[3], 2, good[9], 3, 2, 5))
	f.Add(uint8(1), slicesWith(0, good[0], 1, good[4], 2, good[10], 3, 2, 2, 2, 2))
	f.Add(uint8(3), slicesWith(0, good[0], 1, good[4], 4, good[8], 2))
	f.Add(uint8(0), slicesWith(0, good[2], good[2], good[2], good[2], 2, 6))
	f.Add(uint8(0), slicesWith(0, good[1], good[6], good[7], 2, 2))
	f.Fuzz(func(t *testing.T, kind uint8, script []byte) {
		c := NewCall(Config{Role: Role(kind & 1), Lenient: kind&2 != 0, LeafCertificate: testCert, Nonce: testNonce})
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		w := watch{T: t, call: c}
		w.check(now, c.Start(now))
		for len(script) > 0 {
			op := script[0]
			if pkt, rest, err := Cut(script); err == nil && pkt != nil {
				script = rest
				w.check(now, c.Receive(now, pkt))
				continue
			}
			script = script[1:]
			switch op % 8 {
			case 1:
				w.check(now, c.Authenticated(now, testKey))
			case 2:
				if at := c.Deadline(); !at.IsZero() {
					now = at
					w.check(now, c.Advance(now))
					if at := c.Deadline(); !at.IsZero() && !at.After(now) {
						t.Fatalf("after Advance(now) the deadline is now: the owner would spin")
					}
				}
			case 3:
				now = now.Add(time.Duration(op) * time.Millisecond)
				c.Heard(now)
				w.check(now, nil)
			case 4:
				w.check(now, c.Disconnect(now))
			case 5:
				w.check(now, c.Lost(now, io.EOF))
			case 6:
				w.check(now, c.Abort(now, AttributeID(op), Status(op), nil))
			case 7:
				w.check(now, c.Receive(now, script[:min(len(script), int(op))])) // not from Cut
			}
		}
		// Left alone, a call ends in a bounded number of steps.
		for range 20 {
			if at := c.Deadline(); !at.IsZero() {
				w.check(at, c.Advance(at))
			}
		}
		if c.State() != StateDisconnected || !w.released {
			t.Fatalf("left alone, the call stays in state %v", c.State())
		}
	})
}

// slicesWith joins packets and the bytes of other steps.
func slicesWith(steps ...any) (b []byte) {
	for _, s := range steps {
		switch s := s.(type) {
		case int:
			b = append(b, byte(s))
		case []byte:
			b = append(b, s...)
		}
	}
	return b
}

// watch holds what is true of every call at every time.
type watch struct {
	*testing.T
	call                    *Call
	up, connected, released bool
}

func (w *watch) check(now time.Time, actions []Action) {
	w.Helper()
	if w.released && len(actions) != 0 {
		w.Fatalf("%d actions after the release", len(actions))
	}
	if len(actions) > 4 {
		w.Fatalf("%d actions for one event", len(actions))
	}
	for i, a := range actions {
		switch a.Kind {
		case Send:
			pkt, rest, err := Cut(a.Data)
			if err != nil || len(rest) != 0 || !IsControl(pkt) {
				w.Fatalf("sent %x, which is not one control packet", a.Data)
			}
			m, err := ParseControl(pkt)
			if err != nil || len(pkt) > callConnectedLen || !bytes.Equal(AppendControl(nil, m.Type, m.Attributes...), pkt) {
				w.Fatalf("sent %x, which is malformed", a.Data)
			}
		case PPPUp:
			if w.up {
				w.Fatal("PPP is up twice")
			}
			w.up = true
		case PPPFrame:
			if !w.up || !w.connected && !isControlFrame(a.Data) {
				w.Fatalf("frame %x passes in state %v", a.Data, w.call.State())
			}
		case Connected:
			if !w.up || w.connected {
				w.Fatal("connected without PPP, or twice")
			}
			w.connected = true
		case PPPDown:
			if !w.up {
				w.Fatal("PPP is down twice")
			}
			w.up, w.connected = false, false
		case ProbePPP, EchoAnswered:
			if !w.connected {
				w.Fatalf("%s before the call is connected", words(a))
			}
		case Release:
			if f := a.Err; f != nil && (f.Message == "" || f.Hint == "") {
				w.Fatalf("released with %#v", a.Err)
			}
			if w.up || i != len(actions)-1 {
				w.Fatal("the release is not the last action, or PPP is still up")
			}
			w.released = true
		default:
			w.Fatalf("unknown action %v", a)
		}
	}
	s, at := w.call.State(), w.call.Deadline()
	if w.released != (s == StateDisconnected) || w.released != at.IsZero() {
		w.Fatalf("state %v, deadline %v, released %v: a call has a deadline or is released", s, at, w.released)
	}
	if w.up != s.CarriesControl() || w.connected != s.CarriesData() {
		w.Fatalf("state %v, but PPP up is %v and connected %v", s, w.up, w.connected)
	}
	if !at.IsZero() && at.After(now.Add(time.Minute)) {
		w.Fatalf("a deadline of %v", at.Sub(now))
	}
}
