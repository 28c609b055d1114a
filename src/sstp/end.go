package sstp

import (
	"time"

	"sstp/src/fault"
)

// The end of a call ([MS-SSTP] 3.1.5.2 and 3.1.5.3). The first reason counts: what comes while the goodbyes are exchanged
// does not change why the call ended.
func (c *Call) end(by fault.Party, reason *fault.Error) {
	if !c.ending {
		c.ending, c.by, c.reason = true, by, reason
	}
}

// release is the last thing a call does.
func (c *Call) release() {
	c.state, c.deadline = StateDisconnected, time.Time{}
	c.binding = serverBinding{} // the key is not needed any more
	c.down()
	c.do(Action{Kind: Release, Err: c.reason, By: c.by})
}

func finish(c *Call, _ input) { c.release() }

// abort says why the call cannot go on, and waits a little for the answer.
func (c *Call) abort(now time.Time, why StatusInfo, reason *fault.Error) {
	c.end(fault.Us, reason)
	c.send(CallAbort, why.Wrap())
	c.enter(now, StateAbortPending, c.cfg.Timers.Abort1)
}

// answerAbort acts on the message's type alone: SoftEther 5.02 sends no Status Info, sorz sstp-server a short one.
func answerAbort(c *Call, in input) {
	c.end(fault.Peer, c.aborted(in.now, in.msg))
	c.send(CallAbort, StatusInfo{}.Wrap())
	c.enter(in.now, StateAbortTimeoutPending, c.cfg.Timers.Abort2)
}

func abortAnswered(c *Call, in input) {
	c.enter(in.now, StateAbortTimeoutPending, c.cfg.Timers.Abort2)
}

func disconnect(c *Call, in input) {
	c.end(fault.Us, nil)
	c.send(CallDisconnect, StatusInfo{}.Wrap())
	c.enter(in.now, StateDisconnectAckPending, c.cfg.Timers.Disconnect1)
}

func answerDisconnect(c *Call, in input) {
	c.end(fault.Peer, c.disconnected(in.msg))
	c.send(CallDisconnectAck)
	c.enter(in.now, StateDisconnectTimeoutPending, c.cfg.Timers.Disconnect2)
}
