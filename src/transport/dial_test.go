package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sstp/src/fault"
	"sstp/src/phrase"
	"sstp/src/transport/testkit"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// network answers dials: each address after its time with its error, or with a connection.
type network struct {
	mu     sync.Mutex
	begun  time.Time
	answer map[string]reaction
	dials  []string // with the time since the start
	open   int      // connections not closed
}

type reaction struct {
	after time.Duration // 0: at once; never: until the dial is given up
	err   error
}

const never = time.Hour

func (n *network) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	n.dials = append(n.dials, fmt.Sprint(addr.Addr(), " ", time.Since(n.begun)))
	r := n.answer[addr.Addr().String()]
	n.mu.Unlock()
	select {
	case <-time.After(r.after):
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
	}
	if r.err != nil {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", r.err)}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open++
	ours, theirs := net.Pipe()
	theirs.Close()
	return &counted{Conn: ours, n: n}, nil
}

// counted is a connection that tells when it is closed.
type counted struct {
	net.Conn
	n    *network
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() {
		c.n.mu.Lock()
		c.n.open--
		c.n.mu.Unlock()
	})
	return c.Conn.Close()
}

func TestHappyEyeballs(t *testing.T) {
	refused, unreachable := syscall.ECONNREFUSED, syscall.ENETUNREACH
	for _, tc := range []struct {
		why    string
		addrs  []netip.Addr
		answer map[string]reaction
		dials  []string
		won    string
		took   time.Duration
		code   fault.Code
		words  []string
	}{
		{
			why: "the first address that answers at once is the only one tried", addrs: addrs("2001:db8::1", "192.0.2.1"),
			dials: []string{"2001:db8::1 0s"}, won: "2001:db8::1",
		},
		{
			why: "a family in a black hole costs 250 ms", addrs: addrs("2001:db8::1", "2001:db8::2", "192.0.2.1"),
			answer: map[string]reaction{"2001:db8::1": {after: never}, "2001:db8::2": {after: never}},
			dials:  []string{"2001:db8::1 0s", "192.0.2.1 250ms"}, won: "192.0.2.1", took: 250 * time.Millisecond,
		},
		{
			why: "the families take turns", addrs: addrs("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"),
			answer: map[string]reaction{"192.0.2.1": {after: never}, "192.0.2.2": {after: never}, "2001:db8::1": {after: never}},
			dials:  []string{"192.0.2.1 0s", "2001:db8::1 250ms", "192.0.2.2 500ms", "2001:db8::2 750ms"},
			won:    "2001:db8::2", took: 750 * time.Millisecond,
		},
		{
			why: "after a refusal the next one does not wait", addrs: addrs("2001:db8::1", "192.0.2.1"),
			answer: map[string]reaction{"2001:db8::1": {err: unreachable}, "192.0.2.1": {after: time.Second}},
			dials:  []string{"2001:db8::1 0s", "192.0.2.1 0s"}, won: "192.0.2.1", took: time.Second,
		},
		{
			why: "a slow first one still wins over a slower second", addrs: addrs("2001:db8::1", "192.0.2.1"),
			answer: map[string]reaction{"2001:db8::1": {after: 300 * time.Millisecond}, "192.0.2.1": {after: time.Second}},
			dials:  []string{"2001:db8::1 0s", "192.0.2.1 250ms"}, won: "2001:db8::1", took: 300 * time.Millisecond,
		},
		{
			why: "both answer in the same moment: one is closed", addrs: addrs("2001:db8::1", "192.0.2.1"),
			answer: map[string]reaction{"2001:db8::1": {after: 250 * time.Millisecond}, "192.0.2.1": {}},
			took:   250 * time.Millisecond,
		},
		{
			why: "an address that stands twice is dialed once", addrs: addrs("192.0.2.1", "::ffff:192.0.2.1"),
			answer: map[string]reaction{"192.0.2.1": {err: refused}}, dials: []string{"192.0.2.1 0s"},
			code: fault.ConnectFailed, words: []string{"vpn.test:443", "192.0.2.1 refused the connection"},
		},
		{
			why: "nobody answers", addrs: addrs("2001:db8::1", "192.0.2.1"),
			answer: map[string]reaction{"2001:db8::1": {after: never}, "192.0.2.1": {after: never}},
			took:   10 * time.Second, code: fault.ConnectTimeout,
			words: []string{"2001:db8::1 did not answer", "192.0.2.1 did not answer"},
		},
		{
			why: "the kernel's own timeout is one", addrs: addrs("192.0.2.1"),
			answer: map[string]reaction{"192.0.2.1": {err: syscall.ETIMEDOUT}}, code: fault.ConnectTimeout,
		},
		{
			why: "silence tells more than a family that is not there", addrs: addrs("2001:db8::1", "192.0.2.1"),
			answer: map[string]reaction{"2001:db8::1": {err: unreachable}, "192.0.2.1": {after: never}},
			took:   10 * time.Second, code: fault.ConnectTimeout, words: []string{"no route", "did not answer"},
		},
		{
			why: "and a refusal more than silence", addrs: addrs("2001:db8::1", "192.0.2.1"),
			answer: map[string]reaction{"2001:db8::1": {after: never}, "192.0.2.1": {err: refused}},
			took:   10 * time.Second, code: fault.ConnectFailed, words: []string{"refused"},
		},
		{
			why: "no route at all is a missing uplink", addrs: addrs("2001:db8::1", "192.0.2.1"),
			answer: map[string]reaction{"2001:db8::1": {err: unreachable}, "192.0.2.1": {err: unreachable}},
			code:   fault.NoUplink, words: []string{"no route", "WAN"},
		},
		{
			why: "a router on the way refuses", addrs: addrs("192.0.2.1"),
			answer: map[string]reaction{"192.0.2.1": {err: syscall.EHOSTUNREACH}}, code: fault.ConnectFailed,
		},
		{
			why: "what nobody thought of", addrs: addrs("192.0.2.1"),
			answer: map[string]reaction{"192.0.2.1": {err: syscall.EACCES}}, code: fault.ConnectFailed,
			words: []string{"permission denied"},
		},
		{
			why: "a long list is cut short", addrs: addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"),
			answer: map[string]reaction{"192.0.2.1": {err: refused}, "192.0.2.2": {err: refused}, "192.0.2.3": {err: refused},
				"192.0.2.4": {err: refused}, "192.0.2.5": {err: refused}},
			code: fault.ConnectFailed, words: []string{"and so on"},
		},
	} {
		t.Run(tc.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{begun: time.Now(), answer: tc.answer}
				c := &connector{o: Options{DialTCP: n.dial}, obs: noObserver{}, clock: time.Now}
				var conn net.Conn
				err := c.stage(t.Context(), fault.StageConnect, connectLimit, func(ctx context.Context) (f phrase.Phrase, err error) {
					conn, f, err = c.dial(ctx, vpn, interleave(tc.addrs))
					return f, err
				})
				if took := time.Since(n.begun); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
				if tc.dials != nil && !slices.Equal(n.dials, tc.dials) {
					t.Errorf("dialed %q, want %q", n.dials, tc.dials)
				}
				if tc.code != "" {
					testkit.WantFault(t, err, tc.code, tc.words...)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if tc.won != "" && c.dialed.Addr().String() != tc.won {
					t.Errorf("%s won, want %s", c.dialed, tc.won)
				}
				if n.open != 1 {
					t.Errorf("%d connections are open, want the winner's alone", n.open)
				}
				conn.Close()
			})
		})
	}
}

func TestPrepareComesBeforeEachDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{begun: time.Now(), answer: map[string]reaction{"2001:db8::1": {after: never}}}
		var prepared []string
		c := &connector{obs: noObserver{}, clock: time.Now, o: Options{DialTCP: n.dial, BindDevice: "wan",
			Prepare: func(_ context.Context, addr netip.Addr) (string, error) {
				synctest.Wait() // until the dials before this one wait for their answers
				prepared = append(prepared, fmt.Sprint(addr, " after ", len(n.dials)))
				switch addr.String() {
				case "192.0.2.1":
					return "", fault.New(fault.NoUplink, fault.StageConnect, "netifd knows no route.")
				case "192.0.2.2":
					return "wan2", nil
				}
				return "", nil
			}}}
		conn, _, err := c.dial(t.Context(), vpn, addrs("2001:db8::1", "192.0.2.1", "192.0.2.2"))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		want := []string{"2001:db8::1 after 0", "192.0.2.1 after 1", "192.0.2.2 after 1"}
		if !slices.Equal(prepared, want) || len(n.dials) != 2 {
			t.Errorf("prepared %q and dialed %q, want %q and no dial of the address that could not be prepared",
				prepared, n.dials, want)
		}
		if c.device != "wan2" {
			t.Errorf("device %q, want the one that Prepare gave", c.device)
		}
	})
}

func TestPreparesFailureIsTheAnswerWhereNothingElseIs(t *testing.T) {
	o := unverified(netip.AddrPort{})
	o.Prepare = func(context.Context, netip.Addr) (string, error) {
		return "", fault.New(fault.NoUplink, fault.StageConnect, "Interface wan2 is down.")
	}
	wantFault(t, o, fault.NoUplink, "Interface wan2 is down.")
	o.Prepare = func(context.Context, netip.Addr) (string, error) { return "", errors.New("no ubus") }
	wantFault(t, o, fault.ConnectFailed, "no ubus")
}

func TestRealSockets(t *testing.T) {
	addr := testkit.Listen(t, testkit.SSTPServer(testkit.Presenting(testkit.SelfSigned(t, nil)), testkit.OKHead))
	o := unverified(addr)
	o.Server.Host, o.Server.Port, o.DialTCP, o.Congestion = "127.0.0.1", addr.Port(), nil, "reno"
	conn := mustConnect(t, o, nil)
	if conn.Info().Server != addr {
		t.Errorf("connected to %v, want %v", conn.Info().Server, addr)
	}

	o.BindDevice = "lo"
	mustConnect(t, o, nil)
	o.BindDevice = "nonexistent0"
	wantFault(t, o, fault.NoUplink, "nonexistent0", "does not exist", "tunlink")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.BindDevice, o.Server.Port = "", uint16(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	wantFault(t, o, fault.ConnectFailed, "No connection to 127.0.0.1") // qemu-user does not translate the error's number
}

func TestResolve(t *testing.T) {
	for _, tc := range []struct {
		why     string
		host    string
		answer  []netip.Addr
		err     error
		want    string
		finding string
		words   []string
	}{
		{why: "an address is not looked up", host: "192.0.2.9", err: errors.New("asked"), want: "192.0.2.9"},
		{why: "nor one of IPv6", host: "2001:db8::9", err: errors.New("asked"), want: "2001:db8::9"},
		{why: "an IPv4 address in IPv6 clothes is one of IPv4", host: "::ffff:192.0.2.9", err: errors.New("asked"), want: "192.0.2.9"},
		{why: "both families", host: "vpn.test", answer: addrs("192.0.2.1", "2001:db8::1"), want: "192.0.2.1 2001:db8::1"},
		{why: "no name", host: "vpn.test", err: &net.DNSError{Err: "no such host", Name: "vpn.test", IsNotFound: true},
			words: []string{"vpn.test does not exist"}},
		{why: "no answer", host: "vpn.test", err: &net.DNSError{Err: "i/o timeout", IsTimeout: true},
			words: []string{"No name server answered for vpn.test"}},
		{why: "servfail", host: "vpn.test", err: &net.DNSError{Err: "server misbehaving"}, words: []string{"server misbehaving"}},
		{why: "another resolver's words", host: "vpn.test", err: errors.New("odd"), words: []string{"odd"}},
		{why: "a name without addresses", host: "vpn.test", answer: []netip.Addr{{}}, words: []string{"no address"}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			c := connector{o: Options{Lookup: func(context.Context, string) ([]netip.Addr, error) { return tc.answer, tc.err }}}
			got, _, err := c.resolve(t.Context(), tc.host)
			if tc.words != nil {
				testkit.WantFault(t, err, fault.PeerResolveFail, tc.words...)
				return
			}
			if text := strings.Trim(fmt.Sprint(got), "[]"); err != nil || text != tc.want {
				t.Errorf("%q, %v, want %q", text, err, tc.want)
			}
		})
	}
}

func TestANameWithThousandsOfAddressesIsTriedAtAFew(t *testing.T) {
	var many []netip.Addr
	for a := netip.MustParseAddr("192.0.2.0"); len(many) < 4000; a = a.Next() {
		many = append(many, a)
	}
	c := connector{o: Options{Lookup: func(context.Context, string) ([]netip.Addr, error) { return many, nil }}}
	got, _, err := c.resolve(t.Context(), "vpn.test")
	if err != nil || len(got) != maxAddresses || got[0] != many[0] {
		t.Errorf("%d addresses, %v, want the first %d", len(got), err, maxAddresses)
	}
}

func TestTheSystemsResolverKnowsTheHostsFile(t *testing.T) {
	got, err := systemLookup(t.Context(), "localhost")
	if err != nil || !got[0].IsLoopback() {
		t.Errorf("localhost is %v, %v", got, err)
	}
}

// FuzzInterleave: each address is tried once, the first one first, and no family waits while both are left.
func FuzzInterleave(f *testing.F) {
	f.Add([]byte{4, 4, 6, 6, 4})
	f.Fuzz(func(t *testing.T, kinds []byte) {
		var in []netip.Addr
		unique := map[netip.Addr]bool{}
		for _, k := range kinds {
			a := netip.AddrFrom4([4]byte{192, 0, 2, k})
			if k%2 == 1 {
				a = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 15: k})
			}
			in, unique[a] = append(in, a), true
		}
		out := interleave(in)
		if len(out) != len(unique) || len(in) > 0 && out[0] != in[0] {
			t.Fatalf("%v became %v", in, out)
		}
		for i := 2; i < len(out); i++ {
			if out[i].Is4() == out[i-1].Is4() && slices.ContainsFunc(out[i:], func(a netip.Addr) bool { return a.Is4() != out[i].Is4() }) {
				t.Fatalf("%v: a family waits", out)
			}
		}
		for _, a := range out {
			delete(unique, a)
		}
		if len(unique) != 0 {
			t.Fatalf("%v were lost", unique)
		}
	})
}
