package ubus

import (
	"bytes"
	"context"
	"errors"
)

// published returns the id of our object with that path, 0 where ubusd has none. The caller holds k.mu.
func (k *conn) published(path string) uint32 {
	for id, e := range k.own {
		if e.kind == publishing && e.name == path && !e.withdrawn.Load() {
			return id
		}
	}
	return 0
}

// invoked sorts what ubusd delivers to our objects.
func (k *conn) invoked(m Message, a *Attributes) {
	if !a.Has(AttrObject) {
		return
	}
	c := caller{m.Seq, m.Peer, a.Object, a.NoReply}
	e := k.own[a.Object]
	switch {
	case e == nil:
		k.finishCall(c, StatusNotFound)
	case e.kind == publishing:
		k.called(e, c, a)
	default:
		e.inbox.put(k.client, e, delivery{name: a.Method, data: bytes.Clone(a.Data)})
		k.finishCall(c, StatusOK)
	}
}

// subscribersChanged hears that an object of ours has subscribers now, or none any more.
func (k *conn) subscribersChanged(a *Attributes) {
	if e := k.own[a.Object]; e != nil && e.kind == publishing && e.object.Subscribers != nil && a.Has(AttrActive) {
		e.inbox.put(k.client, e, delivery{active: a.Active})
	}
}

// caller is where the answer to a call goes: different callers may use the same number.
type caller struct {
	seq     uint16
	peer    uint32 // 0: an event, which nobody waits for
	object  uint32 // ours
	noReply bool
}

// finishCall sends the status that ends a call. The caller holds k.mu.
func (k *conn) finishCall(c caller, s Status) {
	if c.peer == 0 || c.noReply {
		return
	}
	body := AppendNumber(nil, AttrStatus, uint32(s))
	k.post(MessageStatus, c.seq, c.peer, AppendNumber(body, AttrObject, c.object))
}

// called starts the handler of a method.
func (k *conn) called(e *endpoint, c caller, a *Attributes) {
	method := e.object.method(a.Method)
	switch {
	case !a.Has(AttrMethod):
		k.finishCall(c, StatusInvalidArgument)
		return
	case method == nil:
		k.finishCall(c, StatusMethodNotFound)
		return
	case !a.Has(AttrData):
		k.finishCall(c, StatusInvalidArgument)
		return
	}
	select {
	case k.client.slots <- struct{}{}:
	default:
		k.finishCall(c, StatusNoMemory)
		return
	}
	data := bytes.Clone(a.Data)
	r := &Request{Object: e.name, Method: a.Method, User: a.User, Group: a.Group}
	k.client.work.Go(func() {
		defer func() { <-k.client.slots }()
		reply, status := k.handle(method, r, data)
		k.answer(c, reply, status)
	})
}

// handle runs a handler.
func (k *conn) handle(method *Method, r *Request, data []byte) (reply []byte, status Status) {
	var err error
	if r.Args, err = ParseFields(data); err != nil || !method.accepts(r.Args) {
		return nil, StatusInvalidArgument
	}
	fields, err := method.Handler(k.ctx, r)
	if err != nil {
		if status = statusOf(err); status == StatusUnknownError && k.ctx.Err() == nil {
			k.client.log(r.Object + " " + r.Method + ": " + err.Error())
		}
		return nil, status
	}
	if fields == nil {
		return nil, StatusOK
	}
	return AppendTable(nil, AttrData, fields), StatusOK
}

// statusOf returns the status that tells a caller of err.
func statusOf(err error) Status {
	var status Status
	switch {
	case errors.As(err, &status) && status != StatusOK:
		return status
	case errors.Is(err, context.DeadlineExceeded):
		return StatusTimeout
	}
	return StatusUnknownError
}

// answer sends reply, if there is one, and status.
func (k *conn) answer(c caller, reply []byte, status Status) {
	body := append(AppendNumber(nil, AttrObject, c.object), reply...)
	if attrHeaderLen+len(body) > MaxMessage {
		reply, status = nil, StatusNoMemory
	}
	if k.waitForRoom(k.ctx) != nil {
		return
	}
	defer k.mu.Unlock()
	if reply != nil && c.peer != 0 && !c.noReply {
		k.post(MessageData, c.seq, c.peer, body)
	}
	k.finishCall(c, status)
}
