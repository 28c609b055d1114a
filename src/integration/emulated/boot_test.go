package main

import "testing"

func TestTheProcessorTimeOfAProcess(t *testing.T) {
	for stat, want := range map[string]int{
		"42 (qemu) S 1 42 42 0 -1 4194560 446 0 0 0 160 12 0 0 20":     172,
		"42 (a name) 1 2) S 1 42 42 0 -1 4194560 446 0 0 0 7 3 0 0 20": 10,
		"": 0,
	} {
		if got := ticks(stat); int(got) != want {
			t.Errorf("%q: %d, want %d", stat, got, want)
		}
	}
	if usedBy(-1) != 0 {
		t.Error("nobody has used something")
	}
}
