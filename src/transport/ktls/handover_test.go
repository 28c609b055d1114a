package ktls

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"sstp/src/config"
	"sstp/src/transport/testkit"
)

func TestAHandOverNeedsAWholeHandshake(t *testing.T) {
	state := tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	conn, err := net.Dial("tcp", testkit.Listen(t, func(conn net.Conn) { io.Copy(io.Discard, conn) }).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	finished := func() *HandshakeTap {
		tap := NewHandshakeTap(conn)
		tap.in.observe(append([]byte{recordHandshake, 3, 3, 0, helloLen}, make([]byte, helloLen)...))
		tap.secrets.master.len = 48
		return tap
	}
	for why, spoil := range map[string]func(*HandshakeTap){
		"no hello":                 func(tap *HandshakeTap) { tap.in = recordTracker{} },
		"no secret":                func(tap *HandshakeTap) { tap.Wipe() },
		"inside a server's record": func(tap *HandshakeTap) { tap.in.observe([]byte{23}) },
		"inside a record of ours":  func(tap *HandshakeTap) { tap.out.observe([]byte{23, 3, 3, 0, 1}) },
	} {
		tap := finished()
		spoil(tap)
		if c, reason, err := tap.HandOver(conn, state, &testkit.FakeKernel{}); c != nil || err != nil || reason != "the handshake did not end between two records" {
			t.Errorf("%s: %v, %q, %v", why, c, reason, err)
		}
	}
	if c, reason, err := finished().HandOver(conn, state, &testkit.FakeKernel{}); c == nil || err != nil {
		t.Errorf("a whole handshake: %v, %q, %v", c, reason, err)
	}
	conn.Close()
	if c, reason, err := finished().HandOver(conn, state, &testkit.FakeKernel{}); c != nil || err != nil || reason != "the connection is closed" {
		t.Errorf("closed: %v, %q, %v", c, reason, err)
	}
}

func TestAFallbackIsRememberedByServer(t *testing.T) {
	one, other := config.Server{Host: "a", Port: 443}, config.Server{Host: "a", Port: 444}
	var m Memory
	m.Remember(one, "why")
	if m.Fallback(one) != "why" || m.Fallback(other) != "" {
		t.Errorf("%q and %q", m.Fallback(one), m.Fallback(other))
	}
	var nothing *Memory
	nothing.Remember(one, "why")
	if nothing.Fallback(one) != "" {
		t.Error("a nil memory remembers")
	}
}
