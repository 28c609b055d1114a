package ubus

import (
	"bytes"
	"context"
	"fmt"

	"sstp/src/blobmsg"
)

// maxListed limits what one lookup may find.
const maxListed = 1 << 12

// Call invokes a method and returns its reply: nil if there is none, the last one if there are several. A call ends with ctx,
// or after 10 s if ctx has no deadline. Without a connection it waits for one. The client caches the object's id, and looks it up
// again when the object has come back with another one. The error is a *CallError.
func (c *Client) Call(ctx context.Context, object, method string, args blobmsg.Fields) (blobmsg.Fields, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	reply, err := c.call(ctx, object, method, args)
	if err != nil {
		return nil, &CallError{object, method, err}
	}
	return reply, nil
}

func (c *Client) call(ctx context.Context, object, method string, args blobmsg.Fields) (blobmsg.Fields, error) {
	k, err := c.connection(ctx)
	if err != nil {
		return nil, err
	}
	id, known := k.knownID(object)
	if known {
		reply, byOwner, err := k.invoke(ctx, id, method, args)
		if err != StatusNotFound || byOwner {
			return reply, err
		}
	}
	if id, err = k.lookUp(ctx, object); err != nil {
		return nil, err
	}
	reply, _, err := k.invoke(ctx, id, method, args)
	return reply, err
}

// invoke calls a method of the object with that id.
func (k *conn) invoke(ctx context.Context, id uint32, method string, args blobmsg.Fields) (reply blobmsg.Fields, byOwner bool, err error) {
	body := AppendNumber(nil, AttrObject, id)
	body = AppendText(body, AttrMethod, method)
	body = AppendTable(body, AttrData, args) // even if it is empty: libubus demands it
	var data []byte
	r := &request{peer: id, data: func(a *Attributes) { data = append(data[:0], a.Data...) }}
	if err := k.ask(ctx, MessageInvoke, body, r); err != nil {
		return nil, r.byOwner, err
	}
	if reply, err = blobmsg.ParseFields(data); err != nil {
		return nil, true, fmt.Errorf("%w: %w", StatusParseError, err)
	}
	return reply, true, nil
}

func (k *conn) knownID(path string) (id uint32, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id, ok = k.ids[path]
	return id, ok
}

// lookUp asks for the id of an object, and keeps it.
func (k *conn) lookUp(ctx context.Context, path string) (id uint32, err error) {
	found := false
	r := &request{data: func(a *Attributes) {
		if a.Path == path && a.Has(AttrObject) {
			id, found = a.Object, true
			k.ids[path] = id
		}
	}}
	err = k.ask(ctx, MessageLookup, AppendText(nil, AttrPath, path), r)
	if err == nil && !found {
		err = StatusNotFound // it has no signature, or none of its methods is for us
	}
	if err == StatusNotFound {
		k.mu.Lock()
		delete(k.ids, path)
		k.mu.Unlock()
	}
	return id, err
}

// List returns the objects whose path is pattern, or begins with it if pattern ends in *, or all if it is empty. Finding none is
// no error.
func (c *Client) List(ctx context.Context, pattern string) ([]ObjectInfo, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	infos, err := c.list(ctx, pattern)
	if err != nil && err != StatusNotFound {
		return nil, &CallError{pattern, "lookup", err}
	}
	return infos, nil
}

func (c *Client) list(ctx context.Context, pattern string) (infos []ObjectInfo, err error) {
	k, err := c.connection(ctx)
	if err != nil {
		return nil, err
	}
	var body []byte
	if pattern != "" {
		body = AppendText(nil, AttrPath, pattern)
	}
	var signatures [][]byte
	r := &request{data: func(a *Attributes) {
		if len(infos) < maxListed {
			infos = append(infos, ObjectInfo{Path: a.Path, ID: a.Object})
			signatures = append(signatures, bytes.Clone(a.Signature))
		}
	}}
	if err := k.ask(ctx, MessageLookup, body, r); err != nil {
		return nil, err
	}
	for i := range infos {
		if infos[i].Methods, err = ParseSignature(signatures[i]); err != nil {
			return nil, fmt.Errorf("%w: signature of %s: %w", StatusParseError, infos[i].Path, err)
		}
	}
	return infos, nil
}

// Send sends an event to all listeners except ourselves. Names that begin with "ubus." are reserved for ubusd.
func (c *Client) Send(ctx context.Context, event string, data blobmsg.Fields) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	k, err := c.connection(ctx)
	if err == nil {
		_, _, err = k.invoke(ctx, ObjectEvent, "send", blobmsg.Fields{blobmsg.F("id", blobmsg.String(event)), blobmsg.F("data", blobmsg.Tab(data...))})
	}
	if err != nil {
		return &CallError{event, "send", err}
	}
	return nil
}

// Notify notifies the subscribers of our object with that path. It does not block: it asks the subscribers for no answer, and
// fails if there is no room for the message.
func (c *Client) Notify(path, kind string, data blobmsg.Fields) error {
	if err := c.notify(path, kind, data); err != nil {
		return &CallError{path, "notify " + kind, err}
	}
	return nil
}

func (c *Client) notify(path, kind string, data blobmsg.Fields) error {
	k := c.current()
	if k == nil {
		return StatusConnectionFailed
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	id := k.published(path)
	if id == 0 {
		return StatusNotFound
	}
	body := AppendNumber(nil, AttrObject, id)
	body = AppendText(body, AttrMethod, kind)
	body = AppendTable(body, AttrData, data)
	body = AppendFlag(body, AttrNoReply, true)
	if blobmsg.HeaderLen+len(body) > MaxMessage {
		return errTooLong
	}
	if k.backlog() > waitBacklog {
		return StatusNoMemory
	}
	if seq, free := k.freeSeq(); free {
		k.post(MessageNotify, seq, id, body)
	}
	return nil
}

// request is a request of ours that waits for its status. Its functions may be nil. The reader calls them in the order of ubusd's
// messages, with conn.mu held, and never after the caller has given up.
type request struct {
	peer     uint32              // the header's: the object's id in a call, 0 otherwise
	data     func(a *Attributes) // a DATA message has come
	accepted func()              // STATUS 0 has come

	done    chan struct{} // closed with the answer
	ended   bool          // the fields below are the answer
	status  Status
	byOwner bool // the status is from the object's owner, not from ubusd
}

// ask sends a request and waits for its end. The error is a Status other than 0, that of ctx, or a *LostError.
func (k *conn) ask(ctx context.Context, typ MessageType, body []byte, r *request) error {
	if blobmsg.HeaderLen+len(body) > MaxMessage {
		return errTooLong
	}
	if err := k.waitForRoom(ctx); err != nil {
		return err
	}
	seq, free := k.freeSeq()
	if !free {
		k.mu.Unlock()
		return StatusNoMemory
	}
	r.done = make(chan struct{})
	k.pending[seq] = r
	k.post(typ, seq, r.peer, body)
	k.mu.Unlock()

	select {
	case <-r.done:
	case <-ctx.Done():
	case <-k.ctx.Done():
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch { // an answer counts even if the time or the connection ended together with it
	case r.ended && r.status != StatusOK:
		return r.status
	case r.ended:
		return nil
	}
	delete(k.pending, seq)
	if k.err != nil {
		return &LostError{k.err}
	}
	return ctx.Err()
}

// freeSeq returns the next number that no pending request uses. The caller holds k.mu.
func (k *conn) freeSeq() (seq uint16, ok bool) {
	for range 1 << 16 {
		k.lastSeq++
		if _, busy := k.pending[k.lastSeq]; !busy {
			return k.lastSeq, true
		}
	}
	return 0, false
}

// answered passes a message to its request, which it finds by number and peer: the late answer to an abandoned request may
// carry a number that is already in use again.
func (k *conn) answered(m Message, a *Attributes) {
	r := k.pending[m.Seq]
	if r == nil || r.peer != m.Peer {
		return
	}
	if m.Type == MessageData {
		if r.data != nil {
			r.data(a)
		}
		return
	}
	delete(k.pending, m.Seq)
	r.ended, r.status, r.byOwner = true, a.Status, a.Has(AttrObject)
	if !a.Has(AttrStatus) {
		r.status = StatusParseError
	}
	if r.status == StatusOK && r.accepted != nil {
		r.accepted()
	}
	close(r.done)
}

// askUbusd makes a request that ubusd itself answers. If ubusd does not answer in time, the connection ends, because it would be
// unknown what ubusd has registered.
func (k *conn) askUbusd(typ MessageType, body []byte, r *request) error {
	ctx, cancel := context.WithTimeout(k.ctx, callTimeout)
	defer cancel()
	err := k.ask(ctx, typ, body, r)
	if err == context.DeadlineExceeded {
		k.fail(errSilent)
		return k.cause()
	}
	return err
}
