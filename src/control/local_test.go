package control

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/phrase"
	"sstp/src/status"
	"sstp/src/ubus"
)

// fakeTunnel notes what it is asked for.
type fakeTunnel struct {
	status  status.Status
	reasons chan string
	levels  chan int
}

func (f *fakeTunnel) Status() status.Status { return f.status }
func (f *fakeTunnel) History() []status.Event {
	return []status.Event{{State: "up", Phrase: phrase.Foreign("up"), Time: time.Unix(1700000000, 0)}}
}
func (f *fakeTunnel) Reconnect(reason string) { f.reasons <- reason }
func (f *fakeTunnel) SetLogLevel(level int)   { f.levels <- level }

func serveLocally(t *testing.T) (*Local, *fakeTunnel, string) {
	t.Helper()
	path := LocalSocket(t.TempDir(), "vpn")
	l, err := ListenLocal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	f := &fakeTunnel{
		status:  status.Status{Interface: "vpn", State: "up", RTT: status.RTT{Last: 2500 * time.Microsecond, Max: 3 * time.Millisecond}, Counters: status.Counters{RxBytes: 1 << 40}},
		reasons: make(chan string, 1), levels: make(chan int, 1),
	}
	Publish(l, "vpn", f)
	return l, f, path
}

func TestTheLocalSocketAnswersAsUbusDoes(t *testing.T) {
	_, f, path := serveLocally(t)
	fields, err := CallLocal(t.Context(), path, "status", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := asJSON(fields), asJSON(StatusFields(&f.status, time.Now())); got != want {
		t.Errorf("status over the socket is %s, want %s", got, want)
	}
	fields, err = CallLocal(t.Context(), path, "history", nil)
	if h := fields.Tables("events"); err != nil || len(h) != 1 || h[0].Text("text") != "up" {
		t.Errorf("history over the socket is %s, %v", asJSON(fields), err)
	}
	if _, err := CallLocal(t.Context(), path, "reconnect", nil); err != nil || <-f.reasons == "" {
		t.Errorf("reconnect: %v", err)
	}
	if _, err := CallLocal(t.Context(), path, "log_level", blobmsg.Fields{blobmsg.F("level", blobmsg.Int(4))}); err != nil || <-f.levels != 4 {
		t.Errorf("log_level: %v", err)
	}
}

func TestTheLocalSocketRefusesWithAStatus(t *testing.T) {
	l, _, path := serveLocally(t)
	for _, c := range []struct {
		method string
		args   blobmsg.Fields
		want   ubus.Status
	}{
		{"nonsense", nil, ubus.StatusMethodNotFound},
		{"log_level", blobmsg.Fields{blobmsg.F("level", blobmsg.Int(9))}, ubus.StatusInvalidArgument},
		{"log_level", nil, ubus.StatusInvalidArgument},
	} {
		if _, err := CallLocal(t.Context(), path, c.method, c.args); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.method, err, c.want)
		}
	}
	Withdraw(l, "vpn")
	if _, err := CallLocal(t.Context(), path, "status", nil); !errors.Is(err, ubus.StatusNotFound) {
		t.Errorf("without an object: %v", err)
	}
}

func TestEventsReachWhoListensOnTheLocalSocket(t *testing.T) {
	l, _, path := serveLocally(t)
	ready, heard := make(chan struct{}), make(chan blobmsg.Fields, 4)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- HearLocal(ctx, path, func() { close(ready) }, func(_ string, data blobmsg.Fields) { heard <- data })
	}()
	<-ready
	for _, state := range []string{"holding", "up"} {
		l.Send(t.Context(), Event, blobmsg.Fields{blobmsg.F("interface", blobmsg.String("vpn")), blobmsg.F("state", blobmsg.String(state))})
		if got := <-heard; got.Text("state") != state || got.Text("interface") != "vpn" {
			t.Errorf("heard %v, want state %s", got, state)
		}
	}
	cancel()
	<-ended
}

func TestListenersLearnThatTheTunnelIsGone(t *testing.T) {
	l, _, path := serveLocally(t)
	ready, ended := make(chan struct{}), make(chan error)
	go func() { ended <- HearLocal(t.Context(), path, func() { close(ready) }, nil) }()
	<-ready
	l.Close()
	if err := <-ended; err == nil {
		t.Error("listening ended without an error although the tunnel is gone")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestTheLocalSocketIsForItsOwner(t *testing.T) {
	_, _, path := serveLocally(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("permissions of the socket: %v, %v", info.Mode(), err)
	}
}

func TestADeadTunnelsSocketIsReplacedAndALivingOnesIsNot(t *testing.T) {
	_, _, path := serveLocally(t)
	if second, err := ListenLocal(path); err == nil {
		second.Close()
		t.Error("two processes got the same socket")
	}
	stale := LocalSocket(t.TempDir(), "old")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, err := ListenLocal(stale)
	if err != nil {
		t.Fatalf("what a dead process left is in the way: %v", err)
	}
	l.Close()
}

func TestLocalTunnelsAreNamedByTheirSockets(t *testing.T) {
	_, _, path := serveLocally(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "vpn.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := LocalTunnels(filepath.Dir(path)); !slices.Equal(got, []string{"vpn"}) {
		t.Errorf("tunnels are %v", got)
	}
	if got := LocalTunnels(filepath.Join(filepath.Dir(path), "nowhere")); got != nil {
		t.Errorf("tunnels without a folder are %v", got)
	}
}

func TestNonsenseOnTheLocalSocketEndsOnlyItsConnection(t *testing.T) {
	_, _, path := serveLocally(t)
	for _, line := range [][]byte{[]byte("hello\n"), bytes.Repeat([]byte("x"), maxLine+1), []byte("[1,2]\n"), []byte("{\"method\":7}\n")} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(line)
		conn.Close()
	}
	if _, err := CallLocal(t.Context(), path, "status", nil); err != nil {
		t.Errorf("after nonsense: %v", err)
	}
}

func TestAskingWhereNoTunnelIsSaysSo(t *testing.T) {
	folder := t.TempDir()
	stale := LocalSocket(folder, "killed")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	for what, path := range map[string]string{
		"no socket": LocalSocket(folder, "none"), "one left behind": stale, "no folder": LocalSocket(folder+"/none", "vpn"),
		"too long a name": LocalSocket(folder, strings.Repeat("n", 200)),
	} {
		if _, err := CallLocal(t.Context(), path, "status", nil); !errors.Is(err, ubus.StatusNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestATunnelThatDoesNotAnswerInTimeIsAMatterOfTime(t *testing.T) {
	path := LocalSocket(t.TempDir(), "hung")
	hung, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := CallLocal(ctx, path, "status", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that the time was over", err)
	}
}
