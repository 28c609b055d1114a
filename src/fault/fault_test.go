package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestEachCodeHasAHintAndStandsOnce(t *testing.T) {
	seen := map[Code]bool{}
	for _, c := range Codes() {
		if seen[c] {
			t.Errorf("%s stands twice in the list", c)
		}
		seen[c] = true
		if New(c, StageConfig, "x").Hint == "" {
			t.Errorf("%s has no hint: a failure must say what to do", c)
		}
	}
	if len(hints) != len(seen) {
		t.Errorf("%d hints for %d codes", len(hints), len(seen))
	}
}

func TestOfFindsTheFailureInAChain(t *testing.T) {
	inner := New(AuthFailed, StageAuth, "The server refused the password.")
	if got := Of(fmt.Errorf("dial: %w", inner), TLSFailed, StageTLS); got != inner {
		t.Errorf("Of returned %v, want the wrapped failure itself", got)
	}
	if got := Of(io.EOF, ClosedByServer, StageUp); got.Code != ClosedByServer || !errors.Is(got, io.EOF) {
		t.Errorf("Of(io.EOF) = %+v, want CLOSED_BY_SERVER that wraps io.EOF", got)
	}
	if Of(nil, AuthFailed, StageAuth) != nil {
		t.Error("Of(nil) must stay nil")
	}
}

func TestAMessageIsASentence(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"the server ended the call":   "The server ended the call.",
		"The server ended the call.":  "The server ended the call.",
		"Is it you?":                  "Is it you?",
		`the server says: "no"`:       `The server says: "no".`,
		"192.0.2.1 refused to answer": "192.0.2.1 refused to answer.",
	} {
		if got := New(ClosedByServer, StageUp, text).Message; got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
