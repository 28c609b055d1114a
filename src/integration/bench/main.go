// Command bench measures the client beside what else there is, on this machine, in network namespaces, and prints tables
// of one run: a plain Go TLS copy, which is the limit of what a tunnel through TLS can do, sstp with sstp-lab, with Go's
// TLS and where there is one the kernel's, wireguard-go, OpenVPN, and a bare relay, which adds the least to a ping that a
// program in user space can. What is not installed is named. It needs root and the programs in build.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sstp/src/integration"
	"sstp/src/lab"
)

// This program also does the work in the namespaces, told by a variable of its environment.
const (
	sinkVariable  = "SSTP_BENCH_SINK"
	relayVariable = "SSTP_BENCH_RELAY"
	bareVariable  = "SSTP_BENCH_BARE"
	jobVariable   = "SSTP_BENCH_JOB"
)

var self, build string // this program, and the folder of the built ones

// settings is the command line.
type settings struct {
	rounds int
	window time.Duration
	sizes  bool
	core   bool
}

func main() {
	if isWorker, err := work(); isWorker {
		exit(err)
	}
	s := settings{}
	short := flag.Bool("short", false, "two rounds of one second, no sizes")
	flag.IntVar(&s.rounds, "rounds", 5, "how often everything is measured")
	flag.DurationVar(&s.window, "window", 2*time.Second, "how long each transfer is measured")
	flag.BoolVar(&s.sizes, "sizes", true, "build for all targets and show the sizes")
	flag.BoolVar(&s.core, "core", false, "throughput alone, against more of what else there is: for one processor whose clock counts instructions")
	flag.Parse()
	if *short {
		s = settings{rounds: 2, window: time.Second}
	}
	exit(run(s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run makes the test bed, measures and prints.
func run(s settings) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("network namespaces and TUN devices need root")
	}
	var err error
	if self, err = os.Executable(); err != nil {
		return err
	}
	if build, err = filepath.Abs("build"); err != nil {
		return err
	}
	for _, program := range []string{"sstp", "sstp-lab"} {
		if _, err := os.Stat(filepath.Join(build, program)); err != nil {
			return fmt.Errorf("run this from the project's folder, behind make build: %w", err)
		}
	}
	bed, err := integration.New("bench")
	if err != nil {
		return err
	}
	defer bed.Close()
	b := &bench{settings: s, bed: bed}
	// Nothing may stay behind, however this ends: a closed pipe is an error of a write, and signals end the run.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	over := make(chan error, 1)
	go func() { over <- b.run() }()
	select {
	case err := <-over:
		return err
	case s := <-signals:
		return fmt.Errorf("ended by signal %v", s)
	}
}

// relayJob is a slow line between two addresses.
type relayJob struct {
	Line       lab.Shape
	At, Target string
}

// work does what the environment says, if it does.
func work() (isWorker bool, err error) {
	if os.Getenv(sinkVariable) != "" {
		certificate, err := lab.NewCertificate(lab.CertificateOptions{})
		if err != nil {
			return true, err
		}
		return true, sink(certificate.TLS)
	}
	if text := os.Getenv(relayVariable); text != "" {
		var r relayJob
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return true, err
		}
		ln, err := r.Line.Listen(context.Background(), r.At)
		if err != nil {
			return true, err
		}
		fmt.Println("serving")
		return true, r.Line.Serve(context.Background(), ln, r.Target)
	}
	if text := os.Getenv(bareVariable); text != "" {
		var j bareJob
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			return true, err
		}
		return true, j.run()
	}
	text := os.Getenv(jobVariable)
	if text == "" {
		return false, nil
	}
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return true, err
	}
	r, err := measure(j)
	if err != nil {
		return true, err
	}
	return true, json.NewEncoder(os.Stdout).Encode(r)
}
