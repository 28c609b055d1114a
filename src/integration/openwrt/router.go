package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// router is the OpenWrt system.
type router struct {
	w      *world
	init   *child
	net    *space
	root   string // its root file system, as this process sees it
	procd  bool   // services are started by it
	output log    // of the daemons
}

// newRouter makes the router's namespaces and its file system; nothing runs in it yet.
func (w *world) newRouter() {
	r := &router{w: w}
	if w.verbose {
		r.output.also = os.Stdout
	}
	var err error
	r.init, err = spawn(roleRouter, w.job, &r.output)
	w.must(err)
	if line, err := bufio.NewReader(r.init.answers).ReadString('\n'); line != "ready\n" {
		w.fail("the router did not come to be: %v\n%s", err, r.output.String())
	}
	r.root = fmt.Sprintf("/proc/%d/root", r.init.cmd.Process.Pid)
	r.net, err = spaceOf("router", r.init.cmd.Process.Pid)
	w.must(err)
	w.router = r
	r.must("ip link set lo up")
}

// command returns a program of the router, to be run there.
func (r *router) command(args ...string) *exec.Cmd {
	pid := strconv.Itoa(r.init.cmd.Process.Pid)
	cmd := exec.Command("nsenter", append([]string{"-t", pid, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb"}
	return cmd
}

// commandLimit bounds a command that is expected to end at once.
const commandLimit = 30 * time.Second

// run runs a program of the router.
func (r *router) run(args ...string) (string, error) { return run(r.command(args...), commandLimit) }

// sh runs a shell script on the router.
func (r *router) sh(format string, args ...any) (string, error) {
	return r.run("/bin/sh", "-c", fmt.Sprintf(format, args...))
}

// must runs a shell script that may not fail.
func (r *router) must(format string, args ...any) string {
	out, err := r.sh(format, args...)
	r.w.must(err)
	return out
}

// has says whether the root has a file.
func (r *router) has(path string) bool {
	_, err := os.Lstat(filepath.Join(r.root, path))
	return err == nil
}

// write writes a file of the router.
func (r *router) write(path, content string) {
	r.w.must(os.MkdirAll(filepath.Dir(filepath.Join(r.root, path)), 0o755))
	r.w.must(os.WriteFile(filepath.Join(r.root, path), []byte(content), 0o644))
}

// read returns a file of the router, "" where there is none.
func (r *router) read(path string) string {
	content, err := os.ReadFile(filepath.Join(r.root, path))
	if err != nil {
		return ""
	}
	return string(content)
}

// daemon starts a program of the router that stays; user is empty for root.
func (r *router) daemon(user string, args ...string) {
	cmd := r.commandAs(user, args...)
	cmd.Stdout, cmd.Stderr = &r.output, &r.output
	r.w.must(cmd.Start())
	go cmd.Wait()
}

// commandAs is command for another user than root, where the root has such a one.
func (r *router) commandAs(user string, args ...string) *exec.Cmd {
	cmd := r.command(args...)
	if id := r.userID(user); user != "" && id != "" {
		at := len(cmd.Args) - len(args) - 1
		cmd.Args = append(cmd.Args[:at:at], append([]string{"-S", id, "-G", id}, cmd.Args[at:]...)...)
	}
	return cmd
}

// runAs runs a program of the router as another user than root.
func (r *router) runAs(user string, args ...string) (string, error) {
	return run(r.commandAs(user, args...), commandLimit)
}

// userID returns the number of a user who has a group of the same number, "" where the root has none.
func (r *router) userID(user string) string {
	for line := range strings.Lines(r.read("etc/passwd")) {
		if f := strings.Split(line, ":"); len(f) > 3 && f[0] == user && f[2] == f[3] {
			return f[2]
		}
	}
	return ""
}

// call calls a method on the router's bus and returns what it answered.
func (r *router) call(into any, object, method string, args map[string]any) error {
	text := []string{"ubus", "-S", "-t", "3", "call", object, method}
	if args != nil {
		b, err := json.Marshal(args)
		if err != nil {
			return err
		}
		text = append(text, string(b))
	}
	out, err := r.run(text...)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("ubus call %s %s: %w: %s", object, method, err, out)
	}
	return nil
}

// onBus says whether an object is on the bus.
func (r *router) onBus(path string) bool {
	_, err := r.run("ubus", "-S", "list", path)
	return err == nil
}

// process is one process of the router as this process sees it.
type process struct {
	pid  int
	args []string
}

// processes returns the router's processes whose program's name is as given.
func (r *router) processes(name string) (list []process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		line, err := os.ReadFile(dir + "/cmdline")
		if err != nil || len(line) == 0 || !r.owns(pid) {
			continue
		}
		args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		if filepath.Base(args[0]) == name {
			list = append(list, process{pid, args})
		}
	}
	return list
}

// owns says whether a process is one of the router's.
func (r *router) owns(pid int) bool {
	its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	ours, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", r.init.cmd.Process.Pid))
	return err == nil && its == ours
}

// kill sends a signal to all processes of a name and waits until they are gone.
func (r *router) kill(name string, sig syscall.Signal) {
	list := r.processes(name)
	if len(list) == 0 {
		r.w.fail("there is no %s to be killed", name)
	}
	for _, p := range list {
		r.w.must(syscall.Kill(p.pid, sig))
	}
	r.w.until(5*time.Second, fmt.Sprintf("%s was sent %v and is gone", name, sig), func() string {
		for _, p := range list {
			if state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid)); len(state) > 0 && !strings.Contains(string(state), ") Z ") {
				return fmt.Sprintf("process %d is still there", p.pid)
			}
		}
		return ""
	})
}

// daemons returns the tunnel daemons of an interface.
func (r *router) daemons(name string) (list []process) {
	for _, p := range r.processes("sstp") {
		if len(p.args) > 2 && p.args[1] == "daemon" && p.args[2] == name {
			list = append(list, p)
		}
	}
	return list
}

// follower notes the lines that a program prints, with their times.
type follower struct {
	mu    sync.Mutex
	lines []timedLine
}

type timedLine struct {
	at   time.Time
	text string
}

// follow starts a program of the router and notes its lines until the world ends.
func (r *router) follow(args ...string) *follower {
	f := &follower{}
	cmd := r.command(args...)
	out, err := cmd.StdoutPipe()
	r.w.must(err)
	r.w.must(cmd.Start())
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			f.mu.Lock()
			f.lines = append(f.lines, timedLine{time.Now(), s.Text()})
			f.mu.Unlock()
		}
		cmd.Wait()
	}()
	return f
}

// first returns the first line since a moment that holds all of the texts.
func (f *follower) first(since time.Time, texts ...string) (timedLine, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
next:
	for _, l := range f.lines {
		for _, t := range texts {
			if l.at.Before(since) || !strings.Contains(l.text, t) {
				continue next
			}
		}
		return l, true
	}
	return timedLine{}, false
}
