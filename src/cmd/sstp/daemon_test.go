package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/fault"
	"sstp/src/lab"
	"sstp/src/logs"
	"sstp/src/machine"
	"sstp/src/netifd/netifdtest"
	"sstp/src/session"
	"sstp/src/transport"
	"sstp/src/ubus"
)

// world is a router in one bubble of fake time: the daemon of interface vpn, a netifd and a bus, and a server. Only the
// kernel's part is missing: the TUN device, sockets and routes.
type world struct {
	*testing.T
	netifd *netifdtest.Netifd
	client *ubus.Client
	server *lab.Server
	output *lockedBuffer

	mu      sync.Mutex
	dialed  []string // devices that the server was dialed by
	refused bool     // the server does not listen
	ways    fakeWays
	names   []netip.Addr // addresses of every name
	silent  netip.Addr   // one that does not answer
	serving sync.WaitGroup
	watched machine.Watched // who hears of the kernel's news

	daemon   *daemonRun
	cancel   context.CancelFunc
	done     chan struct{} // closed at the daemon's end
	exit     int           // its code
	wantExit int
}

const (
	serverAddress = "198.51.100.7"
	password      = "p w\"'" // what shells and JSON like least
)

// play runs script with a daemon that has the options; nil removes one of those that would work.
func play(t *testing.T, serverConfig lab.Config, options config.Values, script func(w *world)) {
	t.Helper()
	if serverConfig.Users == nil {
		serverConfig.Users = map[string]string{"user": password}
	}
	synctest.Test(t, func(t *testing.T) {
		server, err := lab.New(serverConfig)
		if err != nil {
			t.Fatal(err)
		}
		n := netifdtest.Start(t)
		n.Set(netifdtest.Uplink("wan", "eth1", "203.0.113.2/24", "203.0.113.1", 10))
		w := &world{T: t, netifd: n, client: n.Client(t), server: server, output: &lockedBuffer{}}
		t.Setenv(configEnv, w.handed(options))
		w.start()
		script(w)
		begin := time.Now()
		w.cancel()
		w.ended(w.wantExit)
		if took := time.Since(begin); took > 3500*time.Millisecond {
			t.Errorf("the end took %v", took)
		}
		w.serving.Wait()
		server.Close()
	})
}

// handed is the JSON that netifd would hand over.
func (w *world) handed(options config.Values) string {
	v := map[string]any{
		"proto": "sstp", "server": []string{serverAddress}, "username": "user", "password": password, "verify": "pin",
		"cert_pin": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(w.server.CertificateInUse().Leaf.Raw))}, "metric": 5,
	}
	for name, list := range options {
		switch len(list) {
		case 0:
			delete(v, name)
		case 1:
			v[name] = list[0]
		default:
			v[name] = list
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// start runs a daemon.
func (w *world) start() {
	log := logs.NewSyslog("vpn", w.output)
	log.Dial = func() (io.WriteCloser, error) { return nil, os.ErrNotExist }
	log.SetLevel(config.LogTrace)
	w.daemon = &daemonRun{
		name: "vpn", log: log, hangups: make(chan os.Signal, 1), ubus: ubus.Options{Dial: w.netifd.Bus.Dial},
		platform: platform{
			device:  func(*config.Tunnel, session.Logf) func(string, int) (session.Device, error) { return w.openDevice },
			dial:    w.dial,
			kernel:  w.netifd.Kernel,
			carrier: func(string) bool { return true },
			ways:    func(string) machine.WayTable { return &w.ways },
			around:  func(*config.Tunnel) func(context.Context) (session.Surroundings, error) { return nil },
			watch: func(ctx context.Context, who machine.Watched) {
				w.watched = who
				<-ctx.Done()
			},
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan struct{})
	go func() {
		defer close(w.done)
		w.exit = w.daemon.run(ctx)
	}()
}

// ended waits for the daemon's end and checks its exit code.
func (w *world) ended(want int) {
	w.Helper()
	w.wantExit = want
	if <-w.done; w.exit != want {
		w.Errorf("exit code %d, want %d\nlog:\n%s", w.exit, want, w.output)
	}
}

// running says whether the daemon still runs.
func (w *world) running() bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// dial makes the transport reach the server by a pipe.
func (w *world) dial(o *transport.Options) {
	prepare, device := o.Prepare, ""
	o.Prepare = func(ctx context.Context, addr netip.Addr) (string, error) {
		var err error
		device, err = prepare(ctx, addr)
		return device, err
	}
	if w.names != nil {
		o.Lookup = func(context.Context, string) ([]netip.Addr, error) { return w.names, nil }
	}
	o.DialTCP = func(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dialed = append(w.dialed, device)
		if w.refused || addr.Addr() == w.silent {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
		}
		here, there := net.Pipe()
		w.serving.Go(func() { w.server.ServeConn(context.Background(), there) })
		return here, nil
	}
}

func (w *world) setRefused(refused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = refused
}

func (w *world) dials() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dialed)
}

// openDevice makes a device of which netifd knows.
func (w *world) openDevice(name string, mtu int) (session.Device, error) {
	w.netifd.Change(func() { w.netifd.Devices[name] = true })
	return &deadDevice{w: w, name: name, wake: make(chan struct{}, 1)}, nil
}

// deadDevice is a TUN device without a machine behind it.
type deadDevice struct {
	w        *world
	name     string
	wake     chan struct{}
	mu       sync.Mutex
	deadline bool
	closed   bool
}

func (d *deadDevice) ReadPackets([]byte, int, []int) (int, error) {
	for {
		d.mu.Lock()
		switch {
		case d.closed:
			d.mu.Unlock()
			return 0, os.ErrClosed
		case d.deadline:
			d.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		d.mu.Unlock()
		<-d.wake
	}
}

func (d *deadDevice) WritePackets(pkts [][]byte) (int, error) { return len(pkts), nil }

func (d *deadDevice) SetReadDeadline(t time.Time) error {
	d.change(func() { d.deadline = !t.IsZero() && !t.After(time.Now()) })
	return nil
}

func (d *deadDevice) Close() error {
	d.change(func() { d.closed = true })
	d.w.netifd.Change(func() { delete(d.w.netifd.Devices, d.name) })
	d.w.netifd.Kernel.Remove(d.name)
	return nil
}

func (d *deadDevice) change(f func()) {
	d.mu.Lock()
	f()
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *deadDevice) Name() string     { return d.name }
func (d *deadDevice) SetMTU(int) error { return nil }

func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// shown is a status as the bus carries it.
type shown struct{ blobmsg.Fields }

// at returns the text of the field at a path.
func (s shown) at(path string) string {
	text, _ := s.At(path).Str()
	return text
}

func (s shown) number(path string) int64 {
	n, _ := s.At(path).Num()
	return n
}

// status asks the daemon's object.
func (w *world) status() shown {
	w.Helper()
	f, err := w.client.Call(w.Context(), "sstp.vpn", "status", nil)
	if err != nil {
		f.AddText("state", err.Error())
	}
	return shown{f}
}

// history returns the events that the daemon's object tells.
func (w *world) history() []blobmsg.Fields {
	w.Helper()
	f, err := w.client.Call(w.Context(), "sstp.vpn", "history", nil)
	if err != nil {
		w.Error(err)
	}
	return f.Tables("events")
}

// wantState waits for a state of the tunnel.
func (w *world) wantState(why, want string, within time.Duration) shown {
	w.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		s := w.status()
		if s.at("state") == want {
			return s
		}
		if time.Since(begin) > within {
			w.Fatalf("%s: state %q after %v, want %s\nlog:\n%s", why, s.at("state"), within, want, w.output)
		}
	}
}

func (w *world) netifdErrors() (list []string) {
	for _, e := range w.netifd.Iface("vpn").Errors {
		list = append(append(list, e.Text("code")), e.Texts("data")...)
	}
	return list
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestADaemonBringsItsInterfaceUpAndTakesItDown(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		s := w.wantState("a good server", "up", 10*time.Second)
		i := w.netifd.Iface("vpn")
		if !i.Up || i.Device != "sstp-vpn" || i.Addresses[0].Text("address") != s.at("ipv4.address") || i.Ups != 1 {
			w.Errorf("netifd has %+v, the tunnel %+v", i, s)
		}
		if w.netifd.Iface("vpn_6") == nil {
			w.Error("there is no IPv6 child")
		}
		if s.at("uplink") != "wan" || s.at("server") != serverAddress+":443" || s.at("server_address") != serverAddress+":443" ||
			s.at("tls.verified_by") == "" || s.at("tls.path") != "go" || s.at("auth") != "mschapv2" || s.at("crypto_binding") == "" || s.number("mtu") != 1400 || s.at("version") == "" {
			w.Errorf("status %s", blobmsg.AppendJSON(nil, blobmsg.Tab(s.Fields...)))
		}
		if got := w.dials(); !slices.Equal(got, []string{"eth1"}) {
			w.Errorf("dialed by %v, want the uplink's device", got)
		}
		w.cancel()
		w.ended(exitOK)
		if i := w.netifd.Iface("vpn"); i.Up {
			w.Errorf("netifd still has the link: %+v", i)
		}
		if s := w.status(); s.at("state") == "up" {
			w.Error("the object is still there")
		}
		if r := w.netifd.Kernel.Routes("0.0.0.0/0"); len(r) != 1 || r[0].Device != "eth1" {
			w.Errorf("the default routes at the end are %+v, want the WAN's", r)
		}
	})
}

func TestNoSecretIsEverShown(t *testing.T) {
	play(t, lab.Config{}, config.Values{"log_level": {"4"}, "path_secret": {"hidden-path"}, "proxy": {""}}, func(w *world) {
		w.wait(10 * time.Second)
		status, _ := w.client.Call(w.Context(), "sstp.vpn", "status", nil)
		history, _ := w.client.Call(w.Context(), "sstp.vpn", "history", nil)
		shown := w.output.String() + string(blobmsg.AppendJSON(nil, blobmsg.Tab(status...))) + string(blobmsg.AppendJSON(nil, blobmsg.Tab(history...)))
		for _, secret := range []string{password, "hidden-path"} {
			if strings.Contains(shown, secret) {
				w.Errorf("%q is shown in\n%s", secret, shown)
			}
		}
	})
}

func TestBadOptionsAreShownUntilNetifdEndsTheDaemon(t *testing.T) {
	play(t, lab.Config{}, config.Values{"mtu": {"huge"}}, func(w *world) {
		s := w.wantState("the options are wrong", "waiting", time.Second)
		if s.at("last_error.code") != "INVALID_OPTIONS" || !strings.Contains(s.at("last_error.message"), "mtu") {
			w.Errorf("status %+v", s)
		}
		if got := w.netifdErrors(); len(got) != 3 || got[0] != "INVALID_OPTIONS" {
			w.Errorf("netifd shows %q", got)
		}
		w.wait(time.Hour)
		if !w.running() || w.netifd.Iface("vpn").NoAutostart || len(w.dials()) > 0 {
			w.Error("with corrected options netifd must be able to start it again: it waits, and blocks nothing")
		}
	})
}

func TestAConfigurationThatIsNoJSONIsBadToo(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.cancel()
		w.ended(exitOK)
		w.Setenv(configEnv, "{broken")
		w.start()
		if s := w.wantState("no JSON", "waiting", time.Second); s.at("last_error.code") != "INVALID_OPTIONS" {
			w.Errorf("status %+v", s)
		}
	})
}

func TestWithoutNetifdsJSONTheOptionsComeFromTheBus(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.cancel()
		w.ended(exitOK)
		os.Unsetenv(configEnv)
		pin := fmt.Sprintf("sha256:%x", sha256.Sum256(w.server.CertificateInUse().Leaf.Raw))
		w.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", serverAddress, "username", "user",
			"password", password, "verify", "pin", "cert_pin", pin, "cert_pin", pin)
		w.start()
		w.wantState("as libuci reads them", "up", 10*time.Second)
	})
}

func TestARefusedPasswordIsTriedSeldomOrNotAgain(t *testing.T) {
	play(t, lab.Config{Users: map[string]string{"user": "another"}}, nil, func(w *world) {
		w.wait(10 * time.Second)
		if got := w.netifdErrors(); len(got) == 0 || got[0] != "AUTH_FAILED" {
			w.Errorf("netifd shows %q\n%s", got, w.output)
		}
		w.wait(10 * time.Minute)
		if n := len(w.dials()); n < 3 || n > 5 || w.netifd.Iface("vpn").NoAutostart {
			w.Errorf("%d calls in ten minutes", n)
		}
	})
	play(t, lab.Config{Users: map[string]string{"user": "another"}}, config.Values{"authfail": {"1"}}, func(w *world) {
		w.ended(exitGaveUp)
		if !w.netifd.Iface("vpn").NoAutostart || len(w.dials()) != 1 || w.netifdErrors()[0] != "AUTH_FAILED" {
			w.Errorf("%d calls, netifd has %+v", len(w.dials()), w.netifd.Iface("vpn"))
		}
	})
}

func TestALostCallComesBackWithoutNetifdHearingOfIt(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantState("first call", "up", 10*time.Second)
		w.wait(2 * time.Minute)
		refuse := func(refused bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.refused = refused
		}
		refuse(true) // until the server has noticed itself that the call is over, and the address is free again
		w.server.Cut("")
		w.wait(100 * time.Millisecond)
		refuse(false)
		w.wait(5 * time.Second)
		s := w.wantState("second call", "up", 10*time.Second)
		if i := w.netifd.Iface("vpn"); i.Ups != 1 || s.number("reconnects") != 1 || w.netifdErrors() != nil {
			w.Errorf("%d link-ups, %d reconnections, errors %q", i.Ups, s.number("reconnects"), w.netifdErrors())
		}
	})
}

func TestBeyondHoldNetifdHearsOfItAndWhy(t *testing.T) {
	play(t, lab.Config{}, config.Values{"hold": {"5"}}, func(w *world) {
		w.wantState("first call", "up", 10*time.Second)
		w.wait(2 * time.Minute)
		w.setRefused(true)
		w.server.Cut("")
		w.wait(4 * time.Second)
		if !w.netifd.Iface("vpn").Up {
			w.Error("the link was given up before hold was over")
		}
		w.wait(2 * time.Second)
		if i := w.netifd.Iface("vpn"); i.Up || len(w.netifdErrors()) == 0 {
			w.Errorf("netifd has %+v", i)
		}
		w.setRefused(false)
		w.wantState("the server is back", "up", 2*time.Minute)
		if i := w.netifd.Iface("vpn"); !i.Up || i.Ups != 2 || w.netifd.Iface("vpn_6") == nil || w.netifdErrors() != nil {
			w.Errorf("netifd has %+v; the child must be made again", i)
		}
	})
}

func TestTheTunnelMovesToTheBestUplinkAndBack(t *testing.T) {
	play(t, lab.Config{SingleSession: true}, nil, func(w *world) {
		w.wantState("by wan", "up", 10*time.Second)
		w.wait(2 * time.Minute)
		w.netifd.Set(netifdtest.Uplink("fibre", "eth2", "192.0.2.2/24", "192.0.2.1", 5))
		w.wait(6 * time.Second)
		if s := w.wantState("a better uplink", "up", 10*time.Second); s.at("uplink") != "fibre" {
			w.Errorf("by %s", s.at("uplink"))
		}
		w.wait(2 * time.Minute)
		w.netifd.Down("fibre")
		w.wait(time.Second)
		s := w.wantState("it is gone", "up", 2*time.Second)
		if i := w.netifd.Iface("vpn"); s.at("uplink") != "wan" || i.Ups != 1 {
			w.Errorf("by %s, %d link-ups: what runs in the tunnel must live on\n%s", s.at("uplink"), i.Ups, w.output)
		}
		w.netifd.Down("wan")
		w.wait(time.Second)
		if s := w.wantState("nothing is left", "holding", time.Second); s.at("last_error.code") != string(fault.NoUplink) {
			w.Errorf("status %+v", s)
		}
		w.netifd.Set(netifdtest.Uplink("wan", "eth1", "203.0.113.2/24", "203.0.113.1", 10))
		w.wait(time.Second)
		w.wantState("and back at once", "up", time.Second)
		if got := w.dials(); !slices.Equal(got, []string{"eth1", "eth2", "eth1", "eth1"}) {
			w.Errorf("dialed by %v", got)
		}
	})
}

func TestSIGHUPAndTheObjectDialAnew(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantState("first call", "up", 10*time.Second)
		w.wait(2 * time.Minute)
		w.daemon.hangups <- os.Interrupt
		w.wait(5 * time.Second)
		w.wantState("second call", "up", time.Second)
		w.wait(2 * time.Minute)
		if _, err := w.client.Call(w.Context(), "sstp.vpn", "reconnect", nil); err != nil {
			w.Fatal(err)
		}
		w.wait(5 * time.Second)
		if s := w.wantState("third call", "up", time.Second); s.number("reconnects") != 2 || len(w.dials()) != 3 {
			w.Errorf("%d reconnections, %d dials", s.number("reconnects"), len(w.dials()))
		}
	})
}

func TestABusThatRestartsFindsTheTunnelUp(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantState("first call", "up", 10*time.Second)
		w.netifd.Bus.Stop()
		w.wait(5 * time.Second)
		if err := w.netifd.Bus.Start(); err != nil {
			w.Fatal(err)
		}
		s := w.wantState("the object is back", "up", time.Minute)
		if s.number("reconnects") != 0 || len(w.dials()) != 1 {
			w.Errorf("the call was ended: %+v", s)
		}
	})
}

func TestADaemonThatNetifdHasForgottenEnds(t *testing.T) {
	for name, options := range map[string]config.Values{"up": nil, "with bad options": {"mtu": {"huge"}}} {
		t.Run(name, func(t *testing.T) {
			play(t, lab.Config{}, options, func(w *world) {
				w.wait(10 * time.Second)
				w.netifd.Down("vpn") // by a netifd that has replaced itself: nobody sends SIGTERM
				w.wait(10 * time.Second)
				if w.running() {
					w.Errorf("it still runs\n%s", w.output)
				}
			})
		})
	}
}

func TestEachChangeOfStateIsToldOnce(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		var mu sync.Mutex
		var events []string
		w.client.Listen(control.Event, func(_ string, f blobmsg.Fields) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, f.Text("state")+" "+f.Text("code"))
		})
		w.wantState("first call", "up", 10*time.Second)
		w.wait(2 * time.Minute)
		mu.Lock()
		events = nil // whether the bus had us listen in time for the first one is left to chance
		mu.Unlock()
		w.server.Cut("")
		w.wait(2 * time.Minute)
		w.setRefused(true)
		w.server.Cut("")
		w.wait(20 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		lost := func(event string) bool { return strings.HasPrefix(event, "holding ") && !strings.HasSuffix(event, " ") }
		if len(events) != 3 || !lost(events[0]) || events[1] != "up " || !lost(events[2]) {
			w.Errorf("events %q, want holding with a code, up, and holding with a code, once for all its tries", events)
		}
	})
}
