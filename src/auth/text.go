package auth

import (
	"strconv"
	"unicode/utf8"
)

// maxText is how many bytes of the other end's text a message of ours repeats.
const maxText = 160

// printable makes the other end's text fit for a log and a terminal: no control characters, no bytes that are not
// UTF-8, no change of writing direction, not longer than maxText before the escaping.
func printable(text string) string {
	more := ""
	if len(text) > maxText {
		end := maxText
		for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		text, more = text[:end], "..."
	}
	q := strconv.QuoteToGraphic(text)
	return q[1:len(q)-1] + more
}

// serverSays returns a sentence that repeats the other end's text, with a space before it; nothing for no text.
func serverSays(text []byte) string {
	for len(text) > 0 && (text[len(text)-1] == 0 || text[len(text)-1] == ' ') {
		text = text[:len(text)-1]
	}
	if len(text) == 0 {
		return ""
	}
	return ` The server says: "` + printable(string(text)) + `".`
}

// safeError is a cause whose text may hold what the other end wrote, such as the names of a certificate.
type safeError struct{ cause error }

// Error returns the cause's text in printable form.
func (e safeError) Error() string { return printable(e.cause.Error()) }

// Unwrap returns the cause.
func (e safeError) Unwrap() error { return e.cause }
