package netifd

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/netifd/netifdtest"
	"sstp/src/ubus"
)

// world is an interface vpn and a netifd in one bubble of fake time.
type world struct {
	*testing.T
	netifd *netifdtest.Netifd
	client *ubus.Client
	iface  *Interface

	mu    sync.Mutex
	laid  []string // ways: to, device, gateway
	noWay error
	lines []string // of the log
	news  []string // of Watch
}

// play runs script in a world; change may change the options of the interface.
func play(t *testing.T, change func(*Options), script func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netifdtest.Start(t)
		n.Change(func() { n.Devices["sstp-vpn"] = true })
		w := &world{T: t, netifd: n, client: n.Client(t)}
		o := Options{Device: "sstp-vpn", IPv6: true, Kernel: n.Kernel, Log: func(_ config.LogLevel, format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lines = append(w.lines, fmt.Sprintf(format, args...))
		}}
		o.LayWay = func(to netip.Addr, device string, gateway, _ netip.Addr) error {
			w.laid = append(w.laid, to.String()+" "+device+" "+gateway.String())
			return w.noWay
		}
		if change != nil {
			change(&o)
		}
		w.iface = New(w.client, "vpn", o)
		script(w)
	})
}

func (w *world) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "\n")
}

// wantFault checks a failure's code, and that it names what.
func (w *world) wantFault(why string, err error, code fault.Code, what string) {
	w.Helper()
	f := fault.Of(err, "", "")
	if f == nil || f.Code != code || !strings.Contains(f.Message, what) || f.Hint == "" {
		w.Errorf("%s: got %#v, want %s that says %q, with a hint", why, f, code, what)
	}
}

// watch starts Watch, which notes its news.
func (w *world) watch() {
	done := make(chan struct{})
	ctx := w.Context()
	note := func(what string) func(string) {
		return func(reason string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.news = append(w.news, what+": "+reason)
		}
	}
	go func() {
		defer close(done)
		w.iface.Watch(ctx, note("lost"), note("better"))
	}()
	w.Cleanup(func() { <-done })
	w.wait(time.Second)
}

func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantNews checks what Watch has told since it was asked last.
func (w *world) wantNews(why string, want ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.news, "; "); got != strings.Join(want, "; ") {
		w.Errorf("%s: heard %q, want %q", why, got, strings.Join(want, "; "))
	}
	w.news = nil
}

// dial prepares the way to a server as a dial does.
func (w *world) dial(server string) (device string, err error) {
	w.iface.Dialing()
	return w.iface.Prepare(w.Context(), netip.MustParseAddr(server))
}

// connect is a dial that succeeds.
func (w *world) connect(server string) {
	w.Helper()
	if _, err := w.dial(server); err != nil {
		w.Fatal(err)
	}
	w.iface.Connected(netip.MustParseAddr(server))
}

func testLink() Link {
	return Link{
		Device: "sstp-vpn", Server: netip.MustParseAddr("198.51.100.7"),
		Local: netip.MustParseAddr("10.99.0.2"), Peer: netip.MustParseAddr("10.99.0.1"),
		DNS:    []netip.Addr{netip.MustParseAddr("10.99.0.53"), netip.MustParseAddr("10.99.0.54")},
		Local6: netip.MustParseAddr("fe80::a:b"), Peer6: netip.MustParseAddr("fe80::1"),
	}
}
