package session

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
	"sstp/src/transport"
	"sstp/src/transport/trust"
)

// world is a client and a server in one bubble of fake time: the real session, transport and data path against the real
// server, joined by in-memory pipes. Only the TUN device and the machine's network are stand-ins.
type world struct {
	t       *testing.T
	tunnel  *config.Tunnel
	server  *lab.Server
	slow    time.Duration          // what each write of the client takes
	others  map[string]*lab.Server // by host; every other host is server
	network *fakeHost
	session *Session

	certificate *lab.Certificate
	placed      []*lab.Server

	mu       sync.Mutex
	states   []State
	devices  []*fakeDevice
	dialed   []string
	down     map[string]bool // servers that refuse TCP
	cutOff   bool            // no uplink leads to any server
	lines    []string        // of the log
	serving  sync.WaitGroup
	ctx      context.Context
	cancel   context.CancelFunc
	finished chan error
}

const testServer = "vpn.test"

// newWorld makes a server and a client; options change or add to the client's configuration.
func newWorld(t *testing.T, serverCfg lab.Config, options config.Values) *world {
	t.Helper()
	if serverCfg.Certificate == nil {
		serverCfg.Certificate = issue(t, lab.CertificateOptions{})
	}
	server, err := lab.New(serverCfg)
	if err != nil {
		t.Fatal(err)
	}
	v := config.Values{
		"server": {testServer}, "username": {"user"}, "password": {"password"},
		"verify": {"pin"}, "cert_pin": {pinOf(server)}, "log_level": {"4"},
	}
	for name, value := range options {
		v[name] = value
		if value == nil {
			delete(v, name)
		}
	}
	tunnel, _, err := config.Parse("vpn", v)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, tunnel: tunnel, server: server, certificate: serverCfg.Certificate, others: map[string]*lab.Server{}, network: &fakeHost{}, down: map[string]bool{}, finished: make(chan error, 1)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.session = New(Config{
		Tunnel: tunnel, Dial: w.dial, OpenDevice: w.openDevice, Host: w.network, Random: rand.Reader,
		Log:      w.log,
		InnerTLS: func(server config.Server) (*tls.Config, error) { return trust.InnerTLS(tunnel, server, time.Now) },
		Changed: func(st Status, _ string) {
			w.mu.Lock()
			w.states = append(w.states, st.State)
			w.mu.Unlock()
		},
	})
	return w
}

// play runs script with a started session in a bubble, stops the session, and checks that nothing is left.
func play(t *testing.T, serverCfg lab.Config, options config.Values, script func(w *world)) {
	t.Helper()
	playAfter(t, serverCfg, options, func(*world) {}, script)
}

// playAfter is play with something to prepare before the session starts.
func playAfter(t *testing.T, serverCfg lab.Config, options config.Values, prepare, script func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, serverCfg, options)
		prepare(w)
		go func() { w.finished <- w.session.Run(w.ctx) }()
		defer w.stop()
		script(w)
	})
}

// stop ends the session as a signal does and checks that it leaves nothing behind, in time.
func (w *world) stop() {
	w.t.Helper()
	begin := time.Now()
	w.cancel()
	<-w.finished
	if took := time.Since(begin); took > stopLimit+100*time.Millisecond {
		w.t.Errorf("stopping took %v, want at most %v", took, stopLimit)
	}
	if w.network.link() != nil {
		w.t.Error("the network still has the link after the end")
	}
	for _, d := range w.devices {
		if !d.isClosed() {
			w.t.Errorf("device %s is still open after the end", d.name)
		}
	}
	if strings.Contains(w.logText(), "lifecycle:") {
		w.t.Errorf("a phase followed another one that it must not follow:\n%s", w.logText())
	}
	w.serving.Wait()
	w.server.Close()
	for _, s := range w.placed {
		s.Close()
	}
	synctest.Wait()
}

func pinOf(server *lab.Server) string {
	return trust.Fingerprint(server.CertificateInUse().Leaf)
}

// dial connects to the server through a pipe, by the real transport.
func (w *world) dial(ctx context.Context, server config.Server, obs transport.Observer) (Conn, error) {
	o := transport.FromTunnel(w.tunnel, server)
	o.Rand = rand.Reader
	o.Lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("203.0.113.1")}, nil
	}
	o.Prepare = func(context.Context, netip.Addr) (string, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.cutOff {
			return "", fault.New(fault.NoUplink, fault.StageConnect, "No interface is up.")
		}
		return "", nil
	}
	o.DialTCP = func(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
		// A dial takes time on any network, and meanwhile a server notices that the call before is gone: without it the
		// address of that call may still be taken.
		time.Sleep(time.Millisecond)
		w.mu.Lock()
		w.dialed = append(w.dialed, server.Host)
		refused := w.down[server.Host]
		w.mu.Unlock()
		if refused {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errRefused)}
		}
		client, far := net.Pipe()
		if w.slow > 0 {
			client = slowWriter{client, w.slow}
		}
		at := w.serverAt(server.Host)
		w.serving.Go(func() { at.ServeConn(context.Background(), far) })
		return client, nil
	}
	conn, err := transport.Connect(ctx, o, obs)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// closeNotify is the length of TLS 1.3's last record.
const closeNotify = 24

// slowWriter is a connection whose writes take their time, so that what is to be sent gathers meanwhile.
type slowWriter struct {
	net.Conn
	takes time.Duration
}

func (c slowWriter) Write(b []byte) (int, error) {
	if len(b) > closeNotify { // the loop itself sends that one: fake time stands still while others wait for its mutex
		time.Sleep(c.takes)
	}
	return c.Conn.Write(b)
}

// serverAt returns the server that answers at a host.
func (w *world) serverAt(host string) *lab.Server {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.others[host]; s != nil {
		return s
	}
	return w.server
}

// place puts another server, with the same certificate, at a host.
func (w *world) place(host string, cfg lab.Config) {
	w.t.Helper()
	cfg.Certificate = w.certificate
	s, err := lab.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.others[host] = s
	w.placed = append(w.placed, s)
}

// unplace takes the other server at a host away.
func (w *world) unplace(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.others, host)
}

// dials returns how often a host was dialed.
func (w *world) dials(host string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.dialed {
		if h == host {
			n++
		}
	}
	return n
}

func (w *world) setCutOff(cutOff bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutOff = cutOff
}

func (w *world) setDown(host string, down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[host] = down
}

func (w *world) log(_ config.LogLevel, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

func (w *world) openDevice(name string, mtu int) (Device, error) {
	d := &fakeDevice{name: name, mtu: mtu, wake: make(chan struct{}, 1)}
	w.mu.Lock()
	w.devices = append(w.devices, d)
	w.mu.Unlock()
	return d, nil
}

func (w *world) device() *fakeDevice {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.devices) == 0 {
		w.t.Fatal("no device was opened")
	}
	return w.devices[len(w.devices)-1]
}

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantState waits for a state, at most within.
func (w *world) wantState(why string, want State, within time.Duration) {
	w.t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		synctest.Wait()
		if w.session.Status().State == want {
			return
		}
		if time.Since(begin) >= within {
			w.t.Fatalf("%s: state %s after %v, want %s\nlog:\n%s", why, w.session.Status().State, within, want, w.logText())
		}
	}
}

// wantUp waits until the tunnel is up and packets get through.
func (w *world) wantUp(why string) {
	w.t.Helper()
	w.wantState(why, Up, 90*time.Second)
	w.wantEcho(why)
}

// wantError waits for a failure with the given code.
func (w *world) wantError(why string, code fault.Code, within time.Duration) *fault.Error {
	w.t.Helper()
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		synctest.Wait()
		if err := w.session.Status().LastError; err != nil {
			if err.Code != code {
				w.t.Fatalf("%s: %s (%s), want %s\nlog:\n%s", why, err.Code, err.Message, code, w.logText())
			}
			if err.Message == "" || err.Hint == "" {
				w.t.Errorf("%s: %s lacks a sentence or a hint: %+v", why, code, err)
			}
			return err
		}
		if time.Since(begin) >= within {
			w.t.Fatalf("%s: no failure after %v, state %s, want %s\nlog:\n%s", why, within, w.session.Status().State, code, w.logText())
		}
	}
}

func (w *world) logText() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "\n")
}

// wantEcho sends a ping to the server inside the tunnel and waits for the answer.
func (w *world) wantEcho(why string) {
	w.t.Helper()
	l := w.network.link()
	if l == nil {
		w.t.Fatalf("%s: the network has no link", why)
	}
	d := w.device()
	d.clear()
	d.send(echoRequest(l.Local, l.Peer))
	for begin := time.Now(); time.Since(begin) < 5*time.Second; time.Sleep(time.Millisecond) {
		synctest.Wait()
		for _, p := range d.received() {
			if len(p) == 28 && p[0] == 0x45 && p[20] == 0 {
				return
			}
		}
	}
	w.t.Fatalf("%s: no answer to a ping from %v to %v", why, l.Local, l.Peer)
}

// echoRequest is an ICMP echo request without data.
func echoRequest(from, to netip.Addr) []byte {
	p := make([]byte, 28)
	p[0], p[8], p[9] = 0x45, 64, 1
	binary.BigEndian.PutUint16(p[2:], 28)
	copy(p[12:], from.AsSlice())
	copy(p[16:], to.AsSlice())
	p[20] = 8
	binary.BigEndian.PutUint16(p[10:], checksum(p[:20]))
	binary.BigEndian.PutUint16(p[22:], checksum(p[20:]))
	return p
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// fakeHost notes what the machine's network is told.
type fakeHost struct {
	mu     sync.Mutex
	now    *Link
	ups    []Link
	downs  int
	faults []fault.Code
	refuse error
	checks []Link
	found  Reach         // what Check reports, at the time of its call
	broken error         // what Check returns
	takes  time.Duration // what Up takes
}

func (n *fakeHost) Up(_ context.Context, l Link) error {
	time.Sleep(n.takes)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse != nil {
		return n.refuse
	}
	n.now = &l
	n.ups = append(n.ups, l)
	return nil
}

func (n *fakeHost) Check(_ context.Context, l Link) (Reach, error) {
	time.Sleep(n.takes)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.checks = append(n.checks, l)
	r := n.found
	r.Checked = time.Now()
	return r, n.broken
}

func (n *fakeHost) Down(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = nil
	n.downs++
	return nil
}

func (n *fakeHost) Failed(_ context.Context, err *fault.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, err.Code)
}

func (n *fakeHost) link() *Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

func (n *fakeHost) counts() (ups, downs int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.ups), n.downs
}

// fakeDevice is a TUN device in memory: send is what the machine sends into the tunnel, received what came out of it.
type fakeDevice struct {
	name string
	wake chan struct{}

	mu       sync.Mutex
	mtu      int
	out, in  [][]byte
	deadline bool
	closed   bool
}

var errDeviceClosed = errors.New("device closed")

func (d *fakeDevice) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *fakeDevice) ReadPackets(buf []byte, room int, ends []int) (int, error) {
	for {
		d.mu.Lock()
		switch {
		case d.closed:
			d.mu.Unlock()
			return 0, errDeviceClosed
		case d.deadline:
			d.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		n, at := 0, 0
		for len(d.out) > 0 && n < len(ends) && at+room+len(d.out[0]) <= len(buf) {
			at += room
			at += copy(buf[at:], d.out[0])
			ends[n], d.out = at, d.out[1:]
			n++
		}
		d.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		<-d.wake
	}
}

func (d *fakeDevice) WritePackets(pkts [][]byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range pkts {
		d.in = append(d.in, append([]byte(nil), p...))
	}
	return len(pkts), nil
}

func (d *fakeDevice) SetReadDeadline(t time.Time) error {
	d.mu.Lock()
	d.deadline = !t.IsZero() && !t.After(time.Now())
	d.mu.Unlock()
	d.poke()
	return nil
}

func (d *fakeDevice) Name() string { return d.name }

func (d *fakeDevice) SetMTU(mtu int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mtu = mtu
	return nil
}

func (d *fakeDevice) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.poke()
	return nil
}

func (d *fakeDevice) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

func (d *fakeDevice) send(p []byte) {
	d.mu.Lock()
	d.out = append(d.out, p)
	d.mu.Unlock()
	d.poke()
}

func (d *fakeDevice) received() [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([][]byte(nil), d.in...)
}

func (d *fakeDevice) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.in = nil
}
