package main

import (
	"slices"
	"strings"
	"testing"
)

// threads of the traces below.
var testRoles = map[int]role{100: asker, 200: client, 201: client, 300: server}

func followed(text string) []trip {
	f := &follower{leg: -1, send: "NR 44 ", who: func(thread int) role { return testRoles[thread] }}
	for e := range readTrace(strings.NewReader(text)) {
		f.take(e)
	}
	return f.trips
}

func TestARoundTripIsFollowedFromProgramToProgram(t *testing.T) {
	trips := followed(`# tracer: nop
            ping-100     [000] .....     1.000100: sys_enter: NR 44 (3, 55d32c056b80, 40, 0, 55d2ef4da5c0, 10)
            ping-100     [000] D..6.     1.000110: sched_waking: comm=sstp pid=200 prio=120 target_cpu=000
            ping-100     [000] .....     1.000111: sys_exit: NR 44 = 64
            sstp-200     [000] .....     1.000120: sys_exit: NR 281 = 1
            sstp-200     [000] .....     1.000130: sys_enter: NR 0 (7, 6868d080000, 10032, 0, 0, 0)
            sstp-200     [000] .....     1.000133: sys_exit: NR 0 = 94
            sstp-200     [000] .....     1.000138: sched_waking: comm=sstp pid=201 prio=120 target_cpu=001
            sstp-200     [000] .....     1.000140: sys_enter: NR 1 (6, 6868d02e600, 72, 0, 0, 0)
            sstp-200     [000] d.s7.     1.000150: sched_waking: comm=sstp-lab pid=300 prio=120 target_cpu=001
            sstp-200     [000] .N...     1.000160: sys_exit: NR 1 = 114
        sstp-lab-300     [001] .....     1.000250: sys_exit: NR 281 = 1
        sstp-lab-300     [001] .....     1.000252: sys_enter: NR 0 (7, 386a4f234800, 800, 0, 0, 0)
        sstp-lab-300     [001] .....     1.000255: sys_exit: NR 0 = 114
        sstp-lab-300     [001] .....     1.000259: sys_enter: NR 1 (7, 386a4f186580, 72, 0, 0, 0)
        sstp-lab-300     [001] .....     1.000265: sched_waking: comm=sstp pid=200 prio=120 target_cpu=000
            sstp-200     [000] .....     1.000275: sys_enter: NR 0 (6, 6868d020700, 700, 0, 0, 0)
            sstp-200     [000] .....     1.000276: sys_exit: NR 0 = 114
            sstp-200     [000] .....     1.000279: sys_enter: NR 20 (7, 6868cf263e0, 2, 0, 0, 0)
            sstp-200     [000] D..3.     1.000283: sched_waking: comm=ping pid=100 prio=120 target_cpu=000
`)
	if len(trips) != 1 {
		t.Fatalf("%d trips, want 1", len(trips))
	}
	want := [legs]float64{
		legSend:        10,
		legWakeClient:  10,
		legClientCode:  10 + 5 + 2, // to wake a thread of its own is the client's own business
		legClientCalls: 3 + 10,
		legWakeServer:  100,
		legServerCode:  2 + 4,
		legServerCalls: 3 + 6,
		legWakeBack:    10,
		legBackCode:    3,
		legBackCalls:   1 + 4,
	}
	for leg := range want {
		if got := trips[0].took[leg]; got < want[leg]-0.5 || got > want[leg]+0.5 {
			t.Errorf("leg %d, %s: %.0f µs, want %.0f", leg, legNames[leg], got, want[leg])
		}
	}
	if got := trips[0].total(); got < 182.5 || got > 183.5 {
		t.Errorf("all: %.0f µs, want the 183 from ping's system call to its waking", got)
	}
	if trips[0].crossed != 2 {
		t.Errorf("%d changes of the processor, want 2", trips[0].crossed)
	}
}

func TestAClientThatHasNotGoneToSleepIsFollowedTooAndALostPingIsLeftOut(t *testing.T) {
	lost := "ping-100 [000] ..... 0.900000: sys_enter: NR 44 (3)\nping-100 [000] ..... 0.900010: sched_waking: comm=sstp pid=200 prio=120\n"
	trips := followed(lost + `
            ping-100     [000] .....     1.000100: sys_enter: NR 44 (3)
            ping-100     [000] D..6.     1.000110: sched_waking: comm=sstp pid=200 prio=120
            sstp-200     [000] .....     1.000120: sys_exit: NR 281 = 1
            sstp-200     [000] d.s7.     1.000150: sched_waking: comm=sstp-lab pid=300 prio=120
        sstp-lab-300     [001] .....     1.000160: sys_exit: NR 281 = 1
        sstp-lab-300     [001] .....     1.000170: sys_enter: NR 1 (7)
            sstp-200     [000] .....     1.000172: sys_exit: NR 0 = -11
            sstp-200     [000] .....     1.000180: sys_exit: NR 0 = 114
            sstp-200     [000] .....     1.000190: sys_enter: NR 20 (7)
            sstp-200     [000] D..3.     1.000195: sched_waking: comm=ping pid=100 prio=120
`)
	if len(trips) != 1 || trips[0].took[legWakeBack] != 0 || trips[0].total() < 94 || trips[0].total() > 96 {
		t.Errorf("%+v; want one trip of 95 µs in which nobody woke the client", trips)
	}
}

func TestLinesThatAreNoEventsAreLeftOut(t *testing.T) {
	events := slices.Collect(readTrace(strings.NewReader("# entries-in-buffer/entries-written: 1/1   #P:2\n\n" +
		"    <idle>-0       [000] d.s3.   840.705562: sched_waking: comm=a name with 5-6 [7] pid=11488 prio=120 target_cpu=000\n" +
		"  broken-1 [0\n  x-y [000] d 1.0: sys_exit: NR 1 = 1\n")))
	if len(events) != 1 || events[0].thread != 0 || events[0].woken() != 11488 {
		t.Errorf("%+v", events)
	}
}
