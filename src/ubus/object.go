package ubus

import (
	"bytes"
	"context"
	"errors"

	"sstp/src/blobmsg"
)

// Object is an object of ours on the bus. It must not be changed once published.
type Object struct {
	Path        string
	Methods     []Method
	Subscribers func(active bool) // reports whether the object has subscribers now; may be nil
}

// Method is a method of an object. Handler runs in a goroutine of its own, and its results are the answer; its ctx ends with
// the connection. Nil fields mean no reply data. An error that is or wraps a Status is answered with that Status; any other
// is logged and answered with StatusUnknownError. Args must list all arguments whose type the handler relies on: ubusd checks
// nothing, so a call with an argument of another type is answered with StatusInvalidArgument before it reaches the handler.
// All integers count as one type. The handler must check for arguments that are missing, null, or not listed.
type Method struct {
	Name    string
	Args    []Arg
	Handler func(ctx context.Context, r *Request) (blobmsg.Fields, error)
}

// Arg is an argument of a method.
type Arg struct {
	Name string
	Type blobmsg.Type
}

// Request is a call of one of our methods. User and Group are the caller's, as ubusd knows them.
type Request struct {
	Object, Method string
	Args           blobmsg.Fields
	User, Group    string
}

// ObjectInfo describes an object on the bus, with those methods that ubusd lets us see.
type ObjectInfo struct {
	Path    string
	ID      uint32
	Methods []Method // without handlers
}

func (o *Object) method(name string) *Method {
	for i := range o.Methods {
		if o.Methods[i].Name == name {
			return &o.Methods[i]
		}
	}
	return nil
}

// accepts reports whether the arguments have the types that the method declares.
func (m *Method) accepts(args blobmsg.Fields) bool {
	for _, a := range m.Args {
		if v, given := args.Get(a.Name); given && !a.Type.Accepts(v.Type()) {
			return false
		}
	}
	return true
}

// signature returns the methods as ADD_OBJECT carries them: a table for each, with the number of each argument's type.
func signature(methods []Method) blobmsg.Fields {
	var t blobmsg.Fields
	for _, m := range methods {
		var args blobmsg.Fields
		for _, a := range m.Args {
			args = append(args, blobmsg.F(a.Name, blobmsg.Int(int64(a.Type))))
		}
		t = append(t, blobmsg.F(m.Name, blobmsg.Tab(args...)))
	}
	return t
}

// ParseSignature reads the SIGNATURE of a message.
func ParseSignature(b []byte) ([]Method, error) {
	t, err := blobmsg.ParseFields(b)
	if err != nil {
		return nil, err
	}
	var methods []Method
	for _, f := range t {
		m := Method{Name: f.Name}
		for _, a := range f.Value.Fields() {
			n, _ := a.Value.Num()
			m.Args = append(m.Args, Arg{a.Name, blobmsg.Type(n)})
		}
		methods = append(methods, m)
	}
	return methods, nil
}

// published returns the id of our object with that path, 0 if ubusd has none. The caller holds k.mu.
func (k *conn) published(path string) uint32 {
	for id, e := range k.own {
		if e.kind == publishing && e.name == path && !e.withdrawn.Load() {
			return id
		}
	}
	return 0
}

// invoked handles a call, event or notification that ubusd delivers to one of our objects.
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

// subscribersChanged handles the news that an object of ours has got its first subscriber or lost its last.
func (k *conn) subscribersChanged(a *Attributes) {
	if e := k.own[a.Object]; e != nil && e.kind == publishing && e.object.Subscribers != nil && a.Has(AttrActive) {
		e.inbox.put(k.client, e, delivery{active: a.Active})
	}
}

// caller identifies a call to be answered. Different callers may use the same number.
type caller struct {
	seq     uint16
	peer    uint32 // 0: an event, which has no answer
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
	if r.Args, err = blobmsg.ParseFields(data); err != nil || !method.accepts(r.Args) {
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

// statusOf returns the status with which err is answered.
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
	if blobmsg.HeaderLen+len(body) > MaxMessage {
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
