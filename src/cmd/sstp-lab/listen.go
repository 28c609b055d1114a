package main

import (
	"net"
	"strings"

	"sstp/src/transport"
)

// listener makes its connections raw: no more is woken for a packet than has to be, and several records of TLS can be
// moved at once.
type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		if raw, err := transport.NewRawConn(tcp); err == nil {
			return raw, nil
		}
	}
	return c, err
}

func listen(addresses []string) (list []net.Listener, err error) {
	for _, a := range addresses {
		ln, err := net.Listen("tcp", a)
		if err != nil {
			for _, l := range list {
				l.Close()
			}
			return nil, err
		}
		list = append(list, listener{ln})
	}
	return list, nil
}

func names(listeners []net.Listener) string {
	var list []string
	for _, l := range listeners {
		list = append(list, l.Addr().String())
	}
	return strings.Join(list, " ")
}
