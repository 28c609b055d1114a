package control

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/config"
	"sstp/src/fault"
	"sstp/src/killswitch"
	"sstp/src/phrase"
	"sstp/src/reach"
	"sstp/src/status"
	"sstp/src/ubus"
	"sstp/src/ubus/ubustest"
)

var now = time.Unix(1700000100, 0)

// full is a status at the time now with everything in it.
func full() status.Status {
	return status.Status{
		Interface: "vpn", State: "up", Since: time.Unix(1700000000, 0), Server: "vpn.test:443", ServerAddress: "198.51.100.7:443",
		Uplink: "wan", Proxy: "proxy.test:3128", Attempt: 3, NextRetry: now.Add(1500 * time.Millisecond),
		TLS: &status.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Path: "kernel", PathReason: "faster", VerifiedBy: "full",
			Subject: "CN=vpn.test", Issuer: "CN=ca", NotAfter: time.Unix(4102444800, 0), Fingerprint: "sha256:00"},
		Auth: "mschapv2", CryptoBinding: phrase.Of("%s without keys", "SHA-256"), Device: "sstp-vpn", MTU: 1400,
		Local: netip.MustParseAddr("10.99.0.2"), Peer: netip.MustParseAddr("10.99.0.1"), DNS: []netip.Addr{netip.MustParseAddr("10.99.0.53")},
		Local6: netip.MustParseAddr("fe80::2"), Peer6: netip.MustParseAddr("fe80::1"),
		UpSince:  now.Add(-61 * time.Second),
		RTT:      status.RTT{Last: 12500 * time.Microsecond, Min: 12 * time.Millisecond, Avg: 13 * time.Millisecond, Max: 15 * time.Millisecond},
		Counters: status.Counters{RxBytes: 1 << 33, TxBytes: 2, RxPackets: 3, TxPackets: 4, RxDropped: 5, TxDropped: 6}, Reconnects: 7,
		LastError:     &fault.Error{Code: "PEER_SILENT", Stage: "up", Message: "It fell silent.", Hint: "Wait."},
		LastErrorTime: time.Unix(1700000001, 0),
		Reach: reach.Report{
			Checked: time.Unix(1700000050, 0), Internet: reach.Finding{Key: "reach_other", Args: []string{"wan", "why"}, Text: "by wan, although the tunnel is up: why"},
			Names: reach.Finding{Key: "names_tunnel", Text: "by the tunnel's name servers", OK: true},
		},
		Warnings: []config.Warning{{Option: "verify", Phrase: phrase.Of("Beware of %s.", "it")}}, AddressWarnings: []string{"Not used."}, Version: "1.2.3",
		KillSwitch: &killswitch.Status{On: true, Request: killswitch.Request{Zones: []string{"lan", "guest"}, Except: []string{"192.168.1.7"}, Router: true, Names: true},
			Problems: []*killswitch.Problem{{Key: "missing", Args: []string{"sstp_vpn_zone"}, Text: "It is missing."}}},
	}
}

// TestTheFieldsOfAStatus: other programs read the fields, so their names, types and order stay as they are in testdata.
func TestTheFieldsOfAStatus(t *testing.T) {
	for file, s := range map[string]status.Status{"status.json": full(), "status-starting.json": {Interface: "vpn", State: "starting"}} {
		want, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if got := asJSON(StatusFields(&s, now)); got != strings.TrimSpace(string(want)) {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestTheFieldsThatDependOnTheTime(t *testing.T) {
	s := status.Status{NextRetry: now, UpSince: now}
	f := StatusFields(&s, now.Add(time.Second))
	if ms, ok := f.Number("next_retry_ms"); !ok || ms != 1 {
		t.Errorf("a retry that is due is in %d ms, want 1, because none has no field", ms)
	}
	if seconds, ok := f.Number("uptime_s"); !ok || seconds != 1 {
		t.Errorf("up for %d s, want 1", seconds)
	}
}

func TestCountersAndTimesKeepTheirType(t *testing.T) {
	s := full()
	s.Counters = status.Counters{RxBytes: 1}
	f := StatusFields(&s, now)
	for _, path := range []string{"since", "uptime_s", "counters.rx_bytes", "counters.tx_bytes", "last_error.time", "tls.not_after", "reach.checked"} {
		if typ := f.At(path).Type(); typ != blobmsg.TypeInt64 {
			t.Errorf("%s has type %d, want INT64", path, typ)
		}
	}
}

func asJSON(f blobmsg.Fields) string { return string(blobmsg.AppendJSON(nil, blobmsg.Tab(f...))) }

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
		if s, err := call("status", session); err != nil || asJSON(s) != asJSON(StatusFields(&f.status, time.Now())) {
			t.Errorf("status %s, %v", asJSON(s), err)
		}
		h, err := call("history", session)
		if got := asJSON(h); err != nil || got != `{"events":[{"time":1700000000,"state":"up","text":"up"}]}` {
			t.Errorf("history %s, %v", got, err)
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
