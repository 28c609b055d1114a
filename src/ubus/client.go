// Package ubus speaks OpenWrt's message bus as libubus does: the conversation with ubusd over its socket, as caller and as
// owner of objects. Package blobmsg has the values that it carries. The formats are those of ubus' ubusmsg.h, as of 2025.
package ubus

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"sstp/src/blobmsg"
)

// maxHandlers limits the calls of our methods that are served at a time. A caller beyond it gets StatusNoMemory.
const maxHandlers = 16

// Client is a participant of the bus. Its methods are safe for concurrent use unless they say otherwise. It keeps what it
// publishes, listens to and subscribes to, and registers it with each ubusd that it connects to.
type Client struct {
	opt     Options
	pause   time.Duration  // the first of the growing ones
	kick    chan struct{}  // what is to be registered has changed; holds one
	slots   chan struct{}  // holds one element for each handler at work
	work    sync.WaitGroup // handlers and callbacks
	finish  context.CancelFunc
	serving sync.WaitGroup // the connection of Dial

	mu        sync.Mutex
	conn      *conn         // nil without a connection
	lost      error         // why there is none
	ended     bool          // there will be none any more
	changed   chan struct{} // closed when conn or ended changes
	endpoints []*endpoint
}

// New returns a client that is not connected before Run.
func New(o Options) *Client {
	return &Client{
		opt:     o,
		pause:   firstPause,
		kick:    make(chan struct{}, 1),
		slots:   make(chan struct{}, maxHandlers),
		changed: make(chan struct{}),
	}
}

// Run keeps the client connected until ctx ends: it connects, registers everything, and does so again after each loss, with
// pauses from 1 to 30 s. It returns the cause of ctx's end once all handlers and callbacks have returned. It may be called
// once.
func (c *Client) Run(ctx context.Context) error {
	defer c.end()
	pause, told := time.Duration(0), false
	for {
		began := time.Now()
		k, err := c.open(ctx)
		if err == nil {
			err = c.serve(ctx, k)
			told = false
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.without(err)
		if !told && c.opt.Lost != nil {
			c.opt.Lost(&LostError{err})
		}
		told = true
		if time.Since(began) > maxPause {
			pause = 0
		}
		pause = c.nextPause(pause)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// nextPause returns the pause after the pause last.
func (c *Client) nextPause(last time.Duration) time.Duration {
	return min(max(2*last, c.pause), maxPause)
}

// Dial connects once, for a program that makes a few calls and ends. It fails at once with a *LostError if ubusd does not
// answer, and a lost connection stays lost. Close ends the client.
func Dial(ctx context.Context, o Options) (*Client, error) {
	c := New(o)
	k, err := c.open(ctx)
	if err != nil {
		return nil, &LostError{err}
	}
	ctx, c.finish = context.WithCancel(context.WithoutCancel(ctx))
	c.use(k)
	c.serving.Go(func() {
		defer c.end()
		if err := c.serve(ctx, k); ctx.Err() == nil && c.opt.Lost != nil {
			c.opt.Lost(&LostError{err})
		}
	})
	return c, nil
}

// Close ends a client made by Dial, and waits for its handlers and callbacks.
func (c *Client) Close() {
	c.finish()
	c.serving.Wait()
}

// serve runs one conversation to its end and returns why it ended.
func (c *Client) serve(ctx context.Context, k *conn) error {
	stop := context.AfterFunc(ctx, func() { k.fail(context.Cause(ctx)) })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(k.readAll)
	wg.Go(k.writeAll)
	c.use(k)
	k.keepRegistered()
	c.without(k.err)
	wg.Wait()
	return k.err
}

// use makes k the connection that calls take.
func (c *Client) use(k *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = k
	c.announce()
}

// without records why there is no connection.
func (c *Client) without(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn, c.lost = nil, err
	c.announce()
}

// end makes all calls fail from now on, and waits for handlers and callbacks.
func (c *Client) end() {
	c.mu.Lock()
	c.ended = true
	c.announce()
	c.mu.Unlock()
	c.work.Wait()
}

// announce wakes those who wait for a connection. The caller holds c.mu.
func (c *Client) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Connected reports whether there is a connection to ubusd.
func (c *Client) Connected() bool { return c.current() != nil }

func (c *Client) current() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// connection returns the connection, or waits for the next one.
func (c *Client) connection(ctx context.Context) (*conn, error) {
	for {
		c.mu.Lock()
		k, lost, ended, changed := c.conn, c.lost, c.ended, c.changed
		c.mu.Unlock()
		switch {
		case k != nil:
			return k, nil
		case ended:
			return nil, &LostError{errEnded}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, &LostError{cmp.Or(lost, ctx.Err())}
		}
	}
}

// Publish registers an object as soon as there is a connection, and with each new connection. If ubusd refuses it, because the
// path is taken or forbidden, the client tries again, with pauses from 1 to 30 s. An object with the same path is replaced.
func (c *Client) Publish(o *Object) {
	c.withdraw(publishing, o.Path)
	c.add(&endpoint{kind: publishing, name: o.Path, object: o})
}

// Withdraw removes an object that Publish registered.
func (c *Client) Withdraw(path string) { c.withdraw(publishing, path) }

// Listen calls f for each event whose name is pattern, or begins with it if pattern ends in *. f gets the events one at a time,
// in order; if it falls far behind, events are lost. Events are also missed while there is no connection: query the state again
// in Options.Connected.
func (c *Client) Listen(pattern string, f func(event string, data blobmsg.Fields)) {
	c.add(&endpoint{kind: listening, name: pattern, hear: f})
}

// Unlisten ends what Listen began for the pattern.
func (c *Client) Unlisten(pattern string) { c.withdraw(listening, pattern) }

// Subscribe calls f for each notification of the object with that path. The object need not exist yet and may go and come
// back, but ubusd does not allow it to be one of our own. f gets notifications as it would get the events of Listen.
func (c *Client) Subscribe(path string, f func(kind string, data blobmsg.Fields)) {
	c.mu.Lock()
	watched := slices.ContainsFunc(c.endpoints, func(e *endpoint) bool { return e.kind == watching })
	c.mu.Unlock()
	if !watched {
		c.add(&endpoint{kind: watching, name: "ubus.object.add", hear: c.objectAdded})
	}
	c.add(&endpoint{kind: subscribing, name: path, hear: f})
}

// Unsubscribe ends what Subscribe began for the path.
func (c *Client) Unsubscribe(path string) { c.withdraw(subscribing, path) }

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

// Options say how to reach ubusd, and what to call. All may be left empty.
type Options struct {
	Socket string                                      // empty: where ubusd listens on OpenWrt
	Dial   func(ctx context.Context) (net.Conn, error) // in place of Socket

	// Connected is called for each connection after the first attempt to register everything. It may make calls.
	Connected func()
	// Lost is called when a connection ends, and when the first attempt to connect fails, but not for each later attempt.
	Lost func(err error)
	// Log takes a line about an error that no caller waits for. It is called from several goroutines, and must neither block nor
	// call the client.
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

// bounded returns ctx with a deadline, the default one if it has none.
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
