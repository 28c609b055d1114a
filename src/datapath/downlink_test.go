package datapath

import (
	"bytes"
	"testing"
	"testing/synctest"

	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

func TestPacketsOfOneReadAreOneBatch(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		a, b, c := ip4(1400, 1), ip6(60, 2), ip4(20, 3)
		r.receive(join(framedIP(a), framedIP(b)), framedIP(c))
		r.wantDelivered("two came together, one came later", [][]byte{a, b}, [][]byte{c})
		n := uint64(1400 + 60 + 20)
		r.wantCounters("IP and the stream are counted apart",
			Counters{RxPackets: 3, RxBytes: n, StreamRxBytes: n + 3*8})
	})
}

func TestEveryFormOfAFrameIsUnderstood(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		v4, v6 := ip4(20, 1), ip6(40, 2)
		for _, form := range []struct {
			why    string
			header []byte
			packet []byte
		}{
			{"the usual form", []byte{0xff, 0x03, 0x00, 0x21}, v4},
			{"without FF 03", []byte{0x00, 0x21}, v4},
			{"with one byte of protocol", []byte{0x21}, v4},
			{"with FF 03 and one byte", []byte{0xff, 0x03, 0x57}, v6},
			{"IPv6 in one byte", []byte{0x57}, v6},
		} {
			r.receive(sstp.AppendData(nil, join(form.header, form.packet)))
			r.wantDelivered(form.why, [][]byte{form.packet})
		}
	})
}

func TestAPacketMayCrossReads(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		a, b := ip4(100, 1), ip4(1400, 2)
		bytes := join(framedIP(a), echoRequest, framedIP(b))
		for i := range bytes {
			r.receive(bytes[i : i+1])
		}
		r.wantDelivered("one byte at a time", [][]byte{a}, [][]byte{b})
		r.wantEvents("control too", echoRequest)
	})
}

func TestALongStreamInAwkwardPieces(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		var stream []byte
		var want [][]byte
		for i := range 2000 {
			pkt := ip4(20+i*7%1381, byte(i))
			want = append(want, pkt)
			stream = append(stream, framedIP(pkt)...)
		}
		for size := 1; len(stream) > 0; size = size*3%100003 + 1 {
			n := min(size, len(stream))
			r.receive(stream[:n])
			stream = stream[n:]
			synctest.Wait()
		}
		r.dev.mu.Lock()
		defer r.dev.mu.Unlock()
		var got [][]byte
		for _, batch := range r.dev.written {
			got = append(got, batch...)
		}
		if len(got) != len(want) {
			t.Fatalf("%d packets arrived, want %d", len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("packet %d is %.20x..., want %.20x...", i, got[i], want[i])
			}
		}
	})
}

func TestControlIsCopiedAndDelivered(t *testing.T) {
	pumped(t, func(r *rig) {
		vj := data(0x002d, []byte{1, 2})
		r.receive(join(echoRequest, lcpEcho, vj), disconnect)
		r.wantEvents("SSTP control, PPP control, and protocols that will be rejected",
			echoRequest, lcpEcho, vj, disconnect)
	})
}

func TestControlKeepsItsPlaceAmongData(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		a, b := ip4(20, 1), ip4(20, 2)
		r.receive(join(framedIP(a), disconnect, framedIP(b)))
		r.wantDelivered("data before and after it is two batches", [][]byte{a}, [][]byte{b})
		r.wantEvents("and it is delivered between them", disconnect)
	})
}

func TestIPIsDroppedWhileTheGateIsClosed(t *testing.T) {
	pumped(t, func(r *rig) {
		r.receive(framedIP(ip4(20, 1)))
		r.wantDelivered("before IPCP is done")
		r.Open(r.dev, 1400, true, false)
		r.receive(join(framedIP(ip4(20, 2)), framedIP(ip6(40, 2))))
		r.wantDelivered("IPv6 is not open", [][]byte{ip4(20, 2)})
		r.CloseGate()
		r.receive(framedIP(ip4(20, 3)))
		r.wantDelivered("after IPCP went down")
		r.wantCounters("each is counted", Counters{RxPackets: 1, RxBytes: 20, RxDropped: 3, StreamRxBytes: 28*3 + 48})
	})
}

func TestBadFramesAreDroppedAndCounted(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		bad := [][]byte{
			data(ppp.ProtoIPv4, ip6(40, 1)),                    // IPv6 under IPv4's number
			data(ppp.ProtoIPv6, ip4(20, 1)),                    // and the other way round
			data(ppp.ProtoIPv4, nil),                           // nothing in it
			data(ppp.ProtoIPv4, []byte{0x15, 1, 2}),            // no IP
			sstp.AppendData(nil, []byte{0xff, 0x03}),           // no protocol
			sstp.AppendData(nil, []byte{0xff, 0x03, 0, 0x20}),  // no possible protocol
			sstp.AppendData(nil, []byte{0x00}),                 // half a protocol
			sstp.AppendData(nil, []byte{0x80, 0x22, 1, 0, 40}), // an even protocol
		}
		empty := sstp.AppendData(nil, nil)
		good := framedIP(ip4(20, 1))
		stream := join(empty, join(bad...), good)
		r.receive(stream)
		r.wantDelivered("the good one gets through", [][]byte{ip4(20, 1)})
		r.wantEvents("and no event comes of the others")
		r.wantCounters("an empty packet is legal", Counters{RxPackets: 1, RxBytes: 20, RxDropped: uint64(len(bad)),
			StreamRxBytes: uint64(len(stream))})
	})
}

func TestBrokenFramingEndsThePumps(t *testing.T) {
	good := framedIP(ip4(20, 1))
	for _, c := range []struct {
		why    string
		stream []byte
		code   fault.Code
		cause  error
	}{
		{"never spoke SSTP", []byte("<html>"), fault.NotSSTP, sstp.ErrVersion},
		{"HTTP after the opening", []byte("HTTP/1.1 403 Forbidden\r\n"), fault.NotSSTP, sstp.ErrHTTP},
		{"version 2 in the middle", join(good, []byte{0x20, 0, 0, 8}), fault.SSTPRejected, sstp.ErrVersion},
		{"shorter than its header", join(good, []byte{0x10, 0, 0, 3}), fault.SSTPRejected, sstp.ErrLength},
		{"a control packet without a type", join(good, []byte{0x10, 1, 0, 4}), fault.SSTPRejected, sstp.ErrLength},
	} {
		pumped(t, func(r *rig) {
			r.open()
			r.receive(c.stream)
			r.wantEnded(c.why, c.code, c.cause)
			if c.code == fault.SSTPRejected {
				r.wantDelivered("what came before is through", [][]byte{ip4(20, 1)})
			}
		})
	}
}

func TestTheServerClosesTheConnection(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		r.receive(framedIP(ip4(20, 1)))
		close(r.stream.in)
		r.wantEnded("end of the stream", fault.ClosedByServer, errEOF)
		r.wantDelivered("its last packet arrives", [][]byte{ip4(20, 1)})
		r.dev.in <- ip4(20, 2)
		r.wantSent("and nothing is taken from the device for it any more")
		if len(r.dev.in) != 1 {
			t.Error("a packet was read from the device and lost: the next call could have carried it")
		}
	})
}

func TestPacketsThatTheKernelRefusesAreCounted(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		r.dev.refuse = 2
		r.receive(join(framedIP(ip4(20, 1)), framedIP(ip4(20, 2)), framedIP(ip4(20, 3))))
		r.wantCounters("and end nothing", Counters{RxPackets: 1, RxBytes: 60, RxDropped: 2, StreamRxBytes: 84})
		r.wantEvents("a device that is down may come up again")
	})
}

func TestSmallPacketsGoToTheDeviceInBoundedBatches(t *testing.T) {
	pumped(t, func(r *rig) {
		r.open()
		small := sstp.AppendData(nil, []byte{0x21, 0x45})
		r.receive(bytes.Repeat(small, 1300))
		synctest.Wait()
		r.dev.mu.Lock()
		defer r.dev.mu.Unlock()
		var sizes []int
		for _, b := range r.dev.written {
			sizes = append(sizes, len(b))
		}
		if len(sizes) != 3 || sizes[0] != maxWritten || sizes[1] != maxWritten || sizes[2] != 1300-2*maxWritten {
			t.Errorf("batches of %v, want two of %d and the rest", sizes, maxWritten)
		}
	})
}
