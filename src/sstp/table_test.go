package sstp

import (
	"slices"
	"strings"
	"testing"
)

// outcomes are the cells of the tables below: what the call sends and does, and the state that it is in then; no state
// means the same one. The end of PPP, which goes with the states, is left out.
var outcomes = map[string]string{
	"-":        "",
	"abort 4":  "send CALL_ABORT VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING_REQ; abort pending",
	"abort 5":  "send CALL_ABORT UNACCEPTED_FRAME_RECEIVED; abort pending",
	"abort 7":  "send CALL_ABORT INVALID_FRAME_RECEIVED; abort pending",
	"abort 8":  "send CALL_ABORT NEGOTIATION_TIMEOUT; abort pending",
	"abort 9":  "send CALL_ABORT ATTRIB_NOT_SUPPORTED_IN_MSG, attribute CRYPTO_BINDING_REQ; abort pending",
	"abort 9b": "send CALL_ABORT ATTRIB_NOT_SUPPORTED_IN_MSG, attribute STATUS_INFO; abort pending",
	"abort":    "send CALL_ABORT NO_ERROR; abort timeout pending",
	"aborted":  "abort timeout pending",
	"begin":    "PPP up; ack received",
	"again":    "send CALL_CONNECT_REQUEST",
	"accept":   "send CALL_CONNECT_ACK; PPP up; connected pending",
	"nak":      "send CALL_CONNECT_NAK REQUIRED_ATTRIBUTE_MISSING, attribute ENCAPSULATED_PROTOCOL_ID",
	"bind":     "send CALL_CONNECTED; connected; connected",
	"discack":  "send CALL_DISCONNECT_ACK; disconnect timeout pending",
	"bye":      "send CALL_DISCONNECT NO_ERROR; disconnect ack pending",
	"echo":     "send ECHO_RESPONSE",
	"ask":      "send ECHO_REQUEST; probe PPP",
	"control":  "frame ff03c0210900",
	"data":     "frame 002145",
	"release":  "release; disconnected",
}

// tableEvents do something to a call.
var tableEvents = map[string]func(p *script){
	"ACK":                   func(p *script) { p.sends(callConnectAck(HashSHA256)) },
	"ACK, another nonce":    func(p *script) { pkt := callConnectAck(2); pkt[20]++; p.sends(pkt) },
	"ACK, no common hash":   func(p *script) { p.sends(callConnectAck(0x80)) },
	"ACK, no attribute":     func(p *script) { p.sends(AppendControl(nil, CallConnectAck)) },
	"NAK":                   func(p *script) { p.sends(AppendControl(nil, CallConnectNak)) },
	"REQUEST":               func(p *script) { p.sends(callConnectRequest()) },
	"REQUEST, no attribute": func(p *script) { p.sends(AppendControl(nil, CallConnectRequest)) },
	"CONNECTED":             func(p *script) { p.sends(AppendCallConnected(nil, 2, testNonce, testCert, testKey)) },
	"CONNECTED, no binding": func(p *script) { p.sends(AppendControl(nil, CallConnected)) },
	"ABORT":                 func(p *script) { p.sends(AppendControl(nil, CallAbort)) },
	"DISCONNECT":            func(p *script) { p.sends(AppendControl(nil, CallDisconnect)) },
	"DISCONNECT_ACK":        func(p *script) { p.sends(AppendControl(nil, CallDisconnectAck)) },
	"ECHO_REQUEST":          func(p *script) { p.sends(AppendControl(nil, EchoRequest)) },
	"ECHO_RESPONSE":         func(p *script) { p.sends(AppendControl(nil, EchoResponse)) },
	"unknown":               func(p *script) { p.sends(AppendControl(nil, 0x7777)) },
	"control frame":         func(p *script) { p.sendsFrame("ff03c0210900") },
	"network frame":         func(p *script) { p.sendsFrame("002145") },
	"empty frame":           func(p *script) { p.sendsFrame("") },
	"authenticated":         func(p *script) { p.note(p.call.Authenticated(p.now, testKey)) },
	"user stop":             func(p *script) { p.note(p.call.Disconnect(p.now)) },
	"timer":                 func(p *script) { p.now = p.call.Deadline(); p.note(p.call.Advance(p.now)) },
	"too early":             func(p *script) { p.note(p.call.Advance(p.call.Deadline().Add(-1))) },
}

func testTable(t *testing.T, start func(*testing.T, State) *script, states []State, table string) {
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != len(states)+1 {
			continue
		}
		rows++
		name := strings.TrimSpace(cells[0])
		do := tableEvents[name]
		if do == nil {
			t.Fatalf("no event %q", name)
		}
		for i, s := range states {
			want, ok := outcomes[strings.TrimSpace(cells[i+1])]
			if !ok {
				t.Fatalf("no outcome %q", cells[i+1])
			}
			p := start(t, s)
			do(p)
			got := slices.DeleteFunc(p.did, func(w string) bool { return w == "PPP down" })
			for j := range got {
				got[j], _, _ = strings.Cut(got[j], " SSTP_REJECTED") // reasons are tested elsewhere
				got[j], _, _ = strings.Cut(got[j], " CLOSED_BY_SERVER")
			}
			if p.call.State() != s {
				got = append(got, p.call.State().String())
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("%s in state %q: %q, want %q", name, s, strings.Join(got, "; "), want)
			}
			if dead := p.call.State() == StateDisconnected; dead != p.call.Deadline().IsZero() {
				t.Errorf("%s in state %q: the deadline is %v in state %q", name, s, p.call.Deadline(), p.call.State())
			}
		}
	}
	if rows != strings.Count(strings.TrimSpace(table), "\n")+1 {
		t.Errorf("%d rows could be read", rows)
	}
}

// The tables are [MS-SSTP] 3.2.5 and 3.3.5 with the deviations that the comment of table names.

func TestClientTable(t *testing.T) {
	testTable(t, client, []State{
		StateRequestSent, StateAckReceived, StateConnected,
		StateAbortPending, StateAbortTimeoutPending, StateDisconnectAckPending, StateDisconnectTimeoutPending,
	}, `
		ACK                   | begin   | -       | abort 5 | -       | -       | -       | -
		ACK, another nonce    | begin   | abort 5 | abort 5 | -       | -       | -       | -
		ACK, no common hash   | abort 4 | abort 5 | abort 5 | -       | -       | -       | -
		ACK, no attribute     | abort 9 | abort 5 | abort 5 | -       | -       | -       | -
		NAK                   | again   | abort 5 | abort 5 | -       | -       | -       | -
		REQUEST               | abort 5 | abort 5 | abort 5 | -       | -       | -       | -
		CONNECTED             | abort 5 | abort 5 | abort 5 | -       | -       | -       | -
		ABORT                 | abort   | abort   | abort   | aborted | -       | abort   | -
		DISCONNECT            | discack | discack | discack | -       | -       | discack | -
		DISCONNECT_ACK        | abort 5 | abort 5 | abort 5 | -       | -       | release | -
		ECHO_REQUEST          | abort 5 | echo    | echo    | -       | -       | -       | -
		ECHO_RESPONSE         | abort 5 | abort 5 | -       | -       | -       | -       | -
		unknown               | -       | -       | -       | -       | -       | -       | -
		control frame         | -       | control | control | -       | -       | -       | -
		network frame         | -       | -       | data    | -       | -       | -       | -
		empty frame           | -       | -       | -       | -       | -       | -       | -
		authenticated         | -       | bind    | -       | -       | -       | -       | -
		user stop             | bye     | bye     | bye     | -       | -       | -       | -
		timer                 | abort 8 | abort 8 | ask     | release | release | release | release
		too early             | -       | -       | -       | -       | -       | -       | -
	`)
}

func TestServerTable(t *testing.T) {
	testTable(t, server, []State{
		StateRequestPending, StateConnectedPending, StateConnected,
		StateAbortPending, StateAbortTimeoutPending, StateDisconnectAckPending, StateDisconnectTimeoutPending,
	}, `
		REQUEST               | accept  | abort 5  | abort 5 | -       | -       | -       | -
		REQUEST, no attribute | nak     | abort 5  | abort 5 | -       | -       | -       | -
		ACK                   | abort 5 | abort 5  | abort 5 | -       | -       | -       | -
		NAK                   | abort 5 | abort 5  | abort 5 | -       | -       | -       | -
		CONNECTED             | abort 5 | -        | abort 5 | -       | -       | -       | -
		CONNECTED, no binding | abort 5 | abort 9b | abort 5 | -       | -       | -       | -
		ABORT                 | abort   | abort    | abort   | aborted | -       | abort   | -
		DISCONNECT            | discack | discack  | discack | -       | -       | discack | -
		DISCONNECT_ACK        | abort 5 | abort 5  | abort 5 | -       | -       | release | -
		ECHO_REQUEST          | abort 5 | echo     | echo    | -       | -       | -       | -
		ECHO_RESPONSE         | abort 5 | abort 5  | -       | -       | -       | -       | -
		unknown               | -       | -        | -       | -       | -       | -       | -
		control frame         | -       | control  | control | -       | -       | -       | -
		network frame         | -       | -        | data    | -       | -       | -       | -
		empty frame           | -       | -        | -       | -       | -       | -       | -
		authenticated         | -       | -        | -       | -       | -       | -       | -
		user stop             | bye     | bye      | bye     | -       | -       | -       | -
		timer                 | abort 8 | abort 8  | ask     | release | release | release | release
		too early             | -       | -        | -       | -       | -       | -       | -
	`)
}

func TestWhatPPPMaySend(t *testing.T) {
	for s := StateIdle; s <= StateDisconnected; s++ {
		wantControl := slices.Contains([]State{StateAckReceived, StateConnectedPending, StateConnected}, s)
		if s.CarriesControl() != wantControl || s.CarriesData() != (s == StateConnected) {
			t.Errorf("%v: control frames %v, network frames %v", s, s.CarriesControl(), s.CarriesData())
		}
	}
}

func TestEveryCellOfTheTableIsFilled(t *testing.T) {
	for e := range table {
		for s := range table[e] {
			if table[e][s] == nil {
				t.Errorf("event %d in state %v has no reaction", e, firstColumn+State(s))
			}
		}
	}
}
