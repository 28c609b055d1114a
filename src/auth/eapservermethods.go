package auth

import (
	"crypto/subtle"
	"crypto/tls"
	"io"
	"time"

	"sstp/src/fault"
)

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
	refuse *fault.Error // the alert is under way
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
	return fault.New(fault.TLSFailed, fault.StageAuth, "EAP-TLS with the client failed: "+safeError{err}.Error()+".").
		Wrap(safeError{err})
}
