package ubustest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
	"sstp/src/ubus/ubustest"
)

// The server's conversation is tested with that of package ubus: on captured messages, and against the real ubusd.

// client is a connection without a client of package ubus.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *ubus.Reader
}

func connect(t testing.TB, s *ubustest.Server) *client {
	t.Helper()
	conn, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, in: ubus.NewReader(conn, 0)}
	c.next(ubus.MessageHello)
	return c
}

func (c *client) send(typ ubus.MessageType, seq uint16, peer uint32, body []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(ubus.AppendMessage(nil, ubus.Message{Type: typ, Seq: seq, Peer: peer, Body: body})); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next(want ubus.MessageType) (ubus.Message, ubus.Attributes) {
	c.t.Helper()
	m, err := c.in.Next()
	if err != nil || m.Type != want {
		c.t.Fatalf("got type %d, %v; want %d", m.Type, err, want)
	}
	return m, ubus.ParseAttributes(m.Body)
}

func TestAStoppedServerIsGoneUntilItStarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ubus.sock")
	s := ubustest.New()
	if err := s.Listen(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := connect(t, s)
	s.Stop()
	if _, err := c.in.Next(); err == nil {
		t.Error("the connection outlives the server")
	}
	if _, err := s.Dial(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("the socket outlives the server")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	connect(t, s)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestACallerHasTheNameThatItWasDialedWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ubustest.New()
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		connected := make(chan bool, 1)
		owner := ubus.New(ubus.Options{Dial: s.Dial, Connected: func() { connected <- true }})
		owner.Publish(&ubus.Object{Path: "o", Methods: []ubus.Method{{Name: "who", Handler: func(_ context.Context, r *ubus.Request) (blobmsg.Fields, error) {
			return blobmsg.Fields{blobmsg.F("who", blobmsg.String(r.User+":"+r.Group))}, nil
		}}}})
		wg.Go(func() { owner.Run(ctx) })
		<-connected
		for want, dial := range map[string]func(context.Context) (net.Conn, error){"root:root": s.Dial, "nobody:nogroup": s.DialAs("nobody", "nogroup")} {
			c, err := ubus.Dial(t.Context(), ubus.Options{Dial: dial})
			if err != nil {
				t.Fatal(err)
			}
			if reply, err := c.Call(t.Context(), "o", "who", nil); err != nil || reply.Text("who") != want {
				t.Errorf("%s, %v; want %s", reply.Text("who"), err, want)
			}
			c.Close()
		}
	})
}

// ubusd of 2025-11 answers six pings of 500 kB to a client that does not read with six statuses, and with the data of the
// first ones only.
func TestWhatAClientDoesNotReadIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ubustest.New()
		defer s.Close()
		c := connect(t, s)
		synctest.Wait() // nothing of the hello is left to be written
		for seq := range uint16(6) {
			c.send(ubus.MessagePing, seq, 0, ubus.AppendNested(nil, ubus.AttrData, make([]byte, 500_000)))
		}
		synctest.Wait() // the last ping is answered before anything is read
		data, statuses := 0, 0
		for statuses < 6 {
			m, err := c.in.Next()
			if err != nil {
				t.Fatal(err)
			}
			if m.Type == ubus.MessageData {
				data++
			} else {
				statuses++
			}
		}
		if data != 3 { // one is being written, two fit in 1 MiB
			t.Errorf("the data of %d came", data)
		}
		c.conn.Close()
	})
}

func TestTheOwnerOfAnObjectAloneMayChangeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ubustest.New()
		defer s.Close()
		owner, other := connect(t, s), connect(t, s)
		owner.send(ubus.MessageAddObject, 1, 0, nil)
		_, a := owner.next(ubus.MessageData)
		id := a.Object
		owner.next(ubus.MessageStatus)
		number := func(id uint32) []byte { return ubus.AppendNumber(nil, ubus.AttrObject, id) }
		pair := func(id, target uint32) []byte { return ubus.AppendNumber(number(id), ubus.AttrTarget, target) }
		register := func(id uint32) []byte {
			body := ubus.AppendText(number(ubus.ObjectEvent), ubus.AttrMethod, "register")
			return ubus.AppendTable(body, ubus.AttrData, blobmsg.Fields{blobmsg.F("object", blobmsg.Int(int64(int32(id)))), blobmsg.F("pattern", blobmsg.String("*"))})
		}
		event := func(method string, args ...blobmsg.Field) []byte {
			return ubus.AppendTable(ubus.AppendText(number(ubus.ObjectEvent), ubus.AttrMethod, method), ubus.AttrData, args)
		}
		for _, tt := range []struct {
			why  string
			typ  ubus.MessageType
			body []byte
			want ubus.Status
		}{
			{"remove another's object", ubus.MessageRemoveObject, number(id), ubus.StatusPermissionDenied},
			{"remove no object", ubus.MessageRemoveObject, number(99), ubus.StatusNotFound},
			{"remove nothing", ubus.MessageRemoveObject, nil, ubus.StatusInvalidArgument},
			{"notify for another", ubus.MessageNotify, ubus.AppendText(number(id), ubus.AttrMethod, "n"), ubus.StatusPermissionDenied},
			{"notify for no object", ubus.MessageNotify, ubus.AppendText(number(99), ubus.AttrMethod, "n"), ubus.StatusNotFound},
			{"notify without a name", ubus.MessageNotify, number(id), ubus.StatusInvalidArgument},
			{"subscribe another's object", ubus.MessageSubscribe, pair(id, id), ubus.StatusInvalidArgument},
			{"subscribe no object", ubus.MessageSubscribe, pair(99, id), ubus.StatusNotFound},
			{"subscribe to nothing", ubus.MessageSubscribe, number(id), ubus.StatusInvalidArgument},
			{"unsubscribe another's object", ubus.MessageUnsubscribe, pair(id, id), ubus.StatusInvalidArgument},
			{"unsubscribe no object", ubus.MessageUnsubscribe, pair(99, id), ubus.StatusNotFound},
			{"unsubscribe from nothing", ubus.MessageUnsubscribe, number(id), ubus.StatusInvalidArgument},
			{"listen for another", ubus.MessageInvoke, register(id), ubus.StatusPermissionDenied},
			{"listen for ubusd", ubus.MessageInvoke, register(2), ubus.StatusPermissionDenied},
			{"listen for no object", ubus.MessageInvoke, register(0x40000000), ubus.StatusNotFound},
			{"listen to nothing", ubus.MessageInvoke, event("register"), ubus.StatusInvalidArgument},
			{"send nothing", ubus.MessageInvoke, event("send"), ubus.StatusInvalidArgument},
			{"ask what events cannot do", ubus.MessageInvoke, event("dance"), ubus.StatusInvalidCommand},
			{"monitor", ubus.MessageInvoke, ubus.AppendText(number(ubus.ObjectMonitor), ubus.AttrMethod, "add"), ubus.StatusPermissionDenied},
			{"look for the empty path", ubus.MessageLookup, ubus.AppendText(nil, ubus.AttrPath, ""), ubus.StatusInvalidArgument},
		} {
			other.send(tt.typ, 7, 0, tt.body)
			if m, a := other.next(ubus.MessageStatus); a.Status != tt.want || m.Seq != 7 {
				t.Errorf("%s: %v, want %v", tt.why, a.Status, tt.want)
			}
		}
		owner.send(ubus.MessageSubscribe, 7, 0, pair(id, id))
		if _, a := owner.next(ubus.MessageStatus); a.Status != ubus.StatusInvalidArgument {
			t.Errorf("subscribe to itself: %v", a.Status)
		}
		owner.conn.Close()
		other.conn.Close()
	})
}

func TestObjectsShareATypeByItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ubustest.New()
		defer s.Close()
		c := connect(t, s)
		add := func(body []byte) ubus.Attributes {
			c.send(ubus.MessageAddObject, 1, 0, body)
			_, a := c.next(ubus.MessageData)
			c.next(ubus.MessageStatus)
			return a
		}
		signature := blobmsg.Fields{blobmsg.F("m", blobmsg.Tab())}
		first := add(ubus.AppendTable(ubus.AppendText(nil, ubus.AttrPath, "a"), ubus.AttrSignature, signature))
		add(ubus.AppendNumber(ubus.AppendText(nil, ubus.AttrPath, "b"), ubus.AttrObjectType, first.ObjectType))
		c.send(ubus.MessageLookup, 1, 0, ubus.AppendText(nil, ubus.AttrPath, "b"))
		_, a := c.next(ubus.MessageData)
		if methods, err := ubus.ParseSignature(a.Signature); err != nil || len(methods) != 1 || a.ObjectType != first.ObjectType {
			t.Errorf("%+v, %v", methods, err)
		}
		c.conn.Close()
	})
}

// FuzzServer: whatever a client says, the server neither crashes nor hangs, and goes on to serve others.
func FuzzServer(f *testing.F) {
	message := func(typ ubus.MessageType, body []byte) []byte {
		return ubus.AppendMessage(nil, ubus.Message{Type: typ, Seq: 1, Body: body})
	}
	const id uint32 = 0x3c6ef362 // of the first object, probably
	var talk []byte
	for typ := range ubus.MessageType(13) {
		body := ubus.AppendText(nil, ubus.AttrPath, "o")
		body = ubus.AppendNumber(body, ubus.AttrObject, id)
		body = ubus.AppendNumber(body, ubus.AttrTarget, id)
		body = ubus.AppendText(body, ubus.AttrMethod, "m")
		body = ubus.AppendTable(body, ubus.AttrSignature, blobmsg.Fields{blobmsg.F("m", blobmsg.Tab())})
		one := message(typ, ubus.AppendTable(body, ubus.AttrData, nil))
		f.Add(one)
		talk = append(talk, one...)
	}
	f.Add(append(talk, talk...))
	f.Fuzz(func(t *testing.T, said []byte) {
		s := ubustest.New()
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var reader sync.WaitGroup
		reader.Go(func() { io.Copy(io.Discard, conn) })
		conn.Write(said)
		c := connect(t, s)
		c.send(ubus.MessagePing, 1, 0, nil)
		c.next(ubus.MessageData)
		s.Close()
		reader.Wait()
	})
}
