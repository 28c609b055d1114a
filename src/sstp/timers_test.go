package sstp

import (
	"testing"
	"time"

	"sstp/src/fault"
)

func TestConformance6ServerThatAnswersNothingIsLost(t *testing.T) {
	p := clientWith(t, StateConnected, Config{EchoFailures: 1})
	p.silentFor(10 * time.Second)
	p.wants("after a hello's time of silence we ask both ways", "send ECHO_REQUEST", "probe PPP")
	p.silentFor(10*time.Second - 1)
	p.wants("it has the same time again")
	p.silentFor(1)
	p.wants("then the connection is closed, without a CALL_ABORT that nobody reads", "PPP down", "release PEER_SILENT")
	p.wantsReason(fault.PeerSilent, "has not sent a byte for 20s")
}

func TestThreeSilentRoundsByDefault(t *testing.T) {
	p := client(t, StateConnected)
	p.silentFor(40*time.Second - 1)
	p.wants("three rounds are asked", "send ECHO_REQUEST", "probe PPP", "send ECHO_REQUEST", "probe PPP", "send ECHO_REQUEST", "probe PPP")
	p.silentFor(1)
	p.wants("and after the third the call is over", "PPP down", "release PEER_SILENT")
	p.wantsReason(fault.PeerSilent, "for 40s")
}

func TestConformance6ServerThatAnswersOnlySSTPEchoStaysUp(t *testing.T) {
	p := clientWith(t, StateConnected, Config{EchoFailures: 1})
	for range 50 {
		p.silentFor(10 * time.Second)
		p.silentFor(30 * time.Millisecond)
		p.sends(AppendControl(nil, EchoResponse))
		p.wants("the answer gives the round trip", "send ECHO_REQUEST", "probe PPP", "echo answered after 30ms")
	}
}

func TestConformance6ServerThatAnswersOnlyLCPEchoStaysUp(t *testing.T) {
	p := clientWith(t, StateConnected, Config{EchoFailures: 1})
	for range 50 { // SoftEther 5.02
		p.silentFor(10 * time.Second)
		p.sendsFrame("ff03 c021 0a")
		p.wants("any packet is life", "send ECHO_REQUEST", "probe PPP", "frame ff03c0210a")
	}
}

func TestAnyByteIsLife(t *testing.T) {
	p := clientWith(t, StateConnected, Config{EchoFailures: 1})
	for range 50 {
		p.silentFor(10*time.Second - 1)
		p.call.Heard(p.now)
	}
	p.wants("while data flows nobody is asked")
	p.silentFor(10*time.Second - 1)
	p.sendsFrame("")
	p.silentFor(10*time.Second - 1)
	p.wants("an empty packet counts too")
	p.silentFor(5 * time.Second)
	p.call.Heard(p.now)
	p.did = nil
	p.silentFor(19 * time.Second)
	p.wants("life after a question makes the next question the first", "send ECHO_REQUEST", "probe PPP")
}

func TestLifeDoesNotProlongTheOpening(t *testing.T) {
	for _, s := range []State{StateRequestSent, StateAckReceived, StateAbortPending, StateDisconnectAckPending} {
		p := client(t, s)
		before := p.call.Deadline()
		p.now = p.now.Add(time.Second)
		p.call.Heard(p.now)
		p.sendsFrame("ff03 0021 45")
		if !p.call.Deadline().Equal(before) {
			t.Errorf("in state %v a byte moved the deadline", s)
		}
	}
}

func TestServersFloodOfEchoesIsAnsweredOneByOne(t *testing.T) {
	p := client(t, StateConnected)
	for range 1000 {
		p.sends(AppendControl(nil, EchoRequest))
		p.wants("SoftEther 5.02 asks all the time", "send ECHO_RESPONSE")
	}
}

func TestServerAsksItsClient(t *testing.T) {
	p := serverWith(t, StateConnected, Config{EchoFailures: 1, Timers: Timers{Hello: time.Minute}})
	p.silentFor(2 * time.Minute)
	p.wants("the rules are the same for both sides", "send ECHO_REQUEST", "probe PPP", "PPP down", "release PEER_SILENT")
	p.wantsReason(fault.PeerSilent, "The client has not sent a byte for 2m0s.")
}

func TestAnAnswerNobodyAskedForIsIgnored(t *testing.T) {
	p := client(t, StateConnected)
	p.sends(AppendControl(nil, EchoResponse))
	p.wants("no question, no round trip")
}
