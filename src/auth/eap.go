package auth

import (
	"bytes"
	"strconv"
	"time"

	"sstp/src/fault"
)

// The codes of EAP (RFC 3748 section 4).
const (
	eapRequest  = 1
	eapResponse = 2
	eapSuccess  = 3
	eapFailure  = 4
)

// The types of EAP that we know or can name (RFC 3748 section 5).
const (
	typeIdentity     = 1
	typeNotification = 2
	typeNak          = 3
	typeMD5          = 4
	typeTLS          = 13
	typeTTLS         = 21
	typePEAP         = 25
	typeMSCHAPv2     = 26
)

// eapType returns the type that carries the method under EAP; 0: none.
func eapType(m Method) uint8 {
	switch m {
	case EAPTLS:
		return typeTLS
	case EAPMSCHAPv2:
		return typeMSCHAPv2
	case CHAP, EAPMD5:
		return typeMD5
	}
	return 0
}

// eapTypes returns the types that the methods allow, in their order.
func eapTypes(methods []Method, withTLS bool) (types []byte) {
	for _, m := range methods {
		t := eapType(m)
		if t == 0 || t == typeTLS && !withTLS || bytes.IndexByte(types, t) >= 0 {
			continue
		}
		types = append(types, t)
	}
	return types
}

// typeName names a type for people.
func typeName(t uint8) string {
	switch t {
	case typeMD5:
		return "EAP-MD5"
	case typeTLS:
		return "EAP-TLS"
	case typeTTLS:
		return "EAP-TTLS"
	case typePEAP:
		return "PEAP"
	case typeMSCHAPv2:
		return "EAP-MSCHAPv2"
	}
	return "EAP type " + strconv.Itoa(int(t))
}

// reply is a peer method's answer to a Request.
type reply struct {
	data []byte // what to respond, behind the type
	err  *fault.Error
	by   fault.Party // who refused; with err
	note string      // why the Request was ignored
}

// eapMethod is the peer's side of one EAP method.
type eapMethod interface {
	// request answers a Request; data is what lies behind the type.
	request(now time.Time, id uint8, data []byte) reply
	// proven reports whether the server has proved all that the method requires, so that EAP-Success may count.
	proven() (hlak [32]byte, ok bool)
	// refusal returns what an EAP-Failure means, or nil if the method knows no more than that the server refused.
	refusal() *fault.Error
	close()
}

// eapPeer is the peer of RFC 3748. It answers Requests, one at a time, by the method that the server proposed, if we allow
// it.
type eapPeer struct {
	cfg      *PeerConfig
	allowed  []byte // types, the most preferred first
	typ      uint8  // of method
	method   eapMethod
	denied   []byte // types that we answered with Nak
	asked    bool   // a conversation is under way
	done     bool   // one has ended well
	last     []byte // the last Request that was answered
	answer   []byte // with this
	notified []byte // text of the last Notification
	ignored  string
}

func newEAPPeer(cfg *PeerConfig) *eapPeer {
	return &eapPeer{cfg: cfg, allowed: eapTypes(cfg.Methods, cfg.TLS != nil)}
}

func (e *eapPeer) start(now time.Time) []Action { return nil }

func (e *eapPeer) receive(now time.Time, packet []byte) []Action {
	code, id, body, ok := cut(packet)
	if !ok {
		return e.ignore("an EAP packet shorter than it claims")
	}
	switch code {
	case eapRequest:
		return e.request(now, packet[:headerLen+len(body)], id, body)
	case eapSuccess:
		return e.success()
	case eapFailure:
		return e.failure()
	}
	return e.ignore("an EAP packet that no server sends")
}

// request answers a Request. The same Request again is a retransmission and gets the same Response (RFC 3748 section 4.1).
// A different one under the same Id is a new one: there are servers that do not count.
func (e *eapPeer) request(now time.Time, whole []byte, id uint8, body []byte) []Action {
	if len(body) == 0 {
		return e.ignore("an EAP Request without a type")
	}
	if e.last != nil && bytes.Equal(whole, e.last) {
		return []Action{send(bytes.Clone(e.answer))}
	}
	typ, data := body[0], body[1:]
	r := e.respond(now, id, typ, data)
	if r.note != "" {
		return e.ignore(r.note)
	}
	var do []Action
	if r.data != nil {
		e.asked = true
		e.last = bytes.Clone(whole)
		e.answer = assemble(eapResponse, id, r.data)
		do = append(do, send(bytes.Clone(e.answer)))
	}
	if r.err != nil {
		do = append(do, Action{Kind: Failure, Err: r.err, By: r.by})
	}
	return do
}

// respond returns what to respond, with the type before it.
func (e *eapPeer) respond(now time.Time, id, typ uint8, data []byte) reply {
	switch {
	case typ == typeIdentity: // a new conversation; its text is ignored (SoftEther ends it with NUL)
		e.forget()
		return reply{data: append([]byte{typeIdentity}, e.cfg.Username...)}
	case typ == typeNotification:
		e.notified = bytes.Clone(data[:min(len(data), 2*maxText)])
		return reply{data: []byte{typeNotification}}
	case typ < typeMD5:
		return reply{note: "an EAP Request of a type for responses"}
	case e.method != nil && typ != e.typ:
		// One method in a conversation (RFC 3748 section 2.1), and no way from a strong one down to a weak one.
		return reply{note: "an EAP Request that changes from " + typeName(e.typ) + " to " + typeName(typ)}
	case bytes.IndexByte(e.allowed, typ) < 0:
		return e.nak(typ)
	}
	m := e.method
	if m == nil {
		m = e.newMethod(typ)
	}
	r := m.request(now, id, data)
	if r.note != "" {
		if e.method == nil {
			m.close()
		}
		return r
	}
	e.method, e.typ = m, typ
	if r.data != nil {
		r.data = append([]byte{typ}, r.data...)
	}
	return r
}

// nak refuses the proposed type and names those that we accept, the best first; 0 means none (RFC 3748 section 5.3.1).
func (e *eapPeer) nak(typ uint8) reply {
	if bytes.IndexByte(e.denied, typ) < 0 {
		e.denied = append(e.denied, typ)
	}
	if len(e.allowed) == 0 {
		return reply{data: []byte{typeNak, 0}}
	}
	return reply{data: append([]byte{typeNak}, e.allowed...)}
}

func (e *eapPeer) newMethod(typ uint8) eapMethod {
	switch typ {
	case typeTLS:
		return newTLSPeer(e.cfg)
	case typeMSCHAPv2:
		return &mschapPeer{cfg: e.cfg}
	}
	return &md5Peer{cfg: e.cfg}
}

// success ends the conversation in success if the server has proved itself. The Id is ignored: some servers count it up,
// and it proves nothing.
func (e *eapPeer) success() []Action {
	if e.method == nil {
		if e.done && !e.asked {
			return e.ignore("one more EAP-Success")
		}
		return []Action{fail(unproven("The server declared us logged in without asking for the password, so it does not know the password: it may be an attacker."))}
	}
	hlak, ok := e.method.proven()
	if !ok {
		return []Action{fail(unproven("The server declared us logged in (EAP-Success) before it had proven itself, so it does not know the password: it may be an attacker."))}
	}
	do := []Action{{Kind: Success, Method: e.methodName(), HLAK: hlak}}
	e.done, e.asked = true, false
	e.forget()
	return do
}

func (e *eapPeer) methodName() Method {
	switch e.typ {
	case typeTLS:
		return EAPTLS
	case typeMSCHAPv2:
		return EAPMSCHAPv2
	}
	return EAPMD5
}

func (e *eapPeer) failure() []Action {
	if e.done && !e.asked {
		return e.ignore("an EAP-Failure after the success")
	}
	if e.method != nil {
		if f := e.method.refusal(); f != nil {
			return []Action{denied(f)}
		}
	} else if n := len(e.denied); n > 0 {
		return []Action{denied(notAllowed(typeName(e.denied[n-1])))}
	}
	return []Action{denied(refused(e.notified))}
}

// forget drops the current conversation.
func (e *eapPeer) forget() {
	if e.method != nil {
		e.method.close()
		e.method, e.typ = nil, 0
	}
	clear(e.answer)
	e.denied, e.last, e.answer, e.notified = nil, nil, nil, nil
}

func (e *eapPeer) ignore(why string) []Action {
	e.ignored = why
	return nil
}

func (e *eapPeer) advance(now time.Time) []Action { return nil }
func (e *eapPeer) deadline() time.Time            { return time.Time{} }
func (e *eapPeer) note() string                   { return e.ignored }
func (e *eapPeer) close()                         { e.forget() }
