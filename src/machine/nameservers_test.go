package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sstp/src/config"
	"sstp/src/netifd"
)

// nameServer is a real name server on port 53 of a loopback address (RFC 1035). It knows one name.
type nameServer struct {
	addr     netip.Addr
	name     string
	answer   netip.Addr // of the name; invalid: the server says that it does not exist
	cut      bool       // answers by UDP are too long: ask by TCP
	silent   bool
	mu       sync.Mutex
	asked    []string // network and name
	finished sync.WaitGroup
}

func startNameServer(t *testing.T, s *nameServer) *nameServer {
	t.Helper()
	at := netip.AddrPortFrom(s.addr, 53)
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Skipf("no name server can be started here: %v", err)
	}
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		udp.Close()
		t.Skipf("no name server can be started here: %v", err)
	}
	s.finished.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if reply := s.reply(buf[:n], "udp"); reply != nil {
				udp.WriteToUDPAddrPort(reply, from)
			}
		}
	})
	s.finished.Go(func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(5 * time.Second))
			var length [2]byte
			if _, err := io.ReadFull(c, length[:]); err == nil {
				question := make([]byte, binary.BigEndian.Uint16(length[:]))
				if _, err := io.ReadFull(c, question); err == nil {
					reply := s.reply(question, "tcp")
					c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
				}
			}
			c.Close()
		}
	})
	t.Cleanup(func() {
		udp.Close()
		tcp.Close()
		s.finished.Wait()
	})
	return s
}

// reply answers a question for an A record; of others it has none.
func (s *nameServer) reply(q []byte, network string) []byte {
	if len(q) < 17 {
		return nil
	}
	var labels []string
	at := 12
	for at < len(q) && q[at] != 0 {
		n := int(q[at])
		labels = append(labels, string(q[at+1:at+1+n]))
		at += 1 + n
	}
	question := q[12 : at+5]
	name := strings.Join(labels, ".")
	s.mu.Lock()
	s.asked = append(s.asked, network+" "+name)
	s.mu.Unlock()
	if s.silent {
		return nil
	}
	header := []byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}
	switch {
	case s.cut && network == "udp":
		header[2] |= 2 // TC
	case name != s.name || !s.answer.IsValid():
		header[3] |= 3 // NXDOMAIN
	case question[len(question)-3] == 1: // A
		header[7] = 1
		answer := append([]byte{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4}, s.answer.AsSlice()...)
		return append(append(header, question...), answer...)
	}
	return append(header, question...)
}

func (s *nameServer) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// TestTheUplinksNameServersAreAskedFirst has real name servers answer on addresses of the loopback device, which stands for
// the uplink's: the sockets are bound to it.
func TestTheUplinksNameServersAreAskedFirst(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("port 53 needs root")
	}
	const name = "vpn.uplink.test"
	server := func(n int, s *nameServer) netifd.NameServer {
		s.addr, s.name = netip.MustParseAddr(fmt.Sprintf("127.83.53.%d", n)), name
		t.Cleanup(func() { // runs after the server has ended, whose own clean-up is registered later
			for _, q := range s.asked {
				if !strings.HasSuffix(q, " "+name) {
					t.Errorf("asked for %q: search domains are not the uplink's", q)
				}
			}
		})
		startNameServer(t, s)
		return netifd.NameServer{Addr: s.addr, Device: "lo"}
	}
	one, two, three := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	good := server(1, &nameServer{answer: one})
	byTCP := server(2, &nameServer{answer: two, cut: true})
	ignorant := server(3, &nameServer{})
	silent := server(4, &nameServer{silent: true})
	unreachable := netifd.NameServer{Addr: netip.MustParseAddr("127.83.53.9"), Device: "nosuchdevice"}
	errSystem := errors.New("the system does not know it")
	for _, c := range []struct {
		why     string
		servers []netifd.NameServer
		trouble error // of the list
		system  error
		want    netip.Addr
		fails   string
	}{
		{"the first one knows", []netifd.NameServer{good, byTCP}, nil, errSystem, one, ""},
		{"a long answer comes by TCP", []netifd.NameServer{byTCP}, nil, errSystem, two, ""},
		{"the next one knows", []netifd.NameServer{ignorant, good}, nil, errSystem, one, ""},
		{"one that does not answer does not keep the next from it", []netifd.NameServer{silent, good}, nil, errSystem, one, ""},
		{"nor one that cannot be reached", []netifd.NameServer{unreachable, good}, nil, errSystem, one, ""},
		{"the system knows a name that the uplink does not", []netifd.NameServer{ignorant}, nil, nil, three, ""},
		{"there are none: the system is asked", nil, nil, nil, three, ""},
		{"netifd does not tell: the system is asked", nil, errors.New("no netifd"), nil, three, ""},
		{"nobody knows", []netifd.NameServer{ignorant}, nil, errSystem, netip.Addr{}, "no such host"},
		{"there are none, and the system does not know", nil, nil, errSystem, netip.Addr{}, errSystem.Error()},
	} {
		lookup := UplinkLookup(func(context.Context) ([]netifd.NameServer, error) { return c.servers, c.trouble }, 0,
			func(config.LogLevel, string, ...any) {},
			func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{three}, c.system })
		got, err := lookup(t.Context(), name)
		switch {
		case c.fails != "":
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, %v; want %q", c.why, got, err, c.fails)
			}
		case err != nil || !slices.Equal(got, []netip.Addr{c.want}):
			t.Errorf("%s: %v, %v; want %v", c.why, got, err, c.want)
		}
	}
}

func TestALookupThatWasGivenUpEnds(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("port 53 needs root")
	}
	s := startNameServer(t, &nameServer{addr: netip.MustParseAddr("127.83.53.5"), silent: true})
	lookup := UplinkLookup(func(context.Context) ([]netifd.NameServer, error) {
		return []netifd.NameServer{{Addr: s.addr}, {Addr: s.addr}}, nil
	}, 0, func(config.LogLevel, string, ...any) {}, func(context.Context, string) ([]netip.Addr, error) {
		t.Error("the system was asked after the end")
		return nil, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lookup(ctx, "vpn.test"); err == nil {
		t.Error("no error")
	}
	if n := s.questions(); n == 0 || n > 2 { // A and AAAA
		t.Errorf("%d questions", n)
	}
}

func TestNameServersOfTheSystemsFile(t *testing.T) {
	path := t.TempDir() + "/resolv.conf"
	text := "# comment\nsearch lan\nnameserver 192.0.2.53\n\tnameserver\t2001:db8::53 # second\nnameserver\nnameserver x\noptions ndots:1\nnameserver fe80::1%eth0"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want := []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53"), netip.MustParseAddr("fe80::1%eth0")}
	if got := fileServers(path); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := fileServers(path + "x"); got != nil {
		t.Errorf("%v of a file that is not there", got)
	}
}
