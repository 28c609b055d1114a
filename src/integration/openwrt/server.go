package main

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// serveVPN starts the lab server. A second one after the first has ended has the same certificate and users.
func (w *world) serveVPN(args ...string) {
	key, err := w.certificate.KeyPEM()
	w.must(err)
	all := []string{filepath.Join(w.job.Build, "sstp-lab"), "--listen", serverAddress + ":443", "--listen", "[" + serverAddress6 + "]:443",
		"--tun", "lab0", "--users", w.file("users", user+":"+password+"\n"), "--pool", "10.99.0.0/24",
		"--cert", w.file("server.pem", string(w.certificate.CertificatePEM())), "--key", w.file("server.key", string(key))}
	w.must(w.server.do(func() (err error) {
		w.lab, err = w.kit.Here.Start(append(all, args...)...)
		return err
	}))
	_, err = w.lab.WaitFor("listening", 0, 5*time.Second)
	w.must(err)
	w.labRuns++
	if w.labRuns == 1 {
		w.serveInside()
	}
}

// serveInside serves, in the server's namespace, what is reached through the tunnel: checksummed transfers on port 5000, and
// on port 7 an echo.
func (w *world) serveInside() {
	w.must(w.server.do(func() error { return w.kit.Here.ServeTransfers(":5000") }))
	w.must(w.server.do(func() error {
		l, err := net.Listen("tcp", ":7")
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go io.Copy(c, c)
			}
		}()
		return nil
	}))
}

// killServer ends the lab server's process as a crash does.
func (w *world) killServer() {
	w.must(w.lab.Signal(syscall.SIGKILL))
	_, err := w.lab.Wait(5 * time.Second)
	w.must(err)
	w.say("the server's process was killed")
}

// events counts the server's events of a kind: "auth", "accepted", "bound" and so on.
func (w *world) events(kind string) (n int) {
	for line := range strings.Lines(w.lab.Output()) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "#") && f[1] == kind {
			n++
		}
	}
	return n
}

// lastPeer returns the address from which the server was reached last, as it sees it.
func (w *world) lastPeer() (from string) {
	for line := range strings.Lines(w.lab.Output()) {
		if _, address, ok := strings.Cut(line, " accepted from="); ok {
			from = strings.TrimSpace(address)
		}
	}
	host, _, _ := net.SplitHostPort(from)
	return host
}

// conversation is a TCP connection through the tunnel to the echo inside.
type conversation struct {
	c    net.Conn
	said int
}

// converse opens a TCP connection from a namespace to the echo.
func (w *world) converse(from *space) *conversation {
	v := &conversation{}
	w.must(from.do(func() (err error) {
		v.c, err = net.DialTimeout("tcp", insideAddress+":7", 5*time.Second)
		return err
	}))
	w.must(v.say(5 * time.Second))
	return v
}

// say sends a line and waits until it has come back.
func (v *conversation) say(within time.Duration) error {
	v.said++
	line := fmt.Sprintf("line %d\n", v.said)
	v.c.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(v.c, line); err != nil {
		return err
	}
	back := make([]byte, len(line))
	if _, err := io.ReadFull(v.c, back); err != nil {
		return err
	}
	if string(back) != line {
		return fmt.Errorf("%q came back as %q", line, back)
	}
	return nil
}
