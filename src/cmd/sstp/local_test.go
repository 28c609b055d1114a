package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/logs"
	"sstp/src/session"
)

func TestATunnelWithoutUbusAnswersOnItsSocket(t *testing.T) {
	folder, out := t.TempDir(), &bytes.Buffer{}
	log := logs.NewTerminal(out, config.LogInfo)
	l := offerLocally(folder, "vpn", log)
	if l == nil {
		t.Fatal(out.String())
	}
	path := control.LocalSocket(folder, "vpn")
	s := session.New(session.Config{Tunnel: &config.Tunnel{Name: "vpn"}, Random: rand.Reader})
	l.show(s, log)
	fields, err := control.CallLocal(t.Context(), path, "status", nil)
	if err != nil || fields.Text("interface") != "vpn" || fields.Text("state") != string(session.Starting) {
		t.Errorf("status on the socket is %v, %v", fields, err)
	}
	l.state(session.Status{State: session.Resolving})
	l.close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestASecondTunnelOfTheNameGoesWithoutASocket(t *testing.T) {
	folder, out := t.TempDir(), &bytes.Buffer{}
	log := logs.NewTerminal(out, config.LogInfo)
	first, second := offerLocally(folder, "vpn", log), offerLocally(folder, "vpn", log)
	defer first.close()
	log.Flush(time.Minute)
	if second != nil || !strings.Contains(out.String(), "another process") {
		t.Errorf("the second one got %v and said %q", second, out.String())
	}
	second.show(nil, log) // none of these does anything
	second.state(session.Status{})
	second.close()
}

// upHere offers a tunnel as sstp up does, in a folder that the commands look into.
func upHere(t *testing.T, name string) fixedTunnel {
	t.Helper()
	folder, out := os.Getenv(folderEnv), &bytes.Buffer{}
	if folder == "" {
		folder = t.TempDir()
		t.Setenv(folderEnv, folder)
	}
	l := offerLocally(folder, name, logs.NewTerminal(out, config.LogInfo))
	if l == nil {
		t.Fatal(out.String())
	}
	t.Cleanup(l.close)
	f := fixedTunnel{reasons: make(chan string, 1), status: session.Status{Interface: name, State: "up", Server: "vpn.test:443", Device: "sstp-" + name}}
	control.Publish(l.bus, name, f)
	return f
}

func TestCommandsServeATunnelWithoutUbus(t *testing.T) {
	t.Setenv(socketEnv, filepath.Join(t.TempDir(), "nobody"))
	f := upHere(t, "office")
	for _, args := range [][]string{{"status"}, {"status", "office"}} {
		code, out, errs := command(t, args...)
		if code != exitOK || !strings.HasPrefix(out, "office: up\n  server      vpn.test:443\n  device      sstp-office\n") {
			t.Errorf("%v: exit code %d, %s%s", args, code, out, errs)
		}
	}
	code, out, _ := command(t, "status", "--json")
	var all struct {
		Tunnels []struct{ Interface, State string }
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != exitOK || len(all.Tunnels) != 1 || all.Tunnels[0].State != "up" {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
	if code, _, errs := command(t, "reconnect", "office"); code != exitOK || <-f.reasons == "" {
		t.Errorf("reconnect: exit code %d, %s", code, errs)
	}
	if code, out, _ := command(t, "status", "home"); code != exitFailed || !strings.Contains(out, "home: unknown") || !strings.Contains(out, "sstp up home") {
		t.Errorf("another name: exit code %d, %s", code, out)
	}
}

func TestTunnelsOfNetifdAndOfSstpUpAreListedTogether(t *testing.T) {
	b := newBench(t)
	b.netifd.Configure("network", "interface", "vpn", "proto", "sstp", "disabled", "1")
	f := upHere(t, "office")
	code, out, errs := command(t, "status")
	if code != exitFailed || !strings.Contains(out, "office: up") || !strings.Contains(out, "vpn: ") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := command(t, "reconnect", "office"); code != exitOK || <-f.reasons == "" {
		t.Errorf("reconnect: exit code %d, %s", code, errs)
	}
}

func TestASocketLeftBehindIsNoTunnel(t *testing.T) {
	t.Setenv(socketEnv, filepath.Join(t.TempDir(), "nobody"))
	upHere(t, "office")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: control.LocalSocket(os.Getenv(folderEnv), "killed"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if code, out, errs := command(t, "status"); code != exitOK || strings.Contains(out, "killed") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, out, _ := command(t, "status", "killed"); code != exitFailed || !strings.Contains(out, "killed: unknown") {
		t.Errorf("by name: exit code %d\n%s", code, out)
	}
}
