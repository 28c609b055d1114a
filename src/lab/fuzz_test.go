package lab

import (
	"bytes"
	"crypto/rand"
	"net"
	"testing"

	"sstp/src/auth"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// FuzzCompress: however headers are compressed, each frame still means what it meant.
func FuzzCompress(f *testing.F) {
	f.Add(sstp.AppendData(nil, ppp.AppendFrame(nil, ppp.ProtoIPv4, []byte{0x45, 1, 2})), 0)
	f.Add(sstp.AppendData(sstp.AppendControl(nil, sstp.EchoRequest), ppp.AppendFrame(nil, ppp.ProtoLCP, []byte{9})), 1)
	f.Add([]byte{0x10, 0, 0, 8, 0xff, 3, 0, 0x21, 0x10}, 2)
	f.Fuzz(func(t *testing.T, b []byte, turn int) {
		s := &stream{turn: turn & 3}
		before, restBefore := frames(bytes.Clone(b))
		after, restAfter := frames(s.compress(bytes.Clone(b)))
		if len(before) != len(after) || !bytes.Equal(restBefore, restAfter) {
			t.Fatalf("%d frames became %d", len(before), len(after))
		}
		for i := range before {
			p, info, err := ppp.CutHeader(before[i])
			if err != nil {
				continue // garbage may become other garbage
			}
			if q, same, err := ppp.CutHeader(after[i]); err != nil || p != q || !bytes.Equal(info, same) {
				t.Fatalf("frame %x became %x", before[i], after[i])
			}
		}
	})
}

// frames cuts a stream into the payloads of its packets and what is no packet.
func frames(b []byte) (list [][]byte, rest []byte) {
	for {
		pkt, rest, err := sstp.Cut(b)
		if err != nil || pkt == nil {
			return list, b
		}
		list, b = append(list, sstp.Payload(pkt)), rest
	}
}

// FuzzPick: what is picked stands in the options, whole, and only of the types asked for.
func FuzzPick(f *testing.F) {
	f.Add([]byte{1, 4, 5, 220, 5, 6, 1, 2, 3, 4})
	f.Add([]byte{5, 0})
	f.Fuzz(func(t *testing.T, options []byte) {
		found := pick(options, optionMRU, optionMagic)
		for len(found) > 0 {
			n := int(found[1])
			if found[0] != optionMRU && found[0] != optionMagic || !bytes.Contains(options, found[:n]) {
				t.Fatalf("picked %x of %x", found, options)
			}
			found = found[n:]
		}
	})
}

// FuzzSpoil: no frame of a client makes the server stumble, whatever it is told to do wrong.
func FuzzSpoil(f *testing.F) {
	f.Add(ppp.AppendFrame(nil, ppp.ProtoLCP, control(configureRequest, 1, []byte{1, 4, 5, 220, 5, 6, 1, 2, 3, 4})), uint8(0))
	f.Add(ppp.AppendFrame(nil, ppp.ProtoIPCP, control(configureRequest, 1, []byte{3, 6, 0, 0, 0, 0, 129, 6, 0, 0, 0, 0})), uint8(3))
	f.Add(ppp.AppendFrame(nil, ppp.ProtoIPCP, control(configureAck, 1, []byte{3, 6, 0, 0, 0, 0})), uint8(6))
	certificate := testCertificate()
	f.Fuzz(func(t *testing.T, frame []byte, which uint8) {
		misdeeds := []Misbehaviour{{LCPNakForever: true}, {LCPReject: true}, {LCPNakMRU: 1452}, {IPCPRejectDNS: true},
			{IPCPRejectAddress: true}, {IPCPZeroAddress: true}, {IPCPNoPeerAddress: true}, {NoLCPEcho: true}}
		s, err := New(Config{Certificate: certificate, Misbehave: misdeeds[int(which)%len(misdeeds)], Methods: []auth.Method{auth.PAP}, Rand: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := net.Pipe()
		defer ours.Close()
		c := s.enter(theirs)
		if err := c.prepare(nil); err != nil {
			t.Fatal(err)
		}
		var sent []byte
		c.spoil.collect = func(pkt []byte) { sent = append(sent, pkt...) }
		for _, pkt := range [][]byte{sstp.AppendControl(nil, sstp.CallConnectRequest, sstp.Attribute{ID: sstp.EncapsulatedProtocolID, Value: []byte{0, 1}}),
			sstp.AppendData(nil, frame[:min(len(frame), sstp.MaxPayloadLen)]), frame} {
			if !c.intercept(c.client.Since, pkt) && len(pkt) >= sstp.HeaderLen {
				c.do(c.call.Receive(c.client.Since, pkt))
			}
			c.settle()
		}
		if _, rest := frames(sent); len(rest) > 0 {
			t.Fatalf("what was sent is no stream of packets: %x", sent)
		}
	})
}
