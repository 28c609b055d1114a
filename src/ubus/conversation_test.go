package ubus_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// The objects of the captured messages.
const (
	vecTest    uint32 = 0x030241f3
	caller     uint32 = 0xcc7a76eb
	subscriber uint32 = 0xf8ce26a8
)

func TestACallLooksAsItDoesFromTheUbusTool(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		done := calling(t.Context(), c, "vec.test", "types")
		m := s.wantVector("lookup_path")
		s.sendVector("lookup_reply_data", m.Seq)
		s.sendVector("lookup_status_ok", m.Seq)
		m = s.wantVector("invoke_request_noargs")
		s.sendVector("reply_data_seen_by_caller", m.Seq)
		s.sendVector("reply_status_seen_by_caller", m.Seq)
		want := `{"s":"hi","empty":"","t":true,"f":false,"i16":-2,"i32":-3,"i64":1234605616436508552,"d":1.500000,"n":null,"a":[1,"x"],"t2":{"k":"v","e":{}}}`
		if r := <-done; r.err != nil || asJSON(r.reply) != want {
			t.Errorf("got %s, %v", asJSON(r.reply), r.err)
		}

		// The id is known now. Of several replies the last one is returned.
		done = calling(t.Context(), c, "vec.test", "types")
		m = s.wantVector("invoke_request_noargs")
		s.sendVector("multi_reply_first", m.Seq)
		s.sendVector("multi_reply_second", m.Seq)
		s.sendVector("reply_status_seen_by_caller", m.Seq)
		if r := <-done; r.err != nil || asJSON(r.reply) != `{"part":1}` {
			t.Errorf("got %s, %v", asJSON(r.reply), r.err)
		}

		done = calling(t.Context(), c, "vec.test", "echo",
			blobmsg.F("str", blobmsg.String("grüß")), blobmsg.F("flag", blobmsg.Bool(true)), blobmsg.F("i32", blobmsg.Int(-5)),
			blobmsg.F("i64", blobmsg.Int(5000000000)), blobmsg.F("dbl", blobmsg.Double(2.25)),
			blobmsg.F("arr", blobmsg.Array(blobmsg.Int(1), blobmsg.String("a"), blobmsg.Array(), blobmsg.Tab())),
			blobmsg.F("tbl", blobmsg.Tab(blobmsg.F("x", blobmsg.Value{}))))
		m = s.wantVector("invoke_request_args")
		s.sendVector("reply_status_permission_denied_by_method", m.Seq)
		if r := <-done; !errors.Is(r.err, ubus.StatusPermissionDenied) || r.reply != nil {
			t.Errorf("got %v", r.err)
		}
	})
}

func TestListingLooksAsItDoesFromTheUbusTool(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		s.accept()
		for pattern, vector := range map[string]string{"": "lookup_all", "vec.*": "lookup_wildcard", "vec.test": "lookup_path"} {
			done := make(chan string)
			go func() {
				infos, err := c.List(t.Context(), pattern)
				done <- fmt.Sprintln(len(infos), infos[0].Path, infos[0].ID == vecTest, infos[0].Methods[1].Name, infos[0].Methods[1].Args, err)
			}()
			m := s.wantVector(vector)
			s.sendVector("lookup_reply_data", m.Seq)
			s.sendVector("lookup_status_ok", m.Seq)
			if got := <-done; got != "1 vec.test true echo [{str 3} {flag 7} {i16 6} {i32 5} {i64 4} {dbl 8} {arr 1} {tbl 2} {any 0}] <nil>\n" {
				t.Errorf("%q: %s", pattern, got)
			}
		}
		done := make(chan error)
		go func() {
			infos, err := c.List(t.Context(), "vec.*")
			if len(infos) != 0 {
				t.Error("something was found")
			}
			done <- err
		}()
		m := s.wantVector("lookup_wildcard")
		s.sendVector("lookup_status_notfound", m.Seq)
		if err := <-done; err != nil {
			t.Errorf("to find nothing is no error: %v", err)
		}
	})
}

func TestAnObjectLooksAsItDoesFromLibubus(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		active := make(chan bool)
		o := vecObject()
		o.Subscribers = func(now bool) { active <- now }
		o.Methods[0].Handler = func(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) {
			if r.User != "root" || r.Group != "root" || r.Object != "vec.test" || r.Method != "types" || len(r.Args) != 0 {
				t.Errorf("the handler was given %+v", r)
			}
			return everyType(t), nil
		}
		o.Methods[2].Handler = func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
			return nil, fmt.Errorf("not for you: %w", ubus.StatusPermissionDenied)
		}
		late := make(chan struct{})
		o.Methods[3].Handler = func(context.Context, *ubus.Request) (blobmsg.Fields, error) {
			<-late
			return blobmsg.Fields{blobmsg.F("late", blobmsg.Bool(true))}, nil
		}
		c.Publish(o)
		s.accept()
		m := s.wantVector("add_object_request")
		s.sendVector("add_object_reply", m.Seq)
		s.sendVector("add_object_status", m.Seq)

		s.sendVector("invoke_forwarded", 0)
		s.wantVector("reply_data_all_types")
		s.wantVector("reply_status_ok")

		// A deferred reply is one that comes later. Another call is served in between, though its caller uses the same seq.
		s.send(ubus.MessageInvoke, 2, 0x690500ef, invocation(vecTest, "defer"))
		s.send(ubus.MessageInvoke, 2, caller, invocation(vecTest, "fail"))
		s.wantStatus(2, caller, vecTest, ubus.StatusPermissionDenied)
		close(late)
		s.wantVector("deferred_reply_data")
		s.wantStatus(2, 0x690500ef, vecTest, ubus.StatusOK)

		s.send(ubus.MessageInvoke, 3, caller, invocation(vecTest, "nonsense"))
		s.wantStatus(3, caller, vecTest, ubus.StatusMethodNotFound)
		s.send(ubus.MessageInvoke, 4, caller, invocation(vecTest+1, "types"))
		s.wantStatus(4, caller, vecTest+1, ubus.StatusNotFound)
		noData := ubus.AppendText(ubus.AppendNumber(nil, ubus.AttrObject, vecTest), ubus.AttrMethod, "types")
		s.send(ubus.MessageInvoke, 5, caller, noData)
		s.wantStatus(5, caller, vecTest, ubus.StatusInvalidArgument)
		noMethod := ubus.AppendTable(ubus.AppendNumber(nil, ubus.AttrObject, vecTest), ubus.AttrData, nil)
		s.send(ubus.MessageInvoke, 6, caller, noMethod)
		s.wantStatus(6, caller, vecTest, ubus.StatusInvalidArgument)

		s.sendVector("subscriber_state_to_owner", 0)
		if !<-active {
			t.Error("somebody has subscribed")
		}
		if err := c.Notify("vec.test", "tick", blobmsg.Fields{blobmsg.F("n", blobmsg.Int(7))}); err != nil {
			t.Error(err)
		}
		s.wantVector("notify_noreply")

		c.Withdraw("vec.test")
		m, a := s.next(ubus.MessageRemoveObject)
		if a.Object != vecTest || len(m.Body) != 8 {
			t.Errorf("removed %x", m.Body)
		}
		s.sendVector("remove_object_reply", m.Seq)
		s.status(m, ubus.StatusOK)
		if err := c.Notify("vec.test", "tick", nil); !errors.Is(err, ubus.StatusNotFound) {
			t.Errorf("a notification of no object: %v", err)
		}
	})
}

func TestListeningLooksAsItDoesFromLibubus(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		heard := make(chan string, 9)
		c.Listen("vec.ev*", func(event string, data blobmsg.Fields) { heard <- event + asJSON(data) })
		s.accept()
		m := s.wantVector("add_object_anonymous")
		s.sendVector("add_object_anonymous_reply", m.Seq)
		s.sendVector("add_object_status", m.Seq)
		m = s.wantVector("event_register")
		s.sendVector("event_register_status", m.Seq)
		s.sendVector("event_delivered", 0)
		if got := <-heard; got != `vec.event{"a":1}` {
			t.Error(got)
		}

		sent := make(chan error)
		go func() { sent <- c.Send(t.Context(), "vec.event", blobmsg.Fields{blobmsg.F("a", blobmsg.Int(1))}) }()
		m = s.wantVector("event_send")
		s.sendVector("event_register_status", m.Seq)
		if err := <-sent; err != nil {
			t.Error(err)
		}
		go func() { sent <- c.Send(t.Context(), "vec.event", blobmsg.Fields{blobmsg.F("a", blobmsg.Int(1))}) }()
		m = s.wantVector("event_send")
		s.sendVector("event_send_denied", m.Seq)
		if err := <-sent; !errors.Is(err, ubus.StatusPermissionDenied) {
			t.Error(err)
		}
	})
}

func TestSubscribingLooksAsItDoesFromLibubus(t *testing.T) {
	scripted(t, func(t *testing.T, s *script, c *ubus.Client) {
		heard := make(chan string, 9)
		c.Subscribe("vec.test", func(kind string, data blobmsg.Fields) { heard <- kind + asJSON(data) })
		s.accept()
		// The client also wants to hear of objects that come, for the time when this one is gone.
		s.added(0x4ee4ecf7)
		m, a := s.next(ubus.MessageInvoke)
		if args, _ := blobmsg.ParseFields(a.Data); a.Object != 1 || a.Method != "register" || args.Text("pattern") != "ubus.object.add" {
			t.Errorf("%+v", a)
		}
		s.status(m, ubus.StatusOK)

		s.added(subscriber)
		m = s.wantVector("lookup_path")
		s.sendVector("lookup_reply_data", m.Seq)
		s.sendVector("lookup_status_ok", m.Seq)
		m = s.wantVector("subscribe")
		s.sendVector("subscribe_status", m.Seq)

		s.sendVector("notify_noreply_delivered", 0)
		if got := <-heard; got != `tick{"n":7}` {
			t.Error(got)
		}
		s.sendVector("notify_reply_delivered", 0) // this one wants an answer
		s.wantStatus(3, 0x33547ede, subscriber, ubus.StatusOK)
		if got := <-heard; got != `tock{"n":8}` {
			t.Error(got)
		}

		// The object goes, and is looked for in vain. When it comes again, so does the subscription, with its new id.
		s.sendVector("unsubscribe_target_gone", 0)
		m = s.wantVector("lookup_path")
		s.sendVector("lookup_status_notfound", m.Seq)
		synctest.Wait()
		s.sendVector("event_object_add", 0)
		s.found(0xb1b93bfe)
		m, a = s.next(ubus.MessageSubscribe)
		if a.Object != subscriber || a.Target != 0xb1b93bfe {
			t.Errorf("%+v", a)
		}
		s.status(m, ubus.StatusOK)

		c.Unsubscribe("vec.test")
		m, a = s.next(ubus.MessageRemoveObject)
		if a.Object != subscriber {
			t.Errorf("removed %x", a.Object)
		}
		s.status(m, ubus.StatusOK)
	})
}

// added takes the client's next object, which has no path, under that id.
func (s *script) added(id uint32) {
	s.t.Helper()
	m := s.wantVector("add_object_anonymous")
	s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrObject, id))
	s.status(m, ubus.StatusOK)
}

// wantStatus waits for the status that ends a call of ours.
func (s *script) wantStatus(seq uint16, peer, object uint32, status ubus.Status) {
	s.t.Helper()
	m, a := s.next(ubus.MessageStatus)
	if m.Seq != seq || m.Peer != peer || a.Object != object || !a.Has(ubus.AttrStatus) || a.Status != status {
		s.t.Errorf("to %x, seq %d, of object %x: %v; want %v to %x, seq %d, of %x", m.Peer, m.Seq, a.Object, a.Status, status, peer, seq, object)
	}
}

// invocation is the body of a call as ubusd delivers it.
func invocation(object uint32, method string, args ...blobmsg.Field) []byte {
	body := ubus.AppendNumber(nil, ubus.AttrObject, object)
	body = ubus.AppendText(body, ubus.AttrMethod, method)
	body = ubus.AppendText(body, ubus.AttrUser, "root")
	body = ubus.AppendText(body, ubus.AttrGroup, "root")
	return ubus.AppendTable(body, ubus.AttrData, args)
}

// everyType returns the fields of the captured reply with all types.
func everyType(t *testing.T) blobmsg.Fields {
	b, _ := hex.DecodeString(vectors(t)["reply_data_all_types"])
	m, _, _ := ubus.CutMessage(b)
	a := ubus.ParseAttributes(m.Body)
	fields, err := blobmsg.ParseFields(a.Data)
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

// vecObject is the object of the server with which the messages were captured.
func vecObject() *ubus.Object {
	none := func(context.Context, *ubus.Request) (blobmsg.Fields, error) { return nil, nil }
	method := func(name string, args ...ubus.Arg) ubus.Method {
		return ubus.Method{Name: name, Args: args, Handler: none}
	}
	arg := func(name string, typ blobmsg.Type) ubus.Arg { return ubus.Arg{Name: name, Type: typ} }
	return &ubus.Object{Path: "vec.test", Methods: []ubus.Method{
		method("types"),
		method("echo",
			arg("str", blobmsg.TypeString), arg("flag", blobmsg.TypeBool), arg("i16", blobmsg.TypeInt16), arg("i32", blobmsg.TypeInt32),
			arg("i64", blobmsg.TypeInt64), arg("dbl", blobmsg.TypeDouble), arg("arr", blobmsg.TypeArray), arg("tbl", blobmsg.TypeTable),
			arg("any", blobmsg.TypeUnspec)),
		method("fail"), method("defer"), method("fd"), method("multi"),
		method("notify"), method("notify_reply"),
		method("quit"), method("die"),
	}}
}
