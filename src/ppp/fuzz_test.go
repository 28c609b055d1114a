package ppp

import (
	"testing"
	"time"
)

// FuzzLink feeds a Link with frames and time as the input says. Whatever comes, a frame makes a bounded number of
// actions, memory does not grow, and a link that is not open has a deadline or is over.
func FuzzLink(f *testing.F) {
	seed := func(role byte, frames ...[]byte) {
		in := []byte{role}
		for _, fr := range frames {
			in = append(in, byte(len(fr)))
			in = append(in, fr...)
		}
		f.Add(in)
	}
	ackOurs := frame(ProtoLCP, configureAck, 1, ourRequest)
	request := frame(ProtoLCP, configureRequest, 7, "0304c023")
	seed(0)
	seed(0, ackOurs, request)
	seed(1, frame(ProtoLCP, configureReject, 1, "0304c023"), frame(ProtoLCP, configureRequest, 7, "01040578"))
	seed(0, ackOurs, request, []byte{0xa0}, frame(ProtoIPCP, configureNak, 2, "03060a000005"), frame(ProtoIPCP, configureRequest, 1, "03060a000001"))
	seed(0, ackOurs, request, []byte{0xa0}, frame(ProtoLCP, protocolReject, 2, "8057"), frame(ProtoIPV6CP, configureRequest, 3, "010a0000000000000009"))
	seed(0, ackOurs, request, []byte{0xa0}, frame(ProtoIPCP, terminateRequest, 2, ""), []byte{0xa1, 9}, request)
	seed(0, ackOurs, frame(ProtoLCP, configureRequest, 7, "0305c22381"), frame(ProtoLCP, configureRequest, 7, "0d0306"))

	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		cfg := clientConfig(methodMSCHAPv2, methodPAP)
		if in[0]&1 == 1 {
			cfg = serverConfig(methodMSCHAPv2, methodPAP)
		}
		l := NewLink(cfg)
		now := time.Unix(1700000000, 0)
		over := false
		check := func(did string, do []Action, input int) {
			t.Helper()
			if over && len(do) > 0 {
				t.Fatalf("after Terminated %s: %s", did, show(do...))
			}
			if len(do) > 8 {
				t.Fatalf("%s makes %d actions: %s", did, len(do), show(do...))
			}
			for _, a := range do {
				if a.Kind == Send {
					if len(a.Data) > 4091 || len(a.Data) > input+128 {
						t.Fatalf("%d bytes sent for %d", len(a.Data), input)
					}
					p, info, err := CutHeader(a.Data)
					pkt, ok := cutPacket(info)
					if err != nil || !ok || len(pkt.raw) != len(info) || p != ProtoLCP && p != ProtoIPCP && p != ProtoIPV6CP {
						t.Fatalf("sent what is no packet: %x", a.Data)
					}
					if pkt.code <= configureReject && !wellFormed(pkt.data) {
						t.Fatalf("sent broken options: %x", a.Data)
					}
				}
				over = over || a.Kind == Terminated
			}
			if c := l.lcp.auth; len(c.proposed) > maxProposals+1 || len(c.naked) > maxProposals+1 {
				t.Fatalf("%d proposals kept", len(c.proposed))
			}
			d := l.Deadline()
			if over != d.IsZero() && (over || l.lcp.state != opened) {
				t.Fatalf("over %v, LCP in %s, deadline %v", over, l.lcp.state, d)
			}
			if !d.IsZero() && (!d.After(now) || d.Sub(now) > 30*time.Second) {
				t.Fatalf("deadline %v at %v", d, now)
			}
			if mru := l.PeerMRU(); mru < minMRU || mru > maxMRU {
				t.Fatalf("PeerMRU %d", mru)
			}
		}
		check("Start", l.Start(now), 0)
		for in = in[1:]; len(in) > 0; {
			n := int(in[0])
			in = in[1:]
			frame := in[:min(n, len(in))]
			in = in[len(frame):]
			switch {
			case len(frame) == 1 && frame[0] == 0xa0:
				check("Authenticated", l.Authenticated(now), 0)
			case len(frame) == 1 && frame[0] == 0xa2:
				check("Echo", l.Echo(now), 0)
			case len(frame) == 1 && frame[0] == 0xa3:
				check("Terminate", l.Terminate(now, "fuzz"), 0)
			case len(frame) == 2 && frame[0] == 0xa1:
				if d := l.Deadline(); !d.IsZero() {
					now = d
				}
				now = now.Add(time.Duration(frame[1]) * 10 * time.Millisecond)
				check("Advance", l.Advance(now), 0)
			default:
				// Time is only moved by Advance: a Link is told of it in time.
				check("Receive", l.Receive(now, frame), len(frame))
			}
		}
		// Whatever happened, left alone it comes to rest: open, or over.
		for range 100 {
			d := l.Deadline()
			if d.IsZero() {
				break
			}
			now = d
			check("Advance", l.Advance(now), 0)
		}
		if d := l.Deadline(); !d.IsZero() {
			t.Fatalf("no rest: %v", d)
		}
		if !over && l.lcp.state != opened {
			t.Fatalf("at rest with LCP in %s", l.lcp.state)
		}
	})
}
