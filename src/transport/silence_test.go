package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/transport/netio"
	"sstp/src/transport/testkit"
)

// silent are the ways in which the far end can say nothing, one for each stage. Each returns what Connect is to be tried
// with; the connections are in memory, so that the clock stands still while anybody has something to do.
var silent = []struct {
	stage  fault.Stage
	after  time.Duration
	code   fault.Code
	words  []string
	script func(o *Options)
}{
	{fault.StageResolve, 10 * time.Second, fault.PeerResolveFail, []string{"No name server answered"}, func(o *Options) {
		o.Lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
	}},
	{fault.StageConnect, 10 * time.Second, fault.ConnectTimeout, []string{"did not answer"}, func(o *Options) {
		o.DialTCP = func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	}},
	{fault.StageProxy, 30 * time.Second, fault.ProxyFailed, []string{"proxy did not answer"}, func(o *Options) {
		o.Proxy = &config.Proxy{Host: "proxy.test", Port: 3128}
		o.DialTCP = inMemory(func(conn net.Conn) { io.Copy(io.Discard, conn) })
	}},
	{fault.StageProxy, 30 * time.Second, fault.ProxyFailed, []string{"proxy did not answer"}, func(o *Options) {
		o.Proxy = &config.Proxy{Host: "proxy.test", Port: 3128, User: "u"}
		o.DialTCP = inMemory(func(conn net.Conn) { // silent in the middle of a body
			testkit.ReadHead(conn)
			io.WriteString(conn, "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\nContent-Length: 10\r\n\r\nhalf")
			io.Copy(io.Discard, conn)
		})
	}},
	{fault.StageTLS, 15 * time.Second, fault.TLSFailed, []string{"not finished in time"}, func(o *Options) {
		o.DialTCP = inMemory(func(conn net.Conn) { io.Copy(io.Discard, conn) })
	}},
	{fault.StageTLS, 15 * time.Second, fault.TLSFailed, []string{"not finished in time"}, func(o *Options) {
		o.DialTCP = inMemory(func(conn net.Conn) {}) // does not even read
	}},
	{fault.StageHTTP, 20 * time.Second, fault.NotSSTP, []string{"did not answer the SSTP request"}, func(o *Options) {
		o.DialTCP = inMemoryTLS(func(s *tls.Conn) { io.Copy(io.Discard, s) })
	}},
	{fault.StageHTTP, 20 * time.Second, fault.NotSSTP, []string{"did not answer the SSTP request"}, func(o *Options) {
		o.DialTCP = inMemoryTLS(func(s *tls.Conn) { // a byte now and then is no answer either
			testkit.ReadHead(s)
			io.WriteString(s, "HTTP/1.1 200 OK\r\n")
			for err := error(os.ErrDeadlineExceeded); netio.IsTimeout(err); _, err = s.Read(make([]byte, 1)) {
				io.WriteString(s, "X: y\r\n")
				s.SetReadDeadline(time.Now().Add(time.Second))
			}
		})
	}},
}

// inMemory dials servers that are on nobody's network.
func inMemory(handle func(net.Conn)) func(context.Context, netip.AddrPort) (net.Conn, error) {
	return func(context.Context, netip.AddrPort) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go handle(theirs)
		return ours, nil
	}
}

func inMemoryTLS(handle func(*tls.Conn)) func(context.Context, netip.AddrPort) (net.Conn, error) {
	return inMemory(func(conn net.Conn) {
		cfg := memoryServer
		handle(tls.Server(conn, cfg))
	})
}

// memoryServer sends no session tickets: a pipe has no room for what its other end is not reading.
var memoryServer *tls.Config

// quiet are options for a server in memory.
func quiet(t *testing.T, script func(*Options)) Options {
	t.Helper()
	if memoryServer == nil {
		memoryServer = testkit.Presenting(testkit.SelfSigned(t, nil))
		memoryServer.SessionTicketsDisabled = true
	}
	o := unverified(netip.AddrPort{})
	o.DialTCP = inMemory(func(net.Conn) {})
	script(&o)
	return o
}

func TestSilenceEndsEachStageInItsTime(t *testing.T) {
	for _, tc := range silent {
		t.Run(string(tc.stage), func(t *testing.T) {
			o := quiet(t, tc.script)
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left behind
				begun := time.Now()
				f := wantFault(t, o, tc.code, tc.words...)
				if took := time.Since(begun); took != tc.after || f.Stage != tc.stage {
					t.Errorf("after %v at stage %s, want %v at %s", took, f.Stage, tc.after, tc.stage)
				}
			})
		})
	}
}

func TestEachStageCanBeGivenUpAtOnce(t *testing.T) {
	for _, tc := range silent {
		t.Run(string(tc.stage), func(t *testing.T) {
			o := quiet(t, tc.script)
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				begun := time.Now()
				time.AfterFunc(3*time.Second, cancel)
				_, err := Connect(ctx, o, nil)
				f := testkit.WantFault(t, err, codes[tc.stage], "given up")
				if took := time.Since(begun); took != 3*time.Second || f.Stage != tc.stage {
					t.Errorf("after %v at stage %s, want 3 s at %s", took, f.Stage, tc.stage)
				}
				if !errors.Is(err, context.Canceled) {
					t.Error("the caller must see its own cancellation in the error")
				}
			})
		})
	}
}

func TestNothingBeginsWhenTheCallerHasGone(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the interface was taken down")
	cancel(reason)
	seen := &script{}
	_, err := Connect(ctx, unverified(netip.AddrPort{}), seen)
	if !errors.Is(err, reason) {
		t.Errorf("%v does not wrap the cause", err)
	}
	seen.want(t, "resolve", "resolve failed: Connecting was given up.")
}

func TestAConnectionHasNoDeadlineLeft(t *testing.T) {
	o := quiet(t, func(o *Options) {
		o.DialTCP = inMemoryTLS(func(s *tls.Conn) {
			testkit.ReadHead(s)
			io.WriteString(s, testkit.OKHead)
			time.Sleep(time.Hour)
			s.Write(sstpPacket)
			io.Copy(io.Discard, s)
		})
	})
	synctest.Test(t, func(t *testing.T) {
		conn, err := Connect(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, len(sstpPacket))); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Read(make([]byte, 1)); !netio.IsTimeout(err) {
			t.Errorf("%v, want the deadline that was set", err)
		}
		conn.SetDeadline(time.Time{})
		conn.SetWriteDeadline(time.Now().Add(-time.Second))
		if _, err := conn.Write(sstpPacket); !netio.IsTimeout(err) {
			t.Errorf("%v, want the deadline that was set", err)
		}
	})
}

func TestCloseDoesNotWaitForADeadPeer(t *testing.T) {
	o := quiet(t, func(o *Options) {
		o.DialTCP = inMemoryTLS(func(s *tls.Conn) {
			testkit.ReadHead(s)
			io.WriteString(s, testkit.OKHead) // and reads no more: the goodbye does not fit in anywhere
		})
	})
	synctest.Test(t, func(t *testing.T) {
		conn, err := Connect(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		conn.Close()
		if took := time.Since(begun); took > closeGrace {
			t.Errorf("Close took %v, want at most %v", took, closeGrace)
		}
	})
}

func TestOptionsThatWouldChangeTheRequest(t *testing.T) {
	for _, tc := range []struct {
		option string
		change func(*Options)
	}{
		{"server", func(o *Options) { o.Server.Host = "a\r\nX: y" }},
		{"server", func(o *Options) { o.Server.Host = "" }},
		{"server_name", func(o *Options) { o.ServerName = "a b" }},
		{"sni", func(o *Options) { o.SNI = "a\x00" }},
		{"path_secret", func(o *Options) { o.PathSecret = "a HTTP/1.0\r\n" }},
		{"proxy", func(o *Options) { o.Proxy = &config.Proxy{Host: "p p"} }},
		{"proxy", func(o *Options) { o.Proxy = &config.Proxy{Host: "p", User: "a\nb"} }},
		{"proxy", func(o *Options) { o.Proxy = &config.Proxy{Host: "p", Password: "a\nb"} }},
	} {
		o := unverified(netip.AddrPort{})
		tc.change(&o)
		wantFault(t, o, fault.InvalidOptions, "Option "+tc.option)
	}
}
