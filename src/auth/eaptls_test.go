package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"runtime"
	"testing"
	"time"

	"sstp/src/fault"
)

func tlsTalk(t *testing.T, client, server *tls.Config) *talk {
	t.Helper()
	return newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{EAPTLS}, TLS: client},
		AuthenticatorConfig{Rand: rand.Reader, Methods: []Method{EAPTLS}, TLS: server}, lcpOf(EAPTLS))
}

// The server's certificate of EAP-TLS is checked like any other; the alert goes out before the failure.
func TestEAPTLSServerCertificateIsVerified(t *testing.T) {
	otherCA := x509.NewCertPool()
	own := fault.New(fault.CertPinMismatch, fault.StageAuth, "The caller's own words.")
	for _, c := range []struct {
		name   string
		change func(c *tls.Config)
		code   fault.Code
		words  string
	}{
		{"unknown CA", func(c *tls.Config) { c.RootCAs = otherCA }, fault.CertUntrusted, "cannot be trusted"},
		{"another name", func(c *tls.Config) { c.ServerName = "other.example.org" }, fault.CertNameMismatch, "radius.example.org"},
		{"expired", func(c *tls.Config) { c.Time = func() time.Time { return theStart.Add(48 * time.Hour) } }, fault.CertExpired, "not valid at this time"},
		{"refused by the caller", func(c *tls.Config) { c.VerifyConnection = func(tls.ConnectionState) error { return own } }, fault.CertPinMismatch, "The caller's own words."},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(c.name+" "+tls.VersionName(version), func(t *testing.T) {
				client := clientTLS(version)
				c.change(client)
				k := tlsTalk(t, client, serverTLS()).start()
				k.wantFailure(c.code, c.words)
				last := k.peer.sent[len(k.peer.sent)-1]
				if len(last) <= headerLen+2 {
					t.Errorf("the last packet % x holds no alert", last)
				}
				k.server.wantFailure(fault.TLSFailed, "EAP-TLS with the client failed")
			})
		}
	}
}

// The clock is the caller's: nothing here reads the time.
func TestEAPTLSUsesTheTimeItIsGiven(t *testing.T) {
	k := tlsTalk(t, clientTLS(0), serverTLS())
	k.now = theStart.Add(48 * time.Hour)
	k.start().wantFailure(fault.CertExpired)
}

func TestEAPTLSServerRefusesOurCertificate(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := serverTLS()
		server.ClientCAs = x509.NewCertPool()
		k := tlsTalk(t, clientTLS(version), server).start()
		f := k.wantFailure(fault.AuthFailed, "The server ended the EAP-TLS handshake: tls: ")
		if f.Hint != string(hintOurCertificate) {
			t.Errorf("hint %q", f.Hint)
		}
	}
}

// SoftEther 5.02 begins anew after an alert of its own; that is a new handshake, though not without end.
func TestEAPTLSStartsAnewAfterAnAlert(t *testing.T) {
	k := tlsTalk(t, clientTLS(0), serverTLS())
	k.peer.take(k.peer.Start(k.now))
	start := func(id byte) [][]byte {
		return k.peer.take(k.peer.Receive(k.now, []byte{1, id, 0, 6, typeTLS, flagStart}))
	}
	hello := start(1)
	alert := []byte{1, 2, 0, 13, typeTLS, 0, 21, 3, 3, 0, 2, 2, 40} // fatal, handshake_failure
	if sent := k.peer.take(k.peer.Receive(k.now, alert)); len(sent) != 1 || !bytes.Equal(sent[0], []byte{2, 2, 0, 6, typeTLS, 0}) {
		t.Fatalf("an alert is answered by an empty packet, not by % x", sent)
	}
	again := start(3)
	if len(again) != 1 || bytes.Equal(hello[0][6:], again[0][6:]) {
		t.Fatal("a new start needs a new ClientHello")
	}
	for id := byte(4); len(k.peer.failures) == 0; id++ {
		if id > 20 {
			t.Fatal("the server may begin again without end")
		}
		start(id)
	}
	k.wantFailure(fault.TLSFailed, "again and again")
}

func TestEAPTLSAlertThenEAPFailureTellsTheAlert(t *testing.T) {
	k := tlsTalk(t, clientTLS(0), serverTLS())
	k.peer.take(k.peer.Receive(k.now, []byte{1, 1, 0, 6, typeTLS, flagStart}))
	k.peer.take(k.peer.Receive(k.now, []byte{1, 2, 0, 13, typeTLS, 0, 21, 3, 3, 0, 2, 2, 48}))
	k.peer.take(k.peer.Receive(k.now, []byte{4, 2, 0, 4}))
	k.wantFailure(fault.AuthFailed, "unknown certificate authority")
}

// A handshake under way that is given up, or that fails, leaves no coroutine behind.
func TestCoroutinesEnd(t *testing.T) {
	testPKI()
	before := runtime.NumGoroutine()
	var open []side
	for range 20 {
		k := tlsTalk(t, clientTLS(0), serverTLS())
		k.peer.take(k.peer.Receive(k.now, []byte{1, 1, 0, 6, typeTLS, flagStart}))
		k.server.take(k.server.Start(k.now))
		k.server.take(k.server.Receive(k.now, []byte{2, k.server.sent[0][1], 0, 5, 1}))
		open = append(open, k.peer.side, k.server.side)
	}
	if n := runtime.NumGoroutine(); n < before+20 {
		t.Errorf("%d goroutines with 20 handshakes under way, %d before: this test does not see them", n, before)
	}
	for _, s := range open {
		s.Close()
		s.Close()
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines after Close, %d before", n, before)
	}

	for name, server := range map[string]AuthenticatorConfig{
		"success":                   {},
		"EAP-Success in the middle": {EarlySuccess: true},
		"silence":                   {Drop: func(n int, _ []byte) bool { return n > 2 }},
	} {
		server.Methods, server.TLS, server.Rand = []Method{EAPTLS}, serverTLS(), rand.Reader
		k := newTalk(t, PeerConfig{Rand: rand.Reader, Methods: []Method{EAPTLS}, TLS: clientTLS(0)}, server, lcpOf(EAPTLS)).start().wait(time.Hour)
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%s: %d goroutines, %d before; peer %v", name, n, before, k.peer.failures)
		}
	}
}

type fakeExporter struct {
	err     error
	label   string
	context []byte
	length  int
}

func (f *fakeExporter) ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error) {
	f.label, f.context, f.length = label, context, length
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(i)
	}
	return b, f.err
}

func TestKeysComeFromTheExporter(t *testing.T) {
	for _, c := range []struct {
		version uint16
		label   string
		context []byte
	}{
		{tls.VersionTLS12, "client EAP encryption", nil},
		{tls.VersionTLS13, "EXPORTER_EAP_TLS_Key_Material", []byte{0x0d}},
	} {
		f := &fakeExporter{}
		var hlak [32]byte
		if err := exportHLAK(f, c.version, &hlak); err != nil {
			t.Fatal(err)
		}
		if f.label != c.label || !bytes.Equal(f.context, c.context) || (f.context == nil) != (c.context == nil) || f.length != 128 {
			t.Errorf("%s: exported %q, context %v, %d bytes", tls.VersionName(c.version), f.label, f.context, f.length)
		}
		if hlak[0] != 0 || hlak[31] != 31 {
			t.Errorf("the HLAK is the first 32 bytes, got %x", hlak)
		}
	}
}

// crypto/tls refuses to export keys of TLS 1.2 without extended master secret.
func TestMissingExtendedMasterSecretIsExplained(t *testing.T) {
	var hlak [32]byte
	err := exportHLAK(&fakeExporter{err: errors.New("unavailable")}, tls.VersionTLS12, &hlak)
	f := tlsFault(err)
	if f.Code != fault.TLSFailed || !bytes.Contains([]byte(f.Message), []byte("extended master secret (RFC 7627)")) {
		t.Errorf("%s: %s", f.Code, f.Message)
	}
	if hlak != [32]byte{} {
		t.Error("keys in spite of the error")
	}
}

func TestHostileFragments(t *testing.T) {
	long := make([]byte, 4000)
	packet := func(flags byte, parts ...[]byte) []byte {
		return append([]byte{flags}, bytes.Join(parts, nil)...)
	}
	for _, c := range []struct {
		name    string
		packets [][]byte
		want    error
	}{
		{"announces more than 64 KiB", [][]byte{packet(flagLength|flagMore, []byte{0, 1, 0, 1}, long)}, errFlightTooLong},
		{"announces 4 GiB", [][]byte{packet(flagLength|flagMore, []byte{255, 255, 255, 255}, long)}, errFlightTooLong},
		{"sends more than 64 KiB unannounced", slicesOf(17, packet(flagMore, long)), errFlightTooLong},
		{"sends more than announced", [][]byte{packet(flagLength|flagMore, []byte{0, 0, 0x10, 0}, long), packet(flagMore, long)}, errFlightLength},
		{"sends less than announced", [][]byte{packet(flagLength|flagMore, []byte{0, 0, 0x10, 0}, long), packet(0, []byte{1})}, errFlightLength},
		{"announces nothing, sends something", [][]byte{packet(flagLength, []byte{0, 0, 0, 0}, long)}, errFlightLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := flow{fragmentLen: 1024}
			var err error
			for _, p := range c.packets {
				flags, total, body, ok := cutTLS(p)
				if !ok {
					t.Fatal("not cut")
				}
				if _, _, err = f.take(flags, total, body); err != nil {
					break
				}
			}
			if err != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func slicesOf(n int, packet []byte) (all [][]byte) {
	for range n {
		all = append(all, packet)
	}
	return all
}

func TestHostileFragmentsEndTheCall(t *testing.T) {
	k := tlsTalk(t, clientTLS(0), serverTLS())
	k.peer.take(k.peer.Receive(k.now, []byte{1, 1, 0, 6, typeTLS, flagStart}))
	k.peer.take(k.peer.Receive(k.now, []byte{1, 2, 0, 10, typeTLS, flagLength | flagMore, 255, 255, 255, 255}))
	k.wantFailure(fault.TLSFailed, "more than 64 KiB in one turn")
}

func TestFragmentsBothWays(t *testing.T) {
	turnBytes := bytes.Repeat([]byte("0123456789"), 300)
	a, b := flow{fragmentLen: 1024}, flow{fragmentLen: 1}
	packet := a.give(turnBytes)
	want := []byte{flagLength | flagMore, 0, 0, 0x0b, 0xb8}
	if !bytes.Equal(packet[:5], want) || len(packet) != 5+1024 {
		t.Fatalf("the first of three fragments begins % x with %d bytes", packet[:5], len(packet)-5)
	}
	for n := 1; ; n++ {
		what, message, err := take(&b, packet)
		if err != nil {
			t.Fatal(err)
		}
		if what == turnComplete {
			if n != 3 || !bytes.Equal(message, turnBytes) {
				t.Errorf("%d bytes in %d packets, want the turn in 3", len(message), n)
			}
			break
		}
		if what, _, err := take(&a, []byte{0}); what != turnAck || err != nil {
			t.Fatalf("the acknowledgement means %v, %v", what, err)
		}
		packet = a.next()
		if packet[0]&flagLength != 0 {
			t.Error("the length stands on the first fragment alone")
		}
	}
	if packet := a.give([]byte("short")); !bytes.Equal(packet, []byte("\x00short")) {
		t.Errorf("a turn in one packet is % x", packet)
	}
}

func take(f *flow, packet []byte) (turn, []byte, error) {
	flags, total, body, _ := cutTLS(packet)
	return f.take(flags, total, body)
}

func TestLengthOnEachFragmentIsAccepted(t *testing.T) {
	f := flow{fragmentLen: 1024}
	for _, p := range []string{"\xc0\x00\x00\x00\x06ab", "\xc0\x00\x00\x00\x06cd"} {
		if what, _, err := take(&f, []byte(p)); what != turnPart || err != nil {
			t.Fatalf("%v, %v", what, err)
		}
	}
	if _, message, err := take(&f, []byte("\x80\x00\x00\x00\x06ef")); string(message) != "abcdef" || err != nil {
		t.Errorf("%q, %v", message, err)
	}
}
