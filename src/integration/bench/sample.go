package main

import (
	"fmt"
	"slices"
	"time"
)

// sample has one value of each round.
type sample []float64

func (s sample) last() float64 { return s[len(s)-1] }

func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// text returns the median and, in brackets, the smallest and the largest value.
func (s sample) text(digits int) string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.median(), digits, slices.Min(s), digits, slices.Max(s))
}

// short is text with one digit less where the values are large.
func (s sample) short(digits int) string {
	if len(s) > 0 && slices.Max(s) >= 10 {
		digits--
	}
	return s.text(digits)
}

// quantile returns the value in milliseconds that the given part of d is below.
func quantile(d []time.Duration, part float64) float64 {
	d = slices.Sorted(slices.Values(d))
	return float64(d[min(len(d)-1, int(part*float64(len(d))))]) / 1e6
}
