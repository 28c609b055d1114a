package control

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/killswitch"
	"sstp/src/ubus"
	"sstp/src/ubus/ubustest"
)

// full is a status with everything in it.
func full() Status {
	return Status{
		Interface: "vpn", State: "up", Since: time.Unix(1700000000, 0), Server: "vpn.test:443", ServerAddress: "198.51.100.7:443",
		Uplink: "wan", Proxy: "proxy.test:3128", Attempt: 3, NextRetry: 1500 * time.Millisecond,
		TLS: &TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Path: "kernel", PathReason: "faster", VerifiedBy: "full",
			Subject: "CN=vpn.test", Issuer: "CN=ca", NotAfter: time.Unix(4102444800, 0), Fingerprint: "sha256:00"},
		Auth: "mschapv2", CryptoBinding: "SHA-256", Device: "sstp-vpn", MTU: 1400,
		IPv4:     IPv4{Address: netip.MustParseAddr("10.99.0.2"), Peer: netip.MustParseAddr("10.99.0.1"), DNS: []netip.Addr{netip.MustParseAddr("10.99.0.53")}},
		IPv6:     IPv6{Address: netip.MustParseAddr("fe80::2"), Peer: netip.MustParseAddr("fe80::1")},
		Uptime:   61 * time.Second,
		RTT:      RTT{Last: 12500 * time.Microsecond, Min: 12 * time.Millisecond, Avg: 13 * time.Millisecond, Max: 15 * time.Millisecond},
		Counters: Counters{RxBytes: 1 << 33, TxBytes: 2, RxPackets: 3, TxPackets: 4, RxDropped: 5, TxDropped: 6}, Reconnects: 7,
		LastError: &Error{Code: "PEER_SILENT", Stage: "up", Message: "It fell silent.", Hint: "Wait.", Time: time.Unix(1700000001, 0)},
		Reach: Reach{
			Checked: time.Unix(1700000050, 0), Internet: Finding{Key: "reach_other", Args: []string{"wan", "why"}, Text: "by wan, although the tunnel is up: why"},
			Names: Finding{Key: "names_tunnel", Text: "by the tunnel's name servers", OK: true},
		},
		Warned: []Warning{{Option: "verify", Text: "Beware."}}, AddressWarnings: []string{"Not used."}, Version: "1.2.3",
		KillSwitch: &killswitch.Status{On: true, Request: killswitch.Request{Zones: []string{"lan", "guest"}, Except: []string{"192.168.1.7"}, Router: true, Names: true},
			Problems: []*killswitch.Problem{{Key: "missing", Args: []string{"sstp_vpn_zone"}, Text: "It is missing."}}},
	}
}

func TestAStatusIsReadAsItWasWritten(t *testing.T) {
	for name, s := range map[string]Status{"full": full(), "at the beginning": {Interface: "vpn", State: "starting", Since: time.Unix(1, 0), Version: "x"}} {
		t.Run(name, func(t *testing.T) {
			wire, err := blobmsg.ParseFields(blobmsg.AppendFields(nil, s.Fields()))
			if err != nil {
				t.Fatal(err)
			}
			if got := ParseStatus(wire); !reflect.DeepEqual(got, s) {
				t.Errorf("got  %+v\nwant %+v", got, s)
			}
		})
	}
}

func TestAStatusOfAnotherVersionIsReadAsFarAsItGoes(t *testing.T) {
	f := blobmsg.Fields{
		blobmsg.F("interface", blobmsg.Int(7)), blobmsg.F("state", blobmsg.String("up")), blobmsg.F("since", blobmsg.String("yesterday")),
		blobmsg.F("ipv4", blobmsg.String("10.0.0.1")), blobmsg.F("rtt_ms", blobmsg.Tab(blobmsg.F("last", blobmsg.Int(5)))), blobmsg.F("new", blobmsg.Bool(true)),
		blobmsg.F("counters", blobmsg.Tab(blobmsg.F("rx_bytes", blobmsg.Int(9)))),
	}
	s := ParseStatus(f)
	if s.State != "up" || s.Interface != "" || !s.Since.IsZero() || s.RTT.Last != 5*time.Millisecond || s.Counters.RxBytes != 9 {
		t.Errorf("got %+v", s)
	}
}

// onBus publishes a tunnel on a bus and calls script with a client of another user.
func onBus(t *testing.T, script func(t *testing.T, f *fakeTunnel, c *ubus.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := ubustest.New()
		client := func(o ubus.Options) *ubus.Client {
			c := ubus.New(o)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.Run(ctx)
			}()
			t.Cleanup(func() {
				cancel()
				<-done
			})
			return c
		}
		t.Cleanup(server.Close)
		f := &fakeTunnel{status: full(), reasons: make(chan string, 4), levels: make(chan int, 4)}
		Publish(client(ubus.Options{Dial: server.Dial}), "vpn", f)
		c := client(ubus.Options{Dial: server.DialAs("operator", "operator")})
		synctest.Wait()
		script(t, f, c)
	})
}

func TestTheObjectOfATunnel(t *testing.T) {
	onBus(t, func(t *testing.T, f *fakeTunnel, c *ubus.Client) {
		call := func(method string, args ...blobmsg.Field) (blobmsg.Fields, error) {
			return c.Call(t.Context(), "sstp.vpn", method, args)
		}
		session := blobmsg.F("ubus_rpc_session", blobmsg.String("0123")) // uhttpd adds it to each call
		if s, err := call("status", session); err != nil || !reflect.DeepEqual(ParseStatus(s), full()) {
			t.Errorf("status %v, %v", s, err)
		}
		h, err := call("history", session)
		want := []Entry{{State: "up", Text: "up", Time: time.Unix(1700000000, 0)}}
		if got := ParseHistory(h); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("history %+v, %v", got, err)
		}
		if _, err := call("reconnect", session); err != nil || <-f.reasons != "asked to reconnect by operator" {
			t.Errorf("reconnect: %v", err)
		}
		if _, err := call("log_level", blobmsg.F("level", blobmsg.Int64(4)), session); err != nil || <-f.levels != 4 {
			t.Errorf("log_level: %v", err)
		}
	})
}

func TestWhatIsNoLogLevelIsRefused(t *testing.T) {
	onBus(t, func(t *testing.T, f *fakeTunnel, c *ubus.Client) {
		for name, args := range map[string]blobmsg.Fields{
			"none": nil, "a text": {blobmsg.F("level", blobmsg.String("1"))}, "too large": {blobmsg.F("level", blobmsg.Int(5))},
			"too small": {blobmsg.F("level", blobmsg.Int(-1))}, "huge": {blobmsg.F("level", blobmsg.Int64(1<<40))}, "a table": {blobmsg.F("level", blobmsg.Tab())},
		} {
			if _, err := c.Call(t.Context(), "sstp.vpn", "log_level", args); !errors.Is(err, ubus.StatusInvalidArgument) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(f.levels) > 0 {
			t.Error("one of them was set")
		}
		if _, err := c.Call(t.Context(), "sstp.vpn", "password", nil); !errors.Is(err, ubus.StatusMethodNotFound) {
			t.Errorf("an unknown method: %v", err)
		}
	})
}

// slowBus takes events when it is let.
type slowBus struct {
	Bus
	let  chan struct{}
	mu   sync.Mutex
	sent []string
}

func (b *slowBus) Send(ctx context.Context, event string, data blobmsg.Fields) error {
	select {
	case <-b.let:
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, event+" "+data.Text("interface")+" "+data.Text("state")+" "+data.Text("code"))
	return nil
}

func TestEventsAreSentInOrderAndNeverMakeTheTunnelWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &slowBus{let: make(chan struct{})}
		e := NewEvents(b, "vpn")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.Run(ctx)
		}()
		e.State("up", "")
		synctest.Wait()
		for range 100 {
			e.State("holding", "PEER_SILENT")
			e.State("up", "")
		}
		for range 1 + keptEvents {
			b.let <- struct{}{}
			synctest.Wait()
		}
		want := []string{"sstp vpn up "}
		for range keptEvents / 2 {
			want = append(want, "sstp vpn holding PEER_SILENT", "sstp vpn up ")
		}
		if !slices.Equal(b.sent, want) {
			t.Errorf("sent %q\nwant %q", b.sent, want)
		}
		e.State("stopping", "")
		synctest.Wait()
		cancel()
		<-done
	})
}
