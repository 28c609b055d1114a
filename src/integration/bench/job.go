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
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/integration/netkit"
)

// job is one measurement, made by a process in the client's namespace.
type job struct {
	Far       string           // the sink's address through the tunnel
	Direction netkit.Direction // "" for pings alone
	Streams   int              // TCP connections
	TLS       bool             // a plain TLS copy: the measuring process is the client itself
	Small     bool             // with writes as small as packets
	Pid       int              // the client, whose processor time is taken; 0: this process
	Warm      time.Duration    // before the measurement begins
	Window    time.Duration    // how long it lasts
	Every     time.Duration    // between two pings; 0: none
	Hurry     bool             // run before all other processes of the machine

	Command []string // if any: start this tunnel, time it, cut its connection and ping meanwhile
	Cut     int      // the process id of the server, which cuts on SIGUSR1
}

// result is what a job has measured.
type result struct {
	Bytes     uint64
	Elapsed   time.Duration // of the window; of a start: until the tunnel was up
	Processor time.Duration // used by the client
	Pings     []time.Duration
	Gap       time.Duration // the longest time without any answer
}

func (r result) megabits() float64     { return float64(r.Bytes) * 8 / r.Elapsed.Seconds() / 1e6 }
func (r result) secondsPerGB() float64 { return r.Processor.Seconds() / (float64(r.Bytes) / 1e9) }

// in has the job done by this program in a namespace.
func (j job) in(s *netkit.Namespace) (r result, err error) {
	args, err := worker("job", j)
	if err != nil {
		return r, err
	}
	out, err := s.Run(args...)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return r, fmt.Errorf("%w: %s", err, out)
	}
	return r, nil
}

// measure does the job.
func (j job) measure() (r result, err error) {
	if j.Hurry {
		hurry(os.Getpid())
	}
	if len(j.Command) > 0 {
		return j.startAndCut()
	}
	if j.Pid == 0 {
		j.Pid = os.Getpid()
	}
	var l *load
	if j.Direction != "" {
		if l, err = startLoad(j); err != nil {
			return r, err
		}
		defer l.stop()
	}
	time.Sleep(j.Warm)
	var p *netkit.Pinger
	if j.Every > 0 {
		if p, err = j.ping(); err != nil {
			return r, err
		}
	}
	before, err := read(l, j.Pid)
	if err != nil {
		return r, err
	}
	time.Sleep(j.Window)
	after, err := read(l, j.Pid)
	if err != nil {
		return r, err
	}
	r.Bytes, r.Elapsed, r.Processor = after.bytes-before.bytes, after.at.Sub(before.at), after.processor-before.processor
	if p != nil {
		p.Stop()
		r.Pings, r.Gap = p.RoundTrips(), p.Silence()
	}
	return r, nil
}

func (j job) ping() (*netkit.Pinger, error) {
	far, err := netip.ParseAddr(j.Far)
	if err != nil {
		return nil, err
	}
	return netkit.Ping(far, j.Every)
}

// startAndCut starts a tunnel, which is timed from its exec to the line that says that it is up, lets the server cut the
// connection while pings run, and ends the tunnel.
func (j job) startAndCut() (r result, err error) {
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
		if strings.Contains(lines.Text(), netkit.UpText) {
			r.Elapsed = time.Since(began)
		}
	}
	if r.Elapsed == 0 {
		return r, errors.New("the tunnel did not come up")
	}
	go io.Copy(io.Discard, out)
	p, err := j.ping()
	if err != nil {
		return r, err
	}
	time.Sleep(j.Window / 4)
	if err := syscall.Kill(j.Cut, syscall.SIGUSR1); err != nil {
		return r, err
	}
	time.Sleep(j.Window * 3 / 4)
	p.Stop()
	r.Pings, r.Gap = p.RoundTrips(), p.Silence()
	return r, nil
}

// reading is the state of the counters at a time.
type reading struct {
	bytes     uint64
	at        time.Time
	processor time.Duration
}

func read(l *load, pid int) (r reading, err error) {
	r.at = time.Now()
	if l != nil {
		if r.bytes, r.at, err = l.arrived(); err != nil {
			return r, err
		}
	}
	r.processor, err = netkit.CPUTime(pid)
	return r, err
}

// hurry lets processes run before all others on the machine, where that is allowed. Round trips under load are measured so: they
// hardly need the processor, but a process that gets it late measures the other processes.
func hurry(pids ...int) {
	attr := unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 1}
	for _, pid := range pids {
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for _, t := range threads {
			if tid, err := strconv.Atoi(t.Name()); err == nil {
				_ = unix.SchedSetAttr(tid, &attr, 0) // later threads inherit it
			}
		}
	}
}
