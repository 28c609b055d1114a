package session

import (
	"reflect"
	"runtime"
	"testing"
)

func TestEachEventHasAReactionInEachPhase(t *testing.T) {
	for kind := range numEvents {
		for p := range phase(numPhases) {
			if lifecycle[kind][p] == nil {
				t.Errorf("event %d does nothing in the phase %v: say ignore where that is meant", kind, p)
			}
		}
	}
}

func TestEachPhaseIsReachedAndLeft(t *testing.T) {
	reached := map[phase]bool{phaseWaiting: true}
	for p, next := range follows {
		if phase(p) != phaseFinished && len(next) == 0 {
			t.Errorf("the phase %v is never left", phase(p))
		}
		for _, n := range next {
			reached[n] = true
		}
	}
	for p := range phase(len(follows)) {
		if !reached[p] {
			t.Errorf("the phase %v is never reached", p)
		}
		if p.String() == "" {
			t.Errorf("the phase %d has no name", p)
		}
	}
	if len(follows) != int(phaseFinished)+1 {
		t.Errorf("%d phases in follows, want all", len(follows))
	}
}

// TestNothingBeginsWhileStopping: the last column ends things, and begins none.
func TestNothingBeginsWhileStopping(t *testing.T) {
	ends := map[string]bool{
		"ignore": true, "dialedTooLate": true, "receive": true, "streamEnded": true, "callClosed": true, "announcedTooLate": true,
		"withdrawn": true, "callDue": true, "breakOff": true,
	}
	for kind := range numEvents {
		if name := nameOf(lifecycle[kind][phaseStopping]); !ends[name] {
			t.Errorf("event %d does %s while stopping", kind, name)
		}
	}
}

func nameOf(r reaction) string {
	name := runtime.FuncForPC(reflect.ValueOf(r).Pointer()).Name()
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return name
}
