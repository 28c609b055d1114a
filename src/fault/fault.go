// Package fault is the closed list of reasons for which a tunnel does not work, each with a code that netifd carries
// and LuCI translates, the stage it belongs to, a sentence in the user's words and a hint that says what to do.
package fault

import (
	"errors"
	"strings"

	"sstp/src/phrase"
)

// Code is the stable name of a failure. It is the product's interface: netifd shows it, LuCI translates it, tests
// compare it.
type Code string

// The closed list of codes, in the order in which a call can meet them.
const (
	InvalidOptions       Code = "INVALID_OPTIONS"
	PeerResolveFail      Code = "PEER_RESOLVE_FAIL"
	NoUplink             Code = "NO_UPLINK"
	ConnectFailed        Code = "CONNECT_FAILED"
	ConnectTimeout       Code = "CONNECT_TIMEOUT"
	ProxyFailed          Code = "PROXY_FAILED"
	ProxyAuthFailed      Code = "PROXY_AUTH_FAILED"
	TLSFailed            Code = "TLS_FAILED"
	CertUntrusted        Code = "CERT_UNTRUSTED"
	CertNameMismatch     Code = "CERT_NAME_MISMATCH"
	CertExpired          Code = "CERT_EXPIRED"
	CertPinMismatch      Code = "CERT_PIN_MISMATCH"
	HTTPRefused          Code = "HTTP_REFUSED"
	NotSSTP              Code = "NOT_SSTP"
	SSTPRejected         Code = "SSTP_REJECTED"
	CryptoBindingFailed  Code = "CRYPTO_BINDING_FAILED"
	PPPNegotiationFailed Code = "PPP_NEGOTIATION_FAILED"
	AuthFailed           Code = "AUTH_FAILED"
	AuthMethodRefused    Code = "AUTH_METHOD_REFUSED"
	PasswordExpired      Code = "PASSWORD_EXPIRED"
	AccountDisabled      Code = "ACCOUNT_DISABLED"
	NoAddress            Code = "NO_ADDRESS"
	PeerSilent           Code = "PEER_SILENT"
	ClosedByServer       Code = "CLOSED_BY_SERVER"
	TUNFailed            Code = "TUN_FAILED"
	NetifdRefused        Code = "NETIFD_REFUSED"
)

// Stage is the part of a call in which a failure happened; the probe reports one result for each.
type Stage string

// The stages of a call, in order.
const (
	StageConfig  Stage = "config"
	StageResolve Stage = "resolve"
	StageConnect Stage = "connect"
	StageProxy   Stage = "proxy"
	StageTLS     Stage = "tls"
	StageHTTP    Stage = "http"
	StageSSTP    Stage = "sstp"
	StagePPP     Stage = "ppp"
	StageAuth    Stage = "auth"
	StageNetwork Stage = "network"
	StageUp      Stage = "up"
)

// Error is a failure as people see it. Message says what happened, Hint what to do about it; neither ever holds a
// secret. The keys and arguments beside them are for translation. Err is the cause for the debug log and for errors.Is,
// and may be nil.
type Error struct {
	Code    Code
	Stage   Stage
	Message string
	Hint    string
	Err     error

	MessageKey  phrase.Format // empty: nobody translates the message
	MessageArgs []string
	HintKey     phrase.Format // of a code's usual hint, the code
	HintArgs    []string
}

// Error returns the message alone: code and hint are printed by the edge that shows them.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns a failure with the code's usual hint.
func New(code Code, stage Stage, message phrase.Format) *Error { return Newf(code, stage, message) }

// Newf returns a failure whose message is a format filled with arguments, and the code's usual hint.
func Newf(code Code, stage Stage, format phrase.Format, args ...string) *Error {
	return usual(&Error{Code: code, Stage: stage, Message: format.Fill(args...), MessageKey: format, MessageArgs: args})
}

// Plain returns a failure whose message nobody translates, with the code's usual hint: the words of somebody else, or of
// a command that only speaks to the one who typed it. The message becomes a sentence if it is none: people read it
// between others.
func Plain(code Code, stage Stage, message string) *Error {
	return usual(&Error{Code: code, Stage: stage, Message: sentence(message)})
}

func usual(e *Error) *Error {
	e.Hint, e.HintKey = hints[e.Code], phrase.Format(e.Code)
	return e
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if c := s[0]; 'a' <= c && c <= 'z' {
		s = string(c-'a'+'A') + s[1:]
	}
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}

// Say replaces the message.
func (e *Error) Say(format phrase.Format, args ...string) *Error {
	e.Message, e.MessageKey, e.MessageArgs = format.Fill(args...), format, args
	return e
}

// WithHint replaces the usual hint by one that knows more.
func (e *Error) WithHint(hint phrase.Format) *Error { return e.WithHintf(hint) }

// WithHintf replaces the usual hint by a format filled with arguments.
func (e *Error) WithHintf(format phrase.Format, args ...string) *Error {
	e.Hint, e.HintKey, e.HintArgs = format.Fill(args...), format, args
	return e
}

// WithDetail replaces the usual hint by the same advice with the values at hand, or in the words of a command. Translations
// keep to the usual hint.
func (e *Error) WithDetail(hint string) *Error {
	e.Hint = hint
	return e
}

// OfClient turns a sentence about the server into one about the client, for a program in the server's role.
func (e *Error) OfClient() *Error {
	e.Message = strings.ReplaceAll(strings.ReplaceAll(e.Message, "The server", "The client"), "the server", "the client")
	e.MessageKey, e.MessageArgs = "", nil
	return e
}

// Said returns the message as a phrase.
func (e *Error) Said() phrase.Phrase {
	return phrase.Phrase{Key: e.MessageKey, Args: e.MessageArgs, Text: e.Message}
}

// Wrap records the cause.
func (e *Error) Wrap(err error) *Error {
	e.Err = err
	return e
}

// Of returns the Error in err's chain. An error that is none becomes one with the given code and stage and its own text
// as the message; nil stays nil.
func Of(err error, code Code, stage Stage) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Plain(code, stage, err.Error()).Wrap(err)
}

// Codes returns the closed list.
func Codes() []Code {
	return []Code{
		InvalidOptions, PeerResolveFail, NoUplink, ConnectFailed, ConnectTimeout, ProxyFailed, ProxyAuthFailed,
		TLSFailed, CertUntrusted, CertNameMismatch, CertExpired, CertPinMismatch, HTTPRefused, NotSSTP, SSTPRejected,
		CryptoBindingFailed, PPPNegotiationFailed, AuthFailed, AuthMethodRefused, PasswordExpired, AccountDisabled,
		NoAddress, PeerSilent, ClosedByServer, TUNFailed, NetifdRefused,
	}
}
