package lab

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/auth"
	"sstp/src/fault"
)

// attempt plays a whole call against a server that misbehaves. It returns a word for how far it came: the stage of the
// opening, the code of the client's failure, or "up" after a ping.
func attempt(t *testing.T, misbehave string) (*testClient, string) {
	t.Helper()
	m, err := ParseMisbehaviour(misbehave)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Misbehave: m}
	if m.EarlySuccess {
		cfg.Methods = []auth.Method{auth.EAPMSCHAPv2}
	}
	c, err := connect(t, newServer(t, cfg), clientOptions{})
	if err != nil {
		return c, "tls"
	}
	if err := c.open(); err != nil {
		return c, "http"
	}
	c.run("coming up", func() bool { return c.ipv4.Local.IsValid() })
	var f *fault.Error
	if c.over {
		if !errors.As(c.err, &f) {
			return c, "ended"
		}
		return c, string(f.Code)
	}
	if c.ipv4.Peer.IsValid() {
		c.ping()
	}
	return c, "up"
}

func TestMisbehaviours(t *testing.T) {
	for _, test := range []struct{ misbehave, want string }{
		{"tcp-silent", "tls"},
		{"tcp-close", "tls"},
		{"tls-garbage", "tls"},
		{"tls-plain-http", "tls"},
		{"tls-stall", "tls"},
		{"tls-close", "tls"},
		{"tls-server-name=other.test", "tls"},
		{"tls-server-name=vpn.test", "up"},

		{"http-status=503", "http"},
		{"http-redirect=https://elsewhere.test/", "http"},
		{"http-silent", "http"},
		{"http-endless", "http"},
		{"http-garbage", "http"},
		{"http-close", "http"},
		{"http-continue", "up"},
		{"http-glued", "up"},
		{"http-split", "up"},
		{"http-no-reason", "up"},
		{"http-trickle=1ms", "up"},
		{"http-trickle=1s", "http"},

		{"sstp-silent", "PEER_SILENT"},
		{"nak", "SSTP_REJECTED"},
		{"abort-after-request", "SSTP_REJECTED"},
		{"abort-after-connected", "CRYPTO_BINDING_FAILED"},
		{"ack-no-attribute", "SSTP_REJECTED"},
		{"ack-short", "SSTP_REJECTED"},
		{"ack-wrong-attribute", "SSTP_REJECTED"},
		{"ack-trailing", "up"},
		{"ack-mask=0", "SSTP_REJECTED"},
		{"ack-mask=1", "up"},
		{"ack-mask=2", "up"},
		{"ack-mask=3", "up"},
		{"ack-mask=0x80", "SSTP_REJECTED"},
		{"ack-mask=0x82", "up"},
		{"ack-twice", "up"},
		{"ack-new-nonce", "SSTP_REJECTED"},
		{"unknown-messages=3", "up"},
		{"unknown-messages=17", "SSTP_REJECTED"},
		{"zero-length", "CLOSED_BY_SERVER"},
		{"wrong-version", "CLOSED_BY_SERVER"},
		{"oversized", "up"},
		{"echo-flood=10ms", "up"},
		{"early-echo", "up"},
		{"broken-control", "up"},
		{"no-binding-check", "up"},
		{"no-sstp-echo", "up"},
		{"no-lcp-echo", "up"},

		{"no-lcp", "PPP_NEGOTIATION_FAILED"},
		{"lcp-nak-forever", "PPP_NEGOTIATION_FAILED"},
		{"lcp-empty-request", "up"},
		{"lcp-nak-mru=1452", "up"},
		{"lcp-reject", "up"},
		{"lcp-extras", "up"},
		{"extra-protocols", "up"},
		{"broken-ppp", "up"},
		{"no-ipv6", "up"},
		{"ipv6cp-silent", "up"},
		{"ipcp-silent", "NO_ADDRESS"},
		{"ipcp-delay=10s", "up"},
		{"ipcp-reject-dns", "up"},
		{"ipcp-reject-address", "NO_ADDRESS"},
		{"ipcp-zero-address", "NO_ADDRESS"},
		{"ipcp-no-peer-address", "up"},

		{"offer-only=pap", "up"},
		{"auth-silent", "PEER_SILENT"},
		{"terminate-in-auth", "PPP_NEGOTIATION_FAILED"},
		{"cut-in-auth", "CLOSED_BY_SERVER"},
		{"cut-at-verdict", "CLOSED_BY_SERVER"},
		{"wrong-proof", "AUTH_FAILED"},
		{"no-proof", "AUTH_FAILED"},
		{"early-success", "AUTH_FAILED"},
		{"fail-code=647,fail-message=Disabled", "ACCOUNT_DISABLED"},
		{"fail-code=648", "PASSWORD_EXPIRED"},
		{"fail-code=691,fail-by-terminate", "AUTH_FAILED"},
		{"offer-only=pap,trailing-text", "up"},
		{"rechallenge=1ms", "up"},

		{"split-bytes", "up"},
		{"header-forms", "up"},
		{"garbage-frames=2", "up"},
		{"early-ip", "up"},

		{"cut-after-bytes=400", "CLOSED_BY_SERVER"},
		{"first=1,tcp-close", "tls"},
	} {
		t.Run(test.misbehave, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, got := attempt(t, test.misbehave)
				if got != test.want {
					t.Errorf("came to %q, want %q: %v\nsent %v\nreceived %v", got, test.want, c.err, c.sent, c.got)
				}
				c.conn.NetConn().Close()
				<-c.served
			})
		})
	}
}

func TestALifeThatEnds(t *testing.T) {
	for _, test := range []struct {
		misbehave string
		after     time.Duration
		code      fault.Code
	}{
		{"cut-after=7s", 7 * time.Second, fault.ClosedByServer},
		{"disconnect-after=7s", 8 * time.Second, fault.ClosedByServer},
		{"disconnect-after=7s,bare-goodbye", 8 * time.Second, fault.ClosedByServer},
		{"lcp-restart-after=7s", 8 * time.Second, fault.PPPNegotiationFailed},
		{"silent-after=7s", 47 * time.Second, fault.PeerSilent},
	} {
		t.Run(test.misbehave, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, got := attempt(t, test.misbehave)
				if got != "up" {
					t.Fatalf("came to %q: %v", got, c.err)
				}
				begin := time.Now()
				var f *fault.Error
				if err := c.untilOver(); !errors.As(err, &f) || f.Code != test.code || time.Since(begin) > test.after+time.Second {
					t.Errorf("after %v: %v", time.Since(begin), err)
				}
				<-c.served
			})
		})
	}
}

func TestOnlyTheFirstConnectionsAreSpoiled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Misbehave: Misbehaviour{First: 1, Nak: true}})
		c := mustOpen(t, s, clientOptions{})
		c.untilOver()
		<-c.served
		c = mustOpen(t, s, clientOptions{})
		c.up()
		c.bye()
		s.Misbehave(Misbehaviour{HTTPStatus: 404})
		c, _ = connect(t, s, clientOptions{})
		if err := c.open(); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("got %v", err)
		}
		<-c.served
	})
}

func TestWhatIsSpoiledIsSeen(t *testing.T) {
	for _, test := range []struct{ misbehave, seen string }{
		{"extra-protocols", "LCP 8"},   // Protocol-Reject
		{"lcp-extras", "LCP 4"},        // Configure-Reject
		{"lcp-empty-request", "LCP 2"}, // Configure-Ack
	} {
		t.Run(test.misbehave, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := attempt(t, test.misbehave)
				if !slices.Contains(c.sent, test.seen) {
					t.Errorf("the client sent %v", c.sent)
				}
				c.bye()
			})
		})
	}
}

func TestTheOuterTLS(t *testing.T) {
	authority, err := NewAuthority("clients")
	if err != nil {
		t.Fatal(err)
	}
	mine := mustCertificate(t, CertificateOptions{Client: true, Authority: authority})
	clients := mine.Roots()
	for _, test := range []struct {
		what   string
		server Config
		client *tls.Config
		ok     bool
	}{
		{"TLS 1.2 alone", Config{TLSMax: tls.VersionTLS12}, &tls.Config{}, true},
		{"TLS 1.3 alone meets a client of 1.2", Config{TLSMin: tls.VersionTLS13}, &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		{"TLS 1.0 for old clients", Config{TLSMin: tls.VersionTLS10, TLSMax: tls.VersionTLS10}, &tls.Config{MinVersion: tls.VersionTLS10}, true},
		{"a client certificate is demanded and there", Config{ClientCAs: clients}, &tls.Config{Certificates: []tls.Certificate{mine.TLS}}, true},
		{"a client certificate is demanded and missing", Config{ClientCAs: clients}, &tls.Config{}, false},
		{"a path secret that is missing", Config{PathSecret: "secret"}, &tls.Config{}, false},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, test.server)
				test.client.RootCAs, test.client.ServerName = s.CertificateInUse().Roots(), "vpn.test"
				c, err := connect(t, s, clientOptions{outer: test.client})
				if err == nil {
					err = c.open()
				}
				if (err == nil) != test.ok {
					t.Errorf("got %v", err)
				}
				c.conn.NetConn().Close()
				<-c.served
			})
		})
	}
}

func TestAClientIsAskedAgainDuringTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, got := attempt(t, "rechallenge=1s")
		if got != "up" {
			t.Fatalf("came to %q: %v", got, c.err)
		}
		end := time.Now().Add(5500 * time.Millisecond)
		c.run("being asked", func() bool { return time.Now().After(end) })
		answers := 0
		for _, s := range c.sent {
			if s == "CHAP 2" {
				answers++
			}
		}
		if answers < 6 {
			t.Errorf("%d answers in 5.5 s, want 6 or more", answers)
		}
		c.ping()
		c.bye()
	})
}
