package ppp

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"sstp/src/fault"
)

// end is one end of a line between two Links.
type end struct {
	link     *Link
	inbox    []arrival
	auth     *AuthProtocol
	v4       *IPv4
	v6       *IPv6
	v6Down   bool
	over     bool
	err      *fault.Error
	openings int
}

type arrival struct {
	at    time.Time
	frame []byte
}

// pair is two Links and the line between them. Authentication takes no time: the server says that it went well with a
// packet of its own, at which the client goes on.
type pair struct {
	t              *testing.T
	now            time.Time
	delay          time.Duration
	client, server end
}

func newPair(t *testing.T, client, server Config, delay time.Duration) *pair {
	return &pair{t: t, now: time.Unix(1700000000, 0), delay: delay, client: end{link: NewLink(client)}, server: end{link: NewLink(server)}}
}

// carryOut does what a Link asks for.
func (p *pair) carryOut(from, to *end, do []Action) {
	for _, a := range do {
		if from.over {
			p.t.Fatalf("after Terminated: %s", show(a))
		}
		switch a.Kind {
		case Send:
			to.inbox = append(to.inbox, arrival{p.now.Add(p.delay), a.Data})
		case Authenticate:
			from.auth = &a.Auth
			from.openings++
			if a.Auth == (AuthProtocol{}) {
				p.carryOut(from, to, from.link.Authenticated(p.now))
			} else if from == &p.server {
				to.inbox = append(to.inbox, arrival{p.now.Add(p.delay), from.link.AuthFrame(nil, []byte{3, 0, 0, 4})})
				p.carryOut(from, to, from.link.Authenticated(p.now))
			}
		case AuthPacket:
			p.carryOut(from, to, from.link.Authenticated(p.now))
		case IPv4Up:
			from.v4 = &a.IPv4
		case IPv4Down:
			from.v4 = nil
		case IPv6Up:
			from.v6 = &a.IPv6
		case IPv6Down:
			from.v6, from.v6Down = nil, true
		case Terminated:
			from.over, from.err = true, a.Err
		}
	}
}

// run plays until nothing is under way, or for two minutes.
func (p *pair) run() {
	p.t.Helper()
	stop := p.now.Add(2 * time.Minute)
	for steps := 0; ; steps++ {
		if steps > 1000 {
			p.t.Fatal("no end of talking")
		}
		next := stop
		for _, e := range []*end{&p.client, &p.server} {
			if d := e.link.Deadline(); !d.IsZero() && d.Before(next) {
				next = d
			}
			if len(e.inbox) > 0 && e.inbox[0].at.Before(next) {
				next = e.inbox[0].at
			}
		}
		if next == stop {
			return
		}
		p.now = next
		for _, e := range [][2]*end{{&p.client, &p.server}, {&p.server, &p.client}} {
			for len(e[0].inbox) > 0 && !e[0].inbox[0].at.After(p.now) {
				frame := e[0].inbox[0].frame
				e[0].inbox = e[0].inbox[1:]
				p.carryOut(e[0], e[1], e[0].link.Receive(p.now, frame))
			}
			p.carryOut(e[0], e[1], e[0].link.Advance(p.now))
		}
	}
}

func (p *pair) start() {
	p.carryOut(&p.client, &p.server, p.client.link.Start(p.now))
	p.carryOut(&p.server, &p.client, p.server.link.Start(p.now))
}

func code(err *fault.Error) fault.Code {
	if err == nil {
		return ""
	}
	return err.Code
}

// common says that client and server can find a method, or need none.
func common(client, server []AuthProtocol) bool {
	for _, c := range client {
		for _, s := range server {
			if c == s {
				return true
			}
		}
	}
	return len(server) == 0
}

func TestClientAndServerAgreeInAllCombinations(t *testing.T) {
	methods := []AuthProtocol{methodEAP, methodMSCHAPv2, methodCHAP, methodPAP}
	var lists [][]AuthProtocol // all ordered choices of up to two methods, and all four
	lists = append(lists, nil, methods)
	for i, a := range methods {
		lists = append(lists, []AuthProtocol{a})
		for j, b := range methods {
			if i != j {
				lists = append(lists, []AuthProtocol{a, b})
			}
		}
	}
	dns := []netip.Addr{addr("10.0.0.53"), addr("10.0.0.54")}
	runs := 0
	for i, clientList := range lists {
		for j, serverList := range lists {
			for bits := range 16 {
				// Every method with every method, and each time another half of the rest.
				if (bits^i^j)&1 == 1 {
					continue
				}
				runs++
				client := Config{Role: Client, MRU: 1400 * (bits & 1), Auth: clientList, IPv4: true, IPv6: bits&2 != 0, WantDNS: bits&4 != 0, Rand: &counting{}}
				server := Config{Role: Server, MRU: 1380 * (bits >> 3), Auth: serverList, IPv4: true, IPv6: bits&8 != 0, Address: addr("10.0.0.1"), PeerAddress: addr("10.0.0.2"), DNS: dns[:(i+bits)%3], Rand: &counting{last: 0x80}}
				p := newPair(t, client, server, []time.Duration{0, 40 * time.Millisecond, 2 * time.Second}[runs%3])
				p.start()
				p.run()
				p.check(clientList, serverList, client, server)
				if t.Failed() {
					t.Fatalf("client %v, server %v, bits %04b, delay %v", clientList, serverList, bits, p.delay)
				}
			}
		}
	}
	if runs < 2000 {
		t.Errorf("only %d runs", runs)
	}
}

func (p *pair) check(clientList, serverList []AuthProtocol, client, server Config) {
	t, c, s := p.t, &p.client, &p.server
	if !common(clientList, serverList) {
		wantServer := fault.AuthMethodRefused
		if len(clientList) == 0 {
			wantServer = fault.PPPNegotiationFailed // the client hung up without a word about methods
		}
		if !c.over || code(c.err) != fault.AuthMethodRefused || !s.over || code(s.err) != wantServer {
			t.Errorf("no common method: client %v, server %v", c.err, s.err)
		}
		return
	}
	if c.over || s.over {
		t.Errorf("client over: %v %v, server over: %v %v", c.over, c.err, s.over, s.err)
		return
	}
	if c.auth == nil || s.auth == nil || *c.auth != *s.auth || c.openings != 1 || s.openings != 1 {
		t.Errorf("agreed on %v and %v in %d and %d attempts", c.auth, s.auth, c.openings, s.openings)
	}
	want4 := IPv4{Local: addr("10.0.0.2"), Peer: addr("10.0.0.1")}
	if client.WantDNS && len(server.DNS) > 0 {
		want4.DNS = server.DNS
	}
	if c.v4 == nil || !reflect.DeepEqual(*c.v4, want4) {
		t.Errorf("client's IPv4 %v, want %v", c.v4, want4)
	}
	if want := (IPv4{Local: addr("10.0.0.1"), Peer: addr("10.0.0.2")}); s.v4 == nil || !reflect.DeepEqual(*s.v4, want) {
		t.Errorf("server's IPv4 %v, want %v", s.v4, want)
	}
	if both := client.IPv6 && server.IPv6; both {
		if c.v6 == nil || s.v6 == nil || c.v6.Local != s.v6.Peer || s.v6.Local != c.v6.Peer {
			t.Errorf("IPv6: client %v, server %v", c.v6, s.v6)
		}
	} else if c.v6 != nil || s.v6 != nil || client.IPv6 != c.v6Down || server.IPv6 != s.v6Down {
		t.Errorf("IPv6 on one side only: client %v (down %v), server %v (down %v)", c.v6, c.v6Down, s.v6, s.v6Down)
	}
	wantMRU := func(asked int) int {
		if asked == 0 {
			return 1500
		}
		return asked
	}
	if got := c.link.PeerMRU(); got != wantMRU(server.MRU) {
		t.Errorf("client may send %d, server asked for %d", got, server.MRU)
	}
	if got := s.link.PeerMRU(); got != wantMRU(client.MRU) {
		t.Errorf("server may send %d, client asked for %d", got, client.MRU)
	}

	// And the goodbye, from either side.
	from, to := c, s
	if p.delay > 0 {
		from, to = s, c
	}
	p.carryOut(from, to, from.link.Terminate(p.now, "done"))
	p.run()
	if !from.over || from.err != nil || !to.over || code(to.err) != fault.ClosedByServer {
		t.Errorf("goodbye: %v %v on our side, %v %v on the other", from.over, from.err, to.over, to.err)
	}
}

func TestClientAndServerWithTheSameMagicNumberPart(t *testing.T) {
	client, server := clientConfig(methodPAP), serverConfig(methodPAP)
	client.Rand = &counting{}
	server.Rand = io.MultiReader(bytes.NewReader([]byte{1, 2, 3, 4}), &counting{last: 0x80})
	p := newPair(t, client, server, 0)
	p.start()
	p.run()
	if p.client.v4 == nil || p.server.v4 == nil {
		t.Fatalf("not up: client %v, server %v", p.client.err, p.server.err)
	}
	if p.client.link.lcp.magic == p.server.link.lcp.magic {
		t.Error("both have the same magic number")
	}
}

func TestAServerWithoutIPv4GivesNoAddress(t *testing.T) {
	client, server := clientConfig(methodPAP), serverConfig(methodPAP)
	server.IPv4 = false
	p := newPair(t, client, server, time.Millisecond)
	p.start()
	p.run()
	if code(p.client.err) != fault.NoAddress || !p.server.over {
		t.Errorf("client %v, server %v", p.client.err, p.server.err)
	}
}

func TestAClientWithIPv6Alone(t *testing.T) {
	client, server := clientConfig(methodPAP), serverConfig(methodPAP)
	client.IPv4 = false
	p := newPair(t, client, server, time.Millisecond)
	p.start()
	p.run()
	if p.client.v6 == nil || p.server.v6 == nil || p.client.over || p.server.over {
		t.Errorf("client %v, server %v", p.client, p.server)
	}
}

func ExampleLink() {
	client := NewLink(Config{Role: Client, MRU: 1400, Auth: []AuthProtocol{{ProtoCHAP, AlgorithmMSCHAPv2}}, IPv4: true})
	for _, a := range client.Start(time.Now()) {
		fmt.Printf("%s %x\n", a.Kind, a.Data)
	}
	// Output: Send ff03c0210101000801040578
}
