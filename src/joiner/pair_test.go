package joiner

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sstp/src/auth"
	"sstp/src/fault"
	"sstp/src/ppp"
	"sstp/src/sstp"
)

// pair is a client and a server that hear each other at once.
type pair struct {
	testing.TB
	now            time.Time
	client, server *side
}

// side is one end: what it was told to do, in words, and what it has sent.
type side struct {
	*Joiner
	did    []string
	sent   [][]byte
	unread int
	ended  *Action
}

func serverConfig(methods ...auth.Method) Config { return seededServer(1, methods...) }

func seededServer(seed byte, methods ...auth.Method) Config {
	random := rand.NewChaCha8([32]byte{seed})
	return Config{
		SSTP: sstp.Config{Role: sstp.Server, LeafCertificate: []byte("certificate"), Nonce: [32]byte{1, 2, 3}},
		PPP: ppp.Config{
			Role: ppp.Server, MRU: 1400, IPv4: true, IPv6: true, Address: netip.MustParseAddr("10.0.0.1"), Rand: random, Auth: protocols(methods),
		},
		NewLogin: func(agreed auth.LCPAuth, nextID func() uint8) Login {
			return auth.NewAuthenticator(auth.AuthenticatorConfig{
				Secret:  func(user string) (string, bool) { return "password", user == "user" },
				Methods: methods, Rand: random, NextID: nextID,
			}, agreed)
		},
		Admit: func(time.Time, auth.Action) (netip.Addr, *fault.Error) { return netip.MustParseAddr("10.0.0.2"), nil },
	}
}

func newPair(t testing.TB, client, server Config) *pair {
	p := &pair{TB: t, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), client: &side{Joiner: New(client)}, server: &side{Joiner: New(server)}}
	p.server.note(p.server.Start(p.now))
	p.client.note(p.client.Start(p.now))
	return p
}

func (s *side) note(do []Action) {
	for _, a := range do {
		switch a.Kind {
		case Send:
			s.sent = append(s.sent, a.Data)
			continue
		case Ended:
			s.ended = &a
		}
		s.did = append(s.did, word(a))
	}
}

func word(a Action) string {
	switch a.Kind {
	case LoggedIn:
		return strings.TrimSpace(fmt.Sprintf("logged in %s %s", a.Method, a.User))
	case IPv4Up:
		return fmt.Sprintf("IPv4 %v %v", a.IPv4.Local, a.IPv4.Peer)
	case Ended:
		if a.Err == nil {
			return "ended"
		}
		return fmt.Sprintf("ended by %v: %s", a.By, a.Err.Code)
	}
	return map[Kind]string{
		Opened: "opened", LinkOpen: "link open", Bound: "bound", IPv4Down: "IPv4 down", IPv6Up: "IPv6", IPv6Down: "IPv6 down",
		RoundTrip: "round trip", Closing: "closing",
	}[a.Kind]
}

// exchange carries packets until both sides are quiet.
func (p *pair) exchange() {
	for {
		quiet := true
		for _, way := range [][2]*side{{p.client, p.server}, {p.server, p.client}} {
			from, to := way[0], way[1]
			for from.unread < len(from.sent) {
				quiet = false
				pkt := slices.Clone(from.sent[from.unread])
				from.unread++
				to.note(to.Receive(p.now, pkt))
				clear(pkt) // the joiner keeps nothing of it
			}
		}
		if quiet {
			return
		}
	}
}

// pass lets time pass, to each deadline.
func (p *pair) pass(d time.Duration) {
	end := p.now.Add(d)
	for {
		next := end
		for _, s := range []*side{p.client, p.server} {
			if at := s.Deadline(); !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		p.now = next
		for _, s := range []*side{p.client, p.server} {
			s.note(s.Advance(p.now))
		}
		p.exchange()
		if !p.now.Before(end) {
			return
		}
	}
}

func (p *pair) wants(why string, s *side, want ...string) {
	p.Helper()
	if !slices.Equal(s.did, want) {
		p.Errorf("%s:\n got %q\nwant %q", why, s.did, want)
	}
	s.did = nil
}

func TestBothRolesBringACallUpAndSayGoodbye(t *testing.T) {
	for _, m := range []auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2, auth.CHAP, auth.PAP} {
		t.Run(string(m), func(t *testing.T) {
			p := newPair(t, clientConfig([]auth.Method{m}), serverConfig(m))
			p.exchange()
			p.wants("the client's call", p.client, "opened", "link open", "logged in "+string(m), "bound", "IPv6", "IPv4 10.0.0.2 10.0.0.1")
			p.wants("the server's call: the addresses are agreed behind the binding", p.server,
				"opened", "link open", "logged in "+string(m)+" user", "bound", "IPv6", "IPv4 10.0.0.1 10.0.0.2")
			p.client.note(p.client.Ping(p.now))
			p.exchange()
			p.wants("an echo is answered", p.client, "round trip")
			p.client.note(p.client.Hangup(p.now, "", nil))
			p.exchange()
			p.pass(4 * time.Second)
			p.wants("our goodbye is no failure", p.client, "IPv4 down", "IPv6 down", "closing", "ended")
			p.wants("nor is it one for the server", p.server, "IPv4 down", "IPv6 down", "closing", "ended")
		})
	}
}

func withWrongProof(agreed auth.LCPAuth, nextID func() uint8) Login {
	return auth.NewAuthenticator(auth.AuthenticatorConfig{
		Secret:     func(string) (string, bool) { return "password", true },
		WrongProof: true, Rand: rand.NewChaCha8([32]byte{}), NextID: nextID,
	}, agreed)
}

func TestTheEndSaysWhoBroughtItAbout(t *testing.T) {
	up := func(p *pair) { p.exchange(); p.client.did, p.server.did = nil, nil }
	for _, c := range []struct {
		name   string
		do     func(p *pair)
		by     fault.Party
		code   fault.Code
		client func(*Config)
	}{
		{"the server hangs up", func(p *pair) { up(p); p.server.note(p.server.Hangup(p.now, "", nil)) }, fault.Peer, fault.ClosedByServer, nil},
		{"the server refuses the password", func(p *pair) {}, fault.Peer, fault.AuthFailed, func(cfg *Config) {
			cfg.NewLogin = func(agreed auth.LCPAuth, nextID func() uint8) Login {
				return auth.NewPeer(auth.PeerConfig{
					Username: "user", Password: "wrong", Methods: []auth.Method{auth.MSCHAPv2}, Rand: rand.NewChaCha8([32]byte{}), NextID: nextID,
				}, agreed)
			}
		}},
		{"the server gives up on our methods", func(p *pair) {}, fault.Peer, fault.AuthMethodRefused, func(cfg *Config) { cfg.PPP.Auth = protocols([]auth.Method{auth.PAP}) }},
		{"the server does not know the password", func(p *pair) { p.server.cfg.NewLogin = withWrongProof }, fault.Us, fault.AuthFailed, nil},
		{"the connection ends without a word", func(p *pair) { up(p); p.client.note(p.client.Lost(p.now, nil)) }, fault.Path, fault.ClosedByServer, nil},
		{"the connection ends in the login", func(p *pair) {
			p.client.note(p.client.Lost(p.now, nil))
		}, fault.Path, fault.SSTPRejected, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := clientConfig([]auth.Method{auth.MSCHAPv2})
			if c.client != nil {
				c.client(&cfg)
			}
			p := newPair(t, cfg, serverConfig(auth.MSCHAPv2))
			c.do(p)
			p.exchange()
			p.pass(10 * time.Second)
			switch e := p.client.ended; {
			case e == nil:
				t.Fatal("the call has not ended")
			case e.Err == nil || e.Err.Code != c.code || e.By != c.by:
				t.Errorf("ended by %v with %v, want by %v with %s", e.By, e.Err, c.by, c.code)
			}
		})
	}
}

// TestTheActionsOfACallBelongToItsOwner: an owner may call the joiner again before it has carried out a list.
func TestTheActionsOfACallBelongToItsOwner(t *testing.T) {
	j := New(clientConfig([]auth.Method{auth.MSCHAPv2}))
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	first := j.Start(now)
	want := slices.Clone(first[0].Data)
	j.Hangup(now, "", nil)
	j.Advance(now.Add(time.Hour))
	if first[0].Kind != Send || !slices.Equal(first[0].Data, want) {
		t.Errorf("the first action is now %d with %x", first[0].Kind, first[0].Data)
	}
}

func TestAClientThatMayOnlyLookHangsUpByItself(t *testing.T) {
	for until, want := range map[Milestone][]string{
		UntilOpened: {"opened", "closing", "ended"},
		UntilBound:  {"opened", "link open", "logged in mschapv2", "bound", "closing", "ended"},
	} {
		cfg := clientConfig([]auth.Method{auth.MSCHAPv2})
		cfg.Until = until
		p := newPair(t, cfg, serverConfig(auth.MSCHAPv2))
		p.exchange()
		p.wants("and asks for no address", p.client, want...)
	}
}

func TestAServerWithoutAnAddressRefusesTheLogin(t *testing.T) {
	cfg := serverConfig(auth.MSCHAPv2)
	cfg.Admit = func(time.Time, auth.Action) (netip.Addr, *fault.Error) {
		return netip.Addr{}, fault.New(fault.NoAddress, fault.StageNetwork, "The address pool is empty.")
	}
	p := newPair(t, clientConfig([]auth.Method{auth.MSCHAPv2}), cfg)
	p.exchange()
	p.pass(4 * time.Second)
	p.wants("nobody is logged in", p.server, "opened", "link open", "closing", "ended by us: NO_ADDRESS")
}
