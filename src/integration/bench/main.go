// Command bench measures the client beside other tunnels, on this machine, in network namespaces, and prints the tables of one
// run. The others are a plain TLS copy in Go, which is the limit of a tunnel through TLS; sstp-lab with Go's TLS and, where the
// kernel has it, the kernel's; wireguard-go; OpenVPN; and a bare relay, which adds the least to a ping that a program in user
// space can. Programs that are not installed are named. It needs root and the programs in build.
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

	"sstp/src/integration/netkit"
	"sstp/src/lab"
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
	if len(os.Args) == 3 {
		if work := workers[os.Args[1]]; work != nil {
			exit(work([]byte(os.Args[2])))
		}
	}
	s := settings{}
	short := flag.Bool("short", false, "two rounds of one second, no sizes")
	flag.IntVar(&s.rounds, "rounds", 5, "how often everything is measured")
	flag.DurationVar(&s.window, "window", 2*time.Second, "how long each transfer is measured")
	flag.BoolVar(&s.sizes, "sizes", true, "build for all targets and show the sizes")
	flag.BoolVar(&s.core, "core", false, "measure throughput only, beside more tunnels: for one processor whose clock counts instructions")
	flag.Parse()
	if *short {
		s = settings{rounds: 2, window: time.Second, core: s.core}
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

// run makes the network, measures and prints.
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
			return fmt.Errorf("run this in the project's folder, after make build: %w", err)
		}
	}
	net, err := netkit.New("bench")
	if err != nil {
		return err
	}
	defer net.Close()
	b := &bench{settings: s, net: net}
	// Nothing may stay behind, however this ends: a closed pipe is an error of a write, and signals end the run.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan error, 1)
	go func() { done <- b.run() }()
	select {
	case err := <-done:
		return err
	case s := <-signals:
		return fmt.Errorf("ended by signal %v", s)
	}
}

// workers are what this program does in processes of its own in the namespaces. Each gets its task as JSON.
var workers = map[string]func(task []byte) error{
	"sink": func([]byte) error { return sink() },
	"relay": func(task []byte) error {
		var r relayTask
		if err := json.Unmarshal(task, &r); err != nil {
			return err
		}
		l, err := r.Line.Listen(context.Background(), r.At)
		if err != nil {
			return err
		}
		fmt.Println("serving")
		return r.Line.Serve(context.Background(), l, r.Target)
	},
	"bare": func(task []byte) error {
		var t bareTask
		if err := json.Unmarshal(task, &t); err != nil {
			return err
		}
		return t.run()
	},
	"job": func(task []byte) error {
		var j job
		if err := json.Unmarshal(task, &j); err != nil {
			return err
		}
		r, err := j.measure()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(r)
	},
}

// relayTask is a slow line between two addresses.
type relayTask struct {
	Line       lab.Shape
	At, Target string
}

// worker returns the command line that starts this program as a worker.
func worker(name string, task any) ([]string, error) {
	text, err := json.Marshal(task)
	return []string{self, name, string(text)}, err
}

// startWorker starts this program as a worker in a namespace and waits until it serves.
func startWorker(in *netkit.Namespace, name string, task any) (*netkit.Process, error) {
	args, err := worker(name, task)
	if err != nil {
		return nil, err
	}
	return in.StartAnd("serving", patience, args...)
}
