package firewall

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sstp/src/blobmsg"
	"sstp/src/killswitch"
	"sstp/src/netifd"
	"sstp/src/netifd/netifdtest"
	"sstp/src/ubus"
	"sstp/src/uci"
)

// switchBench is a router with a firewall, as the command finds it.
type switchBench struct {
	*testing.T
	netifd *netifdtest.Netifd
	board  Switch

	mu     sync.Mutex
	loaded []string // comments of the rules in the kernel
}

func newSwitchBench(t *testing.T) *switchBench {
	n := netifdtest.Start(t)
	b := &switchBench{T: t, netifd: n}
	n.Configure("network", "interface", "lan", "proto", "static")
	n.Configure("network", "interface", "wan", "proto", "dhcp")
	n.Configure("network", "interface", "vpn", "proto", "sstp")
	n.Configure("firewall", "zone", "cfg1", "name", "lan", "network", "lan")
	n.Configure("firewall", "zone", "cfg2", "name", "wan", "network", "wan", "network", "wan6", "masq", "1")
	n.Configure("firewall", "rule", "cfg3", "src", "wan", "target", "ACCEPT")
	root := t.TempDir()
	b.board = Switch{UCI: uci.Store{Bus: n.Client(t)}, Firewall: System{Root: root,
		Comments: func() ([]string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.loaded, nil
		},
		Local: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("192.168.1.1")}, nil }}}
	b.write("sbin/fw4", "")
	b.write("usr/sbin/nft", "")
	b.load(nil)
	return b
}

func (b *switchBench) write(path, text string) {
	b.Helper()
	path = filepath.Join(b.board.Firewall.Root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		b.Fatal(err)
	}
}

// load is the firewall loading rules.
func (b *switchBench) load(rules []string) {
	loaded := []string{"!fw4: Accept traffic from loopback"}
	for _, r := range rules {
		loaded = append(loaded, "!fw4: "+r)
	}
	b.mu.Lock()
	b.loaded = loaded
	b.mu.Unlock()
	b.write("var/run/fw4.state", "{}")
}

// do turns a switch on or off as the command of these arguments does; the firewall loads what it saves after a moment, unless it is stopped.
func (b *switchBench) do(line string) error {
	b.Helper()
	words := strings.Fields(line)
	r := killswitch.Request{Tunnel: words[0], Names: true}
	for i, word := range words {
		switch word {
		case "--zone":
			r.Zones = append(r.Zones, words[i+1])
		case "--except":
			r.Except = append(r.Except, words[i+1])
		case "--no-names":
			r.Names = false
		}
	}
	saved := b.netifd.CallsOf("commit")
	ended := make(chan struct{})
	var loading sync.WaitGroup
	defer loading.Wait()
	defer close(ended)
	loading.Go(func() {
		for b.netifd.CallsOf("commit") == saved {
			select {
			case <-ended:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
		b.write("var/run/fw4.state", "{}") // a loading that had begun before
		time.Sleep(50 * time.Millisecond)  // this one takes its time
		s, err := b.board.UCI.State(context.WithoutCancel(b.Context()))
		if err != nil {
			b.Error(err)
		}
		b.load(killswitch.Inspect(s, "vpn").Rules)
	})
	return b.board.Turn(b.Context(), words[1] == "on", r)
}

// sections lists the names of what is configured.
func (b *switchBench) sections() string {
	b.Helper()
	s, err := b.board.UCI.State(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var names []string
	for _, f := range s.Firewall {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

const (
	switchedOff = "cfg1 cfg2 cfg3"
	switchedOn  = "cfg1 cfg2 sstp_vpn_input_1 sstp_vpn_input_2 sstp_vpn_reject_1 sstp_vpn_call_1 sstp_vpn_names_1 cfg3 sstp_vpn_zone sstp_vpn_forward_1 sstp_vpn_killswitch"
)

func TestTheKillSwitchIsSavedAndTakenBack(t *testing.T) {
	b := newSwitchBench(t)
	for range 2 { // twice is as good as once
		if err := b.do("vpn on"); err != nil {
			t.Fatal(err)
		}
		if got := b.sections(); got != switchedOn {
			t.Fatalf("%s, want %s", got, switchedOn)
		}
	}
	if got := b.netifd.CallsOf("commit"); got != 2 {
		t.Errorf("saved %d times, want firewall and network once each", got)
	}
	if b.netifd.Reloads != 1 {
		t.Errorf("netifd was told %d times to read its configuration", b.netifd.Reloads)
	}
	if v := b.netifd.Configured("network", "wan", "peerdns"); !slices.Equal(v, []string{"0"}) {
		t.Errorf("peerdns of wan is %q", v)
	}
	for range 2 {
		if err := b.do("vpn off"); err != nil {
			t.Fatal(err)
		}
		if got := b.sections(); got != switchedOff {
			t.Fatalf("%s, want %s", got, switchedOff)
		}
	}
	if v := b.netifd.Configured("network", "wan", "peerdns"); v != nil {
		t.Errorf("peerdns of wan is %q", v)
	}
}

func TestTheKillSwitchIsLookedUpInTheKernel(t *testing.T) {
	b := newSwitchBench(t)
	if err := b.do("vpn on --no-names"); err != nil {
		t.Fatal(err)
	}
	problem := func() string {
		t.Helper()
		st, err := b.board.Inspect(t.Context(), "vpn")
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Problems) == 0 {
			return ""
		}
		return st.Problems[0].Key
	}
	for _, c := range []struct {
		why, want string
		change    func()
	}{
		{"the rules are in the configuration and not in the kernel", "rule_not_loaded", func() { b.load(nil) }},
		{"one of three is loaded", "rule_not_loaded", func() { b.load([]string{"Kill-switch-vpn-reject"}) }},
		{"all are", "", func() {
			b.load([]string{"Allow-Ping", "Kill-switch-vpn-RA", "Kill-switch-vpn-DHCPv6", "Kill-switch-vpn-reject"})
		}},
		{"the firewall was stopped", "not_loaded", func() { b.loaded = nil }},
		{"nft was removed", "no_nft", func() { os.Remove(filepath.Join(b.board.Firewall.Root, "usr/sbin/nft")) }},
		{"fw3 does not run", "not_loaded", func() {
			os.Remove(filepath.Join(b.board.Firewall.Root, "sbin/fw4"))
			b.write("sbin/fw3", "")
		}},
		{"fw3 runs", "", func() { b.write("var/run/fw3.state", "") }},
		{"the firewall was removed", "no_fw", func() { os.Remove(filepath.Join(b.board.Firewall.Root, "sbin/fw3")) }},
	} {
		c.change()
		if got := problem(); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
}

func TestWhatSpeaksAgainstTheKillSwitchChangesNothing(t *testing.T) {
	for _, c := range []struct {
		why, line, want string
		change          func(b *switchBench)
	}{
		{"a zone that does not exist", "vpn on --zone guest", "no firewall zone guest", nil},
		{"no address", "vpn on --except router", "exception router is neither an address", nil},
		{"another protocol", "wan on", "no interface wan with option proto", nil},
		{"a tunnel in the uplink's zone", "vpn on", "tunnel vpn is in zone wan", func(b *switchBench) {
			b.netifd.Configure("firewall", "zone", "cfg2", "name", "wan", "network", "wan", "network", "vpn", "masq", "1")
		}},
		{"fw4 without nft", "vpn on", "nft is missing", func(b *switchBench) { os.Remove(filepath.Join(b.board.Firewall.Root, "usr/sbin/nft")) }},
		{"no rpcd", "vpn on", "The configuration cannot be read", func(b *switchBench) { b.refuse("get", ubus.StatusNotFound) }},
		{"unsaved changes of somebody", "vpn on", "configuration firewall that are not saved", func(b *switchBench) {
			var args blobmsg.Fields
			args.AddText("section", "cfg1")
			args.AddTable("values", blobmsg.Fields{blobmsg.F("input", blobmsg.String("DROP"))})
			if _, err := b.netifd.Client(b.T).Call(b.Context(), "uci", "set", append(args, blobmsg.F("config", blobmsg.String("firewall")))); err != nil {
				b.Fatal(err)
			}
		}},
		{"a section cannot be added", "vpn on", "did not change", func(b *switchBench) { b.refuse("add", ubus.StatusPermissionDenied) }},
		{"the order cannot be changed", "vpn on", "did not change", func(b *switchBench) { b.refuse("order", ubus.StatusUnknownError) }},
		{"the firewall cannot be saved", "vpn on", "did not save", func(b *switchBench) { b.refuse("commit firewall", ubus.StatusPermissionDenied) }},
		{"the network cannot be saved", "vpn on", "did not save", func(b *switchBench) { b.refuse("commit network", ubus.StatusPermissionDenied) }},
	} {
		b := newSwitchBench(t)
		if c.change != nil {
			c.change(b)
		}
		err := b.do(c.line)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.why, err, c.want)
		}
		b.netifd.Change(func() { b.netifd.Refuse = nil })
		if got := b.sections(); got != switchedOff || b.netifd.Configured("network", "wan", "peerdns") != nil {
			t.Errorf("%s: half done: %s", c.why, got)
		}
		if c.why != "unsaved changes of somebody" {
			for _, config := range uci.Configs {
				if err := b.board.UCI.Unstaged(t.Context(), config); err != nil {
					t.Errorf("%s: %v", c.why, err)
				}
			}
		}
	}
}

func (b *switchBench) refuse(call string, status ubus.Status) {
	b.netifd.Change(func() { b.netifd.Refuse = map[string]ubus.Status{call: status} })
}

func TestAFirewallThatDoesNotLoadIsSaid(t *testing.T) {
	b := newSwitchBench(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := b.board.Firewall.await(ctx, time.Now().Add(time.Hour), nil); err == nil || !strings.Contains(err.Error(), "has not loaded it") {
		t.Errorf("%v", err)
	}
}

func TestForwardedConnectionsAndQuestionsForNamesAreCut(t *testing.T) {
	list := `ipv4     2 tcp      6 7440 ESTABLISHED src=192.168.1.7 dst=192.0.2.9 sport=4000 dport=443 packets=1 bytes=2 src=192.0.2.9 dst=203.0.113.2 sport=443 dport=4000 packets=1 bytes=2 [ASSURED] mark=0 zone=0 use=2
ipv4     2 udp      17 55 src=192.168.1.7 dst=192.168.1.1 sport=5353 dport=53 packets=1 bytes=2 src=192.168.1.1 dst=192.168.1.7 sport=53 dport=5353 packets=1 bytes=2 mark=0 use=2
ipv4     2 udp      17 55 src=203.0.113.2 dst=203.0.113.1 sport=4003 dport=53 packets=1 bytes=2 src=203.0.113.1 dst=203.0.113.2 sport=53 dport=4003 packets=1 bytes=2 mark=0 use=2
ipv4     2 tcp      6 7440 ESTABLISHED src=203.0.113.2 dst=192.0.2.10 sport=4001 dport=443 src=192.0.2.10 dst=203.0.113.2 sport=443 dport=4001 [ASSURED] use=2
ipv4     2 tcp      6 7440 ESTABLISHED src=192.168.1.7 dst=192.0.2.11 sport=4002 dport=80 src=192.0.2.11 dst=203.0.113.2 sport=80 dport=4002 [ASSURED] use=2
ipv6     10 udp      17 12 src=2001:0db8:0002:0000:0000:0000:0000:0007 dst=2001:0db8:00ff:0000:0000:0000:0000:0001 sport=1 dport=2 src=2001:0db8:00ff:0000:0000:0000:0000:0001 dst=2001:0db8:0002:0000:0000:0000:0000:0007 sport=2 dport=1 use=2
ipv4     2 unknown  2 500 src=192.168.1.8 dst=224.0.0.1 src=224.0.0.1 dst=192.168.1.8 use=2
nonsense src= dst=x
`
	own := []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("203.0.113.2")}
	got := hostsToCut(bufio.NewScanner(strings.NewReader(list)), own)
	want := []netip.Addr{netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8:2::7")}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWhatTheKillSwitchTookAwayIsAskedForTheServersName(t *testing.T) {
	b := newSwitchBench(t)
	b.netifd.Set(netifdtest.Uplink("wan", "eth1", "203.0.113.2/24", "203.0.113.1", 0))
	b.netifd.Configure("network", "interface", "wan", "proto", "static", "gateway", "203.0.113.1", "dns", "203.0.113.53", "dns", "203.0.113.54")
	iface := netifd.New(b.board.UCI.Bus.(*ubus.Client), "vpn", netifd.Options{})
	servers := func() string {
		t.Helper()
		list, err := NameServers(b.board.UCI.Bus, iface)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(list)
	}
	if got := servers(); got != "[]" {
		t.Errorf("netifd tells of none yet: %s", got)
	}
	if err := b.do("vpn on"); err != nil {
		t.Fatal(err)
	}
	if got := b.netifd.Configured("network", "wan", "dns"); got != nil {
		t.Errorf("wan still has %q", got)
	}
	if got, want := servers(), "[{203.0.113.53 eth1} {203.0.113.54 eth1}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := b.do("vpn off"); err != nil {
		t.Fatal(err)
	}
	if got := b.netifd.Configured("network", "wan", "dns"); !slices.Equal(got, []string{"203.0.113.53", "203.0.113.54"}) {
		t.Errorf("wan has %q", got)
	}
}
