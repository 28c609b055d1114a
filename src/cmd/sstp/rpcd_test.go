package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/fault"
	"sstp/src/lab"
	"sstp/src/netifd/netifdtest"
	"sstp/src/phrase"
	"sstp/src/session"
	tunnelstatus "sstp/src/status"
)

// bench is a bus with a netifd behind a socket, as commands find it.
type bench struct {
	*testing.T
	netifd *netifdtest.Netifd
}

func newBench(t *testing.T) *bench {
	n := netifdtest.Start(t)
	socket := filepath.Join(t.TempDir(), "ubus.sock")
	if err := n.Bus.Listen(socket); err != nil {
		t.Fatal(err)
	}
	t.Setenv(socketEnv, socket)
	t.Setenv(folderEnv, t.TempDir()) // tunnels of this machine are none of the test's
	n.Client(t)                      // waits until netifd answers
	return &bench{T: t, netifd: n}
}

// rpcd calls a method of the plugin as rpcd does.
func (b *bench) rpcd(method string, request map[string]any) map[string]any {
	b.Helper()
	text, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	var out, errs lockedBuffer
	if code := rpcd([]string{"call", method}, strings.NewReader(string(text)), &out, &errs); code != exitOK {
		b.Fatalf("exit code %d: %s", code, errs.String())
	}
	var reply map[string]any
	if err := json.Unmarshal([]byte(out.String()), &reply); err != nil {
		b.Fatalf("%v in %q", err, out.String())
	}
	return reply
}

// errorOf returns code and message of a failed call.
func errorOf(reply map[string]any) string {
	e, _ := reply["error"].(map[string]any)
	if e == nil {
		return ""
	}
	return fmt.Sprint(e["code"], ": ", e["message"])
}

func TestThePluginTellsItsMethodsInLessThanRpcdReads(t *testing.T) {
	var out lockedBuffer
	if code := rpcd([]string{"list"}, strings.NewReader(""), &out, &out); code != exitOK {
		t.Fatal(code)
	}
	var methods map[string]map[string]any
	if err := json.Unmarshal([]byte(out.String()), &methods); err != nil || len(methods) != 3 || methods["probe"]["interface"] != "" {
		t.Errorf("%v: %s", err, out.String())
	}
	if len(out.String()) > 1000 {
		t.Errorf("%d bytes, and rpcd reads 1024", len(out.String()))
	}
	if code := rpcd([]string{"call"}, strings.NewReader(""), &out, &out); code != exitUsage {
		t.Errorf("called wrongly: %d", code)
	}
}

func TestThePluginListsTunnelsWithoutTheirSecrets(t *testing.T) {
	b := newBench(t)
	b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", "a", "server", "b:444", "password", "secret", "verify", "pin")
	b.netifd.Configure("network", "interface", "off", "proto", "sstp", "server", "c", "disabled", "1", "auto", "0")
	b.netifd.Configure("network", "interface", "wan", "proto", "dhcp")
	reply := b.rpcd("tunnels", nil)
	text, _ := json.Marshal(reply["tunnels"])
	want := `[{"auto":true,"disabled":false,"interface":"vpn","server":["a","b:444"],"verify":"pin"},` +
		`{"auto":false,"disabled":true,"interface":"off","server":["c"],"verify":"full"}]`
	if string(text) != want || reply["version"] == nil {
		t.Errorf("%s\nwant %s", text, want)
	}
}

func TestThePluginTellsOfAKillSwitchWithoutADaemon(t *testing.T) {
	b := newBench(t)
	b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", "a")
	b.netifd.Configure("network", "interface", "free", "proto", "sstp", "server", "a")
	b.netifd.Configure("network", "interface", "wan", "proto", "dhcp")
	b.netifd.Configure("firewall", "zone", "cfg1", "name", "lan", "network", "lan")
	b.netifd.Configure("firewall", "zone", "cfg2", "name", "wan", "network", "wan")
	b.netifd.Configure("firewall", "killswitch", "sstp_vpn_killswitch", "tunnel", "vpn", "zone", "lan", "names", "0", "router", "0")
	tunnels := b.rpcd("tunnels", nil)["tunnels"].([]any)
	if free := tunnels[1].(map[string]any); free["killswitch"] != nil {
		t.Errorf("%v", free)
	}
	st, _ := tunnels[0].(map[string]any)["killswitch"].(map[string]any)
	if st["on"] != true || st["complete"] != false || fmt.Sprint(st["zones"]) != "[lan]" {
		t.Fatalf("%v", st)
	}
	first := st["problems"].([]any)[0].(map[string]any)
	if first["key"] != "missing" || first["text"] == "" || fmt.Sprint(first["args"]) != "[sstp_vpn_input_1]" {
		t.Errorf("%v", first)
	}
}

func TestAFingerprintIsStoredByTheRightsOfTheSession(t *testing.T) {
	one, two := "sha256:"+strings.Repeat("11", 32), "sha256:"+strings.Repeat("22", 32)
	b := newBench(t)
	b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", "a", "cert_pin", one)
	b.netifd.Configure("network", "interface", "lan", "proto", "static")
	for name, c := range map[string]struct {
		request map[string]any
		fails   string
	}{
		"nobody":               {map[string]any{"interface": "vpn", "fingerprint": two, "ubus_rpc_session": "00"}, "You may not read"},
		"a reader":             {map[string]any{"interface": "vpn", "fingerprint": two, "ubus_rpc_session": "reader"}, "You may not change"},
		"no fingerprint":       {map[string]any{"interface": "vpn", "fingerprint": "sha256:12", "ubus_rpc_session": "full"}, "The fingerprint must be"},
		"an empty one":         {map[string]any{"interface": "vpn"}, "The fingerprint must be"},
		"no interface":         {map[string]any{"interface": "nope", "fingerprint": two}, "There is no interface nope"},
		"an interface of ours": {map[string]any{"interface": "lan", "fingerprint": two}, "of protocol 'static'"},
	} {
		if got := errorOf(b.rpcd("trust", c.request)); !strings.HasPrefix(got, "INVALID_OPTIONS: ") || !strings.Contains(got, c.fails) {
			t.Errorf("%s: %q, want %q", name, got, c.fails)
		}
	}
	if pins := b.netifd.Configured("network", "vpn", "cert_pin"); !slices.Equal(pins, []string{one}) || b.netifd.Committed > 0 {
		t.Fatalf("stored %v", pins)
	}
	for _, c := range []struct {
		replace bool
		want    []string
	}{{false, []string{one, two}}, {false, []string{one, two}}, {true, []string{two}}} {
		request := map[string]any{"interface": "vpn", "fingerprint": two, "replace": c.replace, "ubus_rpc_session": "full"}
		if got := errorOf(b.rpcd("trust", request)); got != "" {
			t.Fatal(got)
		}
		if pins := b.netifd.Configured("network", "vpn", "cert_pin"); !slices.Equal(pins, c.want) {
			t.Errorf("stored %v, want %v", pins, c.want)
		}
	}
	if b.netifd.Committed != 3 || b.netifd.Reloads != 3 {
		t.Errorf("committed %d times, reloaded %d times", b.netifd.Committed, b.netifd.Reloads)
	}
}

func TestATrustedFingerprintCountsWhereNothingWasVerified(t *testing.T) {
	pin := "sha256:" + strings.Repeat("11", 32)
	b := newBench(t)
	for before, after := range map[string]string{"none": "pin", "pin": "pin", "full": "full"} {
		b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", "a", "verify", before)
		if got := errorOf(b.rpcd("trust", map[string]any{"interface": "vpn", "fingerprint": pin})); got != "" {
			t.Fatal(got)
		}
		if got := b.netifd.Configured("network", "vpn", "verify"); !slices.Equal(got, []string{after}) {
			t.Errorf("verify was %s and is %v, want %s", before, got, after)
		}
	}
}

// serve runs a server on a port of this machine.
func serve(t *testing.T) (port string, pin string) {
	t.Helper()
	server, err := lab.New(lab.Config{Users: map[string]string{"user": password}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no sockets here")
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		server.Serve(ctx, listener)
	}()
	t.Cleanup(func() {
		cancel()
		listener.Close()
		server.Close()
		<-done
	})
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port, fmt.Sprintf("sha256:%x", sha256.Sum256(server.CertificateInUse().Leaf.Raw))
}

// loopback is the interface by which a server of this machine is reached.
func loopback() *netifdtest.Iface {
	i := netifdtest.Uplink("loopback", "lo", "127.0.0.1/8", "127.0.0.1", 0)
	i.Routes = nil
	return i
}

func TestTheProbeOfAFormGoesBeforeWhatIsStored(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("binding to a device needs root")
	}
	port, pin := serve(t)
	b := newBench(t)
	b.netifd.Set(loopback())
	b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", "127.0.0.1", "port", port, "username", "user",
		"password", password, "cert_pin", pin, "sstp_options", "--foo")
	reply := b.rpcd("probe", map[string]any{"interface": "vpn", "ubus_rpc_session": "full"})
	servers, _ := reply["servers"].([]any)
	if len(servers) != 1 || len(reply["warnings"].([]any)) != 1 {
		t.Fatalf("%v", reply)
	}
	s := servers[0].(map[string]any)
	stages, chain := s["stages"].([]any), s["chain"].([]any)
	if s["ok"] != true || s["server"] != "127.0.0.1:"+port || len(stages) != 7 || len(chain) == 0 {
		t.Fatalf("%v", s)
	}
	leaf := chain[0].(map[string]any)
	if "sha256:"+leaf["sha256"].(string) != pin || leaf["not_after"].(float64) < float64(time.Now().Unix()) || len(leaf["names"].([]any)) == 0 {
		t.Errorf("certificate %v", leaf)
	}

	stageOf := func(options map[string]any) string {
		t.Helper()
		reply := b.rpcd("probe", map[string]any{"interface": "vpn", "options": options})
		if e := errorOf(reply); e != "" {
			return e
		}
		stages := reply["servers"].([]any)[0].(map[string]any)["stages"].([]any)
		last := stages[len(stages)-1].(map[string]any)
		if last["code"] == nil {
			return fmt.Sprint(last["stage"])
		}
		if last["message"] == "" || last["hint"] == "" {
			t.Errorf("%v", last)
		}
		return fmt.Sprint(last["stage"], " ", last["code"])
	}
	for _, c := range []struct {
		why     string
		options map[string]any
		want    string
	}{
		{"a wrong pin", map[string]any{"verify": "pin", "cert_pin": []string{"sha256:" + strings.Repeat("00", 32)}}, "tls CERT_PIN_MISMATCH"},
		{"a wrong password", map[string]any{"password": "x"}, "auth AUTH_FAILED"},
		{"the same user and no password: the stored one", map[string]any{"username": "user"}, "auth"},
		{"another user, who must not get the stored password", map[string]any{"username": "admin"}, "auth AUTH_FAILED"},
		{"no user: the server is tried up to the login", map[string]any{"username": "", "password": ""}, "sstp"},
		{"a bad option", map[string]any{"mtu": "huge"}, "INVALID_OPTIONS: Option mtu is 'huge', but must be a number from 576 to 1500."},
		{"a number that is none", map[string]any{"mtu": 1400}, "INVALID_OPTIONS: Option mtu must be a text or a list of texts."},
		{"nobody listens", map[string]any{"port": "1"}, "connect CONNECT_FAILED"},
	} {
		if got := stageOf(c.options); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
}

// running publishes a tunnel that is up at the lab server of that port, and waits until it can be asked.
func (b *bench) running(name, port string, changes func(*session.Status)) {
	b.Helper()
	status := session.Status{Interface: name, State: "up", Server: "127.0.0.1:" + port, ServerAddress: "127.0.0.1:" + port,
		Auth: "mschapv2", UpSince: time.Now().Add(-time.Hour)}
	if changes != nil {
		changes(&status)
	}
	control.Publish(b.netifd.Client(b.T), name, fixedTunnel{status: status})
	for range 500 {
		if _, out, _ := command(b.T, "status", name); strings.HasPrefix(out, name+": "+string(status.State)) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("%s is not on the bus", name)
}

// stagesOf returns the stages of a probe's only server in one line, and the interface that kept it from logging in.
func (b *bench) stagesOf(request map[string]any) (stages, heldBy string) {
	b.Helper()
	reply := b.rpcd("probe", request)
	if e := errorOf(reply); e != "" {
		b.Fatal(e)
	}
	server := reply["servers"].([]any)[0].(map[string]any)
	for _, s := range server["stages"].([]any) {
		stages += fmt.Sprint(s.(map[string]any)["stage"], " ")
	}
	if held, ok := server["login_not_tried"].(map[string]any); ok {
		heldBy = fmt.Sprint(held["interface"], " ", held["state"], " ", held["auth"], " ", held["uptime_s"])
	}
	return strings.TrimSpace(stages), heldBy
}

const (
	withLogin    = "resolve connect tls http sstp ppp auth"
	withoutLogin = "resolve connect tls http sstp"
)

func TestAProbeDoesNotLogInWhereThatMayCutARunningTunnel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("binding to a device needs root")
	}
	port, pin := serve(t)
	b := newBench(t)
	b.netifd.Set(loopback())
	b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", "127.0.0.1", "port", port, "username", "user",
		"password", password, "cert_pin", pin)
	b.netifd.Configure("network", "interface", "other", "proto", "sstp", "server", "127.0.0.1", "port", port, "username", "somebody")
	b.netifd.Configure("network", "interface", "lost", "proto", "sstp", "server", "127.0.0.1", "port", port, "username", "user")
	b.running("other", port, nil)
	b.running("lost", port, func(s *session.Status) { s.State = "holding" })
	if stages, held := b.stagesOf(map[string]any{"interface": "vpn"}); stages != withLogin || held != "" {
		t.Errorf("no tunnel of that user is up: %s; %s", stages, held)
	}
	b.running("vpn", port, nil)
	form := map[string]any{"server": "127.0.0.1", "port": port, "username": "LAB\\User", "password": password, "cert_pin": pin}
	for _, c := range []struct {
		why     string
		request map[string]any
		stages  string
		heldBy  string
	}{
		{"its own tunnel is up", map[string]any{"interface": "vpn"}, withoutLogin, "vpn up mschapv2 3600"},
		{"the caller wants it all the same", map[string]any{"interface": "vpn", "anyway": true}, withLogin, ""},
		{"a form with the same user, written in another way", map[string]any{"options": form}, withoutLogin, "vpn up mschapv2 3600"},
		{"the server by another name", map[string]any{"interface": "vpn", "options": map[string]any{"server": "localhost"}}, withoutLogin, "vpn up mschapv2 3600"},
		{"no login wanted", map[string]any{"interface": "vpn", "options": map[string]any{"username": "", "password": ""}}, withoutLogin, ""},
	} {
		if stages, held := b.stagesOf(c.request); stages != c.stages || held != c.heldBy {
			t.Errorf("%s: %s; %q, want %s; %q", c.why, stages, held, c.stages, c.heldBy)
		}
	}
	second, _ := serve(t)
	if stages, held := b.stagesOf(map[string]any{"interface": "vpn", "options": map[string]any{"port": second, "verify": "pin"}}); held != "" {
		t.Errorf("another server: %s; %s", stages, held)
	}
}

func TestTheProbeOfTheCommandLineDoesNotCutARunningTunnelUnasked(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("binding to a device needs root")
	}
	port, pin := serve(t)
	b := newBench(t)
	b.netifd.Set(loopback())
	b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", "127.0.0.1", "port", port, "username", "user",
		"password", password, "cert_pin", pin)
	b.running("vpn", port, nil)
	code, out, errs := command(t, "probe", "vpn")
	if code != exitOK || strings.Contains(out, "logged in") || !strings.Contains(out, "The login was not tried: tunnel vpn is up") ||
		!strings.Contains(out, "sstp probe vpn --anyway") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs = command(t, "probe", "vpn", "--anyway"); code != exitOK || !strings.Contains(out, "logged in by mschapv2") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestAProbeWithoutRightsOrWithoutSense(t *testing.T) {
	b := newBench(t)
	b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "server", "192.0.2.1")
	for name, c := range map[string]struct {
		request map[string]any
		want    string
	}{
		"no right to read the options": {map[string]any{"interface": "vpn", "ubus_rpc_session": "00"}, "You may not read"},
		"no interface":                 {map[string]any{"interface": "nope"}, "There is no interface nope"},
		"no server":                    {nil, "Option server is not set"},
	} {
		if got := errorOf(b.rpcd("probe", c.request)); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	var out lockedBuffer
	for _, in := range []string{"[]", "{", strings.Repeat(" ", maxRPCD) + "{}"} {
		if rpcd([]string{"call", "probe"}, strings.NewReader(in), &out, &out); !strings.Contains(out.String(), "not a JSON object") {
			t.Errorf("%.10q: %s", in, out.String())
		}
		out = lockedBuffer{}
	}
	reply := b.rpcd("probe", map[string]any{"interface": "vpn"})
	text, _ := json.Marshal(reply)
	if !strings.Contains(string(text), "NO_UPLINK") {
		t.Errorf("without any uplink: %s", text)
	}
}

// command runs a command of the binary and returns what it prints.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	files := [2]*os.File{}
	for i, name := range []string{"out", "err"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	code = run(args, os.Stdin, files[0], files[1])
	texts := [2]string{}
	for i, f := range files {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return code, texts[0], texts[1]
}

// fixedTunnel is a tunnel on the bus with a status that does not change.
type fixedTunnel struct {
	status  session.Status
	reasons chan string
}

func (f fixedTunnel) Status() session.Status   { return f.status }
func (f fixedTunnel) History() []session.Entry { return nil }
func (f fixedTunnel) Reconnect(reason string)  { f.reasons <- reason }
func (f fixedTunnel) SetLogLevel(int)          {}

func TestTheStatusOfATunnelOnTheCommandLine(t *testing.T) {
	b := newBench(t)
	f := fixedTunnel{reasons: make(chan string, 1), status: session.Status{
		Interface: "vpn", State: "up", Since: time.Now().Add(-time.Hour), Server: "vpn.test:443", ServerAddress: "198.51.100.7:443", Uplink: "wan",
		Device: "sstp-vpn", MTU: 1400, UpSince: time.Now().Add(-3661 * time.Second), Reconnects: 2, Counters: tunnelstatus.Counters{RxBytes: 1500000, RxPackets: 1000},
		TLS:       &tunnelstatus.TLS{Version: "TLS 1.3", Cipher: "X", Path: "kernel", PathReason: "faster", VerifiedBy: "full", Subject: "CN=a\x1b[2J", NotAfter: time.Unix(1893456000, 0)},
		RTT:       session.RTT{Last: 12340 * time.Microsecond, Min: 10 * time.Millisecond, Avg: 11 * time.Millisecond, Max: 15 * time.Millisecond},
		LastError: &fault.Error{Code: "PEER_SILENT", Message: "It fell silent.", Hint: "Wait."}, LastErrorTime: time.Now().Add(-2 * time.Hour),
		Warnings: []config.Warning{{Option: "verify", Phrase: phrase.Foreign("Beware.")}}, Version: "1",
	}}
	owner := b.netifd.Client(t)
	control.Publish(owner, "vpn", f)
	for range 200 {
		if code, _, _ := command(t, "status", "vpn"); code == exitOK {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	code, out, _ := command(t, "status", "vpn")
	want := `vpn: up for 1 h 1 min
  server      vpn.test:443, 198.51.100.7:443, by wan
  TLS         TLS 1.3, X, by kernel (faster)
  certificate CN=a\x1b[2J, verified by CA and name, valid until 2030-01-01
  device      sstp-vpn, MTU 1400
  round trip  12.3 ms (10.0 to 15.0, 11.0 on average)
  received    1.5 MB, 1000 packets, 0 dropped
  sent        0 B, 0 packets, 0 dropped
  reconnects  2
  last error  PEER_SILENT, 2 h ago: It fell silent.
  warning     option verify: Beware.
`
	if code != exitOK || out != want {
		t.Errorf("exit code %d\n%s\nwant\n%s", code, out, want)
	}
	looked := f
	looked.status.Reach = session.Reach{
		Checked:  time.Now(),
		Internet: session.Finding{Key: "reach_other", Args: []string{"wan", "why"}, Text: "by wan, although the tunnel is up: why"},
		Names:    session.Finding{Key: "names_tunnel", Text: "by the tunnel's name servers", OK: true},
	}
	control.Publish(owner, "vpn3", looked)
	for range 200 {
		if code, out, _ = command(t, "status", "vpn3"); code == exitOK {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if want := "vpn3: up, but Internet goes by wan for 1 h 1 min\n" +
		"  Internet:   WARNING: by wan, although the tunnel is up: why\n  Names:      by the tunnel's name servers\n  server "; !strings.HasPrefix(out, want) {
		t.Errorf("exit code %d\n%s\nwant it to begin with\n%s", code, out, want)
	}
	control.Withdraw(owner, "vpn3")

	code, out, _ = command(t, "status", "vpn", "--json")
	var status map[string]any
	if err := json.Unmarshal([]byte(out), &status); err != nil || code != exitOK || status["state"] != "up" || status["uplink"] != "wan" {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
	if code, _, errs := command(t, "reconnect", "vpn"); code != exitOK || <-f.reasons == "" {
		t.Errorf("reconnect: exit code %d, %s", code, errs)
	}

	b.netifd.Configure("network", "interface", "vpn2", "proto", "sstp", "disabled", "1")
	code, out, _ = command(t, "status")
	if code != exitFailed || !strings.Contains(out, "vpn: up") || !strings.Contains(out, "vpn2: disabled") {
		t.Errorf("of all: exit code %d\n%s", code, out)
	}
	code, out, _ = command(t, "status", "--json")
	var all struct{ Tunnels []map[string]any }
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != exitFailed || len(all.Tunnels) != 2 || all.Tunnels[1]["state"] != "disabled" {
		t.Errorf("of all: exit code %d, %v: %s", code, err, out)
	}
}

// hangingTunnel does not answer before the end of the test.
type hangingTunnel struct {
	fixedTunnel
	end <-chan struct{}
}

func (h hangingTunnel) Status() session.Status {
	<-h.end
	return h.status
}

func TestATunnelThatHangsDoesNotHideTheOthers(t *testing.T) {
	b := newBench(t)
	owner, end := b.netifd.Client(t), make(chan struct{})
	t.Cleanup(func() { close(end) })
	control.Publish(owner, "hung", hangingTunnel{end: end})
	control.Publish(owner, "vpn", fixedTunnel{status: session.Status{Interface: "vpn", State: "up"}})
	for {
		if code, _, _ := command(t, "status", "vpn"); code == exitOK {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	q := dialTunnels(t.Context())
	defer q.Close()
	q.Limit = 200 * time.Millisecond
	answers, err := q.About(t.Context(), "")
	if err != nil || len(answers) != 2 {
		t.Fatalf("%v, %v", answers, err)
	}
	if line := (answer{answers[0]}).headline() + "; " + (answer{answers[1]}).headline(); line != "hung: unknown; vpn: up, " {
		t.Errorf("%s", line)
	}
}

func TestATunnelThatDoesNotRunIsExplained(t *testing.T) {
	b := newBench(t)
	i := b.netifd.Iface("vpn")
	i.Pending, i.NoAutostart = false, true
	i.Errors = []blobmsg.Fields{{blobmsg.F("subsystem", blobmsg.String("sstp")), blobmsg.F("code", blobmsg.String("AUTH_FAILED")),
		blobmsg.F("data", blobmsg.Array(blobmsg.String("The server refused the password."), blobmsg.String("Check it.")))}}
	b.netifd.Set(i)
	want := `vpn: stopped
              The interface vpn was stopped and does not start by itself.
  last error  AUTH_FAILED: The server refused the password.
  hint        Check it.
  try         ifup vpn
`
	if code, out, _ := command(t, "status", "vpn"); code != exitFailed || out != want {
		t.Errorf("exit code %d\n%s\nwant\n%s", code, out, want)
	}
	if code, _, errs := command(t, "reconnect", "vpn"); code != exitFailed || errs != want {
		t.Errorf("reconnect: exit code %d\n%s", code, errs)
	}
	code, out, _ := command(t, "status", "vpn", "--json")
	var status struct {
		State, Explanation, Hint string
		Error                    struct{ Code, Message string } `json:"last_error"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil || code != exitFailed || status.State != "stopped" || status.Error.Code != "AUTH_FAILED" {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

func TestCommandsThatAreCalledWronglySaySo(t *testing.T) {
	t.Setenv(socketEnv, filepath.Join(t.TempDir(), "nobody"))
	t.Setenv(folderEnv, t.TempDir())
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"status"}, exitFailed, "the message bus cannot be reached"},
		{[]string{"reconnect", "vpn"}, exitFailed, "sstp up vpn"},
		{[]string{"watch"}, exitFailed, "the message bus cannot be reached"},
		{[]string{"status", "a", "b"}, exitUsage, "sstp status [NAME]"},
		{[]string{"status", "--yaml"}, exitUsage, "there is no option --yaml"},
		{[]string{"status", "-o", "a=b"}, exitUsage, "sstp status [NAME]"},
		{[]string{"reconnect"}, exitUsage, "sstp reconnect NAME"},
		{[]string{"watch", "a", "b"}, exitUsage, "sstp watch [NAME]"},
		{[]string{"daemon"}, exitUsage, "ifup NAME"},
		{[]string{"daemon", "../vpn"}, exitUsage, "ifup NAME"},
		{[]string{"probe", "vpn.test", "-o", "dance=1"}, exitUsage, "no option \"dance\""},
		{[]string{"probe", "vpn.test", "-o", "password=x"}, exitUsage, "--password-file"},
		{[]string{"dance"}, exitUsage, "no command"},
		{nil, exitUsage, "Usage"},
	} {
		if code, _, errs := command(t, c.args...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, %q; want %d, %q", c.args, code, errs, c.code, c.says)
		}
	}
}

func TestANameThatCannotBeEndsNetifdsAttempts(t *testing.T) {
	t.Setenv(parentEnv, "1")
	if code, _, errs := command(t, "daemon", "a/b"); code != exitGaveUp || !strings.Contains(errs, "name of one interface") {
		t.Errorf("exit code %d, %q; want %d, for which the handler blocks the restart", code, errs, exitGaveUp)
	}
}

func TestDurationsAreWrittenForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 0: "0 s", 400 * time.Millisecond: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 61 * time.Second: "1 min 1 s",
		time.Hour: "1 h", 3661 * time.Second: "1 h 1 min", 25 * time.Hour: "1 d 1 h", 48 * time.Hour: "2 d", 24*time.Hour + time.Minute: "1 d",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
