package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"sstp/src/blobmsg"
	"sstp/src/control"
	"sstp/src/fault"
	"sstp/src/status"
	"sstp/src/ubus"
	"sstp/src/ubus/ubustest"
)

// policyFile is what the package installs for the system bus.
const policyFile = "../../../openwrt/sstp/dbus/usr/share/dbus-1/system.d/" + busName + ".conf"

// privateBus starts a dbus-daemon of our own with the system bus's rules and our policy, and returns its address.
func privateBus(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	policy, err := filepath.Abs(policyFile)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "sstp-dbus") // others than we must reach the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "bus.conf")
	text := fmt.Sprintf(`<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/></policy>
<policy user="%d"><allow own="%s"/><allow send_destination="%[3]s"/></policy>
<include>%[4]s</include></busconfig>`, folder, os.Geteuid(), busName, policy)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// tunnelOfTest is a tunnel that says what the test wants it to.
type tunnelOfTest struct {
	status     chan status.Status // holds one
	reconnects chan string
}

func newTunnelOfTest(s status.Status) *tunnelOfTest {
	t := &tunnelOfTest{status: make(chan status.Status, 1), reconnects: make(chan string, 1)}
	t.status <- s
	return t
}

func (t *tunnelOfTest) Status() status.Status {
	s := <-t.status
	t.status <- s
	return s
}

func (t *tunnelOfTest) set(s status.Status) {
	<-t.status
	t.status <- s
}

func (t *tunnelOfTest) History() []status.Event { return nil }
func (t *tunnelOfTest) Reconnect(reason string) { t.reconnects <- reason }
func (t *tunnelOfTest) SetLogLevel(int)         {}

// scene is a bus with the bridge on it, and a client that watches.
type scene struct {
	t       *testing.T
	address string
	client  *dbus.Conn
	signals chan *dbus.Signal
}

func newScene(t *testing.T, o ubus.Options, folder string) *scene {
	t.Helper()
	s := &scene{t: t, address: privateBus(t), signals: make(chan *dbus.Signal, 64)}
	client, err := dbus.Connect(s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.client = client
	t.Cleanup(func() { client.Close() })
	if err := client.AddMatchSignal(dbus.WithMatchSender(busName)); err != nil {
		t.Fatal(err)
	}
	if err := client.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"),
		dbus.WithMatchArg(0, busName)); err != nil {
		t.Fatal(err)
	}
	client.Signal(s.signals)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, s.address, o, folder, os.Stderr) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Errorf("the bridge ended: %v", err)
		}
	})
	s.wait("the bridge gets its name", "org.freedesktop.DBus.NameOwnerChanged")
	return s
}

// wait returns the next signal of a name.
func (s *scene) wait(why, name string) *dbus.Signal {
	s.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case signal := <-s.signals:
			if signal.Name == name {
				return signal
			}
		case <-timeout:
			s.t.Fatalf("no signal %s: %s", name, why)
		}
	}
}

func (s *scene) tunnel(name string) dbus.BusObject { return s.client.Object(busName, tunnelPath(name)) }

var upStatus = status.Status{
	Interface: "vpn", State: "up", Server: "vpn.example.org:443", Since: time.Unix(1700000000, 0), MTU: 1400, Device: "sstp-vpn",
	TLS: &status.TLS{Version: "TLS 1.3", Path: "go"}, Counters: status.Counters{RxBytes: 5 << 32, TxBytes: 7}, Reconnects: 2,
}

func TestATunnelOfUbusComesChangesAndGoesOnDBus(t *testing.T) {
	bus := ubustest.New()
	t.Cleanup(bus.Close)
	s := newScene(t, ubus.Options{Dial: bus.Dial}, t.TempDir())

	daemon, err := ubus.Dial(t.Context(), ubus.Options{Dial: bus.Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	tunnel := newTunnelOfTest(upStatus)
	control.Publish(daemon, "vpn", tunnel)
	added := s.wait("the daemon has published its object", managerInterface+".InterfacesAdded")
	if path := added.Body[0]; path != tunnelPath("vpn") {
		t.Errorf("the object added is %v, want %v", path, tunnelPath("vpn"))
	}

	for name, want := range map[string]any{
		"State": "up", "Server": "vpn.example.org:443", "MTU": uint32(1400), "Since": int64(1700000000), "RxBytes": uint64(5 << 32),
		"Reconnects": uint32(2), "IPv4Address": "",
	} {
		if got, err := s.tunnel("vpn").GetProperty(tunnelInterface + "." + name); err != nil || got.Value() != want {
			t.Errorf("property %s is %v, want %v (%v)", name, got, want, err)
		}
	}

	worse := upStatus
	worse.State, worse.Counters.RxBytes = "holding", 6<<32
	worse.LastError = &fault.Error{Code: "PEER_SILENT", Message: "The server does not answer any more."}
	tunnel.set(worse)
	if err := daemon.Send(t.Context(), control.Event, blobmsg.Fields{blobmsg.F("interface", blobmsg.String("vpn")), blobmsg.F("state", blobmsg.String("holding"))}); err != nil {
		t.Fatal(err)
	}
	change := s.wait("the daemon has told a change of state", propertiesInterface+".PropertiesChanged")
	told := change.Body[1].(map[string]dbus.Variant)
	if len(told) != 2 || told["State"].Value() != "holding" || told["LastError"].Value().(map[string]dbus.Variant)["code"].Value() != "PEER_SILENT" {
		t.Errorf("told is %v, want the state and the error; counters are not told", told)
	}

	if err := s.tunnel("vpn").Call(tunnelInterface+".Reconnect", 0).Err; err != nil {
		t.Errorf("Reconnect: %v", err)
	}
	<-tunnel.reconnects
	var status map[string]dbus.Variant
	if err := s.tunnel("vpn").Call(tunnelInterface+".Status", 0).Store(&status); err != nil || status["state"].Value() != "holding" {
		t.Errorf("Status: %v, %v", status, err)
	}

	control.Withdraw(daemon, "vpn")
	removed := s.wait("the daemon has taken its object back", managerInterface+".InterfacesRemoved")
	if removed.Body[0] != tunnelPath("vpn") {
		t.Errorf("the object removed is %v", removed.Body[0])
	}
	if err := s.tunnel("vpn").Call(tunnelInterface+".Status", 0).Err; err == nil {
		t.Error("an object that was removed still answers")
	}
}

func TestATunnelWithoutUbusIsFoundByItsSocket(t *testing.T) {
	folder := t.TempDir()
	s := newScene(t, ubus.Options{Socket: filepath.Join(folder, "no-ubus.sock")}, folder)
	local, err := control.ListenLocal(control.LocalSocket(folder, "vpn-2"))
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	tunnel := newTunnelOfTest(upStatus)
	control.Publish(local, "vpn-2", tunnel)
	added := s.wait("a socket has appeared", managerInterface+".InterfacesAdded")
	if added.Body[0] != dbus.ObjectPath("/org/openwrt/sstp/tunnel/vpn_2d2") {
		t.Errorf("the path is %v", added.Body[0])
	}
	down := upStatus
	down.State = "waiting"
	tunnel.set(down)
	local.Send(t.Context(), control.Event, nil)
	s.wait("an event came over the socket", propertiesInterface+".PropertiesChanged")
	if err := s.tunnel("vpn-2").Call(tunnelInterface+".Reconnect", 0).Err; err != nil {
		t.Errorf("Reconnect: %v", err)
	}
	local.Close()
	s.wait("the socket has gone", managerInterface+".InterfacesRemoved")
}

func TestWhenUbusdRestartsTheTunnelsAreThereAgain(t *testing.T) {
	bus := ubustest.New()
	t.Cleanup(bus.Close)
	path := filepath.Join(t.TempDir(), "ubus.sock")
	if err := bus.Listen(path); err != nil {
		t.Fatal(err)
	}
	s := newScene(t, ubus.Options{Socket: path}, t.TempDir())
	daemon := ubus.New(ubus.Options{Socket: path})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- daemon.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	control.Publish(daemon, "vpn", newTunnelOfTest(upStatus))
	s.wait("the daemon is there", managerInterface+".InterfacesAdded")
	bus.Stop()
	s.wait("ubusd is gone", managerInterface+".InterfacesRemoved")
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	s.wait("ubusd is back", managerInterface+".InterfacesAdded")
}

// slowSource has one tunnel, which at first does not answer.
type slowSource struct {
	late int
}

func (s *slowSource) watch(ctx context.Context, news func(change)) {
	news(change{tunnel: "vpn", from: s})
	<-ctx.Done()
}

func (s *slowSource) call(context.Context, string, string) (blobmsg.Fields, error) {
	if s.late--; s.late >= 0 {
		return nil, context.DeadlineExceeded
	}
	return blobmsg.Fields{blobmsg.F("state", blobmsg.String("up"))}, nil
}

func TestATunnelTooBusyToAnswerIsAskedAgain(t *testing.T) {
	conn, err := dbus.Connect(privateBus(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := newBridge(conn, func(line string) { t.Log(line) })
	if err := b.export(); err != nil {
		t.Fatal(err)
	}
	signals := make(chan *dbus.Signal, 8)
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(managerInterface)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.run(ctx, &slowSource{late: 1}) }()
	defer func() {
		cancel()
		<-ended
	}()
	s := &scene{t: t, signals: signals}
	s.wait("the tunnel has answered when it was asked again", managerInterface+".InterfacesAdded")
}

func TestTheToolsOfDBusUnderstandTheBridge(t *testing.T) {
	folder := t.TempDir()
	local, err := control.ListenLocal(control.LocalSocket(folder, "vpn"))
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	control.Publish(local, "vpn", newTunnelOfTest(upStatus))
	s := newScene(t, ubus.Options{Socket: filepath.Join(folder, "no-ubus.sock")}, folder)
	s.wait("the tunnel was there before", managerInterface+".InterfacesAdded")
	object := string(tunnelPath("vpn"))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"busctl", "--address=" + s.address, "tree", "--list", busName}, object},
		{[]string{"busctl", "--address=" + s.address, "introspect", busName, object}, ".Reconnect"},
		{[]string{"busctl", "--address=" + s.address, "get-property", busName, object, tunnelInterface, "State"}, `s "up"`},
		{[]string{"busctl", "--address=" + s.address, "call", busName, string(rootPath), managerInterface, "GetManagedObjects"}, "a{oa{sa{sv}}} 1"},
		{[]string{"gdbus", "introspect", "--address", s.address, "--dest", busName, "--object-path", object, "--recurse"}, "readonly t RxBytes = 21474836480"},
		{[]string{"gdbus", "call", "--address", s.address, "--dest", busName, "--object-path", object, "--method", tunnelInterface + ".Status"}, "'interface': <'vpn'>"},
	} {
		if _, err := exec.LookPath(c.args[0]); err != nil {
			t.Logf("%s is not installed", c.args[0])
			continue
		}
		out, err := exec.Command(c.args[0], c.args[1:]...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, want %q in\n%s", strings.Join(c.args, " "), err, c.want, out)
		}
	}
}

func TestThePolicyLetsEverybodyLookAndRootReconnect(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	folder := t.TempDir()
	local, err := control.ListenLocal(control.LocalSocket(folder, "vpn"))
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	tunnel := newTunnelOfTest(upStatus)
	control.Publish(local, "vpn", tunnel)
	s := newScene(t, ubus.Options{Socket: filepath.Join(folder, "no-ubus.sock")}, folder)
	s.wait("the tunnel was there before", managerInterface+".InterfacesAdded")
	as := func(member string) (string, error) {
		cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "dbus-send", "--bus="+s.address, "--print-reply",
			"--dest="+busName, string(tunnelPath("vpn")), tunnelInterface+"."+member)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := as("Status"); err != nil {
		t.Errorf("nobody may not look: %v\n%s", err, out)
	}
	if out, err := as("Reconnect"); err == nil || !strings.Contains(out, "AccessDenied") {
		t.Errorf("nobody may have the tunnel dialed again: %v\n%s", err, out)
	}
	if len(tunnel.reconnects) > 0 {
		t.Error("the tunnel was asked to reconnect")
	}
}
