package session

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// wire notes what goes over it, in order, except IP.
type wire struct {
	mu       sync.Mutex
	packets  []string // "client CALL_CONNECTED", "server CHAP 3": a frame's protocol and its code
	binaries [][]byte // from the client
}

func (w *wire) packet(_ int, sent bool, pkt []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	from := "client "
	if sent {
		from = "server "
	} else {
		w.binaries = append(w.binaries, append([]byte(nil), pkt...))
	}
	if sstp.IsControl(pkt) {
		m, _ := sstp.ParseControl(pkt)
		w.packets = append(w.packets, from+m.Type.String())
		return
	}
	proto, info, err := ppp.CutHeader(sstp.Payload(pkt))
	if err != nil || len(info) == 0 {
		return
	}
	w.packets = append(w.packets, from+proto.String()+" "+string('0'+info[0]))
}

// first returns where the first of the packets stands, -1 where none does.
func (w *wire) first(packet string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range w.packets {
		if p == packet {
			return i
		}
	}
	return -1
}

func (w *wire) wantOrder(t *testing.T, packets ...string) {
	t.Helper()
	for i := 1; i < len(packets); i++ {
		a, b := w.first(packets[i-1]), w.first(packets[i])
		if a < 0 || b < 0 || a > b {
			t.Errorf("%q stands at %d and %q at %d of %v", packets[i-1], a, packets[i], b, w.packets)
		}
	}
}

func TestConformance11WireOrderAndTheLongFrameForm(t *testing.T) {
	var seen wire
	play(t, lab.Config{Methods: []auth.Method{auth.MSCHAPv2}, OnPacket: seen.packet}, nil, func(w *world) {
		w.wantUp("a good call")
	})
	seen.wantOrder(t, "client CALL_CONNECT_REQUEST", "server CALL_CONNECT_ACK", "client LCP 1", "client CHAP 2", "server CHAP 3",
		"client CALL_CONNECTED", "client IPCP 1")
	for _, pkt := range seen.binaries {
		if sstp.IsControl(pkt) {
			continue
		}
		if f := sstp.Payload(pkt); len(f) < ppp.HeaderLen || binary.BigEndian.Uint16(f) != 0xff03 {
			t.Errorf("frame % x lacks FF 03 and a protocol of two bytes, without which SoftEther drops it", f)
		}
	}
}

func TestConformance7NoCallConnectedWithoutTheServersProof(t *testing.T) {
	for name, m := range map[string]lab.Misbehaviour{
		"wrong S=": {WrongProof: true}, "no S=": {NoProof: true}, "EAP-Success without S=": {EarlySuccess: true},
	} {
		for _, method := range []auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2} {
			t.Run(name+" by "+string(method), func(t *testing.T) {
				var seen wire
				cfg := lab.Config{Methods: []auth.Method{method}, Misbehave: m, OnPacket: seen.packet}
				play(t, cfg, config.Values{"auth": {string(method)}}, func(w *world) {
					if m.EarlySuccess && method == auth.MSCHAPv2 {
						w.wantUp("there is no EAP to cut short")
						return
					}
					w.wantError(name, fault.AuthFailed, 30*time.Second)
					if seen.first("client CALL_CONNECTED") >= 0 {
						t.Error("CALL_CONNECTED went out to a server that proved nothing")
					}
				})
			})
		}
	}
}

func TestConformance8NothingOfThePasswordGoesToAServerThatOffersPAP(t *testing.T) {
	var seen wire
	play(t, lab.Config{Misbehave: lab.Misbehaviour{OfferOnly: auth.PAP}, OnPacket: seen.packet}, nil, func(w *world) {
		w.wantError("PAP is not allowed", fault.AuthMethodRefused, 30*time.Second)
	})
	if seen.first("client PAP 1") >= 0 {
		t.Error("the password went out")
	}
}
