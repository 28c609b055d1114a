package ubustest

import (
	"bytes"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// silent is the result of a request to which ubusd itself sends no status.
const silent ubus.Status = 1 << 31

// receive does what a client asks for (ubusd_proto.c).
func (s *Server) receive(c *client, m ubus.Message) {
	a := ubus.ParseAttributes(m.Body)
	status := ubus.StatusInvalidCommand
	switch m.Type {
	case ubus.MessagePing:
		c.send(ubus.MessageData, m.Seq, m.Peer, m.Body)
		status = ubus.StatusOK
	case ubus.MessageAddObject:
		status = s.addObject(c, m, &a)
	case ubus.MessageRemoveObject:
		status = s.removeObject(c, m, &a)
	case ubus.MessageLookup:
		status = s.lookup(c, m, &a)
	case ubus.MessageInvoke:
		status = s.invoke(c, m, &a)
	case ubus.MessageStatus, ubus.MessageData:
		status = s.respond(c, m, &a)
	case ubus.MessageSubscribe:
		status = s.subscribe(c, &a)
	case ubus.MessageUnsubscribe:
		status = s.unsubscribe(c, &a)
	case ubus.MessageNotify:
		status = s.notify(c, m, &a)
	}
	if status != silent {
		c.send(ubus.MessageStatus, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrStatus, uint32(status)))
	}
}

func (s *Server) addObject(c *client, m ubus.Message, a *ubus.Attributes) ubus.Status {
	o := s.create(c, a)
	if o == nil {
		return ubus.StatusInvalidArgument
	}
	body := ubus.AppendNumber(nil, ubus.AttrObject, o.id)
	if a.Has(ubus.AttrSignature) && o.typ != nil {
		body = ubus.AppendNumber(body, ubus.AttrObjectType, o.typ.id)
	}
	c.send(ubus.MessageData, m.Seq, m.Peer, body)
	return ubus.StatusOK
}

func (s *Server) removeObject(c *client, m ubus.Message, a *ubus.Attributes) ubus.Status {
	if !a.Has(ubus.AttrObject) {
		return ubus.StatusInvalidArgument
	}
	o := s.objects[a.Object]
	if o == nil {
		return ubus.StatusNotFound
	}
	if o.owner != c {
		return ubus.StatusPermissionDenied
	}
	body := ubus.AppendNumber(nil, ubus.AttrObject, o.id)
	if o.typ != nil && o.typ.users == 1 {
		body = ubus.AppendNumber(body, ubus.AttrObjectType, o.typ.id)
	}
	c.send(ubus.MessageData, m.Seq, m.Peer, body)
	s.free(o)
	return ubus.StatusOK
}

func (s *Server) lookup(c *client, m ubus.Message, a *ubus.Attributes) ubus.Status {
	prefix, isPrefix := strings.CutSuffix(a.Path, "*")
	if a.Has(ubus.AttrPath) && a.Path == "" {
		return ubus.StatusInvalidArgument
	}
	found := false
	for _, o := range s.byPath() {
		if a.Has(ubus.AttrPath) && o.path != a.Path && !(isPrefix && strings.HasPrefix(o.path, prefix)) {
			continue
		}
		found = true
		if o.typ == nil {
			continue // without a signature it is invisible
		}
		body := ubus.AppendText(nil, ubus.AttrPath, o.path)
		body = ubus.AppendNumber(body, ubus.AttrObject, o.id)
		body = ubus.AppendNumber(body, ubus.AttrObjectType, o.typ.id)
		c.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendNested(body, ubus.AttrSignature, o.typ.signature))
	}
	if a.Has(ubus.AttrPath) && !found {
		return ubus.StatusNotFound
	}
	return ubus.StatusOK
}

func (s *Server) invoke(c *client, m ubus.Message, a *ubus.Attributes) ubus.Status {
	if !a.Has(ubus.AttrMethod) || !a.Has(ubus.AttrObject) {
		return ubus.StatusInvalidArgument
	}
	switch a.Object {
	case ubus.ObjectEvent:
		return s.eventObject(c, a)
	case ubus.ObjectACL:
		return aclObject(c, m, a)
	case ubus.ObjectMonitor:
		return ubus.StatusPermissionDenied
	}
	o := s.objects[a.Object]
	if o == nil {
		return ubus.StatusNotFound
	}
	forward(nil, c, o, m.Seq, a)
	return silent
}

// forward delivers a call or a notification to the owner of an object.
func forward(body []byte, from *client, to *object, seq uint16, a *ubus.Attributes) {
	body = ubus.AppendNumber(body, ubus.AttrObject, to.id)
	body = ubus.AppendText(body, ubus.AttrMethod, a.Method)
	body = ubus.AppendText(body, ubus.AttrUser, from.user)
	body = ubus.AppendText(body, ubus.AttrGroup, from.group)
	if a.Has(ubus.AttrData) {
		body = ubus.AppendNested(body, ubus.AttrData, a.Data)
	}
	to.owner.send(ubus.MessageInvoke, seq, from.id, body)
}

// aclObject answers the one question that there is about access rules: here there are none.
func aclObject(c *client, m ubus.Message, a *ubus.Attributes) ubus.Status {
	if a.Method != "query" {
		return ubus.StatusInvalidCommand
	}
	body := ubus.AppendNumber(nil, ubus.AttrObject, ubus.ObjectACL)
	rules := blobmsg.Fields{blobmsg.F("seq", blobmsg.Int(1)), blobmsg.F("acl", blobmsg.Array())}
	c.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendTable(body, ubus.AttrData, rules))
	return ubus.StatusOK
}

// respond passes an owner's answer on to the caller, as it is.
func (s *Server) respond(c *client, m ubus.Message, a *ubus.Attributes) ubus.Status {
	o := s.objects[a.Object]
	to := s.clients[m.Peer]
	switch {
	case !a.Has(ubus.AttrObject) || o == nil || o.owner != c || to == nil:
	case m.Type == ubus.MessageStatus && !a.Has(ubus.AttrStatus):
	case m.Type == ubus.MessageData && !a.Has(ubus.AttrData):
	default:
		to.send(m.Type, m.Seq, o.id, bytes.Clone(m.Body))
	}
	return silent
}

func (s *Server) subscribe(c *client, a *ubus.Attributes) ubus.Status {
	if !a.Has(ubus.AttrObject) || !a.Has(ubus.AttrTarget) {
		return ubus.StatusInvalidArgument
	}
	o, target := s.objects[a.Object], s.objects[a.Target]
	switch {
	case o == nil:
		return ubus.StatusNotFound
	case o.owner != c:
		return ubus.StatusInvalidArgument
	case target == nil:
		return ubus.StatusNotFound
	case target.owner == c:
		return ubus.StatusInvalidArgument
	}
	o.subscribeTo(target)
	return ubus.StatusOK
}

func (s *Server) unsubscribe(c *client, a *ubus.Attributes) ubus.Status {
	if !a.Has(ubus.AttrObject) || !a.Has(ubus.AttrTarget) {
		return ubus.StatusInvalidArgument
	}
	o := s.objects[a.Object]
	switch {
	case o == nil:
		return ubus.StatusNotFound
	case o.owner != c:
		return ubus.StatusInvalidArgument
	}
	for _, target := range o.targets {
		if target.id == a.Target {
			o.unsubscribeFrom(target)
			return ubus.StatusOK
		}
	}
	return ubus.StatusNotFound
}

func (s *Server) notify(c *client, m ubus.Message, a *ubus.Attributes) ubus.Status {
	if !a.Has(ubus.AttrMethod) || !a.Has(ubus.AttrObject) {
		return ubus.StatusInvalidArgument
	}
	o := s.objects[a.Object]
	if o == nil {
		return ubus.StatusNotFound
	}
	if o.owner != c {
		return ubus.StatusPermissionDenied
	}
	var head []byte
	if a.NoReply {
		head = ubus.AppendFlag(nil, ubus.AttrNoReply, true)
	} else {
		var ids []byte
		for _, sub := range o.subscribers {
			ids = ubus.AppendNumber(ids, 0, sub.id)
		}
		body := ubus.AppendNumber(nil, ubus.AttrObject, o.id)
		body = ubus.AppendNested(body, ubus.AttrSubscribers, ids)
		c.send(ubus.MessageStatus, m.Seq, m.Peer, ubus.AppendNumber(body, ubus.AttrStatus, uint32(ubus.StatusOK)))
	}
	for _, sub := range o.subscribers {
		forward(bytes.Clone(head), c, sub, m.Seq, a)
	}
	return silent
}
