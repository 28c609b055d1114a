package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"sstp/src/fault"
)

const (
	theUser     = `CORP\alice`
	thePassword = "Pässwörd-€-🔑"
)

var (
	theStart = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	allOurs  = []Method{EAPTLS, MSCHAPv2, EAPMSCHAPv2, CHAP, PAP}
)

// side is what Peer and Authenticator have in common.
type side interface {
	Start(now time.Time) []Action
	Receive(now time.Time, packet []byte) []Action
	Advance(now time.Time) []Action
	Deadline() time.Time
	Close()
}

// end is one side of a talk and what became of it.
type end struct {
	side
	t        *testing.T
	sent     [][]byte
	got      [][]byte // not yet handed over
	success  []Action
	failures []*fault.Error
}

// take sorts what the side wants done.
func (e *end) take(do []Action) (sent [][]byte) {
	e.t.Helper()
	for _, a := range do {
		if len(e.failures) > 0 {
			e.t.Errorf("an action after the failure: %+v", a)
		}
		switch a.Kind {
		case Send:
			sent = append(sent, a.Data)
		case Success:
			e.success = append(e.success, a)
		case Failure:
			f := a.Err
			if f == nil {
				e.t.Fatal("a failure without its fault")
			}
			if f.Hint == "" || f.Stage != fault.StageAuth {
				e.t.Errorf("a fault must have a hint and its stage: %+v", f)
			}
			for _, text := range []string{f.Message, f.Hint, errorChain(f.Err)} {
				if strings.Contains(text, thePassword) {
					e.t.Errorf("a fault holds the password: %q", text)
				}
			}
			e.failures = append(e.failures, f)
		}
	}
	for _, s := range sent {
		e.sent = append(e.sent, bytes.Clone(s))
	}
	return sent
}

func errorChain(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// talk is a peer and an authenticator with a wire between them.
type talk struct {
	t      *testing.T
	now    time.Time
	peer   end
	server end
}

func newTalk(t *testing.T, p PeerConfig, a AuthenticatorConfig, lcp LCPAuth) *talk {
	t.Helper()
	if p.Username == "" {
		p.Username, p.Password = theUser, thePassword
	}
	if a.Secret == nil {
		a.Secret = secrets
	}
	k := &talk{t: t, now: theStart}
	k.peer = end{side: NewPeer(p, lcp), t: t}
	k.server = end{side: NewAuthenticator(a, lcp), t: t}
	t.Cleanup(k.peer.Close)
	t.Cleanup(k.server.Close)
	return k
}

func secrets(user string) (string, bool) { return thePassword, user == theUser }

// start has both begin and talk until neither has anything to say.
func (k *talk) start() *talk {
	k.t.Helper()
	k.server.got = append(k.server.got, k.peer.take(k.peer.Start(k.now))...)
	k.peer.got = append(k.peer.got, k.server.take(k.server.Start(k.now))...)
	return k.run()
}

func (k *talk) run() *talk {
	k.t.Helper()
	for n := 0; len(k.peer.got)+len(k.server.got) > 0; n++ {
		if n > 5000 {
			k.t.Fatal("the two talk without end")
		}
		for _, x := range []struct{ from, to *end }{{&k.server, &k.peer}, {&k.peer, &k.server}} {
			if len(x.to.got) == 0 {
				continue
			}
			packet := x.to.got[0]
			x.to.got = x.to.got[1:]
			before := bytes.Clone(packet)
			x.from.got = append(x.from.got, x.to.take(x.to.Receive(k.now, packet))...)
			if !bytes.Equal(before, packet) {
				k.t.Fatal("Receive wrote into the packet")
			}
			for i := range packet {
				packet[i] = 0xee // it is not theirs to keep
			}
		}
	}
	return k
}

// wait lets time pass to the next deadline, for as long as there is one within the limit.
func (k *talk) wait(limit time.Duration) *talk {
	k.t.Helper()
	until := k.now.Add(limit)
	for n := 0; ; n++ {
		if n > 1000 {
			k.t.Fatal("deadlines without end")
		}
		d := k.peer.Deadline()
		if s := k.server.Deadline(); d.IsZero() || !s.IsZero() && s.Before(d) {
			d = s
		}
		if d.IsZero() || d.After(until) {
			k.now = until
			return k
		}
		if d.After(k.now) {
			k.now = d
		}
		k.server.got = append(k.server.got, k.peer.take(k.peer.Advance(k.now))...)
		k.peer.got = append(k.peer.got, k.server.take(k.server.Advance(k.now))...)
		k.run()
	}
}

// wantSuccess checks that both ended well, with the same key, and returns what the peer reported.
func (k *talk) wantSuccess(method Method) Action {
	k.t.Helper()
	for _, e := range []*end{&k.peer, &k.server} {
		for _, f := range e.failures {
			k.t.Fatalf("%s: %s (%v)", f.Code, f.Message, f.Err)
		}
		if len(e.success) != 1 {
			k.t.Fatalf("%T reported %d successes, want 1", e.side, len(e.success))
		}
		if got := e.success[0].Method; got != method {
			k.t.Errorf("%T used %q, want %q", e.side, got, method)
		}
	}
	p, s := k.peer.success[0], k.server.success[0]
	if p.HLAK != s.HLAK {
		k.t.Errorf("keys differ: peer %x, server %x", p.HLAK, s.HLAK)
	}
	return p
}

// wantFailure checks that the peer failed with the code, never succeeded, and that its message has the words.
func (k *talk) wantFailure(code fault.Code, words ...string) *fault.Error {
	k.t.Helper()
	return k.peer.wantFailure(code, words...)
}

func (e *end) wantFailure(code fault.Code, words ...string) *fault.Error {
	e.t.Helper()
	if len(e.success) != 0 {
		e.t.Fatalf("%T reported success: %+v", e.side, e.success)
	}
	if len(e.failures) != 1 {
		e.t.Fatalf("%T reported %d failures, want 1", e.side, len(e.failures))
	}
	f := e.failures[0]
	if f.Code != code {
		e.t.Errorf("failure %s (%s), want %s", f.Code, f.Message, code)
	}
	for _, w := range words {
		if !strings.Contains(f.Message, w) {
			e.t.Errorf("message %q, want %q in it", f.Message, w)
		}
	}
	return f
}

func lcpOf(m Method) (l LCPAuth) {
	l.Protocol, l.Algorithm = m.LCP()
	return l
}

// pki is a CA with a server's and a client's certificate, made once.
type pki struct {
	ca             *x509.Certificate
	key            *ecdsa.PrivateKey
	roots          *x509.CertPool
	server, client tls.Certificate
}

var testPKI = sync.OnceValue(func() *pki {
	p := &pki{roots: x509.NewCertPool()}
	p.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"},
		NotBefore: theStart.Add(-time.Hour), NotAfter: theStart.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, &p.key.PublicKey, p.key)
	if err != nil {
		panic(err)
	}
	p.ca, _ = x509.ParseCertificate(der)
	p.roots.AddCert(p.ca)
	p.server = p.issue("radius.example.org", x509.ExtKeyUsageServerAuth)
	p.client = p.issue("alice", x509.ExtKeyUsageClientAuth)
	return p
})

func (p *pki) issue(name string, usage x509.ExtKeyUsage) tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: theStart.Add(-time.Hour), NotAfter: theStart.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, p.ca, &key.PublicKey, p.key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, p.ca.Raw}, PrivateKey: key}
}

func clientTLS(version uint16) *tls.Config {
	p := testPKI()
	return &tls.Config{RootCAs: p.roots, ServerName: "radius.example.org", Certificates: []tls.Certificate{p.client},
		MaxVersion: version}
}

func serverTLS() *tls.Config {
	p := testPKI()
	return &tls.Config{ClientCAs: p.roots, ClientAuth: tls.RequireAndVerifyClientCert,
		Certificates: []tls.Certificate{p.server}}
}
