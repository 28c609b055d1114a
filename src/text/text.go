// Package text makes the text of strangers fit to be shown. What a server, a proxy, a certificate or a name server wrote
// must not move a terminal's cursor, add a line to a log, turn the direction of writing or hide a part of itself.
package text

import (
	"strconv"
	"unicode/utf8"
)

// ellipsis ends a text that was cut.
const ellipsis = "..."

// Show returns s in a form that is safe in a log, on a terminal and on a page: at most limit characters of valid UTF-8,
// each of which can be seen. Bytes that are not UTF-8, control characters, marks of the writing direction, separators of
// lines and paragraphs, and characters without a width become escapes as Go writes them, such as \x1b or \u202e. A text
// that is longer than limit ends with three dots. A backslash stays as it is, so that showing a text twice changes nothing.
func Show(s string, limit int) string {
	if len(s) <= limit && Plain(s) {
		return s
	}
	b := make([]byte, 0, min(len(s), 4*limit)+utf8.UTFMax)
	length, fits := 0, 0 // characters in b; the bytes of b behind which the ellipsis has room
	for len(s) > 0 {
		size, ok := first(s)
		shown := s[:size]
		if !ok {
			shown = strconv.QuoteToASCII(shown)
			shown = shown[1 : len(shown)-1]
		}
		b = append(b, shown...)
		length += utf8.RuneCountInString(shown)
		if length > limit {
			return string(b[:fits]) + ellipsis[:min(limit, len(ellipsis))]
		}
		if length <= limit-len(ellipsis) {
			fits = len(b)
		}
		s = s[size:]
	}
	return string(b)
}

// Phrase returns s for a sentence of ours: as Show does, at most 120 characters of it.
func Phrase(s string) string { return Show(s, 120) }

// Plain reports whether every character of s can be shown as it is.
func Plain(s string) bool {
	for len(s) > 0 {
		size, ok := first(s)
		if !ok {
			return false
		}
		s = s[size:]
	}
	return true
}

// first returns the size of the first character of s and whether it can be shown as it is. A byte that is not UTF-8 is a
// character of its own.
func first(s string) (size int, ok bool) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		return size, false
	case !strconv.IsPrint(r): // control characters, direction marks, separators, zero widths, blanks other than the space
		return size, false
	}
	// To IsPrint these are marks, letters and symbols, but nothing or a blank is drawn for them.
	switch {
	case r == 0x34f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x2800, r == 0x3164, r == 0xffa0,
		0x180b <= r && r <= 0x180f, 0xfe00 <= r && r <= 0xfe0f, 0xe0100 <= r && r <= 0xe01ef:
		return size, false
	}
	return size, true
}
