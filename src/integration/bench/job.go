package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"sstp/src/integration"
)

// job is one measurement, done by a process in the client's namespace.
type job struct {
	Far       string        // the address of the sink, through what is measured
	Cable     string        // the same, past it
	Direction string        // up, down, or "" for pings alone
	Streams   int           // TCP connections
	TLS       bool          // the plain TLS copy: the measuring process is the client itself
	Small     bool          // with writes as small as packets
	Pid       int           // the client, whose processor time and memory are taken; 0: this process
	Warm      time.Duration // before the measurement begins
	Window    time.Duration // how long it lasts
	Every     time.Duration // between two pings; 0: none
	Hurry     bool          // before all other processes of the machine

	Command []string // not empty: start this tunnel, time it, cut its connection and ping meanwhile
	Cut     int      // the server's process id: SIGUSR1 makes it cut
}

// result is what a job has found.
type result struct {
	Bytes     uint64
	Elapsed   time.Duration // of the window; of a start: until the tunnel was up
	Processor time.Duration // used by the client
	Resident  uint64        // of the client, at the end
	Pings     []time.Duration
	Lost      int           // pings without an answer
	Gap       time.Duration // the longest time without any answer
}

func (r result) megabits() float64     { return float64(r.Bytes) * 8 / r.Elapsed.Seconds() / 1e6 }
func (r result) secondsPerGB() float64 { return r.Processor.Seconds() / (float64(r.Bytes) / 1e9) }

// measure does a job.
func measure(j job) (r result, err error) {
	if j.Hurry {
		hurry(true, os.Getpid())
	}
	if len(j.Command) > 0 {
		return startAndCut(j)
	}
	pid := j.Pid
	if pid == 0 {
		pid = os.Getpid()
	}
	var l *load
	if j.Direction != "" {
		if l, err = startLoad(j); err != nil {
			return r, err
		}
		defer l.stop()
	}
	time.Sleep(j.Warm)
	var p *pinger
	if j.Every > 0 {
		to, err := netip.ParseAddr(j.Far)
		if err != nil {
			return r, err
		}
		if p, err = startPings(to, j.Every); err != nil {
			return r, err
		}
	}
	before, err := take(l, pid)
	if err != nil {
		return r, err
	}
	time.Sleep(j.Window)
	after, err := take(l, pid)
	if err != nil {
		return r, err
	}
	r.Bytes, r.Elapsed, r.Processor = after.bytes-before.bytes, after.at.Sub(before.at), after.processor-before.processor
	if r.Resident, _, err = resident(pid); err != nil {
		return r, err
	}
	if p != nil {
		if r.Pings, r.Lost, err = p.end(); err != nil {
			return r, err
		}
		r.Gap = p.gap()
	}
	return r, nil
}

// startAndCut starts a tunnel, which is timed from its exec to the line that says that it is up, lets the server cut the
// connection while pings run, and ends it.
func startAndCut(j job) (r result, err error) {
	cmd := exec.Command(j.Command[0], j.Command[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return r, err
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	lines := bufio.NewScanner(out)
	for r.Elapsed == 0 && lines.Scan() {
		if strings.Contains(lines.Text(), upText) {
			r.Elapsed = time.Since(began)
		}
	}
	if r.Elapsed == 0 {
		return r, errors.New("the tunnel did not come up")
	}
	go io.Copy(io.Discard, out)
	far, err := netip.ParseAddr(j.Far)
	if err != nil {
		return r, err
	}
	p, err := startPings(far, j.Every)
	if err != nil {
		return r, err
	}
	time.Sleep(j.Window / 4)
	if err := syscall.Kill(j.Cut, syscall.SIGUSR1); err != nil {
		return r, err
	}
	time.Sleep(j.Window * 3 / 4)
	r.Pings, r.Lost, err = p.end()
	r.Gap = p.gap()
	return r, err
}

// reading is the state of everything that is counted.
type reading struct {
	bytes     uint64
	at        time.Time
	processor time.Duration
}

func take(l *load, pid int) (r reading, err error) {
	r.at = time.Now()
	if l != nil {
		if r.bytes, r.at, err = l.mark(); err != nil {
			return r, err
		}
	}
	r.processor, err = processorTime(pid)
	return r, err
}

// do has a job done by this program in a namespace.
func do(s *integration.Space, j job) (r result, err error) {
	text, err := json.Marshal(j)
	if err != nil {
		return r, err
	}
	out, err := s.Run("env", jobVariable+"="+string(text), self)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return r, fmt.Errorf("%w: %s", err, out)
	}
	return r, nil
}
