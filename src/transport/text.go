package transport

import (
	"strconv"
	"strings"
)

// shown makes text of the far end fit to be shown: control characters escaped, and not too long.
func shown(s string) string {
	const limit = 120
	long := len(s) > limit
	if long {
		s = s[:limit]
	}
	s = strconv.Quote(s)
	s = s[1 : len(s)-1]
	s = strings.ReplaceAll(s, `\"`, `"`)
	if long {
		s += "..."
	}
	return s
}

// isWord tells whether s can stand in a request line or a header without ending it.
func isWord(s string) bool { return !hasControl(s) && !strings.Contains(s, " ") }

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
