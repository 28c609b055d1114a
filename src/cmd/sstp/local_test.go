package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"sstp/src/config"
	"sstp/src/control"
	"sstp/src/session"
)

func TestATunnelWithoutUbusAnswersOnItsSocket(t *testing.T) {
	folder, out := t.TempDir(), &bytes.Buffer{}
	log := &lineLog{w: out, level: config.LogInfo}
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
	log := &lineLog{w: out, level: config.LogInfo}
	first, second := offerLocally(folder, "vpn", log), offerLocally(folder, "vpn", log)
	defer first.close()
	if second != nil || !strings.Contains(out.String(), "another process") {
		t.Errorf("the second one got %v and said %q", second, out.String())
	}
	second.show(nil, log) // none of these does anything
	second.state(session.Status{})
	second.close()
}
