package auth

import (
	"bytes"

	"sstp/src/text"
)

// maxText is how many characters of the other end's text a message of ours repeats.
const maxText = 160

// serverSays returns the other end's text, fit to be shown; nothing for no text.
func serverSays(said []byte) string {
	return text.Show(string(bytes.TrimRight(said, "\x00 ")), maxText)
}

// safeError is a cause whose text may hold what the other end wrote, such as the names of a certificate.
type safeError struct{ cause error }

// Error returns the cause's text in a form that can be shown.
func (e safeError) Error() string { return text.Show(e.cause.Error(), maxText) }

// Unwrap returns the cause.
func (e safeError) Unwrap() error { return e.cause }
