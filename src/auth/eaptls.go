package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"time"

	"sstp/src/fault"
	"sstp/src/phrase"
)

// maxStarts is how often a server may begin EAP-TLS in one conversation. SoftEther 5.02 begins again after a failure, with
// TLS 1.3's tickets off and then without TLS 1.3.
const maxStarts = 5

// tlsPeer is EAP-TLS (RFC 5216, RFC 9190).
type tlsPeer struct {
	cfg    *PeerConfig
	now    time.Time // for the certificates' validity
	engine *engine
	flow   flow
	starts int
	denied *fault.Error // the server has ended the handshake by an alert
}

func newTLSPeer(cfg *PeerConfig) *tlsPeer { return &tlsPeer{cfg: cfg} }

// clientConfig returns the caller's configuration without resumption, as no session outlives a call, and without
// renegotiation.
func (t *tlsPeer) clientConfig() *tls.Config {
	c := t.cfg.TLS.Clone()
	if c.MaxVersion == 0 {
		c.MaxVersion = max(c.MinVersion, tls.VersionTLS12)
	}
	c.ClientSessionCache, c.SessionTicketsDisabled = nil, true
	c.Renegotiation = tls.RenegotiateNever
	return withClockAndRand(c, func() time.Time { return t.now }, t.cfg.Rand)
}

// withClockAndRand sets the sources of time and randomness that the caller has not set.
func withClockAndRand(c *tls.Config, clock func() time.Time, random io.Reader) *tls.Config {
	if c.Time == nil {
		c.Time = clock
	}
	if c.Rand == nil {
		c.Rand = random
	}
	return c
}

func (t *tlsPeer) request(now time.Time, _ uint8, data []byte) reply {
	t.now = now
	flags, total, body, ok := cutTLS(data)
	switch {
	case !ok:
		return reply{note: "an EAP-TLS packet shorter than it claims"}
	case flags&flagStart != 0:
		return t.begin()
	case t.engine == nil:
		return reply{note: "an EAP-TLS packet before the start"}
	}
	what, message, err := t.flow.take(flags, total, body)
	switch {
	case err != nil:
		return reply{err: tlsFault(err)}
	case what == turnAck:
		return reply{data: t.flow.next()}
	case what == turnPart || t.engine.done || len(message) == 0:
		return reply{data: []byte{0}}
	}
	return t.step(message)
}

func (t *tlsPeer) begin() reply {
	if t.starts++; t.starts > maxStarts {
		return reply{err: tlsFault(errors.New("the server begins again and again"))}
	}
	t.close()
	t.flow = flow{fragmentLen: t.cfg.FragmentLen}
	t.denied = nil
	t.engine = newEngine(t.clientConfig(), tlsSide{tls.Client, true})
	return t.step(nil)
}

// step hands the server's turn to TLS and returns our turn. If the handshake failed on our side, the alert goes out before
// the failure. If the server ended it, the server goes on: it may begin again, or send EAP-Failure.
func (t *tlsPeer) step(message []byte) reply {
	out := t.engine.step(message)
	r := reply{data: t.flow.give(out)}
	if err := t.engine.err; err != nil {
		if isRemote(err) {
			t.denied = tlsFault(err)
		} else {
			r.err = tlsFault(err)
		}
	}
	return r
}

func (t *tlsPeer) proven() (hlak [32]byte, ok bool) {
	if t.engine == nil || !t.engine.done || t.engine.err != nil {
		return hlak, false
	}
	return t.engine.hlak, true
}

func (t *tlsPeer) refusal() *fault.Error {
	if t.denied != nil {
		return t.denied
	}
	return failed("The server refused the login by EAP-TLS.").WithHint(hintOurCertificate)
}

func (t *tlsPeer) close() {
	if t.engine != nil {
		t.engine.close()
		t.engine = nil
	}
}

const (
	hintOurCertificate phrase.Format = "Check cert and key: the server must trust the certificate's issuer, the certificate must be valid " +
		"and belong to an account that may log in."
	hintTheirCA phrase.Format = "The server proves itself in EAP-TLS by a certificate of its own, often of its RADIUS server: put the CA " +
		"of that certificate into ca_cert."
)

// tlsFault returns why EAP-TLS failed, in the user's words.
func tlsFault(err error) *fault.Error {
	var own *fault.Error
	if errors.As(err, &own) { // of the caller's own verification
		return own
	}
	var (
		invalid   x509.CertificateInvalidError
		unknown   x509.UnknownAuthorityError
		host      x509.HostnameError
		unchecked *tls.CertificateVerificationError
	)
	text := safeError{err}.Error()
	f := func(code fault.Code, format phrase.Format, args ...string) *fault.Error {
		return fault.Newf(code, fault.StageAuth, format, args...).Wrap(safeError{err})
	}
	switch {
	case errors.Is(err, errNoEMS):
		return f(fault.TLSFailed, "The server's TLS 1.2 in EAP-TLS lacks the extended master secret (RFC 7627), without "+
			"which the key for [MS-SSTP]'s crypto binding is not safe to derive.").
			WithHint("Update the server, or use another method in option auth.")
	case isRemote(err):
		return f(fault.AuthFailed, "The server ended the EAP-TLS handshake: %s.", strings.TrimPrefix(text, "remote error: ")).
			WithHint(hintOurCertificate)
	case errors.As(err, &host):
		return f(fault.CertNameMismatch, "The EAP-TLS certificate of the server is for another name: %s.", text).
			WithHint("The server proves itself in EAP-TLS by a certificate of its own, often of its RADIUS server: check that " +
				"it has the name in server_name or server.")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return f(fault.CertExpired, "The EAP-TLS certificate of the server is not valid at this time: %s.", text)
	case errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &unchecked):
		return f(fault.CertUntrusted, "The EAP-TLS certificate of the server cannot be trusted: %s.", text).
			WithHint(hintTheirCA)
	}
	return f(fault.TLSFailed, "EAP-TLS failed: %s.", text).
		WithHint("Check the server's log and the TLS versions that it allows for EAP-TLS.")
}
