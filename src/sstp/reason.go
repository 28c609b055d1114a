package sstp

import (
	"errors"
	"io"
	"time"

	"sstp/src/fault"
	"sstp/src/phrase"
)

// bindingWindow is how soon after CALL_CONNECTED an abort means that the server did not accept the crypto binding.
// [MS-SSTP] names the attribute then, but accel-ppp and sorz sstp-server always say INVALID_FRAME_RECEIVED.
const bindingWindow = 3 * time.Second

const bindingHint phrase.Format = "TLS is being intercepted on the way, or the server's SSTP setting names another certificate than the one " +
	"it presents (behind a load balancer, RRAS needs SHA256CertificateHash of the balancer's), or both sides derived " +
	"different keys from the login."

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

// fail returns a failure whose message is about the other side: on a server, about the client.
func (c *Call) fail(code fault.Code, format phrase.Format, args ...string) *fault.Error {
	f := fault.Newf(code, c.stage(), format, args...)
	if c.cfg.Role == Server {
		f.OfClient()
	}
	return f
}

// closed is the code for an end that the peer chose. The codes are the client's words; towards a client that went away
// there is none that fits better than this.
func (c *Call) closed() fault.Code {
	if c.cfg.Role == Server || c.state == StateRequestSent {
		return fault.SSTPRejected
	}
	return fault.ClosedByServer
}

// because names the status that a message carries.
func because(m Message) string {
	s, ok := m.StatusInfo()
	if !ok {
		const none phrase.Format = "no reason given"
		return string(none)
	}
	return s.String()
}

func (c *Call) aborted(now time.Time, m Message) *fault.Error {
	switch s, _ := m.StatusInfo(); {
	case c.state == StateRequestSent:
		return c.fail(fault.SSTPRejected, "The server refused the call (%s).", because(m))
	case c.cfg.Role == Client && c.state == StateConnected &&
		(now.Sub(c.connectedAt) < bindingWindow || s.Attribute == CryptoBinding && s.Status == StatusValueNotSupported):
		f := c.fail(fault.CryptoBindingFailed, "The server rejected the crypto binding (%s).", because(m)).WithHint(bindingHint)
		f.Stage = fault.StageAuth
		return f
	case c.state == StateAckReceived:
		return c.fail(c.closed(), "The server aborted the call before the login was over (%s).", because(m))
	}
	return c.fail(c.closed(), "The server aborted the call (%s).", because(m))
}

// disconnected is the reason after a CALL_DISCONNECT. On a server it is no failure: that is how calls end.
func (c *Call) disconnected(m Message) *fault.Error {
	s, _ := m.StatusInfo()
	switch {
	case c.cfg.Role == Server:
		return nil
	case s.Status != StatusNoError:
		return c.fail(c.closed(), "The server ended the call (%s).", because(m))
	}
	return c.fail(c.closed(), "The server ended the call.")
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
			return c.fail(fault.NotSSTP, "The server does not speak SSTP: %s.", err.Error()).Wrap(err)
		}
		return c.fail(fault.SSTPRejected, "The server broke SSTP's framing: %s.", err.Error()).Wrap(err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return c.fail(fault.PeerSilent, "The server cannot be reached any more: %s.", err.Error()).Wrap(err)
	case err != nil && !errors.Is(err, io.EOF):
		return c.fail(c.closed(), "The server cannot be reached any more: %s.", err.Error()).Wrap(err)
	case c.state == StateIdle, c.state == StateRequestSent:
		return c.fail(fault.SSTPRejected, "The server closed the connection instead of answering the call.").Wrap(err)
	}
	f := c.fail(c.closed(), "The server closed the connection without a goodbye.").Wrap(err)
	if c.cfg.Role == Client && c.state == StateConnected && now.Sub(c.connectedAt) < bindingWindow {
		// accel-ppp before 2026-07 loses its CALL_ABORT when it closes.
		f.WithHint("It did so right after the login, perhaps because it did not accept the crypto binding: " + bindingHint)
	}
	return f
}

func (c *Call) silence() *fault.Error {
	d := time.Duration(c.live.silentRounds+1) * c.cfg.Timers.Hello
	return c.fail(fault.PeerSilent, "The server has not sent a byte for %s.", d.String())
}

func (c *Call) negotiationTooLong() *fault.Error {
	t := c.cfg.Timers
	switch c.state {
	case StateRequestSent:
		return c.fail(fault.PeerSilent, "The server has not answered the call for %s.", t.Negotiation.String())
	case StateAckReceived:
		return fault.Newf(fault.PPPNegotiationFailed, c.stage(),
			"PPP's negotiation and login have not ended within %s.", t.NegotiationAuth.String())
	case StateConnectedPending:
		return c.fail(fault.PPPNegotiationFailed, "The server has not logged in and sent CALL_CONNECTED within %s.", t.NegotiationAuth.String())
	}
	return c.fail(fault.PeerSilent, "The server has not asked for a call for %s.", t.Negotiation.String())
}

func (c *Call) nakked(m Message) *fault.Error {
	return c.fail(fault.SSTPRejected, "The server refused every request for a call (%s).", because(m))
}

func (c *Call) badAck(what phrase.Format) *fault.Error {
	return c.fail(fault.SSTPRejected, "The server sent a bad CALL_CONNECT_ACK: %s.", string(what))
}

func (c *Call) badRequest(what string) *fault.Error {
	return c.fail(fault.SSTPRejected, "The server sent a bad CALL_CONNECT_REQUEST: %s.", what)
}

func (c *Call) outOfPlace(t MessageType) *fault.Error {
	return c.fail(fault.SSTPRejected, "The server sent %s out of place (state: %s).", t.String(), c.state.String())
}

func (c *Call) flooded(t MessageType) *fault.Error {
	return c.fail(fault.SSTPRejected, "The server keeps sending messages that SSTP does not have (the last: %s).", t.String())
}

// refuseBinding is the server's end for a client whose CALL_CONNECTED is wrong ([MS-SSTP] 3.3.5.2.3).
func (c *Call) refuseBinding(now time.Time, err error) {
	reason := fault.Plain(fault.CryptoBindingFailed, fault.StageAuth, "The client's "+err.Error()+".").Wrap(err)
	why := StatusInfo{Status: StatusInvalidFrameReceived}
	var wrong *BindingError
	if errors.As(err, &wrong) {
		why = StatusInfo{Attribute: wrong.Attribute, Status: wrong.Status}
	}
	c.abort(now, why, reason)
}
