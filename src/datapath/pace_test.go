package datapath

import (
	"testing"
	"time"
)

func TestPaceFollowsTheLink(t *testing.T) {
	for _, c := range []struct {
		why    string
		rate   int // bytes per second
		quota  int
		target time.Duration
		slow   bool
	}{
		{"a fast link takes whole records", 500e6, maxWrite, minTarget, false},
		{"a gigabit is fast enough", 126e6, maxWrite, minTarget, false},
		{"100 Mbit/s: a record takes 1.3 ms", 12.5e6, maxWrite, minTarget, true},
		{"20 Mbit/s: 2 ms are 5000 bytes", 2.5e6, 5000, minTarget, true},
		{"1 Mbit/s: two packets, and CoDel must wait for them", 125e3, 2816, 2 * 2816 * time.Second / 125e3, true},
	} {
		var m pace
		now := time.Unix(1000, 0)
		for range 1000 {
			m.at(now)
			m.wrote(c.rate/1000*3, now, true)
			now = now.Add(3 * time.Millisecond)
		}
		quota := m.quota(1400)
		if diff := quota - c.quota; diff < -50 || diff > 50 {
			t.Errorf("%s: quota %d, want %d", c.why, quota, c.quota)
		}
		if diff := m.target(quota) - c.target; diff < -time.Millisecond || diff > time.Millisecond {
			t.Errorf("%s: target %v, want %v", c.why, m.target(quota), c.target)
		}
		if m.slow != c.slow {
			t.Errorf("%s: slow %v, want %v", c.why, m.slow, c.slow)
		}
	}
}

func TestPaceMeasuresOnlyABacklog(t *testing.T) {
	var m pace
	now := time.Unix(1000, 0)
	for range 1000 {
		m.at(now)
		m.wrote(100, now, false)
		now = now.Add(time.Second)
	}
	if m.rate != 0 || m.slow || m.quota(1400) != maxWrite || m.target(maxWrite) != minTarget {
		t.Errorf("%+v: little data says nothing about the link", m)
	}
}
