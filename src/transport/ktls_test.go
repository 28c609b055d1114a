package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/transport/ktls"
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
	ecdsa13, legacy := testkit.Over13(t), rsaServer(t)
	legacy.MaxVersion, legacy.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_256_GCM_SHA384}
	for _, tc := range []struct {
		name   string
		server *tls.Config
	}{
		{"TLS 1.3", ecdsa13},
		{"TLS 1.2, ChaCha20-Poly1305", testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)},
		{"TLS 1.2, AES-128-GCM", testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)},
		{"TLS 1.2, AES-256-GCM", testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)},
		{"TLS 1.2, RSA key exchange", legacy},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := &testkit.FakeKernel{}
			o := insisting(t, echoing(tc.server), k)
			o.TLSLegacy = true
			seen := &script{}
			conn := mustConnect(t, o, seen)
			if info := conn.Info(); info.Path != PathKernel || info.PathReason != "option ktls is 1" || k.Shared != 1 {
				t.Errorf("path %s because %s", info.Path, info.PathReason)
			}
			if told := strings.Join(seen.lines, "\n"); !strings.Contains(told, ", not verified, in the kernel\n") {
				t.Errorf("the observer was told\n%s", told)
			}
			exchange(t, conn)
		})
	}
}

// needKernelTLS is set where the machine's kernel is known to have TLS, so that a test that finds none fails.
var needKernelTLS = os.Getenv("SSTP_TEST_KTLS") != ""

// onEachKernel runs a test with the fake kernel and, where that is known to have TLS, with this machine's.
func onEachKernel(t *testing.T, name string, test func(t *testing.T, k ktls.Kernel)) {
	t.Run(name, func(t *testing.T) { test(t, &testkit.FakeKernel{}) })
	if needKernelTLS {
		t.Run(name+", this machine's kernel", func(t *testing.T) { test(t, ktls.Linux{}) })
	}
}

// TestThisMachinesKernel uses the real thing where there is one, and what to do without where there is none.
func TestThisMachinesKernel(t *testing.T) {
	for _, server := range []*tls.Config{testkit.Over13(t), testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
		testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256), testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)} {
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
		if !ktls.FasterThanGo(arch) {
			t.Errorf("on %s Go is slow", arch)
		}
	}
	for _, arch := range []string{"amd64", "arm64", "386"} {
		if ktls.FasterThanGo(arch) {
			t.Errorf("on %s Go is fast", arch)
		}
	}
	k := &testkit.FakeKernel{}
	o := insisting(t, echoing(testkit.Over13(t)), k)
	o.KTLS = config.Off
	if info := mustConnect(t, o, nil).Info(); info.Path != PathGo || info.PathReason != "option ktls is 0" || k.Attached != 0 {
		t.Errorf("ktls 0: path %s, %s", info.Path, info.PathReason)
	}
	tunnel := &config.Tunnel{KTLS: config.On}
	if FromTunnel(tunnel, vpn).KTLS != config.On {
		t.Error("the option does not arrive")
	}
}

// TestWhatTheKernelRefusesGoDoes: the call comes up whatever the kernel says, and tells why.
func TestWhatTheKernelRefusesGoDoes(t *testing.T) {
	refusedNone := testkit.Over13(t)
	cbc := testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA)
	chacha := testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)
	gcm := testkit.Over12(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
	tls11 := testkit.Over12(t)
	tls11.MinVersion, tls11.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for _, tc := range []struct {
		why    string
		server *tls.Config
		kernel *testkit.FakeKernel
		dials  int
		reason string
	}{
		{"no module", refusedNone, &testkit.FakeKernel{NoTLS: unix.ENOENT}, 1, "the kernel has no TLS (OpenWrt: package kmod-tls)"},
		{"no leave to load it", refusedNone, &testkit.FakeKernel{NoTLS: unix.EPERM}, 1, "the kernel refused TLS: operation not permitted"},
		{"no ChaCha20-Poly1305", chacha, &testkit.FakeKernel{NoRX: unix.ENOENT}, 1, "the kernel has no ChaCha20-Poly1305 (OpenWrt: package kmod-crypto-chacha20poly1305)"},
		{"no GCM", gcm, &testkit.FakeKernel{NoRX: unix.ENOENT}, 1, "the kernel has no AES-GCM (OpenWrt: package kmod-crypto-gcm)"},
		{"Linux 5.10 and ChaCha20", chacha, &testkit.FakeKernel{NoRX: unix.EINVAL}, 1, "this kernel is too old to receive TLS 1.2 with ChaCha20-Poly1305"},
		{"Linux 4.14 cannot receive", gcm, &testkit.FakeKernel{NoRX: unix.ENOPROTOOPT}, 1, "this kernel is too old to receive TLS 1.2 with AES-GCM"},
		{"no memory", gcm, &testkit.FakeKernel{NoRX: unix.ENOMEM}, 1, "the kernel refused the keys to receive: cannot allocate memory"},
		{"half a failure", gcm, &testkit.FakeKernel{NoTX: unix.ENOMEM}, 2, "the kernel refused the keys to send: cannot allocate memory"},
		{"half a failure, TLS 1.3", refusedNone, &testkit.FakeKernel{NoTX: unix.EINVAL}, 2, "this kernel is too old to send TLS 1.3 with "},
		{"CBC", cbc, &testkit.FakeKernel{}, 1, "the kernel's TLS has no TLS 1.2 with TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
		{"TLS 1.1", tls11, &testkit.FakeKernel{}, 1, "the kernel's TLS has no TLS 1.1 with TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
		{"the first read fails", gcm, &testkit.FakeKernel{ReceiveError: unix.EIO}, 2, "the kernel's TLS failed to read"},
		{"the first record cannot be decrypted", gcm, &testkit.FakeKernel{ReceiveError: unix.EBADMSG}, 2, "a TLS record cannot be decrypted"},
		{"the first write fails", gcm, &testkit.FakeKernel{SendError: unix.ENOMEM}, 2, "the kernel's TLS failed to write"},
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
	server := testkit.Listen(t, echoing(testkit.Over13(t)))
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
	o.KTLS, o.kernel = config.On, &testkit.FakeKernel{NoTX: unix.ENOMEM}
	o.Proxy = &config.Proxy{Host: "proxy.test", Port: 3128}
	conn := mustConnect(t, o, nil)
	if conn.Info().Path != PathGo || asked.Load() != 2 {
		t.Errorf("path %s, the proxy was asked %d times", conn.Info().Path, asked.Load())
	}
	exchange(t, conn)
	conn.Close()

	o.kernel = &testkit.FakeKernel{}
	if conn = mustConnect(t, o, nil); conn.Info().Path != PathKernel {
		t.Errorf("a proxy is no reason: %s", conn.Info().PathReason)
	}
	exchange(t, conn)
}

func TestAHalfFailureAndNobodyListensAnyMore(t *testing.T) {
	o := insisting(t, echoing(testkit.Over13(t)), &testkit.FakeKernel{NoTX: unix.ENOMEM})
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
		o.KTLS, o.kernel = config.On, &testkit.FakeKernel{}
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
	ticket := append([]byte{testkit.NewTicket, 0, 0, 200}, make([]byte, 200)...)
	for _, tc := range []struct {
		why  string
		cfg  *tls.Config
		play func(s *testkit.Peer)
	}{
		{"TLS 1.3 and a ticket", testkit.Over13(t), func(s *testkit.Peer) {
			s.Send(s.TX.Seal(testkit.Handshake, ticket))
			s.AwaitRequest()
			s.SendData(testkit.OKHead + "data")
		}},
		{"two tickets in one record, behind it half of one, then the rest", testkit.Over13(t), func(s *testkit.Peer) {
			s.Send(s.TX.Seal(testkit.Handshake, append(bytes.Clone(ticket), ticket...)), s.TX.Seal(testkit.Handshake, ticket[:3]))
			s.AwaitRequest()
			s.Send(s.TX.Seal(testkit.Handshake, ticket[3:100]), s.TX.Seal(testkit.Handshake, ticket[100:]))
			s.SendData(testkit.OKHead)
			s.SendData("data")
		}},
		{"a ticket between two records of data", testkit.Over13(t), func(s *testkit.Peer) {
			s.AwaitRequest()
			s.Send(s.TX.Seal(testkit.Data, []byte(testkit.OKHead)), s.TX.Seal(testkit.Handshake, ticket), s.TX.Seal(testkit.Data, []byte("da")),
				s.TX.Seal(testkit.Data, nil), s.TX.Seal(testkit.Data, []byte("ta")))
		}},
		{"a byte in a record, a byte in a segment", testkit.Over13(t), func(s *testkit.Peer) {
			s.AwaitRequest()
			for _, b := range []byte(testkit.OKHead + "data") {
				for _, piece := range s.TX.Seal(testkit.Data, []byte{b}) {
					s.Send([]byte{piece})
				}
			}
		}},
		{"TLS 1.2, data behind the last flight", testkit.Over12(t), func(s *testkit.Peer) {
			s.SendData("HTTP/1.1 100 Continue\r\n\r\n")
			s.AwaitRequest()
			s.SendData(testkit.OKHead + "data")
		}},
		{"TLS 1.2, a request to renegotiate behind the last flight", testkit.Over12(t), func(s *testkit.Peer) {
			s.Send(s.TX.Seal(testkit.Handshake, []byte{testkit.HelloRequest, 0, 0, 0}))
			s.AwaitRequest()
			s.SendData(testkit.OKHead + "data")
			if kind, b, err := s.Receive(); err != nil || kind != testkit.Alert || !bytes.Equal(b, []byte{1, 100}) {
				t.Errorf("answered by a record of type %d: %x, %v, want the warning no_renegotiation", kind, b, err)
			}
		}},
		{"TLS 1.2, a warning that means nothing", testkit.Over12(t), func(s *testkit.Peer) {
			s.Send(s.TX.Seal(testkit.Alert, []byte{1, 112}))
			s.AwaitRequest()
			s.SendData(testkit.OKHead + "data")
		}},
		{"64 KiB at once", testkit.Over13(t), func(s *testkit.Peer) {
			s.AwaitRequest()
			b := s.TX.Seal(testkit.Data, []byte(testkit.OKHead+"data"))
			for range 4 {
				b = append(b, s.TX.Seal(testkit.Data, make([]byte, 16384))...)
			}
			s.Send(b)
		}},
	} {
		onEachKernel(t, tc.why, func(t *testing.T, k ktls.Kernel) {
			conn := mustConnect(t, insisting(t, testkit.Playing(t, tc.cfg, func(s *testkit.Peer) {
				tc.play(s)
				s.Receive() // until we close
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

func keyUpdateInTheOpening(t *testing.T, k ktls.Kernel) {
	var updated atomic.Bool
	updating := testkit.Playing(t, testkit.Over13(t), func(s *testkit.Peer) {
		s.AwaitRequest()
		s.Send(s.TX.Seal(testkit.Handshake, []byte{testkit.KeyUpdate, 0, 0, 1, 0}))
		s.Receive()
	})
	o := insisting(t, func(conn net.Conn) {
		if !updated.Swap(true) {
			updating(conn)
			return
		}
		echoing(testkit.Over13(t))(conn)
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
		play func(s *testkit.Peer)
		code fault.Code // "": io.EOF
		word string
		note bool // the next connection is left to Go
	}{
		{"close_notify", testkit.Over13(t), func(s *testkit.Peer) { s.Send(s.TX.Seal(testkit.Alert, []byte{1, 0})) }, "", "", false},
		{"close_notify, TLS 1.2", testkit.Over12(t), func(s *testkit.Peer) { s.Send(s.TX.Seal(testkit.Alert, []byte{1, 0})) }, "", "", false},
		{"user_canceled before it", testkit.Over13(t), func(s *testkit.Peer) {
			s.Send(s.TX.Seal(testkit.Alert, []byte{1, 90}), s.TX.Seal(testkit.Alert, []byte{1, 0}))
		}, "", "", false},
		{"no goodbye", testkit.Over13(t), func(s *testkit.Peer) {}, "", "", false},
		{"internal_error", testkit.Over13(t), func(s *testkit.Peer) { s.Send(s.TX.Seal(testkit.Alert, []byte{2, 80})) }, fault.ClosedByServer, `"internal error"`, false},
		{"access_denied, TLS 1.2", testkit.Over12(t), func(s *testkit.Peer) { s.Send(s.TX.Seal(testkit.Alert, []byte{2, 49})) }, fault.ClosedByServer, `"access denied"`, false},
		{"bad_record_mac", testkit.Over13(t), func(s *testkit.Peer) { s.Send(s.TX.Seal(testkit.Alert, []byte{2, 20})) }, fault.ClosedByServer, `"bad record MAC"`, true},
		{"a damaged record", testkit.Over13(t), func(s *testkit.Peer) {
			b := s.TX.Seal(testkit.Data, []byte("data"))
			b[7] ^= 1
			s.Send(b)
		}, fault.TLSFailed, "", true},
		{"no TLS any more", testkit.Over12(t), func(s *testkit.Peer) { s.Send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, fault.TLSFailed, "", true},
		{"a record that is too long", testkit.Over13(t), func(s *testkit.Peer) { s.Send([]byte{23, 3, 3, 0xff, 0xff}, make([]byte, 70000)) }, fault.TLSFailed, "", true},
		{"a type that nobody knows", testkit.Over13(t), func(s *testkit.Peer) { s.Send(s.TX.Seal(99, []byte("x"))) }, fault.TLSFailed, "", true},
	} {
		for _, mode := range []config.Mode{config.On, config.Off} {
			onEachKernel(t, tc.why+", ktls "+mode.String(), func(t *testing.T, k ktls.Kernel) {
				o := insisting(t, testkit.Playing(t, tc.cfg, func(s *testkit.Peer) {
					s.AwaitRequest()
					s.SendData(testkit.OKHead)
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
				if noted := o.KTLSMemory.Fallback(vpn) != ""; noted != (tc.note && mode == config.On) {
					t.Errorf("what the next connection knows: %q", o.KTLSMemory.Fallback(vpn))
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
		{"KeyUpdate", testkit.Over13(t), testkit.Handshake, []byte{testkit.KeyUpdate, 0, 0, 1, 1}, 1, "changed the keys", nil},
		{"a request for a certificate", testkit.Over13(t), testkit.Handshake, []byte{13, 0, 0, 0}, 1, "an unexpected handshake message", []byte{2, 10}},
		{"KeyUpdate in TLS 1.2", testkit.Over12(t), testkit.Handshake, []byte{testkit.KeyUpdate, 0, 0, 1, 0}, 1, "an unexpected handshake message", []byte{2, 10}},
		{"a ticket in TLS 1.2", testkit.Over12(t), testkit.Handshake, []byte{testkit.NewTicket, 0, 0, 0}, 1, "an unexpected handshake message", []byte{2, 10}},
		{"a message without end", testkit.Over13(t), testkit.Handshake, []byte{testkit.NewTicket, 0xff, 0xff, 0xff}, 1, "more than 64 KiB", []byte{2, 10}},
		{"ChangeCipherSpec", testkit.Over12(t), testkit.ChangeCipherSpec, []byte{1}, 1, "unexpected type", []byte{2, 10}},
		{"a flood of tickets", testkit.Over13(t), testkit.Handshake, []byte{testkit.NewTicket, 0, 0, 0}, 17, "too many records", []byte{2, 10}},
		{"a flood of warnings", testkit.Over12(t), testkit.Alert, []byte{1, 112}, 17, "too many records", []byte{2, 10}},
	} {
		onEachKernel(t, tc.why, func(t *testing.T, k ktls.Kernel) {
			heard := make(chan struct{})
			o := insisting(t, testkit.Playing(t, tc.cfg, func(s *testkit.Peer) {
				defer close(heard)
				s.AwaitRequest()
				s.SendData(testkit.OKHead)
				for range tc.times {
					s.Send(s.TX.Seal(tc.kind, tc.sent))
				}
				if kind, b, err := s.Receive(); tc.alert != nil && (err != nil || kind != testkit.Alert || !bytes.Equal(b, tc.alert)) {
					t.Errorf("the server got a record of type %d: %x, %v, want alert %x", kind, b, err, tc.alert)
				}
			}), k)
			_, err := mustConnect(t, o, nil).Read(make([]byte, 10))
			testkit.WantFault(t, err, fault.TLSFailed, tc.word)
			if tc.alert != nil {
				<-heard
			}
			if o.KTLSMemory.Fallback(vpn) == "" {
				t.Error("nothing was learned")
			}
		})
	}
}

func TestAFailureAfterTheFirstMinuteIsNoLesson(t *testing.T) {
	begun, later := time.Now(), make(chan struct{})
	o := insisting(t, testkit.Playing(t, testkit.Over13(t), func(s *testkit.Peer) {
		s.AwaitRequest()
		s.SendData(testkit.OKHead + "x")
		<-later
		s.Send(s.TX.Seal(testkit.Handshake, []byte{testkit.KeyUpdate, 0, 0, 1, 0}))
		s.Receive()
	}), &testkit.FakeKernel{})
	clock := testkit.Now
	o.Now = func() time.Time { return clock }
	conn := mustConnect(t, o, nil)
	conn.Read(make([]byte, 1))
	clock = testkit.Now.Add(2 * time.Minute)
	close(later)
	_, err := conn.Read(make([]byte, 1))
	testkit.WantFault(t, err, fault.TLSFailed, "changed the keys")
	if why := o.KTLSMemory.Fallback(vpn); why != "" {
		t.Errorf("%q: a server that changes its keys now and then still gets the fast path (after %v)", why, time.Since(begun))
	}
}

// insisting are options that want the kernel's TLS, which is k.
func insisting(t testing.TB, handle func(net.Conn), k ktls.Kernel) Options {
	o := unverified(testkit.Listen(t, handle))
	o.KTLS, o.kernel, o.KTLSMemory = config.On, k, &ktls.Memory{}
	return o
}

// inFakeKernel returns a connection whose records a fake kernel does. Nobody reads at the other end.
func inFakeKernel(t *testing.T) (*Conn, *testkit.FakeKernel) {
	t.Helper()
	ours, _ := testkit.SocketPair(t)
	raw, err := ours.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]byte, 4+12+32+8) // tls12_crypto_info_chacha20_poly1305 of linux/tls.h
	binary.NativeEndian.PutUint16(keys, tls.VersionTLS13)
	binary.NativeEndian.PutUint16(keys[2:], 54)
	k := &testkit.FakeKernel{}
	raw.Control(func(fd uintptr) {
		err = errors.Join(k.Attach(int(fd)), k.SetKeys(int(fd), 1, keys), k.SetKeys(int(fd), 2, keys))
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Conn{tcp: ours, tls: ktls.NewConn(ours, raw, k, tls.VersionTLS13)}, k
}

// fill writes until the socket has no room for more.
func fill(t *testing.T, conn *Conn, k *testkit.FakeKernel) {
	t.Helper()
	raw, err := conn.tcp.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for junk := make([]byte, 16384); err == nil; {
			_, err = k.Send(int(fd), junk)
		}
	})
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
}

func TestCloseWaitsForRoomAndNotLong(t *testing.T) {
	conn, k := inFakeKernel(t)
	fill(t, conn, k)
	begun := time.Now()
	conn.Close()
	if took := time.Since(begun); took < closeGrace/2 || took > 2*closeGrace {
		t.Errorf("Close took %v, want %v", took, closeGrace)
	}
}

// TestErrorsOfTheKernel: what is the network's passes, what is TLS's is a fault.
func TestErrorsOfTheKernel(t *testing.T) {
	for err, code := range map[unix.Errno]fault.Code{
		unix.ECONNRESET: "", unix.ETIMEDOUT: "", unix.EPIPE: "",
		unix.EIO: fault.TLSFailed, unix.EBADMSG: fault.TLSFailed, unix.ENOMEM: fault.TLSFailed, unix.EINVAL: fault.TLSFailed,
		unix.EMSGSIZE: fault.TLSFailed,
	} {
		conn, k := inFakeKernel(t)
		k.ReceiveError, k.SendError = err, err
		_, readErr := conn.Read(make([]byte, 1))
		_, writeErr := conn.Write(make([]byte, 1))
		for _, got := range []error{readErr, writeErr} {
			if code != "" {
				testkit.WantFault(t, got, code)
			}
			if !errors.Is(got, err) {
				t.Errorf("%v does not say %v", got, err)
			}
		}
	}
}
