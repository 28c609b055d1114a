package auth

import (
	"bytes"
	"io"
	"time"

	"sstp/src/fault"
)

// next is what a method of the authenticator makes of a Response.
type next struct {
	request []byte       // ask this next, behind the type
	good    bool         // the peer is who it says: EAP-Success
	hlak    [32]byte     // with good
	user    string       // with good, where it is another name than the identity that was proven
	err     *fault.Error // the peer is refused: EAP-Failure
	ignored string       // the Response makes no sense
}

// eapServerMethod is the authenticator's side of one EAP method.
type eapServerMethod interface {
	// first returns the first Request, behind the type.
	first(now time.Time, id uint8) next
	// response goes on; id is that of the Request that would follow.
	response(now time.Time, id uint8, data []byte) next
	close()
}

// eapAuthenticator asks for the identity, then by one method after the other until the peer takes one (RFC 3748).
type eapAuthenticator struct {
	cfg      *AuthenticatorConfig
	types    []byte // that may be proposed
	denied   []byte // that the peer answered with Nak
	id       uint8  // of the last Request
	typ      uint8  // of the last Request
	method   eapServerMethod
	answered bool // the peer has answered by the method
	user     string
	waiting  transmission
	over     []byte // EAP-Success, sent again for a repeated Response
	ignored  string
}

func newEAPAuthenticator(cfg *AuthenticatorConfig) *eapAuthenticator {
	return &eapAuthenticator{cfg: cfg, types: eapTypes(cfg.Methods, cfg.TLS != nil)}
}

func (e *eapAuthenticator) start(now time.Time) []Action {
	var first [1]byte
	if _, err := io.ReadFull(e.cfg.Rand, first[:]); err != nil {
		return []Action{fail(noRandom(err))}
	}
	e.id = first[0]
	return e.challenge(now)
}

func (e *eapAuthenticator) challenge(now time.Time) []Action {
	e.close()
	e.denied, e.answered, e.over, e.user = nil, false, nil, ""
	return e.ask(now, typeIdentity, nil)
}

func (e *eapAuthenticator) ask(now time.Time, typ uint8, data []byte) []Action {
	e.id++
	e.typ = typ
	return e.waiting.begin(now, assemble(eapRequest, e.id, []byte{typ}, data))
}

func (e *eapAuthenticator) receive(now time.Time, packet []byte) []Action {
	code, id, body, ok := cut(packet)
	switch {
	case !ok || code != eapResponse || id != e.id || len(body) == 0:
		return e.ignore("an EAP packet that does not respond to the request")
	case e.over != nil:
		return []Action{send(bytes.Clone(e.over))}
	}
	typ, data := body[0], body[1:]
	switch {
	case typ == typeNak && e.method != nil && !e.answered:
		return e.propose(now, data)
	case typ != e.typ:
		return e.ignore("an EAP Response of another type")
	case typ == typeIdentity:
		e.user = string(data)
		return e.propose(now, e.types)
	}
	if e.cfg.EarlySuccess {
		return e.accept([32]byte{})
	}
	n := e.method.response(now, e.id+1, data)
	if n.ignored != "" {
		return e.ignore(n.ignored)
	}
	e.answered = true
	return e.goOn(now, n)
}

func (e *eapAuthenticator) goOn(now time.Time, n next) []Action {
	switch {
	case n.err != nil:
		return e.refuse(n.err)
	case n.good && e.cfg.FailCode != 0:
		return e.refuse(clientRefused(e.cfg, e.user))
	case n.good:
		if n.user != "" {
			e.user = n.user
		}
		return e.accept(n.hlak)
	}
	return e.ask(now, e.typ, n.request)
}

// propose begins the first of the wanted types that we offer and that was not refused.
func (e *eapAuthenticator) propose(now time.Time, wanted []byte) []Action {
	if e.method != nil {
		e.denied = append(e.denied, e.typ)
		e.method.close()
		e.method = nil
	}
	for _, t := range wanted {
		if bytes.IndexByte(e.types, t) < 0 || bytes.IndexByte(e.denied, t) >= 0 {
			continue
		}
		e.typ = t
		switch t {
		case typeTLS:
			e.method = newTLSServer(e.cfg)
		case typeMSCHAPv2:
			e.method = &mschapServer{cfg: e.cfg, user: e.user}
		default:
			e.method = &md5Server{cfg: e.cfg, user: e.user}
		}
		return e.goOn(now, e.method.first(now, e.id+1))
	}
	return e.refuse(fault.New(fault.AuthMethodRefused, fault.StageAuth, "The client wants none of the EAP methods offered."))
}

func (e *eapAuthenticator) accept(hlak [32]byte) []Action {
	method := EAPMD5
	switch e.typ {
	case typeTLS:
		method = EAPTLS
	case typeMSCHAPv2:
		method = EAPMSCHAPv2
	}
	e.close()
	e.over = assemble(eapSuccess, e.id)
	return []Action{
		send(bytes.Clone(e.over)),
		{Kind: Success, Method: method, HLAK: hlak, User: e.user},
	}
}

func (e *eapAuthenticator) refuse(err *fault.Error) []Action {
	return []Action{send(assemble(eapFailure, e.id)), fail(err)}
}

func (e *eapAuthenticator) ignore(why string) []Action {
	e.ignored = why
	return nil
}

func (e *eapAuthenticator) advance(now time.Time) []Action {
	return e.waiting.advance(now, LCPAuth{Protocol: protocolEAP})
}

func (e *eapAuthenticator) deadline() time.Time { return e.waiting.again }
func (e *eapAuthenticator) note() string        { return e.ignored }

func (e *eapAuthenticator) close() {
	e.waiting.end()
	if e.method != nil {
		e.method.close()
		e.method = nil
	}
}
