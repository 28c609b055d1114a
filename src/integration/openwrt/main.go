// Command openwrt runs the client on OpenWrt: with the real ubusd, procd, logd, netifd, rpcd, firewall and uhttpd of a root
// file system that the caller names, in namespaces of their own, between a LAN and two providers behind which the lab server
// stands. Nothing is written to the given root, and nothing is left behind.
//
// Each scenario has a process, a router and a network of its own and a deadline: the process that people start conducts, and
// starts itself anew for each of them (the world), which in turn starts itself as the first process of the router.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
)

const needs = "test-openwrt needs ROOTFS=DIR-or-rootfs.tar.gz: an OpenWrt x86-64 root file system as OpenWrt publishes it, and root's rights"

// The roles of this program; the conductor is started without one.
const (
	roleVariable = "SSTP_OPENWRT_ROLE"
	jobVariable  = "SSTP_OPENWRT_JOB"
	roleWorld    = "world"
	roleRouter   = "router"
)

// init keeps the main thread for main: a goroutine that enters another network namespace on it could not leave it again.
func init() { runtime.LockOSThread() }

func main() {
	switch os.Getenv(roleVariable) {
	case roleWorld:
		worldMain()
	case roleRouter:
		routerMain()
	default:
		os.Exit(conduct(os.Args[1:], os.Stdout, os.Stderr))
	}
}

// settings is the command line.
type settings struct {
	rootfs, build, source, run, listen string
	list, verbose, noProcd, serve      bool
	command                            []string
}

func parse(args []string) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("openwrt", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&s.rootfs, "rootfs", "", "")
	f.StringVar(&s.build, "build", "build", "")
	f.StringVar(&s.source, "source", ".", "")
	f.StringVar(&s.run, "run", "", "")
	f.StringVar(&s.listen, "listen", "127.0.0.1:0", "")
	f.BoolVar(&s.list, "list", false, "")
	f.BoolVar(&s.verbose, "v", false, "")
	f.BoolVar(&s.noProcd, "no-procd", false, "")
	f.BoolVar(&s.serve, "serve", false, "")
	if err := f.Parse(args); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, usage)
	}
	s.command = f.Args()
	if len(s.command) > 0 && !s.serve {
		return nil, fmt.Errorf("what is %q?\n%s", s.command[0], usage)
	}
	return s, nil
}

const usage = `usage: openwrt --rootfs DIR-or-tar.gz [option...]
  --run REGEXP        only scenarios whose name matches
  --list              name the scenarios and end
  -v                  show what each scenario does
  --no-procd          start the daemons without procd, as where a root has none
  --build DIR         where sstp and sstp-lab are, default build
  --source DIR        where files/ and luci/ are, default .
  --serve             one router with LuCI that stays until Ctrl-C; prints its address
  --listen ADDR:PORT  where LuCI is served, default a free port of 127.0.0.1
  --serve ... -- COMMAND   run COMMAND with SSTP_LUCI_URL, SSTP_LUCI_USER, SSTP_LUCI_PASSWORD and SSTP_LUCI_CONTROL set,
                           then end with its exit code`

// conduct is the program as people start it; it returns the exit code.
func conduct(args []string, stdout, stderr io.Writer) int {
	s, err := parse(args)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	if s.list {
		for _, sc := range scenarios {
			fmt.Fprintf(stdout, "%-24s %s\n", sc.name, sc.what)
		}
		return 0
	}
	if s.rootfs == "" || os.Getuid() != 0 {
		fmt.Fprintln(stderr, needs)
		return 2
	}
	only, err := regexp.Compile(s.run)
	if err != nil {
		fmt.Fprintln(stderr, "--run:", err)
		return 2
	}
	dir, err := os.MkdirTemp("", "sstp-openwrt-")
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	j, err := newJob(s, dir)
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if s.serve {
		return serve(s, j, stdout, stderr, stop)
	}
	return runAll(s, j, only, stdout, stop)
}

// job is what a world is told of its task.
type job struct {
	Scenario string
	Root     string // the unpacked root file system, never written to
	Build    string // where sstp and sstp-lab are
	Source   string // where files/ and luci/ are
	Dir      string // for files, of the conductor
	Procd    bool   // start services by procd where the root has it
}

func newJob(s *settings, dir string) (j job, err error) {
	j = job{Dir: dir, Procd: !s.noProcd}
	if j.Root, err = openRoot(s.rootfs, dir); err != nil {
		return j, err
	}
	if j.Build, err = filepath.Abs(s.build); err != nil {
		return j, err
	}
	for _, program := range []string{"sstp", "sstp-lab"} {
		if _, err := os.Stat(filepath.Join(j.Build, program)); err != nil {
			return j, fmt.Errorf("%w: run make build first", err)
		}
	}
	if j.Source, err = filepath.Abs(s.source); err != nil {
		return j, err
	}
	if _, err := os.Stat(filepath.Join(j.Source, "files/lib/netifd/proto/sstp.sh")); err != nil {
		return j, fmt.Errorf("%w: --source names the folder that holds files and luci", err)
	}
	return j, nil
}
