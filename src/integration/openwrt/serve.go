package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// serve keeps one router with LuCI up until a signal, or until the given command has ended. The world gets two listening
// sockets of this machine: one whose connections it carries to the router's web server, and one for control.
func serve(s *settings, j job, stdout, stderr io.Writer, stop <-chan os.Signal) int {
	web, err := net.Listen("tcp", s.listen)
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	defer web.Close()
	path := filepath.Join(j.Dir, "control")
	control, err := net.Listen("unix", path)
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	defer control.Close()
	var files []*os.File
	for _, l := range []interface{ File() (*os.File, error) }{web.(*net.TCPListener), control.(*net.UnixListener)} {
		f, err := l.File()
		if err != nil {
			fmt.Fprintln(stderr, "error:", err)
			return 1
		}
		defer f.Close()
		files = append(files, f)
	}
	var story log
	if s.verbose {
		story.also = stderr
	}
	c, err := spawn(roleWorld, j, &story, files...)
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	defer c.end()
	started := make(chan bool, 1)
	go func() {
		line, _ := bufio.NewReader(c.answers).ReadString('\n')
		started <- line == "ready\n"
	}()
	select {
	case ok := <-started:
		if !ok {
			fmt.Fprintf(stderr, "error: the router did not start:\n%s\n", story.String())
			return 1
		}
	case <-time.After(usualLimit):
		fmt.Fprintf(stderr, "error: the router did not start within %v:\n%s\n", usualLimit, story.String())
		return 1
	case <-stop:
		return 130
	}
	url := "http://" + web.Addr().String() + "/"
	if len(s.command) == 0 {
		fmt.Fprintf(stdout, "LuCI of %s: %s user %s password %s\ncontrol: %s\nCtrl-C ends it\n", releaseOf(j.Root), url, webUser, webPassword, path)
		select {
		case <-stop:
		case <-c.ended:
			fmt.Fprintf(stderr, "error: the router ended:\n%s\n", story.String())
			return 1
		}
		return 0
	}
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	cmd.Env = append(os.Environ(), "SSTP_LUCI_URL="+url, "SSTP_LUCI_USER="+webUser, "SSTP_LUCI_PASSWORD="+webPassword, "SSTP_LUCI_CONTROL="+path)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-stop:
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	return cmd.ProcessState.ExitCode()
}

// serve is the world's side: it starts a router without a tunnel, and serves until its life line is cut.
func (w *world) serve() {
	web, err := net.FileListener(os.NewFile(4, "web"))
	w.must(err)
	control, err := net.FileListener(os.NewFile(5, "control"))
	w.must(err)
	w.start(setup{noVPN: true, web: true})
	if !w.router.has("usr/sbin/uhttpd") {
		w.fail("the root has no uhttpd")
	}
	w.until(10*time.Second, "the web server answers", func() string {
		c, err := net.DialTimeout("tcp", lanRouter+":80", time.Second)
		if err != nil {
			return err.Error()
		}
		c.Close()
		return ""
	})
	fmt.Fprintln(answer(), "ready")
	go func() { w.must(http.Serve(control, w.controls())) }()
	for {
		c, err := web.Accept()
		w.must(err)
		go carry(c, lanRouter+":80")
	}
}

// carry joins a connection with one to an address, until both ways are over.
func carry(c net.Conn, to string) {
	defer c.Close()
	far, err := net.DialTimeout("tcp", to, 5*time.Second)
	if err != nil {
		return
	}
	defer far.Close()
	done := make(chan struct{})
	go func() {
		io.Copy(far, c)
		far.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	io.Copy(c, far)
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	<-done
}

// controls are what a test may do to the world, as HTTP on a unix socket:
//
//	POST /run                a shell script, run on the router; its output, and in header Exit-Code how it ended
//	POST /server/start       further arguments of sstp-lab, one a line
//	POST /server/kill        ends it as a crash does
//	POST /server/signal/NAME cut, silence or hangup
//	GET  /server/log         what it has printed
//	GET  /server/ca          the certificate authority of its certificate, PEM
//	GET  /names              the names and accounts of the world
func (w *world) controls() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(body string, r *http.Request, reply http.ResponseWriter) string) {
		mux.HandleFunc(pattern, func(reply http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			defer func() {
				if x := recover(); x != nil {
					reply.WriteHeader(http.StatusInternalServerError)
					fmt.Fprintln(reply, x)
				}
			}()
			text := f(string(body), r, reply)
			io.WriteString(reply, text)
		})
	}
	handle("POST /run", func(body string, _ *http.Request, reply http.ResponseWriter) string {
		cmd := w.router.command("/bin/sh", "-c", body)
		out, err := run(cmd, commandLimit)
		if err != nil && cmd.ProcessState == nil {
			w.must(err)
		}
		reply.Header().Set("Exit-Code", fmt.Sprint(cmd.ProcessState.ExitCode()))
		return out
	})
	handle("POST /server/start", func(body string, _ *http.Request, _ http.ResponseWriter) string {
		w.serveVPN(strings.Fields(body)...)
		return "started\n"
	})
	handle("POST /server/kill", func(string, *http.Request, http.ResponseWriter) string {
		w.killServer()
		return "killed\n"
	})
	handle("POST /server/signal/{name}", func(_ string, r *http.Request, _ http.ResponseWriter) string {
		sig, known := map[string]syscall.Signal{"cut": cut, "silence": silence, "hangup": hangup}[r.PathValue("name")]
		if !known {
			w.fail("there is no signal %q", r.PathValue("name"))
		}
		w.must(w.lab.Signal(sig))
		return "sent\n"
	})
	handle("GET /server/log", func(string, *http.Request, http.ResponseWriter) string { return w.lab.Output() })
	handle("GET /server/ca", func(string, *http.Request, http.ResponseWriter) string { return string(w.certificate.RootPEM()) })
	handle("GET /names", func(string, *http.Request, http.ResponseWriter) string {
		return fmt.Sprintf(`{"server":%q,"username":%q,"password":%q,"fingerprint":%q,"inside":%q}`+"\n",
			serverName, user, password, w.fingerprint(), insideAddress)
	})
	return mux
}
