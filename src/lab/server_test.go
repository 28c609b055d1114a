package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/auth"
	"sstp/src/fault"
	"sstp/src/sstp"
)

func TestEachMethodLogsInAndBinds(t *testing.T) {
	inner := mustCertificate(t, CertificateOptions{Names: []string{"radius.test"}})
	mine := mustCertificate(t, CertificateOptions{CommonName: "user", Client: true, Authority: inner.Authority})
	eapTLS := &tls.Config{Certificates: []tls.Certificate{inner.TLS}, ClientCAs: inner.Roots(), ClientAuth: tls.RequireAndVerifyClientCert}
	own := &tls.Config{Certificates: []tls.Certificate{mine.TLS}, RootCAs: inner.Roots(), ServerName: "radius.test"}
	for _, m := range []auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2, auth.EAPTLS, auth.CHAP, auth.PAP} {
		for _, mask := range []sstp.HashProtocol{sstp.HashSHA1, sstp.HashSHA256} {
			t.Run(string(m)+" "+mask.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, Config{Methods: []auth.Method{m}, EAPTLS: eapTLS, HashMask: mask})
					c := mustOpen(t, s, clientOptions{tls: own})
					c.up()
					if c.method != m {
						t.Errorf("logged in by %s", c.method)
					}
					c.ping()
					c.ping6()
					synctest.Wait() // the counters move after the packets
					list := s.Clients()
					if len(list) != 1 || !list[0].Connected || list[0].Method != m || list[0].User != "user" ||
						list[0].IPv4 != c.ipv4.Local || list[0].IPv6 != c.ipv6.Local || list[0].RxPackets != 2 {
						t.Errorf("the server knows %+v", list)
					}
					if err := c.bye(); err != nil {
						t.Errorf("the server says: %v", err)
					}
					if st := s.Stats(); st != (Stats{Accepted: 1, Authenticated: 1, Bound: 1, Ended: 1}) {
						t.Errorf("counted %+v", st)
					}
				})
			})
		}
	}
}

func mustCertificate(t *testing.T, o CertificateOptions) *Certificate {
	t.Helper()
	c, err := NewCertificate(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheOrderOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		c := mustOpen(t, s, clientOptions{})
		c.up()
		if !before(c.got, "CHAP 3", "IPCP") || !before(c.sent, "CHAP 2", "CALL_CONNECTED") || !before(c.sent, "CALL_CONNECTED", "IPCP 1") {
			t.Errorf("sent %v\nreceived %v", c.sent, c.got)
		}
		if want := netip.MustParseAddr("10.99.0.2"); c.ipv4.Local != want {
			t.Errorf("got %v, want %v", c.ipv4.Local, want)
		}
		if c.ipv4.Peer != s.Address4().Addr() || len(c.ipv4.DNS) != 1 || c.ipv4.DNS[0] != s.Address4().Addr() {
			t.Errorf("the server is %v, name servers %v", c.ipv4.Peer, c.ipv4.DNS)
		}
		if c.ipv6.Peer != netip.MustParseAddr("fe80::1") {
			t.Errorf("the server's link-local address is %v", c.ipv6.Peer)
		}
		c.bye()
	})
}

func TestWithoutAuthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{}})
		c := mustOpen(t, s, clientOptions{})
		c.up()
		c.ping()
		c.bye()
	})
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	for _, m := range []auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2, auth.CHAP, auth.PAP} {
		t.Run(string(m), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, Config{Methods: []auth.Method{m}})
				c := mustOpen(t, s, clientOptions{user: "user", password: "wrong"})
				c.untilOver()
				var f *fault.Error
				if !errors.As(<-c.served, &f) || f.Code != fault.AuthFailed {
					t.Errorf("the server says %v", f)
				}
				if st := s.Stats(); st.Refused != 1 || st.Authenticated != 0 {
					t.Errorf("counted %+v", st)
				}
			})
		})
	}
}

func TestAWrongCryptoBindingIsRefused(t *testing.T) {
	for _, at := range []struct {
		what   string
		offset int
	}{{"nonce", 20}, {"certificate hash", 50}, {"MAC", 90}, {"hash protocol", 15}} {
		t.Run(at.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
				c := mustOpen(t, s, clientOptions{})
				c.tamper = func(pkt []byte) []byte {
					if name(pkt) == "CALL_CONNECTED" {
						pkt[at.offset] ^= 4
					}
					return pkt
				}
				c.untilOver()
				var f *fault.Error
				if err := <-c.served; !errors.As(err, &f) || f.Code != fault.CryptoBindingFailed {
					t.Errorf("the server says: %v", err)
				}
				if st := s.Stats(); st.Bound != 0 {
					t.Errorf("counted %+v", st)
				}
			})
		})
	}
}

func TestIPBeforeTheCryptoBindingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		c := mustOpen(t, s, clientOptions{})
		c.tamper = func(pkt []byte) []byte {
			if name(pkt) == "CALL_CONNECTED" {
				return nil
			}
			return pkt
		}
		c.run("getting an address", func() bool { return c.ipv4.Local.IsValid() })
		for range 3 {
			c.sendIP(0x0021, ping4(c.ipv4.Local.String(), c.ipv4.Peer.String(), 1))
		}
		c.untilOver()
		if len(c.ip) != 0 {
			t.Error("an unbound call carries packets")
		}
		if err := <-c.served; err == nil {
			t.Error("the server must give up waiting for CALL_CONNECTED")
		}
	})
}

func TestSeveralClientsAndStickyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}, Users: map[string]string{"a": "1", "b": "2"}})
		a := mustOpen(t, s, clientOptions{user: "a", password: "1"})
		a.up()
		b := mustOpen(t, s, clientOptions{user: "b", password: "2"})
		b.up()
		if a.ipv4.Local == b.ipv4.Local || a.ipv6.Local == b.ipv6.Local {
			t.Error("two clients have one address")
		}
		a.ping()
		b.ping()
		if n := s.Cut("a"); n != 1 {
			t.Errorf("cut %d", n)
		}
		if err := a.untilOver(); err == nil {
			t.Error("a cut connection is no orderly end")
		}
		if err := <-a.served; !errors.Is(err, errCut) {
			t.Errorf("the server says: %v", err)
		}
		b.ping()
		again := mustOpen(t, s, clientOptions{user: "a", password: "1"})
		again.up()
		if again.ipv4.Local != a.ipv4.Local {
			t.Errorf("the returning user has %v, had %v", again.ipv4.Local, a.ipv4.Local)
		}
		again.bye()
		b.bye()
	})
}

func TestASingleSessionReplacesTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}, SingleSession: true})
		a := mustOpen(t, s, clientOptions{})
		a.up()
		b := mustOpen(t, s, clientOptions{})
		b.up()
		if a.ipv4.Local != b.ipv4.Local {
			t.Errorf("the second login has %v, the first had %v", b.ipv4.Local, a.ipv4.Local)
		}
		a.untilOver()
		if err := <-a.served; err == nil {
			t.Error("the first call must end with a reason")
		}
		b.ping()
		b.bye()
	})
}

func TestAnOrderlyDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		c := mustOpen(t, s, clientOptions{})
		c.up()
		if n := s.Disconnect("user"); n != 1 {
			t.Errorf("%d calls", n)
		}
		c.untilOver()
		if err := <-c.served; err != nil {
			t.Errorf("the server says: %v", err)
		}
		if !before(c.got, "LCP 5", "CALL_DISCONNECT") {
			t.Errorf("received %v", c.got)
		}
	})
}

func TestAMutedCallIsNoticedByTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		c := mustOpen(t, s, clientOptions{})
		c.up()
		s.Mute("")
		begin := time.Now()
		err := c.untilOver()
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.PeerSilent || time.Since(begin) > 41*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		<-c.served
	})
}

func TestASilentClientIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		c := mustOpen(t, s, clientOptions{})
		c.up()
		c.tamper = func([]byte) []byte { return nil }
		c.untilOver()
		var f *fault.Error
		if err := <-c.served; !errors.As(err, &f) || f.Code != fault.PeerSilent {
			t.Errorf("the server says: %v", err)
		}
	})
}

func TestIdleCallsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		c := mustOpen(t, s, clientOptions{})
		c.up()
		end := time.Now().Add(90 * time.Second)
		c.run("being idle", func() bool { return time.Now().After(end) })
		if c.over {
			t.Fatalf("an idle call ended: %v", c.err)
		}
		c.ping()
		c.bye()
	})
}

func TestTheClientLearnsItsIPv6Prefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		c := mustOpen(t, s, clientOptions{})
		c.up()
		advert := func() bool {
			return c.has(func(p []byte) bool {
				return p[0]>>4 == 6 && p[40] == 134 && netip.AddrFrom16([16]byte(p[72:88])) == s.Clients()[0].Prefix6.Addr()
			})
		}
		c.run("waiting for the advertisement", advert)
		c.ip = nil
		solicit := ping6(c.ipv6.Local.String(), "ff02::2", 0)
		solicit[40] = 133
		c.sendIP(0x0057, solicit)
		c.run("waiting for the solicited advertisement", advert)
		c.bye()
	})
}

func TestPacketsGoThroughTheDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dev := newMemory()
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}, Device: dev})
		c := mustOpen(t, s, clientOptions{})
		c.up()
		me := c.ipv4.Local.String()
		c.sendIP(0x0021, ping4(me, "10.99.0.1", 1))
		if got := <-dev.written; got[20] != 8 {
			t.Errorf("the device got %x", got)
		}
		for range 20 {
			dev.offer(ping4("10.99.0.1", me, 2))
		}
		c.run("receiving", func() bool { return len(c.ip) >= 20 })
		c.bye()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// pipes is a listener whose connections are pipes.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestTheEndOfTheServerIsOrderly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		ctx, cancel := context.WithCancel(t.Context())
		ln := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		served := make(chan error)
		go func() { served <- s.Serve(ctx, ln) }()
		ours, theirs := net.Pipe()
		ln.conns <- theirs
		c, err := dial(t, s, ours, clientOptions{})
		if err == nil {
			err = c.open()
		}
		if err != nil {
			t.Fatal(err)
		}
		c.up()
		begin := time.Now()
		cancel()
		c.untilOver()
		if err := <-served; err != nil || time.Since(begin) > goodbyeTimeout {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		if !before(c.got, "LCP 5", "CALL_DISCONNECT") {
			t.Errorf("received %v", c.got)
		}
	})
}

func TestTheEndOfTheServerDoesNotWaitForASilentClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Methods: []auth.Method{auth.MSCHAPv2}})
		ctx, cancel := context.WithCancel(t.Context())
		ours, theirs := net.Pipe()
		defer ours.Close()
		served := make(chan error)
		go func() { served <- s.ServeConn(ctx, theirs) }()
		c, err := dial(t, s, ours, clientOptions{})
		if err == nil {
			err = c.open()
		}
		if err != nil {
			t.Fatal(err)
		}
		c.up() // and from now on nobody reads
		begin := time.Now()
		cancel()
		<-served
		if took := time.Since(begin); took > goodbyeTimeout+2*goodbyeWait+5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestACertificateThatIsGiven(t *testing.T) {
	made := mustCertificate(t, CertificateOptions{RSA: true, SelfSigned: true, Names: []string{"vpn.test", "192.0.2.1"}})
	key, err := made.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	if err := errors.Join(os.WriteFile(certFile, made.CertificatePEM(), 0o600), os.WriteFile(keyFile, key, 0o600)); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vpn.test", "192.0.2.1"} {
		if _, err := loaded.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: made.Roots()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	expired := mustCertificate(t, CertificateOptions{Expired: true})
	var invalid x509.CertificateInvalidError
	if _, err := expired.Leaf.Verify(x509.VerifyOptions{DNSName: "vpn.test", Roots: expired.Roots()}); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("the expired certificate: %v", err)
	}
}
