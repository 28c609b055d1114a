package session

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/lab"
	"sstp/src/transport"
)

var errRefused = syscall.ECONNREFUSED

func TestATunnelComesUpThroughAllStatesAndSaysGoodbye(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("a good server and a good password")
		want := []State{Starting, Resolving, Connecting, TLS, SSTP, Auth, Network, Up}
		if got := slices.Compact(slices.Clone(w.states)); !slices.Equal(got, want) {
			t.Errorf("states %v, want %v", got, want)
		}
		l := w.network.link()
		if l.Device != "sstp-vpn" || l.MTU != 1400 || !l.Local.Is4() || !l.Peer.Is4() || len(l.DNS) == 0 {
			t.Errorf("the network was told %+v, want a complete link", l)
		}
		if !l.Local6.IsLinkLocalUnicast() {
			t.Errorf("no link-local IPv6 address in %+v", l)
		}
		if ups, _ := w.network.counts(); ups != 1 {
			t.Errorf("the network was told %d times, want once with both families", ups)
		}
		st := w.session.Status()
		if st.Auth != "mschapv2" || st.CryptoBinding.Text != "SHA-256 with the login's keys" || st.UpSince.IsZero() || st.Device != "sstp-vpn" {
			t.Errorf("status %+v", st)
		}
		w.wait(2 * time.Second)
		if rtt := w.session.Status().RTT; rtt.Samples() == 0 {
			t.Error("no round trip was measured")
		}
	})
}

func TestEachMethodLogsIn(t *testing.T) {
	for _, m := range []auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2, auth.CHAP, auth.PAP} {
		t.Run(string(m), func(t *testing.T) {
			play(t, lab.Config{Methods: []auth.Method{m}}, config.Values{"auth": {string(m)}}, func(w *world) {
				w.wantUp("the server and the client agree on " + string(m))
				if got := w.session.Status().Auth; got != string(m) {
					t.Errorf("logged in by %q, want %s", got, m)
				}
			})
		})
	}
}

func TestEAPTLSLogsInWithACertificateAndBindsTheCallToItsKeys(t *testing.T) {
	ca, err := lab.NewAuthority("users")
	if err != nil {
		t.Fatal(err)
	}
	server, client := issue(t, lab.CertificateOptions{Authority: ca}), issue(t, lab.CertificateOptions{Authority: ca, CommonName: "user", Client: true})
	users := x509.NewCertPool()
	users.AddCert(ca.Certificate)
	key, err := client.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	cfg := lab.Config{
		Certificate: server, Methods: []auth.Method{auth.EAPTLS},
		EAPTLS: &tls.Config{Certificates: []tls.Certificate{server.TLS}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: users},
	}
	for _, version := range []string{"1.2", "1.3"} {
		options := config.Values{
			"cert": {file(t, "client.pem", client.CertificatePEM())}, "key": {file(t, "client.key", key)},
			"ca_cert": {file(t, "ca.pem", server.RootPEM())}, "verify": nil, "cert_pin": nil, "tls_min": {version},
		}
		t.Run("TLS "+version, func(t *testing.T) {
			play(t, cfg, options, func(w *world) {
				w.wantUp("the certificate is known to the server")
				if st := w.session.Status(); st.Auth != "eap-tls" || st.CryptoBinding.Text != "SHA-256 with the login's keys" {
					t.Errorf("logged in by %s, binding %q", st.Auth, st.CryptoBinding)
				}
			})
		})
	}
}

func issue(t *testing.T, o lab.CertificateOptions) *lab.Certificate {
	t.Helper()
	c, err := lab.NewCertificate(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestALostCallIsRedialedWhileTheDeviceAndItsAddressesStay(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		w.wait(time.Minute)
		w.server.Cut("")
		w.wantUp("the server is there: the call comes back at once")
		if ups, downs := w.network.counts(); ups != 1 || downs != 0 {
			t.Errorf("the network heard %d times up and %d times down, want one and none: the address is the same", ups, downs)
		}
		if len(w.devices) != 1 {
			t.Errorf("%d devices were made, want one: TCP connections through the tunnel live on", len(w.devices))
		}
		if st := w.session.Status(); st.Reconnects != 1 || st.LastError == nil {
			t.Errorf("%d reconnections and error %v, want one and its reason", st.Reconnects, st.LastError)
		}
		if !slices.Contains(w.states, Holding) {
			t.Errorf("states %v never said that the device is held", w.states)
		}
	})
}

func TestAnotherAddressAfterARedialGoesToTheNetwork(t *testing.T) {
	play(t, lab.Config{FreshAddress: true}, nil, func(w *world) {
		w.wantUp("first call")
		before := w.network.link().Local
		w.wait(time.Minute)
		w.server.Cut("")
		w.wait(5 * time.Second)
		w.wantUp("second call")
		if after := w.network.link().Local; after == before {
			t.Errorf("the network still has %v", before)
		}
		if ups, downs := w.network.counts(); ups != 2 || downs != 0 {
			t.Errorf("told %d times up, %d times down, want the new picture and no down between", ups, downs)
		}
	})
}

func TestHoldEndsWhenTheServerStaysAway(t *testing.T) {
	play(t, lab.Config{}, config.Values{"hold": {"30"}}, func(w *world) {
		w.wantUp("first call")
		w.wait(time.Minute)
		w.setDown(testServer, true)
		w.server.Cut("")
		w.wait(29 * time.Second)
		if w.network.link() == nil {
			t.Error("the link was given up before hold was over")
		}
		w.wait(2 * time.Second)
		if w.network.link() != nil || !w.device().isClosed() {
			t.Error("after hold the network must know that the link is down, and the device is closed")
		}
		w.wantState("the tunnel goes on trying", Waiting, time.Second)
		w.setDown(testServer, false)
		w.wantUp("the server is back")
		if len(w.devices) != 2 {
			t.Errorf("%d devices, want a second one", len(w.devices))
		}
	})
}

func TestWithoutHoldTheLinkGoesWithTheCall(t *testing.T) {
	play(t, lab.Config{}, config.Values{"hold": {"0"}}, func(w *world) {
		w.wantUp("first call")
		w.wait(time.Minute)
		w.server.Cut("")
		w.wait(5 * time.Second)
		w.wantUp("second call")
		if ups, downs := w.network.counts(); ups != 2 || downs != 1 {
			t.Errorf("told %d times up and %d times down, want 2 and 1", ups, downs)
		}
	})
}

func TestAWrongPasswordIsTriedSeldomSoThatTheAccountIsNotLocked(t *testing.T) {
	play(t, lab.Config{Methods: []auth.Method{auth.MSCHAPv2}}, config.Values{"password": {"wrong"}}, func(w *world) {
		w.wantError("the server says 691", fault.AuthFailed, 30*time.Second)
		w.wait(10 * time.Minute)
		if n := len(w.dialed); n < 3 || n > 5 {
			t.Errorf("%d calls in ten minutes, want after 1, 2, 4 minutes", n)
		}
	})
}

func TestAuthfailGivesUpAfterARefusedPassword(t *testing.T) {
	play(t, lab.Config{}, config.Values{"password": {"wrong"}, "authfail": {"1"}}, func(w *world) {
		err := <-w.finished
		w.finished <- err
		if f := fault.Of(err, "", ""); f == nil || f.Code != fault.AuthFailed || len(w.dialed) != 1 {
			t.Errorf("Run returned %v after %d calls, want AUTH_FAILED after one", err, len(w.dialed))
		}
	})
}

func TestMaxfailGivesUpAfterSoManyCalls(t *testing.T) {
	down := func(w *world) { w.setDown(testServer, true) }
	playAfter(t, lab.Config{}, config.Values{"maxfail": {"3"}}, down, func(w *world) {
		err := <-w.finished
		w.finished <- err
		if f := fault.Of(err, "", ""); f == nil || f.Code != fault.ConnectFailed || len(w.dialed) != 3 {
			t.Errorf("Run returned %v after %d calls, want CONNECT_FAILED after three", err, len(w.dialed))
		}
	})
}

func TestSeveralServersAreTriedInOrderAndTheOneThatWorkedFirst(t *testing.T) {
	down := func(w *world) { w.setDown("first.test", true) }
	playAfter(t, lab.Config{}, config.Values{"server": {"first.test", "second.test"}}, down, func(w *world) {
		w.wantUp("the first is down, the second is not")
		if want := []string{"first.test", "second.test"}; !slices.Equal(w.dialed, want) {
			t.Errorf("dialed %v, want %v", w.dialed, want)
		}
		w.wait(time.Minute)
		w.setDown("first.test", false)
		w.server.Cut("")
		w.wait(5 * time.Second)
		w.wantUp("the call comes back")
		if got := w.dialed[len(w.dialed)-1]; len(w.dialed) != 3 || got != "second.test" {
			t.Errorf("dialed %v, want the server that worked first", w.dialed)
		}
	})
}

func TestPAPAndCHAPAreNeverUsedOverAnUnverifiedConnection(t *testing.T) {
	all := []config.AuthMethod{config.PAP, config.EAPTLS, config.MSCHAPv2, config.EAPMSCHAPv2, config.CHAP}
	for _, c := range []struct {
		why                string
		verified, insecure bool
		want               []auth.Method
	}{
		{"a verified server", true, false, []auth.Method{auth.PAP, auth.EAPTLS, auth.MSCHAPv2, auth.EAPMSCHAPv2, auth.CHAP}},
		{"anybody", false, false, []auth.Method{auth.EAPTLS}},
		{"anybody, with option insecure_login", false, true, []auth.Method{auth.EAPTLS, auth.MSCHAPv2, auth.EAPMSCHAPv2}},
	} {
		if got := allowedMethods(all, c.verified, c.insecure); !slices.Equal(got, c.want) {
			t.Errorf("with %s %v are allowed, want %v", c.why, got, c.want)
		}
	}
}

func TestMSCHAPv2IsNotUsedWithAServerThatIsNotVerified(t *testing.T) {
	for _, m := range []auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2} {
		t.Run(string(m), func(t *testing.T) {
			unverified := config.Values{"verify": {"none"}, "cert_pin": nil, "auth": {string(m)}}
			play(t, lab.Config{Methods: []auth.Method{m}}, unverified, func(w *world) {
				err := w.wantError("somebody in between could take the server's place", fault.AuthMethodRefused, 10*time.Second)
				for _, way := range []string{pinOf(w.server), "uci set network.vpn.verify=pin", "insecure_login"} {
					if !strings.Contains(err.Hint, way) {
						t.Errorf("the hint does not name %q: %s", way, err.Hint)
					}
				}
			})
			unverified["insecure_login"] = []string{"1"}
			play(t, lab.Config{Methods: []auth.Method{m}}, unverified, func(w *world) {
				w.wantUp("the user takes the risk")
				if got := w.session.Status().CryptoBinding; got.Text != "SHA-256 with the login's keys, not to be relied on: the server is not verified" {
					t.Errorf("the status says of the binding: %q", got)
				}
				if !strings.Contains(w.logText(), "insecure_login") {
					t.Error("the log does not warn")
				}
			})
		})
	}
}

func TestAServerThatWantsTheMethodThatIsWithheldIsExplained(t *testing.T) {
	ca, err := lab.NewAuthority("users")
	if err != nil {
		t.Fatal(err)
	}
	client := issue(t, lab.CertificateOptions{Authority: ca, CommonName: "user", Client: true})
	key, err := client.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	options := config.Values{
		"verify": {"none"}, "cert_pin": nil, "cert": {file(t, "client.pem", client.CertificatePEM())}, "key": {file(t, "client.key", key)},
	}
	play(t, lab.Config{Methods: []auth.Method{auth.MSCHAPv2}}, options, func(w *world) {
		err := w.wantError("eap-tls alone is left, and the server has MS-CHAPv2", fault.AuthMethodRefused, 10*time.Second)
		if !strings.Contains(err.Hint, "insecure_login") {
			t.Errorf("the hint does not say why the method is withheld: %s", err.Hint)
		}
	})
}

func TestASilentServerIsNoticed(t *testing.T) {
	play(t, lab.Config{}, config.Values{"keepalive": {"3 10"}}, func(w *world) {
		w.wantUp("first call")
		w.wait(time.Minute)
		begin := time.Now()
		w.server.Mute("")
		w.wantError("three unanswered rounds of ten seconds", fault.PeerSilent, time.Minute)
		if took := time.Since(begin); took < 29*time.Second || took > 51*time.Second {
			t.Errorf("noticed after %v, want after 30 to 50 s", took)
		}
		w.wait(5 * time.Second)
		w.wantUp("and dialed again at once")
	})
}

func TestConformance6AServerThatAnswersOnlyOneKindOfEchoStaysUp(t *testing.T) {
	for name, m := range map[string]lab.Misbehaviour{
		"only LCP echoes (SoftEther)": {NoSSTPEcho: true},
		"only SSTP echoes":            {NoLCPEcho: true},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, lab.Config{Misbehave: m}, nil, func(w *world) {
				w.wantUp("first call")
				w.wait(10 * time.Minute)
				if st := w.session.Status(); st.State != Up || st.Reconnects != 0 {
					t.Errorf("state %s after %d reconnections, want up all the time", st.State, st.Reconnects)
				}
			})
		})
	}
}

func TestReconnectDialsAtOnceWithoutTellingTheNetwork(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		w.session.Reconnect("test")
		w.wait(3 * time.Second)
		w.wantUp("second call")
		if ups, downs := w.network.counts(); len(w.dialed) != 2 || ups != 1 || downs != 0 {
			t.Errorf("%d dials, %d ups, %d downs; want 2, 1, 0", len(w.dialed), ups, downs)
		}
	})
}

func TestReconnectEndsAWait(t *testing.T) {
	play(t, lab.Config{}, config.Values{"password": {"wrong"}}, func(w *world) {
		w.wantState("the password is wrong", Waiting, 30*time.Second)
		calls := len(w.dialed)
		w.session.Reconnect("test")
		w.wait(time.Second)
		if len(w.dialed) != calls+1 {
			t.Errorf("%d dials after the reconnect, want one more than %d", len(w.dialed), calls)
		}
	})
}

func TestANetworkThatRefusesTheLinkEndsTheCall(t *testing.T) {
	refuse := func(w *world) {
		w.network.refuse = fault.New(fault.NetifdRefused, fault.StageNetwork, "netifd answered 9.")
	}
	playAfter(t, lab.Config{}, nil, refuse, func(w *world) {
		w.wantError("refused", fault.NetifdRefused, 30*time.Second)
		w.network.mu.Lock()
		w.network.refuse = nil
		w.network.mu.Unlock()
		w.wantUp("and tried again later")
	})
}

func TestADeviceThatIsDeletedIsMadeAnew(t *testing.T) {
	play(t, lab.Config{}, nil, func(w *world) {
		w.wantUp("first call")
		w.wait(2 * time.Minute)
		w.device().Close()
		w.wait(10 * time.Second)
		w.wantUp("with a new device")
		if len(w.devices) != 2 {
			t.Errorf("%d devices, want 2", len(w.devices))
		}
	})
}

func TestAServerThatAsksForNoLogInIsRefusedWhereOneIsConfigured(t *testing.T) {
	play(t, lab.Config{Methods: []auth.Method{}}, nil, func(w *world) {
		w.wantError("without a login the server proves nothing", fault.AuthFailed, 30*time.Second)
	})
	play(t, lab.Config{Methods: []auth.Method{}}, config.Values{"username": nil, "password": nil, "verify": {"none"}, "cert_pin": nil}, func(w *world) {
		w.wantUp("no user is configured, and the server need not be anybody")
	})
	play(t, lab.Config{Methods: []auth.Method{}}, config.Values{"username": nil, "password": nil}, func(w *world) {
		w.wantUp("no user is configured")
		if got := w.session.Status().CryptoBinding; got.Text != "SHA-256 without keys" {
			t.Errorf("binding %q", got)
		}
	})
}

func TestTwoClientsThatTakeEachOthersPlaceSlowDown(t *testing.T) {
	play(t, lab.Config{Misbehave: lab.Misbehaviour{DisconnectAfter: 5 * time.Second}}, nil, func(w *world) {
		w.wait(10 * time.Minute)
		if n := len(w.dialed); n > 8 {
			t.Errorf("%d calls in ten minutes against a server that ends each after 5 s; want longer pauses", n)
		}
	})
}

func TestStoppingInEachStateTakesLessThanThreeSeconds(t *testing.T) {
	silent := map[State]lab.Misbehaviour{
		TLS: {TLSStall: true}, SSTP: {SSTPSilent: true}, Auth: {AuthSilent: true}, Network: {IPCPSilent: true},
		Waiting: {TCPClose: true}, Up: {},
	}
	for state, m := range silent {
		t.Run(string(state), func(t *testing.T) {
			play(t, lab.Config{Misbehave: m}, nil, func(w *world) { w.wantState("the server stops here", state, 30*time.Second) })
		})
	}
}

func TestWhoEncryptsIsLoggedWithTheReason(t *testing.T) {
	for ktls, want := range map[string]string{
		"0": "encrypted by Go: option ktls is 0",
		"1": "encrypted by Go: the connection is no socket", // insisting is no reason to have no tunnel
	} {
		play(t, lab.Config{}, config.Values{"ktls": {ktls}}, func(w *world) {
			w.wantUp("ktls " + ktls)
			if log := w.logText(); !strings.Contains(log, want) {
				t.Errorf("ktls %s: no %q in\n%s", ktls, want, log)
			}
			if info := w.session.Status().TLS; info == nil || info.Path != transport.PathGo || info.PathReason == "" {
				t.Errorf("the status has %+v", info)
			}
		})
	}
}

// TestIPv6NeedsAnMTUOf1280: Linux refuses IPv6 addresses on a device with less, and the tunnel must come up all the same.
func TestIPv6NeedsAnMTUOf1280(t *testing.T) {
	for _, c := range []struct {
		why           string
		ours, servers int
		ipv6          bool
	}{
		{"it is just enough", 1280, 1400, true},
		{"ours is less", 1279, 1400, false},
		{"the server takes less", 1400, 1000, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			play(t, lab.Config{MRU: c.servers}, config.Values{"mtu": {strconv.Itoa(c.ours)}}, func(w *world) {
				w.wantUp(c.why)
				if l := w.network.link(); l.Local6.IsValid() != c.ipv6 || l.MTU != min(c.ours, c.servers) {
					t.Errorf("the network was told of %v, MTU %d", l.Local6, l.MTU)
				}
			})
		})
	}
}
