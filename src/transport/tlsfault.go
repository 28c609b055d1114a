package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"sstp/src/fault"
	"sstp/src/text"
	"sstp/src/transport/netio"
)

// The names of the alerts (RFC 8446 section 6) that have a hint of their own.
var (
	alertHandshakeFailure   = alertText(40)
	alertBadCertificate     = alertText(42)
	alertCertificateUnknown = alertText(46)
	alertUnknownCA          = alertText(48)
	alertAccessDenied       = alertText(49)
	alertProtocolVersion    = alertText(70)
	alertInsufficient       = alertText(71)
	alertInternalError      = alertText(80)
	alertUnrecognizedName   = alertText(112)
	alertCertificateNeeded  = alertText(116)
)

func alertText(number uint8) string {
	return strings.TrimPrefix(tls.AlertError(number).Error(), "tls: ")
}

// alertName returns the name of the alert that the server sent to end the connection.
func alertName(err error) (name string, ok bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return "", false
	}
	return strings.TrimPrefix(op.Err.Error(), "tls: "), true
}

// alertFault explains an alert. asked reports that the server wanted a client certificate, and had that it got one.
func alertFault(name string, asked, had bool) *fault.Error {
	f := fault.Newf(fault.TLSFailed, fault.StageTLS, `The server ended the TLS handshake with the alert "%s".`, name)
	switch name {
	case alertProtocolVersion:
		return f.WithHint("The server wants another TLS version: set a lower tls_min, such as '1.0'.")
	case alertUnrecognizedName:
		return f.WithHint("The server does not know the name sent: correct server_name or sni.")
	}
	if asked {
		switch name {
		case alertCertificateNeeded, alertHandshakeFailure, alertBadCertificate, alertCertificateUnknown, alertUnknownCA,
			alertAccessDenied:
			if had {
				return f.WithHint("The server refused the client certificate: check options cert and key.")
			}
			return f.WithHint("The server demands a client certificate: set options cert and key.")
		}
	}
	switch name {
	case alertHandshakeFailure, alertInsufficient, alertInternalError:
		return f.WithHint("The server shares no cipher or version with us: try tls_legacy '1'. Some servers answer so to a " +
			"name they do not know, see server_name and sni.")
	}
	return f
}

// notTLSFault explains a first record that is not one of TLS.
func notTLSFault(begin [5]byte) *fault.Error {
	if string(begin[:]) == "HTTP/" || begin[0] == '<' {
		return fault.New(fault.TLSFailed, fault.StageTLS, "Plain HTTP answers on this port, not TLS.").
			WithHint("Check the port of option server: SSTP usually is on 443, never on a port for plain HTTP.")
	}
	return fault.Newf(fault.TLSFailed, fault.StageTLS, `What answers on this port is not TLS: it begins with "%s".`,
		text.Phrase(string(begin[:]))).WithHint("Check server and port.")
}

// tlsFault explains why the handshake failed; asked reports that the server wanted a client certificate.
func (c *connector) tlsFault(ctx context.Context, err error, asked bool) error {
	var refused *fault.Error
	if errors.As(err, &refused) {
		return refused // by trust.Policy.Check
	}
	if name, ok := alertName(err); ok {
		return alertFault(name, asked, c.client != nil).Wrap(err)
	}
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &header):
		return notTLSFault(header.RecordHeader).Wrap(err)
	case ctx.Err() != nil || netio.IsTimeout(err):
		return fault.New(fault.TLSFailed, fault.StageTLS, "The TLS handshake was not finished in time.").
			WithHint("Is it a TLS port? A device on the way that loses large packets may need tls_legacy '1'.").Wrap(err)
	case netio.IsClosed(err):
		return fault.New(fault.TLSFailed, fault.StageTLS, "The server closed the connection during the TLS handshake.").
			WithHint("It may refuse the name sent (server_name, sni), need tls_legacy '1' or a lower tls_min, or the " +
				"connection is filtered on the way.").Wrap(err)
	}
	return fault.Newf(fault.TLSFailed, fault.StageTLS,
		"TLS with the server failed: %s.", text.Phrase(strings.TrimPrefix(err.Error(), "tls: "))).Wrap(err)
}
