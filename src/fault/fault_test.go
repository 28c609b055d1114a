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
		if got := Plain(ClosedByServer, StageUp, text).Message; got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestATextComesWithWhatTranslatesIt(t *testing.T) {
	e := Newf(NoUplink, StageConnect, "The interface %s is down.", "wan")
	if e.Message != "The interface wan is down." || e.MessageKey != "The interface %s is down." || len(e.MessageArgs) != 1 {
		t.Errorf("message %+v", e.Said())
	}
	if e.HintKey != "NO_UPLINK" || e.Hint == "" {
		t.Errorf("the usual hint %q has the key %q, want the code", e.Hint, e.HintKey)
	}
	if e.WithDetail("Look at wan."); e.HintKey != "NO_UPLINK" || e.Hint != "Look at wan." {
		t.Errorf("a usual hint in detail: %q %q", e.HintKey, e.Hint)
	}
	if e.WithHintf("Start it with ifup %s.", "wan"); e.HintKey != "Start it with ifup %s." || e.Hint != "Start it with ifup wan." {
		t.Errorf("a hint of its own: %q %q", e.HintKey, e.Hint)
	}
	if p := Plain(NoUplink, StageConnect, "gone"); p.MessageKey != "" || p.Message != "Gone." {
		t.Errorf("somebody else's words: %+v", p.Said())
	}
	if c := New(PeerSilent, StagePPP, "The server fell silent.").OfClient(); c.Message != "The client fell silent." || c.MessageKey != "" {
		t.Errorf("of a client: %+v", c.Said())
	}
}
