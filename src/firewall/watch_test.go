package firewall

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/config"
	"sstp/src/ubus"
)

func TestTheDaemonLooksAfterTheKillSwitch(t *testing.T) {
	b := newSwitchBench(t)
	var lines []string
	w := &Watch{Switch: b.board, Tunnel: "vpn", Log: func(_ config.LogLevel, format string, args ...any) {
		lines = append(lines, fmt.Sprintf(format, args...))
	}}
	if (*Watch)(nil).Status() != nil || w.Status() != nil {
		t.Error("nobody has looked yet")
	}
	for _, c := range []struct {
		why, line, want string
		change          func()
	}{
		{"it is off, which is no news", "", "", func() {}},
		{"it is turned on", "vpn on --no-names", "kill switch on: lan", func() {
			b.load([]string{"Kill-switch-vpn-RA", "Kill-switch-vpn-DHCPv6", "Kill-switch-vpn-reject"})
		}},
		{"nothing has changed", "", "", func() {}},
		{"a rule was removed", "", "kill switch: The firewall has not loaded the rule Kill-switch-vpn-reject.", func() { b.load([]string{"Kill-switch-vpn-RA", "Kill-switch-vpn-DHCPv6"}) }},
		{"said once", "", "", func() {}},
		{"it is mended", "", "", func() { b.load([]string{"Kill-switch-vpn-RA", "Kill-switch-vpn-DHCPv6", "Kill-switch-vpn-reject"}) }},
		{"it is turned off", "vpn off", "kill switch off", func() {}},
		{"rpcd is gone", "", "kill switch: The configuration cannot be read", func() { b.refuse("get", ubus.StatusNotFound) }},
	} {
		if c.line != "" {
			if err := b.do(c.line); err != nil {
				t.Fatal(err)
			}
		}
		c.change()
		lines = nil
		w.look(t.Context())
		if got := strings.Join(lines, "\n"); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: the log says %q, want %q", c.why, got, c.want)
		}
	}
	if st := w.Status(); st == nil || st.On {
		t.Errorf("what was seen last: %+v", st)
	}
}

func TestTheDaemonLooksAgainWhenSomethingHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSwitchBench(t)
		// In the test's time the clock of files stands still.
		edit := func(age time.Duration) {
			b.write("etc/config/firewall", "")
			at := time.Now().Add(-age)
			if err := os.Chtimes(filepath.Join(b.board.Firewall.Root, "etc/config/firewall"), at, at); err != nil {
				t.Fatal(err)
			}
		}
		edit(time.Hour)
		var changed atomic.Int32
		looked := b.netifd.CallsOf("get")
		w := &Watch{Switch: b.board, Tunnel: "vpn", Log: func(config.LogLevel, string, ...any) {}, Changed: func() { changed.Add(1) }}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Run(ctx) })
		looks := func(why string, after time.Duration, want, wantChanged int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			got, told := (b.netifd.CallsOf("get")-looked)/2, int(changed.Load())
			looked = b.netifd.CallsOf("get")
			if got != want || told != wantChanged {
				t.Errorf("%s: %d looks, %d changes told; want %d and %d", why, got, told, want, wantChanged)
			}
		}
		looks("at the beginning", time.Second, 1, 0)
		looks("while nothing happens", switchLook-switchGlance, 0, 0)
		looks("once a minute", switchGlance, 1, 0)
		edit(time.Minute)
		looks("after a change", switchGlance, 1, 1)
		cancel()
		running.Wait()
	})
}
