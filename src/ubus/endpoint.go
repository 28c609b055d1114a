package ubus

import (
	"slices"
	"sync/atomic"
	"time"

	"sstp/src/blobmsg"
)

// endpointKind is the purpose of one of our objects at ubusd.
type endpointKind uint8

const (
	publishing  endpointKind = iota // it has a path and methods
	listening                       // it gets events
	watching                        // it gets the events of new objects, for those subscribing
	subscribing                     // it gets another object's notifications
)

// endpoint is something that the client wants registered. Each is an object at ubusd, so that the object's id identifies the
// recipient of a message. Only a published one has a path.
type endpoint struct {
	kind      endpointKind
	name      string // path or pattern
	object    *Object
	hear      func(name string, data blobmsg.Fields)
	inbox     inbox
	withdrawn atomic.Bool
	complaint string // the last error that was logged; owned by the goroutine that registers
}

// binding is an endpoint's registration on one connection.
type binding struct {
	id     uint32 // of its object; 0: none
	target uint32 // of the object to which it is subscribed; 0: not subscribed
	heard  bool   // its pattern is registered
}

func (c *Client) add(e *endpoint) {
	c.mu.Lock()
	c.endpoints = append(c.endpoints, e)
	c.mu.Unlock()
	c.reconsider()
}

// withdraw marks endpoints. They stay in the list until ubusd has removed them too.
func (c *Client) withdraw(kind endpointKind, name string) {
	c.mu.Lock()
	for _, e := range c.endpoints {
		if e.kind == kind && e.name == name {
			e.withdrawn.Store(true)
		}
	}
	c.mu.Unlock()
	c.reconsider()
}

// reconsider makes the connection compare what is registered with what should be. It never blocks.
func (c *Client) reconsider() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

func (c *Client) wanted() []*endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.endpoints)
}

func (c *Client) forget(e *endpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoints = slices.DeleteFunc(c.endpoints, func(other *endpoint) bool { return other == e })
}

// objectAdded handles the event of a new object: a subscription may be waiting for it.
func (c *Client) objectAdded(_ string, data blobmsg.Fields) {
	path := data.Text("path")
	for _, e := range c.wanted() {
		if e.kind == subscribing && e.name == path {
			c.reconsider()
			return
		}
	}
}

func (c *Client) log(line string) {
	if c.opt.Log != nil {
		c.opt.Log(line)
	}
}

// keepRegistered keeps all endpoints registered until the connection ends.
func (k *conn) keepRegistered() {
	pause := time.Duration(0)
	for first := true; ; first = false {
		select {
		case <-k.client.kick: // whatever it was, it is about to be seen
		default:
		}
		var retry <-chan time.Time
		if !k.registerAll() {
			pause = k.client.nextPause(pause)
			retry = time.After(pause)
		}
		if first && k.ctx.Err() == nil && k.client.opt.Connected != nil {
			k.client.opt.Connected()
		}
		select {
		case <-k.ctx.Done():
			return
		case <-k.client.kick:
			pause = 0
		case <-retry:
		}
	}
}

// registerAll registers what is not registered yet. It reports whether everything is registered now.
func (k *conn) registerAll() bool {
	complete := true
	for _, e := range k.client.wanted() {
		err := k.register(e)
		if k.ctx.Err() != nil {
			return false
		}
		if err != nil {
			complete = false
		}
		k.complain(e, err)
	}
	return complete
}

// complain logs an endpoint's error once. A missing object to subscribe to is no error.
func (k *conn) complain(e *endpoint, err error) {
	text := ""
	if err != nil && !(e.kind == subscribing && err == StatusNotFound) {
		text = err.Error()
	}
	if text != "" && text != e.complaint {
		k.client.log(e.kind.String() + " " + e.name + ": " + text)
	}
	e.complaint = text
}

// String returns the verb that goes before the endpoint's name.
func (kind endpointKind) String() string {
	return [...]string{"publish", "listen to", "listen to", "subscribe to"}[kind]
}

// register takes the steps that are left for one endpoint.
func (k *conn) register(e *endpoint) error {
	b := k.binding(e)
	if e.withdrawn.Load() {
		if b.id != 0 {
			k.remove(e, b.id)
		}
		k.client.forget(e)
		return nil
	}
	if b.id == 0 {
		if err := k.addObject(e); err != nil {
			return err
		}
		b = k.binding(e)
	}
	switch {
	case (e.kind == listening || e.kind == watching) && !b.heard:
		return k.registerPattern(e, b.id)
	case e.kind == subscribing && b.target == 0:
		return k.subscribe(e, b.id)
	}
	return nil
}

func (k *conn) binding(e *endpoint) binding {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bindings[e]
}

// addObject registers the endpoint's object. The reader records its id, so that a call right behind the answer finds it.
func (k *conn) addObject(e *endpoint) error {
	var body []byte
	if e.kind == publishing {
		body = AppendText(body, AttrPath, e.object.Path)
		body = AppendTable(body, AttrSignature, signature(e.object.Methods))
	}
	added := false
	err := k.askUbusd(MessageAddObject, body, &request{data: func(a *Attributes) {
		if added = a.Has(AttrObject) && a.Object != 0; added {
			k.bindings[e] = binding{id: a.Object}
			k.own[a.Object] = e
		}
	}})
	if err == nil && !added {
		return StatusParseError
	}
	return err
}

// remove removes the endpoint's object. Whatever ubusd answers, messages for it are ignored from now on.
func (k *conn) remove(e *endpoint, id uint32) {
	k.askUbusd(MessageRemoveObject, AppendNumber(nil, AttrObject, id), &request{})
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.own, id)
	delete(k.bindings, e)
}

// registerPattern asks ubusd's event object for events.
func (k *conn) registerPattern(e *endpoint, id uint32) error {
	body := AppendNumber(nil, AttrObject, ObjectEvent)
	body = AppendText(body, AttrMethod, "register")
	body = AppendTable(body, AttrData, blobmsg.Fields{blobmsg.F("object", blobmsg.Int(int64(int32(id)))), blobmsg.F("pattern", blobmsg.String(e.name))})
	return k.askUbusd(MessageInvoke, body, &request{peer: ObjectEvent, accepted: func() {
		k.bindings[e] = binding{id: id, heard: true}
	}})
}

// subscribe looks up the object and asks for its notifications. The reader records the success, so that a message right behind
// it that the object has gone is not lost.
func (k *conn) subscribe(e *endpoint, id uint32) error {
	var target uint32
	found := false
	err := k.askUbusd(MessageLookup, AppendText(nil, AttrPath, e.name), &request{data: func(a *Attributes) {
		if a.Path == e.name && a.Has(AttrObject) {
			target, found = a.Object, true
		}
	}})
	if err == nil && !found {
		err = StatusNotFound
	}
	if err != nil {
		return err
	}
	body := AppendNumber(nil, AttrObject, id)
	body = AppendNumber(body, AttrTarget, target)
	return k.askUbusd(MessageSubscribe, body, &request{accepted: func() {
		k.bindings[e] = binding{id: id, target: target}
	}})
}

// targetGone handles the news that an object to which we were subscribed has gone.
func (k *conn) targetGone(a *Attributes) {
	e := k.own[a.Object]
	if b := k.bindings[e]; e != nil && e.kind == subscribing && b.target == a.Target {
		k.bindings[e] = binding{id: b.id}
		k.client.reconsider()
	}
}
