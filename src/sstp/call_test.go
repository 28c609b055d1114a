package sstp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sstp/src/fault"
)

// pair is a client and a server that hear each other at once.
type pair struct {
	client, server *script
}

func newPair(t *testing.T, cfg Config) *pair {
	cfg.Role = Client
	pp := &pair{client: newScript(t, cfg)}
	cfg.Role = Server
	pp.server = newScript(t, cfg)
	pp.exchange()
	return pp
}

// exchange carries packets until both are quiet.
func (pp *pair) exchange() {
	for len(pp.client.sent)+len(pp.server.sent) > 0 {
		up, down := pp.client.sent, pp.server.sent
		pp.client.sent, pp.server.sent = nil, nil
		pp.server.sends(up...)
		pp.client.sends(down...)
	}
}

func TestClientAndServerUnderstandEachOther(t *testing.T) {
	for _, mask := range []HashProtocol{HashSHA1, HashSHA256, HashSHA1 | HashSHA256} {
		pp := newPair(t, Config{HashMask: mask})
		pp.client.wants("the call is accepted", "PPP up")
		pp.server.wants("the request is good", "send CALL_CONNECT_ACK", "PPP up")
		pp.client.note(pp.client.call.Authenticated(pp.client.now, testKey))
		pp.exchange()
		pp.client.wants("the client's login is over first", "send CALL_CONNECTED", "connected")
		pp.server.wants("the server's result is not there yet")
		pp.server.note(pp.server.call.Authenticated(pp.server.now, testKey))
		pp.server.wants("now it is", "connected")
		if pp.client.call.Hash() != mask.choose() || pp.server.call.Hash() != mask.choose() {
			t.Errorf("hashes %v and %v, want %v", pp.client.call.Hash(), pp.server.call.Hash(), mask.choose())
		}
		pp.client.silentFor(10 * time.Second)
		pp.exchange()
		pp.client.wants("silence is asked about", "send ECHO_REQUEST", "probe PPP", "echo answered after 0s")
		pp.server.wants("and answered", "send ECHO_RESPONSE")
		pp.client.note(pp.client.call.Disconnect(pp.client.now))
		pp.exchange()
		pp.client.wants("the client has its end", "send CALL_DISCONNECT NO_ERROR", "PPP down", "release")
		pp.server.silentFor(time.Second)
		pp.server.wants("and the server too", "send CALL_DISCONNECT_ACK", "PPP down", "release")
	}
}

func TestDifferentKeysOrCertificatesNeverConnect(t *testing.T) {
	for _, spoil := range []func(pp *pair) HLAK{
		func(*pair) HLAK { return HLAK{} },
		func(pp *pair) HLAK { pp.server.call.cfg.LeafCertificate = []byte("another"); return testKey },
	} {
		pp := newPair(t, Config{})
		key := spoil(pp)
		pp.server.note(pp.server.call.Authenticated(pp.server.now, key))
		pp.client.note(pp.client.call.Authenticated(pp.client.now, testKey))
		pp.exchange()
		pp.server.silentFor(time.Second)
		pp.client.silentFor(time.Second)
		if slices.Contains(pp.server.did, "connected") {
			t.Errorf("the server did %q", pp.server.did)
		}
		pp.server.wantsReason(fault.CryptoBindingFailed)
		pp.client.wantsReason(fault.CryptoBindingFailed, "VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING")
	}
}

func TestKeysDoNotStayBehind(t *testing.T) {
	for name, end := range map[string]func(p *script){
		"connected": func(p *script) { p.sends(AppendCallConnected(nil, HashSHA256, testNonce, testCert, testKey)) },
		"refused":   func(p *script) { p.sends(AppendCallConnected(nil, HashSHA256, testNonce, testCert, HLAK{})) },
		"released":  func(p *script) { p.note(p.call.Lost(p.now, nil)) },
	} {
		p := server(t, StateConnectedPending)
		p.note(p.call.Authenticated(p.now, testKey))
		end(p)
		if p.call.binding != (serverBinding{}) {
			t.Errorf("%s: the key is still there", name)
		}
	}
}

func TestTimersHaveDefaults(t *testing.T) {
	if got := (Timers{}).withDefaults(); got != DefaultTimers() {
		t.Errorf("no timers are %+v, want %+v", got, DefaultTimers())
	}
	if got := (Timers{Hello: time.Minute, Abort1: -1}).withDefaults(); got.Hello != time.Minute || got.Abort1 != 3*time.Second {
		t.Errorf("a timer that is given is %+v", got)
	}
}

func TestConnectedCallAllocatesOnlyTheListOfActions(t *testing.T) {
	p := client(t, StateConnected)
	for _, c := range []struct {
		what string
		pkt  []byte
		want float64
	}{
		{"a control frame of PPP: the list", AppendData(nil, wire(t, "ff03 c021 09")), 1},
		{"an empty packet, and the bytes of data packets: nothing", AppendData(nil, nil), 0},
	} {
		if n := testing.AllocsPerRun(1000, func() { p.call.Receive(p.now, c.pkt); p.call.Heard(p.now) }); n != c.want {
			t.Errorf("%s: %v allocations, want %v", c.what, n, c.want)
		}
	}
}

// TestActionsBelongToTheCaller: whoever carries a list of actions out may call the same machine again in the middle of it.
func TestActionsBelongToTheCaller(t *testing.T) {
	call := NewCall(Config{Role: Client, LeafCertificate: testCert})
	now := time.Unix(1700000000, 0)
	request := call.Start(now)
	want := bytes.Clone(request[0].Data)
	ack := AppendControl(nil, CallConnectAck, Attribute{ID: CryptoBindingReq, Value: append([]byte{0, 0, 0, 3}, testNonce[:]...)})
	accepted := call.Receive(now, ack)
	bound := call.Authenticated(now, testKey)
	connected := bytes.Clone(bound[0].Data)
	call.Disconnect(now)
	if request[0].Kind != Send || !bytes.Equal(request[0].Data, want) {
		t.Errorf("the request is now action %d with %x", request[0].Kind, request[0].Data)
	}
	if accepted[0].Kind != PPPUp {
		t.Errorf("PPPUp is now action %d", accepted[0].Kind)
	}
	if bound[0].Kind != Send || !bytes.Equal(bound[0].Data, connected) {
		t.Errorf("CALL_CONNECTED is now action %d with %x", bound[0].Kind, bound[0].Data)
	}
}
