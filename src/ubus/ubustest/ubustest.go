// Package ubustest is a ubusd for tests: the server of the socket protocol, routing calls, events and notifications
// between its clients as ubusd of 2025-11 does, for pipes as well as for sockets. It has no access control and no monitor,
// and passes no file descriptors on.
package ubustest

import (
	"context"
	"net"
	"os"
	"sync"

	"sstp/src/ubus"
)

// Server is a fake ubusd. Whatever the clients do, it never waits for one of them while another one is waiting for it.
type Server struct {
	work sync.WaitGroup // readers, writers, the acceptor

	mu       sync.Mutex
	stopped  bool
	path     string // of the socket, if there is one
	listener net.Listener
	clients  map[uint32]*client
	objects  map[uint32]*object
	lastID   uint32
	eventSeq uint16
}

// New returns a server without clients.
func New() *Server {
	return &Server{clients: map[uint32]*client{}, objects: map[uint32]*object{}}
}

// Dial connects a client of user root through a pipe; it fits ubus.Options.Dial. A stopped server refuses.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	return s.DialAs("root", "root")(ctx)
}

// DialAs returns a function like Dial for a client of another user.
func (s *Server) DialAs(user, group string) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		if !s.connect(there, user, group) {
			return nil, &net.OpError{Op: "dial", Net: "pipe", Err: os.ErrNotExist}
		}
		return here, nil
	}
}

// Listen serves a socket at path too. All its clients pass for root.
func (s *Server) Listen(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path = path
	return s.listen()
}

func (s *Server) listen() error {
	l, err := net.Listen("unix", s.path)
	if err != nil {
		return err
	}
	s.listener = l
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.connect(conn, "root", "root")
		}
	})
	return nil
}

// Stop ends all connections, forgets every object, and refuses clients until Start.
func (s *Server) Stop() {
	s.mu.Lock()
	s.stopped = true
	if s.listener != nil {
		s.listener.Close()
		s.listener = nil
	}
	for _, c := range s.clients {
		c.conn.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// Start lets clients connect again after Stop.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = false
	if s.path == "" {
		return nil
	}
	return s.listen()
}

// Close ends the server and waits for all that it started.
func (s *Server) Close() { s.Stop() }

// newID returns an id that looks as random as ubusd's: at least 1024, and often negative as an INT32.
func (s *Server) newID() uint32 {
	for {
		s.lastID++
		if id := s.lastID * 0x9e3779b1; id >= 1024 && s.clients[id] == nil && s.objects[id] == nil {
			return id
		}
	}
}

// connect takes a client on, says hello, and serves it until its connection ends.
func (s *Server) connect(conn net.Conn, user, group string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		conn.Close()
		return false
	}
	c := &client{server: s, conn: conn, id: s.newID(), user: user, group: group, wake: make(chan struct{}, 1)}
	s.clients[c.id] = c
	c.send(ubus.MessageHello, 0, c.id, nil)
	s.work.Go(c.write)
	s.work.Go(c.read)
	return true
}
