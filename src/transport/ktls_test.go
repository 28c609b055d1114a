package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/transport/netio"
	"sstp/src/transport/testkit"
)

// echoing answers the request and sends back what comes.
func echoing(cfg *tls.Config) func(net.Conn) {
	return func(conn net.Conn) {
		s := tls.Server(conn, cfg)
		defer s.Close()
		if _, err := testkit.ReadHead(s); err == nil {
			io.WriteString(s, testkit.OKHead)
			io.Copy(s, s)
		}
	}
}

// exchange sends blocks of many sizes and wants them back.
func exchange(t *testing.T, conn *Conn) {
	t.Helper()
	for _, size := range []int{1, 2, 15, 16, 17, 1000, 1408, 16383, 16384, 16385, 40000, 200_000} {
		block := bytes.Repeat([]byte{byte(size), 1, 2, 3, 5}, size/5+1)[:size]
		sent := make(chan error, 1)
		go func() {
			_, err := conn.Write(block)
			sent <- err
		}()
		got := make([]byte, size)
		if _, err := io.ReadFull(conn, got); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if err := <-sent; err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if !bytes.Equal(got, block) {
			t.Fatalf("%d bytes came back changed", size)
		}
	}
}

func TestTheSessionGoesToTheKernel(t *testing.T) {
	ecdsa13, legacy := over13(t), rsaServer(t)
	legacy.MaxVersion, legacy.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_256_GCM_SHA384}
	for _, tc := range []struct {
		name   string
		server *tls.Config
	}{
		{"TLS 1.3", ecdsa13},
		{"TLS 1.2, ChaCha20-Poly1305", over12(t, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)},
		{"TLS 1.2, AES-128-GCM", over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)},
		{"TLS 1.2, AES-256-GCM", over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)},
		{"TLS 1.2, RSA key exchange", legacy},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := &fakeKernel{}
			o := insisting(t, echoing(tc.server), k)
			o.TLSLegacy = true
			seen := &script{}
			conn := mustConnect(t, o, seen)
			if info := conn.Info(); info.Path != PathKernel || info.PathReason != "option ktls is 1" || k.shares != 1 {
				t.Errorf("path %s because %s", info.Path, info.PathReason)
			}
			if told := strings.Join(seen.lines, "\n"); !strings.Contains(told, ", not verified, in the kernel\n") {
				t.Errorf("the observer was told\n%s", told)
			}
			exchange(t, conn)
		})
	}
}

// onEachKernel runs a test with the fake kernel and, where that is known to have TLS, with this machine's.
func onEachKernel(t *testing.T, name string, test func(t *testing.T, k kernel)) {
	t.Run(name, func(t *testing.T) { test(t, &fakeKernel{}) })
	if needKernelTLS {
		t.Run(name+", this machine's kernel", func(t *testing.T) { test(t, linux{}) })
	}
}

// TestThisMachinesKernel uses the real thing where there is one, and what to do without where there is none.
func TestThisMachinesKernel(t *testing.T) {
	for _, server := range []*tls.Config{over13(t), over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
		over12(t, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256), over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)} {
		conn := mustConnect(t, insisting(t, echoing(server), nil), nil)
		info := conn.Info()
		t.Logf("%s, %s: %s, %s", info.TLSVersion, info.CipherSuite, info.Path, info.PathReason)
		if info.PathReason == "" {
			t.Error("no reason given")
		}
		if needKernelTLS && info.Path != PathKernel {
			t.Error("this machine's kernel was said to have TLS")
		}
		exchange(t, conn)
	}
}

func TestWhoDoesTheRecords(t *testing.T) {
	for _, arch := range []string{"mips", "mipsle", "mips64", "mips64le", "arm", "riscv64", "loong64"} {
		if !kernelIsFaster(arch) {
			t.Errorf("on %s Go is slow", arch)
		}
	}
	for _, arch := range []string{"amd64", "arm64", "386"} {
		if kernelIsFaster(arch) {
			t.Errorf("on %s Go is fast", arch)
		}
	}
	k := &fakeKernel{}
	o := insisting(t, echoing(over13(t)), k)
	o.KTLS = config.Off
	if info := mustConnect(t, o, nil).Info(); info.Path != PathGo || info.PathReason != "option ktls is 0" || k.attached != 0 {
		t.Errorf("ktls 0: path %s, %s", info.Path, info.PathReason)
	}
	tunnel := &config.Tunnel{KTLS: config.On}
	if FromTunnel(tunnel, vpn).KTLS != config.On {
		t.Error("the option does not arrive")
	}
}

// TestWhatTheKernelRefusesGoDoes: the call comes up whatever the kernel says, and tells why.
func TestWhatTheKernelRefusesGoDoes(t *testing.T) {
	refusedNone := over13(t)
	cbc := over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA)
	chacha := over12(t, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)
	gcm := over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
	tls11 := over12(t)
	tls11.MinVersion, tls11.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for _, tc := range []struct {
		why    string
		server *tls.Config
		kernel *fakeKernel
		dials  int
		reason string
	}{
		{"no module", refusedNone, &fakeKernel{noTLS: unix.ENOENT}, 1, "the kernel has no TLS (OpenWrt: package kmod-tls)"},
		{"no leave to load it", refusedNone, &fakeKernel{noTLS: unix.EPERM}, 1, "the kernel refused TLS: operation not permitted"},
		{"no ChaCha20-Poly1305", chacha, &fakeKernel{noRX: unix.ENOENT}, 1, "the kernel has no ChaCha20-Poly1305 (OpenWrt: package kmod-crypto-chacha20poly1305)"},
		{"no GCM", gcm, &fakeKernel{noRX: unix.ENOENT}, 1, "the kernel has no AES-GCM (OpenWrt: package kmod-crypto-gcm)"},
		{"Linux 5.10 and ChaCha20", chacha, &fakeKernel{noRX: unix.EINVAL}, 1, "this kernel is too old to receive TLS 1.2 with ChaCha20-Poly1305"},
		{"Linux 4.14 cannot receive", gcm, &fakeKernel{noRX: unix.ENOPROTOOPT}, 1, "this kernel is too old to receive TLS 1.2 with AES-GCM"},
		{"no memory", gcm, &fakeKernel{noRX: unix.ENOMEM}, 1, "the kernel refused the keys to receive: cannot allocate memory"},
		{"half a failure", gcm, &fakeKernel{noTX: unix.ENOMEM}, 2, "the kernel refused the keys to send: cannot allocate memory"},
		{"half a failure, TLS 1.3", refusedNone, &fakeKernel{noTX: unix.EINVAL}, 2, "this kernel is too old to send TLS 1.3 with "},
		{"CBC", cbc, &fakeKernel{}, 1, "the kernel's TLS has no TLS 1.2 with TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
		{"TLS 1.1", tls11, &fakeKernel{}, 1, "the kernel's TLS has no TLS 1.1 with TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
		{"the first read fails", gcm, &fakeKernel{recvError: unix.EIO}, 2, "the kernel's TLS failed to read"},
		{"the first record cannot be decrypted", gcm, &fakeKernel{recvError: unix.EBADMSG}, 2, "a TLS record cannot be decrypted"},
		{"the first write fails", gcm, &fakeKernel{sendError: unix.ENOMEM}, 2, "the kernel's TLS failed to write"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			o := insisting(t, echoing(tc.server), tc.kernel)
			o.TLSLegacy, o.TLSMin = true, tls.VersionTLS10
			dials, dial := 0, o.DialTCP
			o.DialTCP = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
				dials++
				return dial(ctx, a)
			}
			conn := mustConnect(t, o, nil)
			info := conn.Info()
			if info.Path != PathGo || !strings.HasPrefix(info.PathReason, tc.reason) {
				t.Errorf("path %s because %q, want go because %q", info.Path, info.PathReason, tc.reason)
			}
			if dials != tc.dials {
				t.Errorf("dialed %d times, want %d", dials, tc.dials)
			}
			exchange(t, conn)
			if tc.dials == 2 {
				dials = 0
				again := mustConnect(t, o, nil).Info()
				if dials != 1 || again.Path != PathGo || again.PathReason != info.PathReason {
					t.Errorf("the next connection took %d dials, path %s because %q: what failed is not tried again", dials, again.Path, again.PathReason)
				}
			}
		})
	}
}

func TestAHalfFailureBehindAProxy(t *testing.T) {
	server := testkit.Listen(t, echoing(over13(t)))
	var asked atomic.Int32
	proxy := testkit.Listen(t, func(conn net.Conn) {
		if _, err := testkit.ReadHead(conn); err != nil {
			return
		}
		asked.Add(1)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		up, err := net.Dial("tcp", server.String())
		if err != nil {
			return
		}
		defer up.Close()
		go func() {
			io.Copy(up, conn)
			up.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(conn, up)
	})
	o := unverified(proxy)
	o.KTLS, o.kernel = config.On, &fakeKernel{noTX: unix.ENOMEM}
	o.Proxy = &config.Proxy{Host: "proxy.test", Port: 3128}
	conn := mustConnect(t, o, nil)
	if conn.Info().Path != PathGo || asked.Load() != 2 {
		t.Errorf("path %s, the proxy was asked %d times", conn.Info().Path, asked.Load())
	}
	exchange(t, conn)
	conn.Close()

	o.kernel = &fakeKernel{}
	if conn = mustConnect(t, o, nil); conn.Info().Path != PathKernel {
		t.Errorf("a proxy is no reason: %s", conn.Info().PathReason)
	}
	exchange(t, conn)
}

func TestAHalfFailureAndNobodyListensAnyMore(t *testing.T) {
	o := insisting(t, echoing(over13(t)), &fakeKernel{noTX: unix.ENOMEM})
	dials, dial := 0, o.DialTCP
	o.DialTCP = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: unix.ECONNREFUSED}
		}
		return dial(ctx, a)
	}
	wantFault(t, o, fault.TLSFailed, "connection refused")
}

func TestAConnectionThatIsNoSocketStaysInGo(t *testing.T) {
	o := quiet(t, func(o *Options) {
		o.KTLS, o.kernel = config.On, &fakeKernel{}
		o.DialTCP = inMemoryTLS(func(s *tls.Conn) {
			testkit.ReadHead(s)
			io.WriteString(s, testkit.OKHead)
			io.Copy(s, s)
		})
	})
	conn := mustConnect(t, o, nil)
	if info := conn.Info(); info.Path != PathGo || info.PathReason != "the connection is no socket" {
		t.Errorf("path %s because %q", info.Path, info.PathReason)
	}
	exchange(t, conn)
}

// TestWhatSurroundsTheHandOver: what the server sends behind its part of the handshake, in the same segment, is the
// kernel's, to the byte.
func TestWhatSurroundsTheHandOver(t *testing.T) {
	ticket := append([]byte{messageNewTicket, 0, 0, 200}, make([]byte, 200)...)
	for _, tc := range []struct {
		why  string
		cfg  *tls.Config
		play func(s *scripted)
	}{
		{"TLS 1.3 and a ticket", over13(t), func(s *scripted) {
			s.write(s.tx.seal(recordHandshake, ticket))
			s.request()
			s.say(testkit.OKHead + "data")
		}},
		{"two tickets in one record, behind it half of one, then the rest", over13(t), func(s *scripted) {
			s.write(s.tx.seal(recordHandshake, append(bytes.Clone(ticket), ticket...)), s.tx.seal(recordHandshake, ticket[:3]))
			s.request()
			s.write(s.tx.seal(recordHandshake, ticket[3:100]), s.tx.seal(recordHandshake, ticket[100:]))
			s.say(testkit.OKHead)
			s.say("data")
		}},
		{"a ticket between two records of data", over13(t), func(s *scripted) {
			s.request()
			s.write(s.tx.seal(recordData, []byte(testkit.OKHead)), s.tx.seal(recordHandshake, ticket), s.tx.seal(recordData, []byte("da")),
				s.tx.seal(recordData, nil), s.tx.seal(recordData, []byte("ta")))
		}},
		{"a byte in a record, a byte in a segment", over13(t), func(s *scripted) {
			s.request()
			for _, b := range []byte(testkit.OKHead + "data") {
				for _, piece := range s.tx.seal(recordData, []byte{b}) {
					s.write([]byte{piece})
				}
			}
		}},
		{"TLS 1.2, data behind the last flight", over12(t), func(s *scripted) {
			s.say("HTTP/1.1 100 Continue\r\n\r\n")
			s.request()
			s.say(testkit.OKHead + "data")
		}},
		{"TLS 1.2, a request to renegotiate behind the last flight", over12(t), func(s *scripted) {
			s.write(s.tx.seal(recordHandshake, []byte{messageHelloRequest, 0, 0, 0}))
			s.request()
			s.say(testkit.OKHead + "data")
			if kind, b, err := s.hears(); err != nil || kind != recordAlert || !bytes.Equal(b, []byte{1, 100}) {
				s.t.Errorf("answered by a record of type %d: %x, %v, want the warning no_renegotiation", kind, b, err)
			}
		}},
		{"TLS 1.2, a warning that means nothing", over12(t), func(s *scripted) {
			s.write(s.tx.seal(recordAlert, []byte{1, 112}))
			s.request()
			s.say(testkit.OKHead + "data")
		}},
		{"64 KiB at once", over13(t), func(s *scripted) {
			s.request()
			b := s.tx.seal(recordData, []byte(testkit.OKHead+"data"))
			for range 4 {
				b = append(b, s.tx.seal(recordData, make([]byte, 16384))...)
			}
			s.write(b)
		}},
	} {
		onEachKernel(t, tc.why, func(t *testing.T, k kernel) {
			conn := mustConnect(t, insisting(t, playing(t, tc.cfg, func(s *scripted) {
				tc.play(s)
				s.hears() // until we close
			}), k), nil)
			if conn.Info().Path != PathKernel {
				t.Fatalf("path %s because %s", conn.Info().Path, conn.Info().PathReason)
			}
			got := make([]byte, 4)
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "data" {
				t.Errorf("read %q, %v", got, err)
			}
			if strings.HasPrefix(tc.why, "64") {
				if n, err := io.ReadFull(conn, make([]byte, 65536)); err != nil {
					t.Errorf("%d of 64 KiB: %v", n, err)
				}
			}
			if strings.Contains(tc.why, "renegotiate") {
				conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
				if _, err := conn.Read(got); !netio.IsTimeout(err) {
					t.Errorf("after a refused renegotiation: %v", err)
				}
			}
		})
	}
}

// TestAKeyUpdateInTheOpening: what this kernel cannot do with a server, Go does at once.
func TestAKeyUpdateInTheOpening(t *testing.T) {
	onEachKernel(t, "KeyUpdate", keyUpdateInTheOpening)
}

func keyUpdateInTheOpening(t *testing.T, k kernel) {
	var updated atomic.Bool
	updating := playing(t, over13(t), func(s *scripted) {
		s.request()
		s.write(s.tx.seal(recordHandshake, []byte{messageKeyUpdate, 0, 0, 1, 0}))
		s.hears()
	})
	o := insisting(t, func(conn net.Conn) {
		if !updated.Swap(true) {
			updating(conn)
			return
		}
		echoing(over13(t))(conn)
	}, k)
	conn := mustConnect(t, o, nil)
	if info := conn.Info(); info.Path != PathGo || !strings.Contains(info.PathReason, "changed its keys") {
		t.Errorf("path %s because %q", info.Path, info.PathReason)
	}
	exchange(t, conn)
}

// TestATLSErrorIsAFault on both paths.
func TestATLSErrorIsAFault(t *testing.T) {
	for _, tc := range []struct {
		why  string
		cfg  *tls.Config
		play func(s *scripted)
		code fault.Code // "": io.EOF
		word string
		note bool // the next connection is left to Go
	}{
		{"close_notify", over13(t), func(s *scripted) { s.write(s.tx.seal(recordAlert, []byte{1, 0})) }, "", "", false},
		{"close_notify, TLS 1.2", over12(t), func(s *scripted) { s.write(s.tx.seal(recordAlert, []byte{1, 0})) }, "", "", false},
		{"user_canceled before it", over13(t), func(s *scripted) {
			s.write(s.tx.seal(recordAlert, []byte{1, 90}), s.tx.seal(recordAlert, []byte{1, 0}))
		}, "", "", false},
		{"no goodbye", over13(t), func(s *scripted) {}, "", "", false},
		{"internal_error", over13(t), func(s *scripted) { s.write(s.tx.seal(recordAlert, []byte{2, 80})) }, fault.ClosedByServer, `"internal error"`, false},
		{"access_denied, TLS 1.2", over12(t), func(s *scripted) { s.write(s.tx.seal(recordAlert, []byte{2, 49})) }, fault.ClosedByServer, `"access denied"`, false},
		{"bad_record_mac", over13(t), func(s *scripted) { s.write(s.tx.seal(recordAlert, []byte{2, 20})) }, fault.ClosedByServer, `"bad record MAC"`, true},
		{"a damaged record", over13(t), func(s *scripted) {
			b := s.tx.seal(recordData, []byte("data"))
			b[7] ^= 1
			s.write(b)
		}, fault.TLSFailed, "", true},
		{"no TLS any more", over12(t), func(s *scripted) { s.write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, fault.TLSFailed, "", true},
		{"a record that is too long", over13(t), func(s *scripted) { s.write([]byte{23, 3, 3, 0xff, 0xff}, make([]byte, 70000)) }, fault.TLSFailed, "", true},
		{"a type that nobody knows", over13(t), func(s *scripted) { s.write(s.tx.seal(99, []byte("x"))) }, fault.TLSFailed, "", true},
	} {
		for _, mode := range []config.Mode{config.On, config.Off} {
			onEachKernel(t, tc.why+", ktls "+mode.String(), func(t *testing.T, k kernel) {
				o := insisting(t, playing(t, tc.cfg, func(s *scripted) {
					s.request()
					s.say(testkit.OKHead)
					tc.play(s)
				}), k)
				o.KTLS = mode
				conn := mustConnect(t, o, nil)
				if want := map[config.Mode]string{config.On: PathKernel, config.Off: PathGo}[mode]; conn.Info().Path != want {
					t.Fatalf("path %s because %s", conn.Info().Path, conn.Info().PathReason)
				}
				_, err := conn.Read(make([]byte, 100))
				if tc.code == "" {
					if err != io.EOF {
						t.Errorf("%v, want io.EOF", err)
					}
				} else {
					f := testkit.WantFault(t, err, tc.code, tc.word)
					if f.Stage != fault.StageUp {
						t.Errorf("stage %s", f.Stage)
					}
				}
				if _, again := conn.Read(make([]byte, 100)); again == nil {
					t.Error("the end does not last")
				}
				if noted := o.Experience.of(vpn) != ""; noted != (tc.note && mode == config.On) {
					t.Errorf("what the next connection knows: %q", o.Experience.of(vpn))
				}
			})
		}
	}
}

// TestWhatOnlyTheKernelCannot: each is an end with a reason, and the first minute's end is remembered.
func TestWhatOnlyTheKernelCannot(t *testing.T) {
	for _, tc := range []struct {
		why   string
		cfg   *tls.Config
		kind  byte
		sent  []byte
		times int
		word  string
		alert []byte // what the server gets
	}{
		{"KeyUpdate", over13(t), recordHandshake, []byte{messageKeyUpdate, 0, 0, 1, 1}, 1, "changed the keys", nil},
		{"a request for a certificate", over13(t), recordHandshake, []byte{13, 0, 0, 0}, 1, "an unexpected handshake message", []byte{2, 10}},
		{"KeyUpdate in TLS 1.2", over12(t), recordHandshake, []byte{messageKeyUpdate, 0, 0, 1, 0}, 1, "an unexpected handshake message", []byte{2, 10}},
		{"a ticket in TLS 1.2", over12(t), recordHandshake, []byte{messageNewTicket, 0, 0, 0}, 1, "an unexpected handshake message", []byte{2, 10}},
		{"a message without end", over13(t), recordHandshake, []byte{messageNewTicket, 0xff, 0xff, 0xff}, 1, "more than 64 KiB", []byte{2, 10}},
		{"ChangeCipherSpec", over12(t), recordChangeCipherSpec, []byte{1}, 1, "unexpected type", []byte{2, 10}},
		{"a flood of tickets", over13(t), recordHandshake, []byte{messageNewTicket, 0, 0, 0}, maxUseless + 1, "too many records", []byte{2, 10}},
		{"a flood of warnings", over12(t), recordAlert, []byte{1, 112}, maxUseless + 1, "too many records", []byte{2, 10}},
	} {
		onEachKernel(t, tc.why, func(t *testing.T, k kernel) {
			heard := make(chan struct{})
			o := insisting(t, playing(t, tc.cfg, func(s *scripted) {
				defer close(heard)
				s.request()
				s.say(testkit.OKHead)
				for range tc.times {
					s.write(s.tx.seal(tc.kind, tc.sent))
				}
				if kind, b, err := s.hears(); tc.alert != nil && (err != nil || kind != recordAlert || !bytes.Equal(b, tc.alert)) {
					t.Errorf("the server got a record of type %d: %x, %v, want alert %x", kind, b, err, tc.alert)
				}
			}), k)
			_, err := mustConnect(t, o, nil).Read(make([]byte, 10))
			testkit.WantFault(t, err, fault.TLSFailed, tc.word)
			if tc.alert != nil {
				<-heard
			}
			if o.Experience.of(vpn) == "" {
				t.Error("nothing was learned")
			}
		})
	}
}

func TestAFailureAfterTheFirstMinuteIsNoLesson(t *testing.T) {
	begun, later := time.Now(), make(chan struct{})
	o := insisting(t, playing(t, over13(t), func(s *scripted) {
		s.request()
		s.say(testkit.OKHead + "x")
		<-later
		s.write(s.tx.seal(recordHandshake, []byte{messageKeyUpdate, 0, 0, 1, 0}))
		s.hears()
	}), &fakeKernel{})
	clock := testkit.Now
	o.Now = func() time.Time { return clock }
	conn := mustConnect(t, o, nil)
	conn.Read(make([]byte, 1))
	clock = testkit.Now.Add(2 * time.Minute)
	close(later)
	_, err := conn.Read(make([]byte, 1))
	testkit.WantFault(t, err, fault.TLSFailed, "changed the keys")
	if why := o.Experience.of(vpn); why != "" {
		t.Errorf("%q: a server that changes its keys now and then still gets the fast path (after %v)", why, time.Since(begun))
	}
}

func TestAHandOverNeedsAWholeHandshake(t *testing.T) {
	c := &connector{o: Options{KTLS: config.On, kernel: &fakeKernel{}}}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	state := tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	conn, err := net.Dial("tcp", testkit.Listen(t, func(conn net.Conn) { io.Copy(io.Discard, conn) }).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	full := func() *watched {
		w := &watched{stepwise: stepwise{Conn: conn}}
		w.in.saw(append([]byte{recordHandshake, 3, 3, 0, helloLen}, make([]byte, helloLen)...))
		w.secrets.master.len = 48
		return w
	}
	for why, w := range map[string]*watched{
		"no hello":           {stepwise: stepwise{Conn: conn}, secrets: full().secrets},
		"no secret":          {stepwise: full().stepwise},
		"in the midst of it": func() *watched { w := full(); w.in.saw([]byte{23}); return w }(),
		"of ours":            func() *watched { w := full(); w.out.saw([]byte{23, 3, 3, 0, 1}); return w }(),
	} {
		if k, reason, err := c.handOver(w, state); k != nil || err != nil || reason != "the handshake did not end between two records" {
			t.Errorf("%s: %v, %q, %v", why, k, reason, err)
		}
	}
	w := full()
	conn.Close()
	if k, reason, err := c.handOver(w, state); k != nil || err != nil || reason != "the connection is closed" {
		t.Errorf("closed: %v, %q, %v", k, reason, err)
	}
	if errors.Is(explain(&kernelError{"x", unix.EIO}), unix.EIO) == false {
		t.Error("the cause is lost")
	}
}
