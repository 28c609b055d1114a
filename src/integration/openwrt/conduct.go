package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// scenario is one thing that must hold on a router.
type scenario struct {
	name  string
	what  string
	limit time.Duration // of all of it; 0: usualLimit
	run   func(w *world)
}

const usualLimit = 3 * time.Minute // also of a busy machine

// outcome is what came of a scenario.
type outcome struct {
	scenario
	result
	took  time.Duration
	story string
}

// verdict is the word for it in the table.
func (o *outcome) verdict() string {
	switch {
	case len(o.Failures) > 0:
		return "FAILED"
	case o.Skipped != "":
		return "skipped"
	}
	return "passed"
}

// runAll runs the scenarios one after another and prints the table; it returns the exit code.
func runAll(s *settings, j job, only *regexp.Regexp, stdout io.Writer, stop <-chan os.Signal) int {
	fmt.Fprintf(stdout, "on %s\n", releaseOf(j.Root))
	begin := time.Now()
	var passed, failed, skipped int
	var findings []string
	for _, sc := range scenarios {
		if !only.MatchString(sc.name) {
			continue
		}
		o, interrupted := runOne(sc, j, s.verbose, stdout, stop)
		if interrupted {
			return 130
		}
		switch o.verdict() {
		case "FAILED":
			failed++
		case "skipped":
			skipped++
		default:
			passed++
		}
		note := o.what
		if o.Skipped != "" {
			note = o.Skipped
		}
		fmt.Fprintf(stdout, "%-7s %5.1f s  %-18s %s\n", o.verdict(), o.took.Seconds(), o.name, note)
		for _, f := range o.Findings {
			findings = append(findings, o.name+": "+f)
		}
		for _, f := range o.Failures {
			fmt.Fprintf(stdout, "                 %s\n", strings.ReplaceAll(f, "\n", "\n                 "))
		}
		if len(o.Failures) > 0 && !s.verbose {
			fmt.Fprintln(stdout, indent(o.story))
		}
	}
	if len(findings) > 0 {
		fmt.Fprintf(stdout, "\nmeasured:\n  %s\n", strings.Join(findings, "\n  "))
	}
	fmt.Fprintf(stdout, "\n%d passed, %d failed, %d skipped, in %.0f s\n", passed, failed, skipped, time.Since(begin).Seconds())
	if failed > 0 || passed == 0 {
		return 1
	}
	return 0
}

// runOne runs a scenario in a world of its own.
func runOne(sc scenario, j job, verbose bool, stdout io.Writer, stop <-chan os.Signal) (o outcome, interrupted bool) {
	o.scenario = sc
	j.Scenario = sc.name
	var story log
	if verbose {
		fmt.Fprintf(stdout, "== %s: %s\n", sc.name, sc.what)
		story.also = stdout
	}
	begin := time.Now()
	c, err := spawn(roleWorld, j, &story)
	if err != nil {
		o.Failures = []string{err.Error()}
		return o, false
	}
	answered := make(chan error, 1)
	go func() { answered <- json.NewDecoder(c.answers).Decode(&o.result) }()
	limit := sc.limit
	if limit == 0 {
		limit = usualLimit
	}
	select {
	case err = <-answered:
		if err != nil {
			err = fmt.Errorf("the scenario's process ended without a result")
		}
		c.end()
	case <-time.After(limit):
		err = fmt.Errorf("it did not end within its limit of %v", limit)
		c.end()
		<-answered
	case <-stop:
		c.end()
		return o, true
	}
	if err != nil {
		o.Failures = append(o.Failures, err.Error())
	}
	o.took, o.story = time.Since(begin), story.String()
	return o, false
}

// releaseOf names the root's release.
func releaseOf(root string) string {
	text, _ := os.ReadFile(filepath.Join(root, "etc/openwrt_release"))
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "DISTRIB_DESCRIPTION="); ok {
			return strings.Trim(strings.TrimSpace(value), `'"`)
		}
	}
	return "an OpenWrt without a name"
}

func indent(text string) string {
	return "    | " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    | ")
}
