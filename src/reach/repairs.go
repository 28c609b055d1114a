package reach

import (
	"slices"
	"time"
)

// Limits of repairs: a program that undoes them that often does so on purpose.
const (
	MaxRepairs   = 3
	RepairPeriod = time.Minute
)

// Repairs counts the repairs of the last minute, so that there is no endless fight with another program. The zero value has
// counted none.
type Repairs struct {
	times []time.Time
	// Exhausted reports whether the last call of May found too many repairs.
	Exhausted bool
}

// May reports whether one more repair is allowed now.
func (r *Repairs) May(now time.Time) bool {
	r.times = slices.DeleteFunc(r.times, func(t time.Time) bool { return now.Sub(t) >= RepairPeriod })
	r.Exhausted = len(r.times) >= MaxRepairs
	return !r.Exhausted
}

// Done counts a repair.
func (r *Repairs) Done(now time.Time) { r.times = append(r.times, now) }
