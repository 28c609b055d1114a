package session

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/lab"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

var update = flag.Bool("update", false, "write the traces in testdata/traces instead of comparing with them")

// TestTheWireCarriesTheSamePacketsAsBefore compares every SSTP packet of some calls, in both directions, with recorded
// traces. All randomness is seeded and the certificates are fixed, so that keys, nonces and proofs are compared too. Only
// the content of EAP-TLS is left out.
//
// Each side's packets follow from what it received and from the time. So a trace has the packets of each side in their
// order, one side after the other: the order between the sides at one moment is not determined.
func TestTheWireCarriesTheSamePacketsAsBefore(t *testing.T) {
	method := func(m auth.Method) tracedCall {
		return tracedCall{server: lab.Config{Methods: []auth.Method{m}}, options: config.Values{"auth": {string(m)}, "ipv6": {"0"}}}
	}
	misbehaving := func(m lab.Misbehaviour, script func(w *world)) tracedCall {
		return tracedCall{server: lab.Config{Misbehave: m}, script: script}
	}
	upAnd := func(then func(w *world)) func(w *world) {
		return func(w *world) {
			w.wantUp("before")
			w.wait(2500 * time.Millisecond)
			then(w)
			w.wait(3200 * time.Millisecond)
		}
	}
	failing := func(w *world) { w.wait(8 * time.Second) }
	calls := map[string]tracedCall{
		"mschapv2":     method(auth.MSCHAPv2),
		"eap-mschapv2": method(auth.EAPMSCHAPv2),
		"chap":         method(auth.CHAP),
		"pap":          method(auth.PAP),
		"eap-tls":      eapTLSCall(t),
		"ipv6":         {options: config.Values{"ipv6": {"1"}}},
		"wrong-password": {
			options: config.Values{"password": {"wrong"}}, script: failing,
		},
		"eap-wrong-password": {
			server:  lab.Config{Methods: []auth.Method{auth.EAPMSCHAPv2}},
			options: config.Values{"password": {"wrong"}, "auth": {"eap-mschapv2"}}, script: failing,
		},
		"server-terminates":           {script: upAnd(func(w *world) { w.server.Disconnect("") })},
		"server-terminates-the-login": misbehaving(lab.Misbehaviour{FailCode: 691, FailByTerminate: true}, failing),
		"server-falls-silent":         {script: upAnd(func(w *world) { w.server.Mute(""); w.wait(38 * time.Second) })},
		"our-goodbye-and-reconnect":   {script: upAnd(func(w *world) { w.session.Reconnect("reconnected by hand") })},
		"cut-and-reconnect":           {script: upAnd(func(w *world) { w.server.Cut("") })},
		"uplink-lost":                 {script: upAnd(func(w *world) { w.session.UplinkLost("uplink wan went down") })},
		"lcp-negotiated-again":        misbehaving(lab.Misbehaviour{LCPRestartAfter: 3 * time.Second, First: 1}, upAnd(func(*world) {})),
		"ipcp-negotiated-again":       misbehaving(lab.Misbehaviour{IPCPWander: 1700 * time.Millisecond}, upAnd(func(*world) {})),
		"challenged-again":            misbehaving(lab.Misbehaviour{Rechallenge: 1700 * time.Millisecond}, upAnd(func(*world) {})),
		"binding-refused":             misbehaving(lab.Misbehaviour{AbortAfterConnected: true}, failing),
		"call-refused":                misbehaving(lab.Misbehaviour{Nak: true}, failing),
		"server-asks-for-everything": misbehaving(lab.Misbehaviour{
			LCPExtras: true, LCPReject: true, ExtraProtocols: true, UnknownMessages: 3, AckTwice: true, EarlyEcho: true,
			LCPEmptyRequest: true, BrokenControl: true, EarlyIP: true,
		}, nil),
		"probe": {script: func(w *world) {
			w.wantUp("the session beside the probe")
			cfg := w.session.cfg
			r := Probe(context.Background(), ProbeConfig{
				Tunnel: cfg.Tunnel, Server: cfg.Tunnel.Servers[0], Dial: cfg.Dial, InnerTLS: cfg.InnerTLS, Random: cfg.Random,
			})
			if r.Failed() != nil {
				t.Error(r.Failed())
			}
		}},
	}
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			got := c.record(t)
			path := traceFile(t, name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: %s", path, firstDifference(string(want), got))
			}
		})
	}
}

// tracedCall is one run of a session of which the packets are recorded.
type tracedCall struct {
	server  lab.Config
	options config.Values
	script  func(w *world) // nil: up, some seconds, goodbye
}

func eapTLSCall(t *testing.T) tracedCall {
	server, client, ca := fixedCertificate(t, "server"), traceFile(t, "client.pem"), traceFile(t, "ca.pem")
	pemCA, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	users := x509.NewCertPool()
	users.AppendCertsFromPEM(pemCA)
	return tracedCall{
		server: lab.Config{Methods: []auth.Method{auth.EAPTLS}, EAPTLS: &tls.Config{
			Certificates: []tls.Certificate{server.TLS}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: users,
		}},
		options: config.Values{"cert": {client}, "key": {client}, "ca_cert": {ca}, "verify": nil, "cert_pin": nil, "ipv6": {"0"}},
	}
}

// record returns the packets of the run as text.
func (c tracedCall) record(t *testing.T) string {
	bindingDiffers := c.server.EAPTLS != nil
	var mu sync.Mutex
	type direction struct {
		conn int
		sent bool
	}
	lines := map[direction][]string{}
	begun := map[int]time.Time{}
	cfg := c.server
	cfg.Certificate = fixedCertificate(t, "server")
	cfg.Rand = seeded("server")
	cfg.OnPacket = func(conn int, sent bool, pkt []byte) {
		mu.Lock()
		defer mu.Unlock()
		if begun[conn].IsZero() {
			begun[conn] = time.Now()
		}
		d := direction{conn, sent}
		lines[d] = append(lines[d], fmt.Sprintf("%5.1fs  %s", time.Since(begun[conn]).Seconds(), describe(pkt, bindingDiffers)))
	}
	script := c.script
	if script == nil {
		script = func(w *world) {
			w.wantUp("a good call")
			w.wait(2500 * time.Millisecond)
		}
	}
	playAfter(t, cfg, c.options, func(w *world) {
		cfg := w.session.cfg
		cfg.Random = seeded("client")
		w.session = New(cfg)
	}, script)

	var b strings.Builder
	for conn := 1; !begun[conn].IsZero(); conn++ {
		for _, sent := range []bool{false, true} {
			who := map[bool]string{false: "client", true: "server"}[sent]
			fmt.Fprintf(&b, "call %d, from the %s:\n%s\n\n", conn, who, strings.Join(lines[direction{conn, sent}], "\n"))
		}
	}
	return b.String()
}

// describe returns the names and the bytes of a packet. withoutMAC leaves out the compound MAC of a CALL_CONNECTED, which
// follows from the keys of the login.
func describe(pkt []byte, withoutMAC bool) string {
	name, shown := "empty", pkt
	if sstp.IsControl(pkt) {
		m, _ := sstp.ParseControl(pkt)
		name = m.Type.String()
		if m.Type == sstp.CallConnected && withoutMAC {
			shown = pkt[:len(pkt)-32]
		}
	} else if proto, info, err := ppp.CutHeader(sstp.Payload(pkt)); err == nil {
		name = proto.String()
		if len(info) > 0 {
			name += " " + codeName(proto, info[0])
		}
		const eapTLS, codeToType = 13, 5
		if proto == ppp.ProtoEAP && len(info) > codeToType && info[codeToType-1] == eapTLS {
			name += fmt.Sprintf(" EAP-TLS flags %02x, content left out", info[codeToType])
			shown = info[:2] // what follows has keys and signatures, which differ from run to run
		}
	}
	return fmt.Sprintf("%-30s %s", name, hex.EncodeToString(shown))
}

func codeName(p ppp.Protocol, code byte) string {
	names := []string{
		"", "Configure-Request", "Configure-Ack", "Configure-Nak", "Configure-Reject", "Terminate-Request", "Terminate-Ack",
		"Code-Reject", "Protocol-Reject", "Echo-Request", "Echo-Reply", "Discard-Request",
	}
	switch p {
	case ppp.ProtoPAP:
		names = []string{"", "Authenticate-Request", "Authenticate-Ack", "Authenticate-Nak"}
	case ppp.ProtoCHAP:
		names = []string{"", "Challenge", "Response", "Success", "Failure"}
	case ppp.ProtoEAP:
		names = []string{"", "Request", "Response", "Success", "Failure"}
	}
	if int(code) < len(names) {
		return names[code]
	}
	return fmt.Sprintf("code %d", code)
}

func firstDifference(want, got string) string {
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wants), len(gots)) {
		w, g := "the end", "the end"
		if i < len(wants) {
			w = wants[i]
		}
		if i < len(gots) {
			g = gots[i]
		}
		if w != g {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w, g)
		}
	}
	return "no difference"
}

// seeded returns the same bytes in each run. It may be read by several goroutines.
func seeded(name string) io.Reader {
	var seed [32]byte
	copy(seed[:], name)
	return &lockedReader{r: rand.NewChaCha8(seed)}
}

type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

// traceFile returns the absolute path of a file with the traces.
func traceFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "traces", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fixedCertificate reads a certificate with its key from testdata/traces; ca.pem has signed it.
func fixedCertificate(t *testing.T, name string) *lab.Certificate {
	t.Helper()
	path := traceFile(t, name+".pem")
	c, err := lab.LoadCertificate(path, path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTheCertificatesOfTheTracesAreAsTheyWereMade makes them where they are missing and -update is given.
func TestTheCertificatesOfTheTracesAreAsTheyWereMade(t *testing.T) {
	if *update && !exists(traceFile(t, "ca.pem")) {
		ca, err := lab.NewAuthority("traces")
		if err != nil {
			t.Fatal(err)
		}
		write := func(name string, content ...[]byte) {
			if err := os.WriteFile(traceFile(t, name), bytes.Join(content, nil), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate.Raw}))
		for _, o := range []lab.CertificateOptions{{CommonName: "server"}, {CommonName: "client", Client: true}} {
			o.Authority = ca
			c := issue(t, o)
			key, err := c.KeyPEM()
			if err != nil {
				t.Fatal(err)
			}
			write(o.CommonName+".pem", c.CertificatePEM(), key)
		}
	}
	for _, name := range []string{"server", "client"} {
		if c := fixedCertificate(t, name); !slices.Contains(c.Leaf.DNSNames, "vpn.test") {
			t.Errorf("%s.pem is for %v", name, c.Leaf.DNSNames)
		}
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
