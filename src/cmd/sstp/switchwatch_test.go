package main

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
	"sstp/src/control"
	"sstp/src/killswitch"
	"sstp/src/session"
	"sstp/src/ubus"
)

func TestTheDaemonLooksAfterTheKillSwitch(t *testing.T) {
	b := newSwitchBench(t)
	var lines []string
	w := &switchWatch{board: b.board, name: "vpn", logf: func(_ config.LogLevel, format string, args ...any) {
		lines = append(lines, fmt.Sprintf(format, args...))
	}}
	if (*switchWatch)(nil).status() != nil || w.status() != nil {
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
	if st := w.status(); st == nil || st.On {
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
			if err := os.Chtimes(filepath.Join(b.board.firewall.root, "etc/config/firewall"), at, at); err != nil {
				t.Fatal(err)
			}
		}
		edit(time.Hour)
		var changed atomic.Int32
		looked := b.netifd.CallsOf("get")
		w := &switchWatch{board: b.board, name: "vpn", logf: func(config.LogLevel, string, ...any) {}, changed: func() { changed.Add(1) }}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.run(ctx) })
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

func TestTheStatusTellsOfTheKillSwitch(t *testing.T) {
	for _, c := range []struct {
		why  string
		st   *killswitch.Status
		want string
	}{
		{"nobody looked", nil, ""},
		{"off", &killswitch.Status{}, ""},
		{"on", &killswitch.Status{On: true, Request: killswitch.Request{Zones: []string{"lan", "guest"}}}, "  kill switch on for lan, guest\n"},
		{"with all there is", &killswitch.Status{On: true, Request: killswitch.Request{Zones: []string{"lan"}, Except: []string{"192.168.1.7"}, Router: true},
			Problems: []*killswitch.Problem{killswitch.NewProblem("not_loaded")}},
			"  kill switch on for lan and the router itself, except 192.168.1.7\n  warning     kill switch: The firewall does not run: no rule of the kill switch is loaded.\n"},
		{"remains", &killswitch.Status{Problems: []*killswitch.Problem{killswitch.NewProblem("leftover", "sstp_vpn_zone")}},
			"  warning     kill switch: Sections of the kill switch are left, such as sstp_vpn_zone, but not its record.\n"},
	} {
		s := session.Status{KillSwitch: c.st}
		a := answer{fields: control.StatusFields(&s, time.Now())}
		var out lockedBuffer
		a.printKillSwitch(&out)
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", c.why, out.String(), c.want)
		}
	}
}
