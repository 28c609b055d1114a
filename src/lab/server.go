// Package lab is an SSTP server ([MS-SSTP], server's role) for tests, benchmarks and demonstrations. It serves several
// clients at once over TLS, authenticates them, checks the crypto binding, hands out addresses and carries their
// packets through one TUN device, or answers echoes itself. Told so, it misbehaves at any step. It is no server for
// production: it has no accounting, no limits for a hostile crowd, and passwords in clear text in memory.
package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sstp/src/auth"
)

// Server is an SSTP server. Its methods may be called from any goroutine.
type Server struct {
	cfg  Config
	cert *Certificate
	hub  *hub // nil: no device

	eventMu sync.Mutex // held while OnEvent runs

	mu        sync.Mutex
	pool      *pool
	misbehave Misbehaviour
	conns     map[int]*conn
	stats     Stats
}

// New makes a server. With a device it begins to read it; Close ends that.
func New(cfg Config) (*Server, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Users == nil {
		cfg.Users = map[string]string{"user": "password"}
	}
	if cfg.Methods == nil {
		cfg.Methods = []auth.Method{auth.MSCHAPv2, auth.EAPMSCHAPv2, auth.CHAP, auth.PAP}
		if cfg.EAPTLS != nil {
			cfg.Methods = slices.Insert(cfg.Methods, 0, auth.EAPTLS)
		}
	}
	if slices.Contains(cfg.Methods, auth.EAPTLS) && cfg.EAPTLS == nil {
		return nil, errors.New("EAP-TLS needs the server's certificate and the clients' CA")
	}
	if cfg.MRU == 0 {
		cfg.MRU = 1400
	}
	s := &Server{cfg: cfg, cert: cfg.Certificate, misbehave: cfg.Misbehave, conns: map[int]*conn{}}
	var err error
	if s.pool, err = newPool(cfg.Pool, cfg.Pool6, cfg.FreshAddress); err != nil {
		return nil, err
	}
	if s.cert == nil {
		if s.cert, err = NewCertificate(CertificateOptions{}); err != nil {
			return nil, fmt.Errorf("making a certificate: %w", err)
		}
	}
	if cfg.Device != nil {
		s.hub = newHub(cfg.Device)
	}
	return s, nil
}

// Close stops reading the device. Call it when all ServeConn have returned.
func (s *Server) Close() error {
	if s.hub == nil {
		return nil
	}
	return s.hub.close()
}

// Serve accepts and serves connections until ctx ends or ln fails; then it ends all calls in an orderly way, waits for
// them and closes ln. The error is nil after ctx ended.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			wg.Go(func() { s.ServeConn(ctx, conn) })
		case ctx.Err() != nil:
			return nil
		default:
			ln.Close()
			return err
		}
	}
}

// ServeConn serves one connection until it has ended. When ctx ends, it ends the call in an orderly way. It closes raw. If
// raw is a datapath.Batcher, several records are moved at once. The error is why the connection ended; nil means that one
// side ended the call in order.
func (s *Server) ServeConn(ctx context.Context, raw net.Conn) error {
	c := s.enter(raw)
	c.event(EventAccepted, "from="+raw.RemoteAddr().String(), nil)
	err := c.serve(ctx)
	s.leave(c)
	c.event(EventEnded, c.traffic(), err)
	return err
}

func (s *Server) enter(raw net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Accepted++
	c := newConn(s, s.stats.Accepted, raw)
	if n := s.misbehave.First; n == 0 || c.id <= n {
		c.m = s.misbehave
	}
	s.conns[c.id] = c
	return c
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c.id)
	s.pool.release(c.slot)
	s.stats.Ended++
	if !c.bound {
		s.stats.Refused++
	}
}

// Misbehave replaces the misbehaviour for the connections that come from now on. Its First counts all connections since
// the server was made.
func (s *Server) Misbehave(m Misbehaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.misbehave = m
}

// Stats counts since the server was made.
type Stats struct {
	Accepted      int // TCP connections
	Authenticated int // users that proved who they are
	Bound         int // calls whose crypto binding was right
	Refused       int // connections that ended before the crypto binding was found right
	Ended         int // connections that are over
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Client is a client that has authenticated.
type Client struct {
	Conn       int
	User       string
	Method     auth.Method // empty: none
	Remote     net.Addr
	Since      time.Time
	Connected  bool         // the crypto binding was right
	IPv4       netip.Addr   // invalid until IPCP is up
	IPv6       netip.Addr   // link-local; invalid until IPV6CP is up
	Prefix6    netip.Prefix // advertised to it
	TLSVersion uint16
	RxPackets  uint64 // from the client, IP alone
	RxBytes    uint64
	TxPackets  uint64 // to the client
	TxBytes    uint64
	RxDropped  uint64 // what came and was no IP packet or came too early
	TxDropped  uint64 // what found the client's queue full
}

// Clients returns the clients that have authenticated, in the order in which they came.
func (s *Server) Clients() []Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Client
	for _, id := range slices.Sorted(maps.Keys(s.conns)) {
		c := s.conns[id]
		if c.client.Since.IsZero() {
			continue
		}
		cl, n := c.client, c.pumps.Counters()
		cl.RxPackets, cl.RxBytes, cl.RxDropped = n.RxPackets, n.RxBytes, n.RxDropped
		cl.TxPackets, cl.TxBytes, cl.TxDropped = n.TxPackets, n.TxBytes, n.TxDropped
		list = append(list, cl)
	}
	return list
}

// Cut closes the TCP connections of a user without a word ("" means all connections) and returns their number.
func (s *Server) Cut(user string) int { return s.each(user, (*conn).cut) }

// Disconnect ends the calls of a user in an orderly way ("" means all calls) and returns their number.
func (s *Server) Disconnect(user string) int {
	return s.each(user, func(c *conn) { c.order(orderDisconnect) })
}

// Mute lets the calls of a user fall silent ("" means all calls), while their TCP connections stay open, and returns
// their number.
func (s *Server) Mute(user string) int { return s.each(user, func(c *conn) { c.order(orderMute) }) }

func (s *Server) each(user string, do func(*conn)) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if user == "" || c.client.User == user {
			do(c)
			n++
		}
	}
	return n
}

// CertificateInUse returns the server's certificate, given or made.
func (s *Server) CertificateInUse() *Certificate { return s.cert }

// Address4 returns the server's own address inside the tunnel, with the network of all clients.
func (s *Server) Address4() netip.Prefix {
	return netip.PrefixFrom(s.pool.server4(), s.pool.net4.Bits())
}

// Address6 is the same for IPv6. Beside it the server has the link-local address fe80::1.
func (s *Server) Address6() netip.Prefix {
	return netip.PrefixFrom(s.pool.server6(), s.pool.net6.Bits())
}

// dns returns the name servers handed out by IPCP and by router advertisement.
func (s *Server) dns() (v4, v6 []netip.Addr) {
	if s.cfg.DNS == nil {
		return []netip.Addr{s.pool.server4()}, nil
	}
	for _, a := range s.cfg.DNS {
		if a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return v4[:min(len(v4), 2)], v6
}
