package ubus

import "time"

// keepRegistered makes ubusd know what the client wants it to, until the connection ends.
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

// registerAll does what is left to do, and says whether that is everything.
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

// complain logs what went wrong with an endpoint, once. That an object to subscribe to is not there is nothing wrong.
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

// String says what was to be done with the endpoint's name.
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

// addObject registers the endpoint's object. The reader notes its id, so that a call that comes right behind finds it.
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

// remove takes the endpoint's object back. Whatever ubusd says, nothing is for it any more.
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
	body = AppendTable(body, AttrData, Fields{F("object", Int(int64(int32(id)))), F("pattern", String(e.name))})
	return k.askUbusd(MessageInvoke, body, &request{peer: ObjectEvent, accepted: func() {
		k.bindings[e] = binding{id: id, heard: true}
	}})
}

// subscribe finds the object and asks for its notifications. The reader notes the success, so that the news that the
// object has gone, right behind it, is not lost.
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

// targetGone hears that an object to which we were subscribed has gone.
func (k *conn) targetGone(a *Attributes) {
	e := k.own[a.Object]
	if b := k.bindings[e]; e != nil && e.kind == subscribing && b.target == a.Target {
		k.bindings[e] = binding{id: b.id}
		k.client.reconsider()
	}
}
