package ubus

import (
	"context"
	"errors"
	"net"
	"time"
)

// Where ubusd listens. The second path is that of OpenWrt 19.07.
const (
	socketPath    = "/var/run/ubus/ubus.sock"
	oldSocketPath = "/var/run/ubus.sock"
)

// How long things may take.
const (
	callTimeout  = 10 * time.Second // a call whose context has no deadline; whatever ubusd answers itself; ubusd's hello
	stallTimeout = 30 * time.Second // the rest of a message, in either direction
	firstPause   = time.Second      // before connecting again, or registering what ubusd refused
	maxPause     = 30 * time.Second
)

// Options say how to reach ubusd and whom to tell. All may be left empty.
type Options struct {
	Socket string                                      // empty: where ubusd listens on OpenWrt
	Dial   func(ctx context.Context) (net.Conn, error) // in place of Socket

	// Connected is called after each connection, once it has been tried to register everything. It may make calls.
	Connected func()
	// Lost is called when a connection ends, and when the first attempt fails; not for each attempt after it.
	Lost func(err error)
	// Log takes a line about what went wrong without anybody waiting for it. It is called from several goroutines, and must
	// neither wait nor call the client.
	Log func(line string)
}

// dial reaches ubusd's socket.
func (o *Options) dial(ctx context.Context) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial(ctx)
	}
	var d net.Dialer
	if o.Socket != "" {
		return d.DialContext(ctx, "unix", o.Socket)
	}
	conn, err := d.DialContext(ctx, "unix", socketPath)
	if err != nil {
		if old, oldErr := d.DialContext(ctx, "unix", oldSocketPath); oldErr == nil {
			return old, nil
		}
	}
	return conn, err
}

// bounded gives ctx a deadline if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}

var (
	errEnded   = errors.New("the client has ended")
	errNoHello = errors.New("ubusd did not say hello (it refuses users without an entry in /etc/passwd)")
	errVersion = errors.New("ubusd speaks another version of the protocol")
	errSilent  = errors.New("ubusd does not answer")
	errStalled = errors.New("ubusd does not take what is sent to it")
)
