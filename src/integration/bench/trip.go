package main

import (
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The stages of a round trip, in order.
const (
	legSend = iota
	legWakeClient
	legClientCode
	legClientCalls
	legWakeServer
	legServerCode
	legServerCalls
	legWakeBack
	legBackCode
	legBackCalls
	legs
)

var legNames = [legs]string{
	"ping's system call, until the client is woken",
	"until the client runs",
	"client's own code",
	"client's system calls, until the server is woken",
	"until the server runs",
	"server's own code",
	"server's system calls, until the client is woken",
	"until the client runs",
	"client's own code",
	"client's system calls, until ping is woken",
}

// role is whose a thread is.
type role uint8

const (
	nobody role = iota
	asker       // ping
	client
	server
)

// trip is where the time of one round trip went, in microseconds.
type trip struct {
	took    [legs]float64
	crossed int // how often it was another processor that went on
}

func (t *trip) total() (sum float64) {
	for _, us := range t.took {
		sum += us
	}
	return sum
}

// traced is one line of the kernel's trace (Documentation/trace/ftrace.rst).
type traced struct {
	thread, processor int
	at                float64 // microseconds
	name, text        string  // of the event
}

// readTrace goes through the events of a trace.
func readTrace(r io.Reader) iter.Seq[traced] {
	return func(yield func(traced) bool) {
		text, _ := io.ReadAll(r)
		for line := range strings.Lines(string(text)) {
			if e, ok := parseTraced(line); ok && !yield(e) {
				return
			}
		}
	}
}

// parseTraced reads a line such as "sstp-lab-26359   [000] d.s7.  2124.061821: sched_waking: comm=sstp pid=26372 ...". The
// name before the thread may hold anything.
func parseTraced(line string) (e traced, ok bool) {
	who, rest, found := strings.Cut(line, " [")
	if !found {
		return e, false
	}
	who = strings.TrimSpace(who)
	fields := strings.Fields(rest)
	if len(fields) < 4 {
		return e, false
	}
	var errs [3]error
	var seconds float64
	e.thread, errs[0] = strconv.Atoi(who[strings.LastIndexByte(who, '-')+1:])
	e.processor, errs[1] = strconv.Atoi(strings.TrimSuffix(fields[0], "]"))
	seconds, errs[2] = strconv.ParseFloat(strings.TrimSuffix(fields[2], ":"), 64)
	e.at, e.name, e.text = seconds*1e6, strings.TrimSuffix(fields[3], ":"), strings.Join(fields[4:], " ")
	return e, errs == [3]error{}
}

// woken returns the thread that an event sched_waking is about.
func (e traced) woken() int {
	_, text, _ := strings.Cut(e.text, " pid=")
	text, _, _ = strings.Cut(text, " ")
	n, _ := strconv.Atoi(text)
	return n
}

// hasRead reports whether e is the end of a system call that has read something.
func (e traced) hasRead() bool {
	var call, n int
	if e.name != "sys_exit" {
		return false
	}
	if _, err := fmt.Sscanf(e.text, "NR %d = %d", &call, &n); err != nil || n <= 0 {
		return false
	}
	return call == unix.SYS_READ || call == unix.SYS_RECVFROM || call == unix.SYS_RECVMSG || call == unix.SYS_RECVMMSG
}

// follower follows the packets of pings from thread to thread.
type follower struct {
	who   func(thread int) role
	send  string // the text of sys_enter by which a ping begins
	trips []trip

	now       trip
	leg       int     // -1: no packet is on its way
	at        float64 // when the last event was
	processor int
	calling   bool // the thread that has the packet is in a system call
}

// take takes the next event. The packet is with one role at a time: what else the others do meanwhile does not count.
func (f *follower) take(e traced) {
	who := f.who(e.thread)
	if who == asker && e.name == "sys_enter" && strings.HasPrefix(e.text, f.send) {
		f.now, f.leg, f.at = trip{}, legSend, e.at
		return
	}
	if f.leg < 0 {
		return
	}
	woken := nobody
	if e.name == "sched_waking" {
		woken = f.who(e.woken())
	}
	switch f.leg {
	case legSend:
		if who == asker && woken == client {
			f.next(e, legWakeClient)
		}
	case legWakeClient, legWakeServer, legWakeBack:
		if holder := holders[f.leg]; who == holder {
			if e.processor != f.processor {
				f.now.crossed++
			}
			f.next(e, f.leg+1)
			f.calling = e.name == "sys_enter"
		}
	default:
		if who == client && holders[f.leg] == server && e.hasRead() {
			f.next(e, legBackCode) // it had not gone to sleep, so nobody woke it
			f.calling = false
			return
		}
		if who != holders[f.leg] {
			return
		}
		code := f.leg - (f.leg-legClientCode)%3
		f.leg = code
		if f.calling {
			f.leg++
		}
		f.next(e, code)
		switch {
		case woken == receivers[code]:
			f.leg = code + 2
		case e.name == "sys_enter":
			f.calling = true
		case e.name == "sys_exit":
			f.calling = false
		}
		if f.leg == legs {
			f.trips = append(f.trips, f.now)
			f.leg = -1
		}
	}
}

// next gives the time since the last event to the present leg and goes on with another.
func (f *follower) next(e traced, leg int) {
	f.now.took[f.leg] += e.at - f.at
	f.leg, f.at, f.processor = leg, e.at, e.processor
}

// holders are who has the packet in each leg, receivers whom he has to wake.
var (
	holders = [legs]role{asker, client, client, client, server, server, server, client, client, client}

	receivers = [legs]role{legClientCode: server, legServerCode: client, legBackCode: asker}
)

// medians are those of each leg, the whole, and how often a trip changed the processor on average.
func medians(trips []trip) (took [legs]float64, total, crossed float64) {
	for leg := range legs {
		var s sample
		for _, t := range trips {
			s = append(s, t.took[leg])
		}
		took[leg] = s.median()
	}
	var s sample
	for _, t := range trips {
		s = append(s, t.total())
		crossed += float64(t.crossed) / float64(len(trips))
	}
	return took, s.median(), crossed
}

// printTrips prints where the time goes, one column a tunnel.
func printTrips(w io.Writer, names []string, of [][]trip) {
	var t table
	t.row(append([]string{"an idle tunnel's round trip, µs"}, names...)...)
	cells := make([][legs]float64, len(of))
	whole, crossed := []string{"**all**"}, []string{"changes of the processor in a trip"}
	for i, trips := range of {
		took, total, changes := medians(trips)
		cells[i] = took
		whole = append(whole, fmt.Sprintf("%.0f", total))
		crossed = append(crossed, fmt.Sprintf("%.1f", changes))
	}
	for leg, name := range legNames {
		row := []string{name}
		for i := range of {
			row = append(row, fmt.Sprintf("%.0f", cells[i][leg]))
		}
		t.row(row...)
	}
	t.row(whole...)
	t.row(crossed...)
	t.print(w, 1)
}
