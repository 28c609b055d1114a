package ubustest

import (
	"bytes"
	"cmp"
	"slices"

	"sstp/src/ubus"
)

// object is a registered object (ubusd_obj.c).
type object struct {
	id          uint32
	path        string // empty: none
	owner       *client
	typ         *objectType
	seq         uint16
	patterns    []string
	targets     []*object // to which it is subscribed
	subscribers []*object // to it, the last one first
}

// objectType is a signature, which objects can share.
type objectType struct {
	id        uint32
	signature []byte
	users     int
}

func (s *Server) byPath() []*object {
	var list []*object
	for _, o := range s.objects {
		if o.path != "" {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b *object) int { return cmp.Compare(a.path, b.path) })
	return list
}

func (s *Server) create(c *client, a *ubus.Attributes) *object {
	o := &object{id: s.newID(), owner: c, path: a.Path}
	if o.path != "" && slices.ContainsFunc(s.byPath(), func(other *object) bool { return other.path == o.path }) {
		return nil
	}
	switch {
	case a.Has(ubus.AttrObjectType):
		o.typ = s.typeOf(a.ObjectType)
	case a.Has(ubus.AttrSignature):
		// A signature that cannot be read makes an object without one, which is invisible.
		if _, err := ubus.ParseSignature(a.Signature); err == nil {
			o.typ = &objectType{signature: bytes.Clone(a.Signature)}
		}
	}
	s.objects[o.id] = o
	if o.typ != nil {
		if o.typ.users++; o.typ.users == 1 {
			o.typ.id = s.newID()
		}
	}
	s.announce(o, "ubus.object.add")
	return o
}

func (s *Server) typeOf(id uint32) *objectType {
	for _, o := range s.objects {
		if o.typ != nil && o.typ.id == id {
			return o.typ
		}
	}
	return nil
}

// free removes an object, in ubusd's order: its own subscriptions, those to it, its patterns, itself.
func (s *Server) free(o *object) {
	for len(o.targets) > 0 {
		o.unsubscribeFrom(o.targets[0])
	}
	for len(o.subscribers) > 0 {
		sub := o.subscribers[0]
		sub.seq++
		body := ubus.AppendNumber(nil, ubus.AttrObject, sub.id)
		sub.owner.send(ubus.MessageUnsubscribe, sub.seq, 0, ubus.AppendNumber(body, ubus.AttrTarget, o.id))
		sub.unsubscribeFrom(o)
	}
	o.patterns = nil
	s.announce(o, "ubus.object.remove")
	delete(s.objects, o.id)
	if o.typ != nil {
		o.typ.users--
	}
}

// leave removes a client and its objects.
func (s *Server) leave(c *client) {
	var own []*object
	for _, o := range s.objects {
		if o.owner == c {
			own = append(own, o)
		}
	}
	slices.SortFunc(own, func(a, b *object) int { return cmp.Compare(a.id, b.id) })
	for _, o := range own {
		s.free(o)
	}
	delete(s.clients, c.id)
}

func (o *object) subscribeTo(target *object) {
	o.targets = append(o.targets, target)
	target.subscribers = slices.Insert(target.subscribers, 0, o)
	if len(target.subscribers) == 1 {
		target.tellOwner()
	}
}

func (o *object) unsubscribeFrom(target *object) {
	remove := func(list []*object, x *object) []*object {
		i := slices.Index(list, x)
		return slices.Delete(list, i, i+1)
	}
	o.targets = remove(o.targets, target)
	target.subscribers = remove(target.subscribers, o)
	if len(target.subscribers) == 0 {
		target.tellOwner()
	}
}

// tellOwner says whether there are subscribers.
func (o *object) tellOwner() {
	o.seq++
	body := ubus.AppendNumber(nil, ubus.AttrObject, o.id)
	o.owner.send(ubus.MessageNotify, o.seq, 0, ubus.AppendFlag(body, ubus.AttrActive, len(o.subscribers) > 0))
}
