package ppp

import (
	"encoding/binary"
	"strings"

	"sstp/src/fault"
)

// maxProposals is how many different methods a server may propose before it counts as broken.
const maxProposals = 8

// maxNaksPerProposal is how often one proposal is Naked; when it comes once more there is no agreement.
const maxNaksPerProposal = 2

// chooser negotiates the authentication method (LCP option 3). The client judges each proposal by itself: SoftEther and
// accel-ppp ignore what a Nak suggests and step through their own list, down to PAP; RRAS and pppd take the suggestion.
type chooser struct {
	link *Link
	left []AuthProtocol // client: what may be agreed to; server: what has not been refused, the proposal first

	proposed []AuthProtocol // client: what the server proposed and was denied; server: what the client suggested
	naked    []int          // client: how often each was denied
	naks     int            // client: Naks sent in all
}

func newChooser(l *Link) chooser {
	return chooser{link: l, left: append([]AuthProtocol(nil), l.cfg.Auth...)}
}

// parseAuth reads the option's value. Data behind a protocol that has none makes it another method than ours.
func parseAuth(data []byte) (a AuthProtocol, ok bool) {
	if len(data) < 2 {
		return AuthProtocol{}, false
	}
	a.Protocol = Protocol(binary.BigEndian.Uint16(data))
	if len(data) > 2 {
		a.Algorithm = data[2]
	}
	return a, len(data) <= 3 && a.Protocol != 0
}

func appendAuth(dst []byte, a AuthProtocol) []byte {
	if a.Protocol == ProtoCHAP {
		return appendOption(dst, lcpAuth, byte(a.Protocol>>8), byte(a.Protocol), a.Algorithm)
	}
	return appendOption(dst, lcpAuth, byte(a.Protocol>>8), byte(a.Protocol))
}

// judge is the client's answer to a proposal. It is never a Reject, which would mean that we refuse to authenticate, and
// the Nak names the most preferred method that the server has not passed over.
func (c *chooser) judge(o option) (verdict, []byte) {
	a, ok := parseAuth(o.data)
	if ok {
		for _, may := range c.left {
			if a == may {
				return ack, nil
			}
		}
	}
	if len(c.left) == 0 {
		return nakOnly, nil // naking ends it
	}
	return nakOnly, appendAuth(nil, c.left[c.naks%len(c.left)])
}

// naking counts a proposal that is about to be denied and ends what leads nowhere.
func (c *chooser) naking(o option) *fault.Error {
	a, _ := parseAuth(o.data)
	c.naks++
	for i := range c.proposed {
		if c.proposed[i] == a {
			if c.naked[i] == maxNaksPerProposal {
				return c.fault()
			}
			c.naked[i]++
			return nil
		}
	}
	c.proposed, c.naked = append(c.proposed, a), append(c.naked, 1)
	if len(c.left) == 0 || len(c.proposed) > maxProposals {
		return c.fault()
	}
	return nil
}

// proposal is what the server asks for now.
func (c *chooser) proposal() AuthProtocol {
	if len(c.left) == 0 {
		return AuthProtocol{}
	}
	return c.left[0]
}

// refused moves the server's proposal on: to what the client suggested, if that is still possible, else to the next.
func (c *chooser) refused(suggested AuthProtocol) *fault.Error {
	if len(c.left) == 0 {
		return nil // the client speaks of an option that was not sent
	}
	if suggested != (AuthProtocol{}) && len(c.proposed) < maxProposals {
		c.proposed = append(c.proposed, suggested)
	}
	c.left = c.left[1:]
	for i, a := range c.left {
		if a == suggested {
			copy(c.left[1:], c.left[:i])
			c.left[0] = a
			break
		}
	}
	if len(c.left) == 0 {
		return c.fault()
	}
	return nil
}

// withdraw takes out all methods of a protocol that the peer no longer speaks.
func (c *chooser) withdraw(p Protocol) *fault.Error {
	var left []AuthProtocol
	for _, a := range c.left {
		if a.Protocol != p {
			left = append(left, a)
		}
	}
	c.left = left
	if len(left) == 0 || c.link.cfg.Role == Server {
		return c.link.fault(fault.AuthMethodRefused, fault.StageAuth, "The server refused to go on with %s.", p.String())
	}
	return nil
}

// disputed reports whether one side has refused what the other proposed.
func (c *chooser) disputed() bool { return c.naks > 0 || len(c.left) < len(c.link.cfg.Auth) }

// fault names what the peer offers and what is allowed here.
func (c *chooser) fault() *fault.Error {
	return c.link.fault(fault.AuthMethodRefused, fault.StageAuth,
		"No common authentication method: the server offers %s; allowed here: %s.", list(c.proposed), list(c.link.cfg.Auth))
}

func list(as []AuthProtocol) string {
	if len(as) == 0 {
		return "nothing"
	}
	names := make([]string, len(as))
	for i, a := range as {
		names[i] = a.String()
	}
	return strings.Join(names, ", ")
}
