// Package deadline compares points in time of which the zero value means never.
package deadline

import "time"

// Earliest returns the earliest of the times. It returns zero when all are zero.
func Earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// Due reports whether a deadline has come at now. Zero never comes.
func Due(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }
