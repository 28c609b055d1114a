package ubus_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/ubus"
	"sstp/src/ubus/ubustest"
)

// bus is a ubusd on which a test runs.
type bus struct {
	dial  func(context.Context) (net.Conn, error)
	stop  func()
	real  bool   // it is not the fake one
	path  string // of its socket, if it has one
	hurry bool   // its time is real
	// start starts it anew after stop; clients find it where it was.
	start func()
}

// onEachBus runs a test on the fake ubusd, through a pipe in a bubble of time, and through a socket; and on the real one
// where it is installed.
func onEachBus(t *testing.T, f func(t *testing.T, b *bus)) {
	t.Run("fake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := ubustest.New()
			t.Cleanup(s.Close)
			f(t, &bus{dial: s.Dial, stop: s.Stop, start: func() { s.Start() }})
		})
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "ubus.sock")
		s := ubustest.New()
		if err := s.Listen(path); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		f(t, &bus{path: path, hurry: true, dial: socket(path), stop: s.Stop, start: func() {
			if err := s.Start(); err != nil {
				t.Error(err)
			}
		}})
	})
	if program, err := exec.LookPath("ubusd"); err == nil {
		t.Run("ubusd", func(t *testing.T) {
			t.Parallel()
			f(t, realBus(t, program))
		})
	}
}

func socket(path string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

// realBus starts ubusd on a socket of its own.
func realBus(t *testing.T, program string) *bus {
	dir := t.TempDir()
	path := filepath.Join(dir, "ubus.sock")
	var cmd *exec.Cmd
	b := &bus{real: true, path: path, hurry: true, dial: socket(path)}
	b.start = func() {
		cmd = exec.Command(program, "-s", path, "-A", dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); ; { // it tells nobody when its socket is there
			conn, err := b.dial(t.Context())
			if err == nil {
				conn.Close()
				return
			}
			if time.Since(began) > 10*time.Second {
				t.Fatal(err)
			}
			runtime.Gosched()
		}
	}
	b.stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.Remove(path)
	}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

// client runs a client until the test ends. What prepare wants of it is registered when it returns.
func (b *bus) client(t *testing.T, prepare ...func(*ubus.Client)) *ubus.Client {
	t.Helper()
	c, _ := b.member(t, prepare...)
	return c
}

// member is like client; the channel tells of each connection after the first.
func (b *bus) member(t *testing.T, prepare ...func(*ubus.Client)) (*ubus.Client, <-chan bool) {
	t.Helper()
	connected := make(chan bool, 9)
	c := ubus.New(ubus.Options{Dial: b.dial, Connected: func() { connected <- true }})
	if b.hurry {
		c.Hurry()
	}
	for _, f := range prepare {
		f(c)
	}
	run(t, c)
	<-connected
	return c, connected
}

// provider runs a client with that object.
func (b *bus) provider(t *testing.T, o *ubus.Object) *ubus.Client {
	t.Helper()
	return b.client(t, func(c *ubus.Client) { c.Publish(o) })
}
