package sstp

import (
	"errors"
	"io"
	"time"

	"sstp/src/fault"
)

// bindingWindow is how soon after CALL_CONNECTED an abort means that the server did not accept the crypto binding.
// [MS-SSTP] names the attribute then, but accel-ppp and sorz sstp-server always say INVALID_FRAME_RECEIVED.
const bindingWindow = 3 * time.Second

const bindingHint = "TLS is being intercepted on the way, or the server's SSTP setting names another certificate than the one " +
	"it presents (behind a load balancer, RRAS needs SHA256CertificateHash of the balancer's), or both sides derived " +
	"different keys from the login."

// peer names the other side.
func (c *Call) peer() string {
	if c.cfg.Role == Server {
		return "client"
	}
	return "server"
}

// stage is the stage of the user's picture in which the call is.
func (c *Call) stage() fault.Stage {
	switch c.state {
	case StateAckReceived, StateConnectedPending:
		return fault.StagePPP
	case StateConnected:
		return fault.StageUp
	}
	return fault.StageSSTP
}

func (c *Call) fail(code fault.Code, message string) *fault.Error {
	return fault.New(code, c.stage(), "The "+c.peer()+" "+message+".")
}

// closed is the code for an end that the peer chose. The codes are the client's words; towards a client that went away
// there is none that fits better than this.
func (c *Call) closed() fault.Code {
	if c.cfg.Role == Server || c.state == StateRequestSent {
		return fault.SSTPRejected
	}
	return fault.ClosedByServer
}

// because names the status that a message carries, in brackets.
func because(m Message) string {
	s, ok := m.StatusInfo()
	if !ok {
		return " (no reason given)"
	}
	return " (" + s.String() + ")"
}

func (c *Call) aborted(now time.Time, m Message) *fault.Error {
	switch s, _ := m.StatusInfo(); {
	case c.state == StateRequestSent:
		return c.fail(fault.SSTPRejected, "refused the call"+because(m))
	case c.cfg.Role == Client && c.state == StateConnected &&
		(now.Sub(c.connectedAt) < bindingWindow || s.Attribute == CryptoBinding && s.Status == StatusValueNotSupported):
		f := c.fail(fault.CryptoBindingFailed, "rejected the crypto binding"+because(m)).WithHint(bindingHint)
		f.Stage = fault.StageAuth
		return f
	case c.state == StateAckReceived:
		return c.fail(c.closed(), "aborted the call before the login was over"+because(m))
	}
	return c.fail(c.closed(), "aborted the call"+because(m))
}

// disconnected is the reason after a CALL_DISCONNECT. On a server it is no failure: that is how calls end.
func (c *Call) disconnected(m Message) *fault.Error {
	s, _ := m.StatusInfo()
	switch {
	case c.cfg.Role == Server:
		return nil
	case s.Status != StatusNoError:
		return c.fail(c.closed(), "ended the call"+because(m))
	}
	return c.fail(c.closed(), "ended the call")
}

// lost is the reason after the end of the connection.
func (c *Call) lost(now time.Time, err error) *fault.Error {
	var known *fault.Error
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, ErrVersion), errors.Is(err, ErrLength), errors.Is(err, ErrHTTP):
		if !c.heard {
			return fault.New(fault.NotSSTP, c.stage(), "The "+c.peer()+" does not speak SSTP: "+err.Error()+".").Wrap(err)
		}
		return c.fail(fault.SSTPRejected, "broke SSTP's framing: "+err.Error()).Wrap(err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return c.fail(fault.PeerSilent, "cannot be reached any more: "+err.Error()).Wrap(err)
	case err != nil && !errors.Is(err, io.EOF):
		return c.fail(c.closed(), "cannot be reached any more: "+err.Error()).Wrap(err)
	case c.state == StateIdle, c.state == StateRequestSent:
		return c.fail(fault.SSTPRejected, "closed the connection instead of answering the call").Wrap(err)
	}
	f := c.fail(c.closed(), "closed the connection without a goodbye").Wrap(err)
	if c.cfg.Role == Client && c.state == StateConnected && now.Sub(c.connectedAt) < bindingWindow {
		// accel-ppp before 2026-07 loses its CALL_ABORT when it closes.
		f.Hint = "It did so right after the login, perhaps because it did not accept the crypto binding: " + bindingHint
	}
	return f
}

func (c *Call) silence() *fault.Error {
	d := time.Duration(c.live.silentRounds+1) * c.cfg.Timers.Hello
	return c.fail(fault.PeerSilent, "has not sent a byte for "+d.String())
}

func (c *Call) negotiationTooLong() *fault.Error {
	t := c.cfg.Timers
	switch c.state {
	case StateRequestSent:
		return c.fail(fault.PeerSilent, "has not answered the call for "+t.Negotiation.String())
	case StateAckReceived:
		return fault.New(fault.PPPNegotiationFailed, c.stage(),
			"PPP's negotiation and login have not ended within "+t.NegotiationAuth.String()+".")
	case StateConnectedPending:
		return c.fail(fault.PPPNegotiationFailed, "has not logged in and sent CALL_CONNECTED within "+t.NegotiationAuth.String())
	}
	return c.fail(fault.PeerSilent, "has not asked for a call for "+t.Negotiation.String())
}

func (c *Call) nakked(m Message) *fault.Error {
	return c.fail(fault.SSTPRejected, "refused every request for a call"+because(m))
}

func (c *Call) badAck(what string) *fault.Error {
	return c.fail(fault.SSTPRejected, "sent a bad CALL_CONNECT_ACK: "+what)
}

func (c *Call) badRequest(what string) *fault.Error {
	return c.fail(fault.SSTPRejected, "sent a bad CALL_CONNECT_REQUEST: "+what)
}

func (c *Call) outOfPlace(t MessageType) *fault.Error {
	return c.fail(fault.SSTPRejected, "sent "+t.String()+" out of place (state: "+c.state.String()+")")
}

func (c *Call) flooded(t MessageType) *fault.Error {
	return c.fail(fault.SSTPRejected, "keeps sending messages that SSTP does not have (the last: "+t.String()+")")
}

// refuseBinding is the server's end for a client whose CALL_CONNECTED is wrong ([MS-SSTP] 3.3.5.2.3).
func (c *Call) refuseBinding(now time.Time, err error) {
	reason := fault.New(fault.CryptoBindingFailed, fault.StageAuth, "The client's "+err.Error()+".").Wrap(err)
	why := StatusInfo{Status: StatusInvalidFrameReceived}
	var wrong *BindingError
	if errors.As(err, &wrong) {
		why = StatusInfo{Attribute: wrong.Attribute, Status: wrong.Status}
	}
	c.abort(now, why, reason)
}
