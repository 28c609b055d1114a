package auth

import (
	"bytes"
	"crypto/subtle"
	"crypto/tls"
	"io"
	"time"

	"sstp/src/fault"
)

// next is an authenticator method's answer to a Response.
type next struct {
	request []byte       // ask this next, behind the type
	good    bool         // the peer has proved itself: EAP-Success
	hlak    [32]byte     // with good
	user    string       // with good: the proven name, where it differs from the identity
	err     *fault.Error // the peer is refused: EAP-Failure
	ignored string       // why the Response was ignored
}

// eapServerMethod is the authenticator's side of one EAP method.
type eapServerMethod interface {
	// first returns the first Request, behind the type.
	first(now time.Time, id uint8) next
	// response handles a Response. id is that of the Request that would follow.
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
	success  []byte // EAP-Success, sent again for a repeated Response
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
	e.denied, e.answered, e.success, e.user = nil, false, nil, ""
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
	case e.success != nil:
		return []Action{send(bytes.Clone(e.success))}
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
	return e.follow(now, n)
}

// follow does what a method wants.
func (e *eapAuthenticator) follow(now time.Time, n next) []Action {
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

// propose begins the first of the wanted types that we offer and the peer has not refused.
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
		return e.follow(now, e.method.first(now, e.id+1))
	}
	return e.refuse(fault.Plain(fault.AuthMethodRefused, fault.StageAuth, "The client wants none of the EAP methods offered."))
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
	e.success = assemble(eapSuccess, e.id)
	return []Action{
		send(bytes.Clone(e.success)),
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

func (e *eapAuthenticator) deadline() time.Time { return e.waiting.nextAt }
func (e *eapAuthenticator) note() string        { return e.ignored }

func (e *eapAuthenticator) close() {
	e.waiting.end()
	if e.method != nil {
		e.method.close()
		e.method = nil
	}
}

// md5Server is EAP-MD5 (RFC 3748 section 5.4).
type md5Server struct {
	cfg   *AuthenticatorConfig
	user  string
	value [16]byte
}

func (m *md5Server) first(now time.Time, _ uint8) next {
	if _, err := io.ReadFull(m.cfg.Rand, m.value[:]); err != nil {
		return next{err: noRandom(err)}
	}
	return next{request: append(counted(m.value[:]), m.cfg.Name...)}
}

func (m *md5Server) response(now time.Time, id uint8, data []byte) next {
	value, _, ok := cutCounted(data)
	if !ok {
		return next{ignored: "an EAP-MD5 response of the wrong length"}
	}
	secret, known := m.cfg.Secret(m.user)
	want := md5Response(id-1, secret, m.value[:])
	if !known || m.cfg.FailCode != 0 || subtle.ConstantTimeCompare(value, want[:]) != 1 {
		return next{err: clientRefused(m.cfg, m.user)}
	}
	return next{good: true}
}

func (m *md5Server) close() {}

// mschapServer is EAP-MSCHAPv2: challenge, then the verdict as one more Request, which the peer acknowledges.
type mschapServer struct {
	cfg   *AuthenticatorConfig
	user  string
	msID  uint8
	value [16]byte

	judged bool
	good   bool
	hlak   [32]byte
}

func (m *mschapServer) first(now time.Time, id uint8) next {
	if _, err := io.ReadFull(m.cfg.Rand, m.value[:]); err != nil {
		return next{err: noRandom(err)}
	}
	m.msID = id
	return next{request: appendMSCHAP(opChallenge, m.msID, counted(m.value[:]), []byte(m.cfg.Name))}
}

func (m *mschapServer) response(now time.Time, _ uint8, data []byte) next {
	if m.judged {
		switch {
		case m.good && len(data) == 1 && data[0] == opSuccess:
			return next{good: true, hlak: m.hlak, user: m.user}
		case m.good:
			return next{err: failed("The client did not accept the server's proof.")}
		}
		return next{err: clientRefused(m.cfg, m.user)}
	}
	if len(data) < mschapHeaderLen || data[0] != opResponse || data[1] != m.msID {
		return next{ignored: "an EAP-MSCHAPv2 packet that does not respond to the challenge"}
	}
	value, name, ok := cutCounted(data[mschapHeaderLen:])
	if !ok {
		return next{ignored: "an EAP-MSCHAPv2 response of the wrong length"}
	}
	m.judged, m.user = true, string(name)
	var text string
	m.good, m.hlak, text = judgeMSCHAPv2(m.cfg, m.value, value, m.user)
	op := byte(opFailure)
	if m.good {
		op = opSuccess
	}
	return next{request: appendMSCHAP(op, m.msID, []byte(text))}
}

func (m *mschapServer) close() { clear(m.hlak[:]) }

// tlsServer is EAP-TLS (RFC 5216, RFC 9190).
type tlsServer struct {
	now    time.Time
	engine *engine
	flow   flow
	refuse *fault.Error // why the alert was sent; the refusal follows when it is acknowledged
}

func newTLSServer(cfg *AuthenticatorConfig) *tlsServer {
	t := &tlsServer{flow: flow{fragmentLen: cfg.FragmentLen}}
	c := cfg.TLS.Clone()
	c.SessionTicketsDisabled = true
	t.engine = newEngine(withClockAndRand(c, func() time.Time { return t.now }, cfg.Rand), tlsSide{tls.Server, false})
	return t
}

func (t *tlsServer) first(now time.Time, _ uint8) next { return next{request: []byte{flagStart}} }

func (t *tlsServer) response(now time.Time, _ uint8, data []byte) next {
	t.now = now
	flags, total, body, ok := cutTLS(data)
	if !ok {
		return next{ignored: "an EAP-TLS packet shorter than it claims"}
	}
	what, message, err := t.flow.take(flags, total, body)
	switch {
	case err != nil:
		return next{err: serverTLSFault(err)}
	case what == turnAck:
		return next{request: t.flow.next()}
	case what == turnPart:
		return next{request: []byte{0}}
	case t.refuse != nil:
		return next{err: t.refuse}
	case t.engine.done && len(message) > 0: // the peer's alert, after what we took for the end
		return next{err: failed("The client ended EAP-TLS after the handshake.")}
	case t.engine.done:
		return next{good: true, hlak: t.engine.hlak}
	case len(message) == 0:
		return next{ignored: "an empty EAP-TLS packet in the client's turn"}
	}
	out := t.engine.step(message)
	if err := t.engine.err; err != nil {
		t.refuse = serverTLSFault(err)
		if len(out) == 0 {
			return next{err: t.refuse}
		}
	}
	return next{request: t.flow.give(out)}
}

func (t *tlsServer) close() { t.engine.close() }

func serverTLSFault(err error) *fault.Error {
	return fault.Plain(fault.TLSFailed, fault.StageAuth, "EAP-TLS with the client failed: "+safeError{err}.Error()+".").
		Wrap(safeError{err})
}
