package deadline

import (
	"testing"
	"time"
)

var (
	never = time.Time{}
	noon  = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	one   = noon.Add(time.Hour)
	two   = noon.Add(2 * time.Hour)
)

func TestEarliestIgnoresTimesThatNeverCome(t *testing.T) {
	for _, c := range []struct {
		times []time.Time
		want  time.Time
	}{
		{nil, never},
		{[]time.Time{never, never}, never},
		{[]time.Time{one}, one},
		{[]time.Time{never, two, one, never}, one},
		{[]time.Time{one, two}, one},
	} {
		if got := Earliest(c.times...); !got.Equal(c.want) {
			t.Errorf("Earliest(%v) = %v, want %v", c.times, got, c.want)
		}
	}
}

func TestDueFromTheDeadlineOn(t *testing.T) {
	for _, c := range []struct {
		deadline, now time.Time
		want          bool
	}{
		{never, noon, false},
		{one, noon, false},
		{one, one, true},
		{one, two, true},
	} {
		if got := Due(c.deadline, c.now); got != c.want {
			t.Errorf("Due(%v, %v) = %t, want %t", c.deadline, c.now, got, c.want)
		}
	}
}

func TestEarliestAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Earliest(one, never, two) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
