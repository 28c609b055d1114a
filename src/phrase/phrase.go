// Package phrase holds sentences for people together with what translates them: as in gettext, the English format is the
// key, and arguments fill it.
package phrase

import "strings"

// Format is an English text in which each %s stands for an argument. It is the key of its translations, so it is always a
// constant of the source: the catalogue is made of all constants of this type.
type Format string

// Phrase is a text with its key. The zero value is no text; a text of somebody else has no key.
type Phrase struct {
	Key  Format
	Args []string
	Text string
}

// Of returns the phrase of a format. An argument that is a Format itself is translated too.
func Of(format Format, args ...string) Phrase {
	return Phrase{format, args, format.Fill(args...)}
}

// Foreign returns the phrase of a text that nobody translates.
func Foreign(text string) Phrase { return Phrase{Text: text} }

// Fill returns the English text. An argument is never looked into for another %s.
func (f Format) Fill(args ...string) string {
	rest := string(f)
	if len(args) == 0 {
		return rest
	}
	var b strings.Builder
	for _, a := range args {
		before, after, found := strings.Cut(rest, "%s")
		if !found {
			break
		}
		b.WriteString(before)
		b.WriteString(a)
		rest = after
	}
	b.WriteString(rest)
	return b.String()
}
