package ubus

import (
	"context"
	"net"
	"sync"
	"time"

	"sstp/src/blobmsg"
)

// Limits on what waits to be written, in bytes.
const (
	waitBacklog = 256 << 10      // beyond it, senders that can wait do
	deadBacklog = 2 * MaxMessage // beyond it ubusd is considered dead; only answers that cannot wait get this far
)

// conn is one connection to ubusd, from its hello to its end. All ids and registered objects belong to it. One goroutine reads
// and never waits for anything else; another one writes.
type conn struct {
	client *Client
	net    net.Conn
	in     *Reader
	ctx    context.Context // ends when the conversation is over
	cancel context.CancelFunc

	mu       sync.Mutex
	err      error // why it is over
	lastSeq  uint16
	pending  map[uint16]*request
	ids      map[string]uint32    // of objects that we looked up
	own      map[uint32]*endpoint // ours, by object id
	bindings map[*endpoint]binding

	out     []byte        // waits to be written
	writing int           // bytes that are being written
	wake    chan struct{} // there is something in out; holds one
	drained chan struct{} // closed when something has been written
}

// open connects and waits for ubusd's hello.
func (c *Client) open(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	nc, err := c.opt.dial(ctx)
	if err != nil {
		return nil, err
	}
	k := &conn{
		client:   c,
		net:      nc,
		in:       NewReader(nc, stallTimeout),
		pending:  map[uint16]*request{},
		ids:      map[string]uint32{},
		own:      map[uint32]*endpoint{},
		bindings: map[*endpoint]binding{},
		wake:     make(chan struct{}, 1),
		drained:  make(chan struct{}),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	m, err := k.in.Next()
	switch {
	case !stop():
		err = errSilent
	case err != nil || m.Type != MessageHello:
		err = errNoHello
	case m.Version != 0:
		err = errVersion
	}
	if err != nil {
		k.fail(err)
		return nil, err
	}
	return k, nil
}

// fail ends the connection; the first error counts. The caller must not hold k.mu.
func (k *conn) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failLocked(err)
}

func (k *conn) failLocked(err error) {
	if k.err == nil {
		k.err = err
		k.cancel()
		k.net.Close()
	}
}

// cause returns why the connection ended.
func (k *conn) cause() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return &LostError{k.err}
}

// readAll reads and dispatches messages until the connection ends.
func (k *conn) readAll() {
	for {
		m, err := k.in.Next()
		if err == nil && m.Version != 0 {
			err = errVersion
		}
		if err != nil {
			k.fail(err)
			return
		}
		k.receive(m)
	}
}

// receive must not block: ubusd drops messages that a client does not read.
func (k *conn) receive(m Message) {
	a := ParseAttributes(m.Body)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch m.Type {
	case MessageData, MessageStatus:
		k.answered(m, &a)
	case MessageInvoke:
		k.invoked(m, &a)
	case MessageNotify:
		k.subscribersChanged(&a)
	case MessageUnsubscribe:
		k.targetGone(&a)
	}
}

// writeAll writes what post queues.
func (k *conn) writeAll() {
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-k.wake:
		}
		k.mu.Lock()
		out := k.out
		k.out = nil
		k.writing = len(out)
		k.mu.Unlock()
		if len(out) == 0 {
			continue // it went with what was written before
		}

		k.net.SetWriteDeadline(time.Now().Add(stallTimeout))
		if _, err := k.net.Write(out); err != nil {
			k.fail(err)
			return
		}

		k.mu.Lock()
		k.writing = 0
		close(k.drained)
		k.drained = make(chan struct{})
		k.mu.Unlock()
	}
}

// backlog returns the number of bytes that ubusd has not taken yet. The caller holds k.mu.
func (k *conn) backlog() int { return k.writing + len(k.out) }

// post queues a message without blocking. The caller holds k.mu.
func (k *conn) post(typ MessageType, seq uint16, peer uint32, body []byte) {
	k.out = AppendMessage(k.out, Message{Type: typ, Seq: seq, Peer: peer, Body: body})
	if k.backlog() > deadBacklog {
		k.failLocked(errStalled)
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// waitForRoom waits until the backlog is small. It returns with k.mu held if the error is nil.
func (k *conn) waitForRoom(ctx context.Context) error {
	for {
		k.mu.Lock()
		if k.err == nil && k.backlog() < waitBacklog {
			return nil
		}
		drained := k.drained
		k.mu.Unlock()
		select {
		case <-k.ctx.Done():
			return k.cause()
		case <-ctx.Done():
			return ctx.Err()
		case <-drained:
		}
	}
}

// Limits of an inbox; messages beyond them are lost.
const (
	maxInbox      = 256
	maxInboxBytes = MaxMessage
)

// delivery is an event or a notification. Without a name it reports whether an object of ours has subscribers.
type delivery struct {
	name   string
	data   []byte
	active bool
}

// inbox keeps an endpoint's deliveries in order. While it is not empty, one goroutine delivers them.
type inbox struct {
	mu    sync.Mutex
	queue []delivery
	bytes int
	busy  bool // the goroutine runs
	lossy bool // something was lost since the inbox was empty
}

// put adds a delivery. It does not block.
func (in *inbox) put(c *Client, e *endpoint, d delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.queue) >= maxInbox || in.bytes+len(d.data) > maxInboxBytes {
		if !in.lossy {
			c.log(e.name + ": too many messages at once, some are lost")
		}
		in.lossy = true
		return
	}
	in.queue = append(in.queue, d)
	in.bytes += len(d.data)
	if !in.busy {
		in.busy = true
		c.work.Go(func() { in.handOver(c, e) })
	}
}

func (in *inbox) handOver(c *Client, e *endpoint) {
	for {
		in.mu.Lock()
		if len(in.queue) == 0 {
			in.queue, in.busy, in.lossy = nil, false, false
			in.mu.Unlock()
			return
		}
		d := in.queue[0]
		in.queue = in.queue[1:]
		in.bytes -= len(d.data)
		in.mu.Unlock()
		e.deliver(c, d)
	}
}

// deliver calls the endpoint's function.
func (e *endpoint) deliver(c *Client, d delivery) {
	if e.withdrawn.Load() {
		return
	}
	if e.kind == publishing {
		e.object.Subscribers(d.active)
		return
	}
	data, err := blobmsg.ParseFields(d.data)
	if err != nil {
		c.log(e.name + ": " + d.name + ": " + err.Error())
		return
	}
	e.hear(d.name, data)
}
