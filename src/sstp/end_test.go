package sstp

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"sstp/src/fault"
)

func TestOrderlyEnd(t *testing.T) {
	p := client(t, StateConnected)
	p.note(p.call.Disconnect(p.now))
	p.wants("we say goodbye", "send CALL_DISCONNECT NO_ERROR", "PPP down")
	p.sendsFrame("ff03 0021 45")
	p.wants("data that still comes is dropped")
	p.sends(AppendControl(nil, CallDisconnectAck))
	p.wants("the answer ends it, and nothing was wrong", "release")
	p.note(p.call.Disconnect(p.now))
	p.note(p.call.Lost(p.now, io.EOF))
	p.note(p.call.Abort(p.now, AttributeNone, StatusNoError, nil))
	p.note(p.call.Authenticated(p.now, testKey))
	p.note(p.call.Start(p.now))
	p.sends(AppendControl(nil, EchoRequest))
	p.call.Heard(p.now)
	p.silentFor(time.Hour)
	p.wants("a call that is released does nothing any more")

	p = client(t, StateConnected)
	p.note(p.call.Disconnect(p.now))
	p.silentFor(5 * time.Second)
	p.wants("a server that does not answer is not waited for", "send CALL_DISCONNECT NO_ERROR", "PPP down", "release")
}

func TestGoodbyesThatCross(t *testing.T) {
	p := client(t, StateDisconnectAckPending)
	p.sends(AppendControl(nil, CallDisconnect))
	p.silentFor(time.Second)
	p.wants("both say goodbye: it was our wish too", "send CALL_DISCONNECT_ACK", "release")

	p = client(t, StateDisconnectAckPending)
	p.sends(AppendControl(nil, CallAbort))
	p.silentFor(time.Second)
	p.wants("an abort after our goodbye does not make it a failure", "send CALL_ABORT NO_ERROR", "release")

	p = client(t, StateDisconnectAckPending)
	p.note(p.call.Lost(p.now, io.EOF))
	p.wants("nor does the end of the connection", "release")
}

func TestOurAbortKeepsItsReason(t *testing.T) {
	reason := fault.New(fault.AuthFailed, fault.StageAuth, "The server's proof is wrong.")
	p := client(t, StateAckReceived)
	p.note(p.call.Abort(p.now, CryptoBinding, StatusValueNotSupported, reason))
	p.wants("it says what we say", "send CALL_ABORT VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING", "PPP down")
	p.note(p.call.Abort(p.now, AttributeNone, StatusNoError, nil))
	p.sends(AppendControl(nil, CallAbort))
	p.note(p.call.Lost(p.now, io.EOF))
	p.wants("an answer's second is cut short by the end of the connection", "release AUTH_FAILED")
	if p.err != error(reason) {
		t.Errorf("the reason is %v, want ours", p.err)
	}
}

func TestEndBeforeTheStart(t *testing.T) {
	for why, end := range map[string]func(c *Call) []Action{
		"disconnect": func(c *Call) []Action { return c.Disconnect(time.Time{}) },
		"abort":      func(c *Call) []Action { return c.Abort(time.Time{}, AttributeNone, StatusNoError, nil) },
		"lost":       func(c *Call) []Action { return c.Lost(time.Time{}, io.EOF) },
	} {
		c := NewCall(Config{})
		if do := end(c); len(do) != 1 || do[0].Kind != Release || c.State() != StateDisconnected {
			t.Errorf("%s: %v in state %v, want a release and no word", why, do, c.State())
		}
	}
}

// TestConformance5ServersEndTheCall has every form of ABORT and DISCONNECT that servers send, in every state that they meet.
func TestConformance5ServersEndTheCall(t *testing.T) {
	const (
		full    = "10010014 0005 0001 0002 000c 000000 00 00000008" // RRAS
		none    = "10010008 0005 0000"                              // SoftEther 5.02
		short   = "10010010 0005 0001 0002 0008 00000007"           // sorz sstp-server
		accel   = "10010014 0005 0001 0002 000c 000000 02 00000007" // accel-ppp, whatever the reason
		binding = "10010014 0005 0001 0002 000c 000000 03 00000004" // RRAS, crypto binding

		bye      = "10010014 0006 0001 0002 000c 000000 00 00000000"
		byeNone  = "10010008 0006 0000"
		byeShort = "10010010 0006 0001 0000 0008 00000000"
		byeWhy   = "10010014 0006 0001 0002 000c 000000 00 00000006"
	)
	for _, test := range []struct {
		packet string
		state  State
		after  time.Duration
		code   fault.Code
		part   string
	}{
		{full, StateRequestSent, 0, fault.SSTPRejected, "refused the call (NEGOTIATION_TIMEOUT)"},
		{none, StateRequestSent, 0, fault.SSTPRejected, "refused the call (no reason given)"},
		{short, StateRequestSent, 0, fault.SSTPRejected, "refused the call (no reason given)"},
		{full, StateAckReceived, 0, fault.ClosedByServer, "before the login was over (NEGOTIATION_TIMEOUT)"},
		{none, StateAckReceived, 0, fault.ClosedByServer, "before the login was over (no reason given)"},
		{binding, StateConnected, 0, fault.CryptoBindingFailed, "rejected the crypto binding (VALUE_NOT_SUPPORTED, attribute CRYPTO_BINDING)"},
		{accel, StateConnected, 0, fault.CryptoBindingFailed, "(INVALID_FRAME_RECEIVED, attribute STATUS_INFO)"},
		{short, StateConnected, 2999 * time.Millisecond, fault.CryptoBindingFailed, "(no reason given)"},
		{binding, StateConnected, 9 * time.Second, fault.CryptoBindingFailed, "attribute CRYPTO_BINDING"},
		{full, StateConnected, 3 * time.Second, fault.ClosedByServer, "aborted the call (NEGOTIATION_TIMEOUT)"},
		{none, StateConnected, 9 * time.Second, fault.ClosedByServer, "aborted the call (no reason given)"},
		{bye, StateRequestSent, 0, fault.SSTPRejected, "ended the call."},
		{bye, StateAckReceived, 0, fault.ClosedByServer, "ended the call."},
		{bye, StateConnected, 0, fault.ClosedByServer, "ended the call."},
		{byeNone, StateConnected, 0, fault.ClosedByServer, "ended the call."},
		{byeShort, StateConnected, 0, fault.ClosedByServer, "ended the call."},
		{byeWhy, StateConnected, 0, fault.ClosedByServer, "ended the call (RETRY_COUNT_EXCEEDED)"},
	} {
		p := client(t, test.state)
		p.silentFor(test.after)
		p.sendsHex(test.packet)
		want := []string{"send CALL_ABORT NO_ERROR", "PPP down", "release " + string(test.code)}
		if wire(t, test.packet)[5] == byte(CallDisconnect) {
			want[0] = "send CALL_DISCONNECT_ACK"
		}
		if test.state == StateRequestSent {
			want = []string{want[0], want[2]}
		}
		p.silentFor(time.Second)
		p.wants("it is answered, and a second later it is over", want...)
		p.wantsReason(test.code, test.part)
	}
}

type timeoutError struct{ error }

func (timeoutError) Timeout() bool { return true }

func TestConnectionIsLost(t *testing.T) {
	broken := errors.New("connection reset by peer")
	known := fault.New(fault.TLSFailed, fault.StageTLS, "Known.")
	for _, test := range []struct {
		why   string
		state State
		err   error
		code  fault.Code
		part  string
	}{
		{"EOF instead of an answer", StateRequestSent, io.EOF, fault.SSTPRejected, "instead of answering"},
		{"EOF in the login", StateAckReceived, io.EOF, fault.ClosedByServer, "without a goodbye"},
		{"EOF in the middle", StateConnected, io.EOF, fault.ClosedByServer, "without a goodbye"},
		{"no reason", StateConnected, nil, fault.ClosedByServer, "without a goodbye"},
		{"reset", StateConnected, broken, fault.ClosedByServer, "cannot be reached any more: connection reset by peer"},
		{"a write that never ends", StateConnected, os.ErrDeadlineExceeded, fault.PeerSilent, "i/o timeout"},
		{"TCP gives up", StateConnected, timeoutError{broken}, fault.PeerSilent, "reset"},
		{"framing, before any packet", StateRequestSent, ErrVersion, fault.NotSSTP, "does not speak SSTP"},
		{"HTTP, before any packet", StateRequestSent, ErrHTTP, fault.NotSSTP, "HTTP where SSTP packets belong"},
		{"framing, later", StateConnected, ErrLength, fault.SSTPRejected, "broke SSTP's framing"},
		{"a failure that is known", StateConnected, known, fault.TLSFailed, "Known."},
	} {
		p := client(t, test.state)
		p.silentFor(5 * time.Second)
		p.note(p.call.Lost(p.now, test.err))
		want := []string{"PPP down", "release " + string(test.code)}
		if test.state == StateRequestSent {
			want = want[1:]
		}
		p.wants(test.why+": there is nobody to talk to", want...)
		p.wantsReason(test.code, test.part)
		if test.err != nil && !errors.Is(p.err, test.err) {
			t.Errorf("%s: %v does not wrap its cause", test.why, p.err)
		}
	}
}

func TestEOFRightAfterTheLoginHintsAtTheBinding(t *testing.T) {
	hint := func(after time.Duration) string {
		p := client(t, StateConnected)
		p.silentFor(after)
		p.note(p.call.Lost(p.now, io.EOF))
		p.wantsReason(fault.ClosedByServer, "without a goodbye")
		return fault.Of(p.err, "", "").Hint
	}
	// accel-ppp before 2026-07 loses its CALL_ABORT when it closes.
	if hint(time.Second) == hint(5*time.Second) {
		t.Error("the hint of an early end is that of a late one")
	}
}

func TestClientsEndTheCall(t *testing.T) {
	p := server(t, StateConnected)
	p.sends(AppendControl(nil, CallDisconnect))
	p.silentFor(time.Second)
	p.wants("that is how calls end", "send CALL_DISCONNECT_ACK", "PPP down", "release")

	p = server(t, StateConnected)
	p.sends(AppendControl(nil, CallAbort))
	p.silentFor(time.Second)
	p.wants("an abort is a failure, and not one of our binding", "send CALL_ABORT NO_ERROR", "PPP down", "release SSTP_REJECTED")
	p.wantsReason(fault.SSTPRejected, "The client aborted the call (no reason given).")

	p = server(t, StateConnected)
	p.note(p.call.Lost(p.now, io.EOF))
	p.wantsReason(fault.SSTPRejected, "The client closed the connection without a goodbye.")
}
