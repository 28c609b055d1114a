package ubustest

import (
	"cmp"
	"slices"
	"strings"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// eventObject serves ubusd's object 1 (ubusd_event.c).
func (s *Server) eventObject(c *client, a *ubus.Attributes) ubus.Status {
	args, err := blobmsg.ParseFields(a.Data)
	if err != nil {
		return ubus.StatusInvalidArgument
	}
	switch a.Method {
	case "register":
		return s.listenFor(c, args)
	case "send":
		name, named := args.Get("id")
		data, given := args.Get("data")
		if !named || name.Type() != blobmsg.TypeString || !given || data.Type() != blobmsg.TypeTable {
			return ubus.StatusInvalidArgument
		}
		event, _ := name.Str()
		if strings.HasPrefix(event, "ubus.") {
			return ubus.StatusPermissionDenied
		}
		s.event(c, event, data.Fields())
		return ubus.StatusOK
	}
	return ubus.StatusInvalidCommand
}

func (s *Server) listenFor(c *client, args blobmsg.Fields) ubus.Status {
	id, given := args.Get("object")
	n, _ := id.Num()
	pattern, patterned := args.Get("pattern")
	if !given || id.Type() != blobmsg.TypeInt32 || !patterned || pattern.Type() != blobmsg.TypeString {
		return ubus.StatusInvalidArgument
	}
	if uint32(n) < 1024 {
		return ubus.StatusPermissionDenied
	}
	o := s.objects[uint32(n)]
	text, _ := pattern.Str()
	switch {
	case o == nil:
		return ubus.StatusNotFound
	case o.owner != c || text == "":
		return ubus.StatusPermissionDenied
	}
	o.patterns = append(o.patterns, text)
	return ubus.StatusOK
}

// event delivers an event to all who listen for it, once to each object, and not to the sender.
func (s *Server) event(from *client, name string, data blobmsg.Fields) {
	var listeners []*object
	for _, o := range s.objects {
		if o.owner != from && slices.ContainsFunc(o.patterns, func(p string) bool { return matches(p, name) }) {
			listeners = append(listeners, o)
		}
	}
	slices.SortFunc(listeners, func(a, b *object) int { return cmp.Compare(a.id, b.id) })
	for _, o := range listeners {
		s.eventSeq++
		body := ubus.AppendNumber(nil, ubus.AttrObject, o.id)
		body = ubus.AppendText(body, ubus.AttrMethod, name)
		o.owner.send(ubus.MessageInvoke, s.eventSeq, 0, ubus.AppendTable(body, ubus.AttrData, data))
	}
}

func matches(pattern, name string) bool {
	prefix, partial := strings.CutSuffix(pattern, "*")
	return name == pattern || partial && strings.HasPrefix(name, prefix)
}

// announce tells the listeners that an object with a path has come or gone.
func (s *Server) announce(o *object, event string) {
	if o.path != "" {
		s.event(nil, event, blobmsg.Fields{blobmsg.F("id", blobmsg.Int(int64(int32(o.id)))), blobmsg.F("path", blobmsg.String(o.path))})
	}
}
