package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestShow(t *testing.T) {
	for _, c := range []struct{ why, in, want string }{
		{"plain text stays", "plain", "plain"},
		{"letters of any script stay", "größe 東京 שלום 👍", "größe 東京 שלום 👍"},
		{"quotes and backslashes stay", `say "a\b"`, `say "a\b"`},
		{"the replacement character itself is text", "a\uFFFDb", "a\uFFFDb"},
		{"bytes that are not UTF-8", "not utf-8 \xff\xc3", `not utf-8 \xff\xc3`},
		{"C0: a terminal's commands, a bell, NUL", "esc \x1b[31m bell \a nul \x00", `esc \x1b[31m bell \a nul \x00`},
		{"lines cannot be added to a log", "line\r\nline\ttab", `line\r\nline\ttab`},
		{"DEL", "del \x7f", `del \x7f`},
		{"C1: CSI in one character", "csi \u009b31m", `csi \u009b31m`},
		{"bidirectional override", "right to left \u202e gnol", `right to left \u202e gnol`},
		{"bidirectional isolates and marks", "\u2066a\u2069\u200e\u200f\u061c", `\u2066a\u2069\u200e\u200f\u061c`},
		{"separators of lines and paragraphs", "a\u2028b\u2029c", `a\u2028b\u2029c`},
		{"zero width: space, joiners, byte order mark", "a\u200bb\u200c\u200d\u2060\ufeff", `a\u200bb\u200c\u200d\u2060\ufeff`},
		{"invisible marks and letters", "a\u034f\ufe0f\u3164\u2800\U000e0100", `a\u034f\ufe0f\u3164\u2800\U000e0100`},
		{"blanks that are not the space", "a\u00a0b\u3000", `a\u00a0b\u3000`},
		{"as long as the limit", strings.Repeat("ä", 60), strings.Repeat("ä", 60)},
		{"longer than the limit", strings.Repeat("ä", 61), strings.Repeat("ä", 57) + "..."},
		{"an escape is not cut in two", strings.Repeat("a", 56) + "\x1b[2J", strings.Repeat("a", 56) + "..."},
		{"nothing", "", ""},
	} {
		if got := Show(c.in, 60); got != c.want {
			t.Errorf("%s: Show(%q) = %q, want %q", c.why, c.in, got, c.want)
		}
	}
	for limit, want := range []string{"", ".", "..", "...", "a..."} {
		if got := Show("abcdef", limit); got != want {
			t.Errorf("Show(abcdef, %d) = %q, want %q", limit, got, want)
		}
	}
}

// FuzzShow holds what every sink counts on: the result is valid UTF-8, within the limit, made of visible characters, and is
// not changed when it is shown again.
func FuzzShow(f *testing.F) {
	f.Add("\x1b[2J\x00\u202e"+strings.Repeat("é", 200), 120)
	f.Add("\xff\xfe\u200b\ufffd", 5)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit &= 0x3ff
		got := Show(s, limit)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > limit {
			t.Fatalf("Show(%q, %d) = %q", s, limit, got)
		}
		for _, r := range got {
			if r != ' ' && (!unicode.IsGraphic(r) || unicode.In(r, unicode.C, unicode.Z, unicode.Bidi_Control,
				unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)) {
				t.Fatalf("Show(%q) = %q shows %U", s, got, r)
			}
		}
		if again := Show(got, limit); again != got {
			t.Fatalf("Show(%q) = %q, and shown again %q", s, got, again)
		}
		if Plain(s) && utf8.RuneCountInString(s) <= limit && got != s || !Plain(got) {
			t.Fatalf("Show(%q) = %q, Plain %v", s, got, Plain(s))
		}
	})
}
