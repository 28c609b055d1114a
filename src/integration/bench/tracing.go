package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tracefs is where the kernel can be told to write down what happens.
const tracefs = "/sys/kernel/tracing"

// tracedEvents are what a round trip is made of.
var tracedEvents = []string{"sched/sched_waking", "raw_syscalls/sys_enter", "raw_syscalls/sys_exit"}

// tracer is a trace of ours, beside those that others may keep.
type tracer string

// newTracer makes a trace that stands still.
func newTracer() (tracer, error) {
	if _, err := os.Stat(filepath.Join(tracefs, "instances")); err != nil {
		if err := unix.Mount("tracefs", tracefs, "tracefs", 0, ""); err != nil {
			return "", fmt.Errorf("this kernel has no tracing (CONFIG_FTRACE): %w", err)
		}
	}
	t := tracer(filepath.Join(tracefs, "instances", fmt.Sprint("sstp-bench-", os.Getpid())))
	if err := os.Mkdir(string(t), 0o700); err != nil {
		return "", err
	}
	// The processors' clocks may differ; the global one is the same for all.
	err := errors.Join(t.write("tracing_on", "0"), t.write("trace_clock", "global"), t.write("buffer_size_kb", "8192"))
	for _, e := range tracedEvents {
		err = errors.Join(err, t.write("events/"+e+"/enable", "1"))
	}
	if err != nil {
		t.remove()
	}
	return t, err
}

func (t tracer) write(name, text string) error {
	return os.WriteFile(filepath.Join(string(t), name), []byte(text), 0)
}

func (t tracer) remove() error { return unix.Rmdir(string(t)) }

// record writes down what happens while f runs, and returns it.
func (t tracer) record(f func() error) (*os.File, error) {
	if err := errors.Join(t.write("trace", ""), t.write("tracing_on", "1")); err != nil {
		return nil, err
	}
	if err := errors.Join(f(), t.write("tracing_on", "0")); err != nil {
		return nil, err
	}
	return os.Open(filepath.Join(string(t), "trace"))
}

// profileTrips says where the time of an idle round trip goes, in every tunnel.
func (b *bench) profileTrips() error {
	time.Sleep(settled)
	var names []string
	var of [][]trip
	for _, p := range b.programs {
		if p.missing != nil || p.tls {
			continue
		}
		trips, err := p.follow(b.tracer)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if len(trips) < tripPings/2 {
			progress("%s: only %d of %d pings went from one program to the next in order", p.name, len(trips), tripPings)
			continue
		}
		names, of = append(names, titles[p.name]), append(of, trips)
	}
	fmt.Printf("%s; %s. Medians of %d pings, 10 ms apart, while the kernel writes down each step.\n\n", time.Now().Format(time.DateOnly), machine(), tripPings)
	printTrips(os.Stdout, names, of)
	return nil
}

const tripPings = 200

// follow follows the pings through a tunnel.
func (p *program) follow(t tracer) ([]trip, error) {
	roles := map[int]role{}
	for pid, r := range map[int]role{p.tunnel.program.Pid(): client, p.tunnel.peer.Pid(): server} {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return nil, err
		}
		for _, thread := range threads {
			id, _ := strconv.Atoi(thread.Name())
			roles[id] = r
		}
	}
	f := &follower{leg: -1, send: fmt.Sprintf("NR %d ", unix.SYS_SENDTO)}
	log, err := t.record(func() error {
		ping, err := p.tunnel.client.Start("", "ping", "-n", "-q", "-i", "0.01", "-c", fmt.Sprint(tripPings), p.tunnel.far)
		if err != nil {
			return err
		}
		roles[ping.Pid()] = asker
		_, err = ping.Wait(patience)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	f.who = func(thread int) role { return roles[thread] }
	for e := range readTrace(log) {
		f.take(e)
	}
	return f.trips, nil
}
