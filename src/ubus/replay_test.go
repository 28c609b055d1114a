package ubus_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// Ids in the captured messages. Another ubusd gives others, but the same ones in the same places.
var capturedIDs = []string{
	"188020f0", "030241f3", "2019d095", "34f2fb3f", "cc7a76eb", "690500ef", "f8ce26a8", "33547ede", "4ee4ecf7",
	"b1b93bfe", "3b249193", "4fbb8d14", "a7b7f364", "a1413efc", "560e8568", "682c098d",
}

// replay plays captured messages to a ubusd. It learns which of its ids stands for which captured one.
type replay struct {
	t   *testing.T
	ids map[uint32]uint32 // captured: actual; 0: not seen yet
}

func newReplay(t *testing.T) *replay {
	r := &replay{t: t, ids: map[uint32]uint32{}}
	for _, id := range capturedIDs {
		b, _ := hex.DecodeString(id)
		r.ids[binary.BigEndian.Uint32(b)] = 0
	}
	return r
}

// player is one client of a replay.
type player struct {
	r    *replay
	name string
	conn net.Conn
	in   *ubus.Reader
}

// connect adds a client, whose id is the captured one.
func (r *replay) connect(b *bus, name string, captured uint32) *player {
	r.t.Helper()
	conn, err := b.dial(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	p := &player{r: r, name: name, conn: conn, in: ubus.NewReader(conn, 0)}
	m, err := p.in.Next()
	if err != nil || m.Type != ubus.MessageHello || m.Seq != 0 || m.Peer < 1024 || len(m.Body) != 0 {
		r.t.Fatalf("%s: hello is %+v, %v", name, m, err)
	}
	r.ids[captured] = m.Peer
	return p
}

// send sends a captured message, with this ubusd's ids.
func (p *player) send(captured string) {
	p.r.t.Helper()
	b, err := hex.DecodeString(captured)
	if err != nil {
		p.r.t.Fatal(err)
	}
	for i := 4; i+4 <= len(b); i += 4 {
		if actual := p.r.ids[binary.BigEndian.Uint32(b[i:])]; actual != 0 {
			binary.BigEndian.PutUint32(b[i:], actual)
		}
	}
	if _, err := p.conn.Write(b); err != nil {
		p.r.t.Fatal(err)
	}
}

// want waits for a message that is the captured one but for ids, and for the seq of what ubusd sends by itself.
func (p *player) want(what, captured string) {
	p.r.t.Helper()
	want, err := hex.DecodeString(captured)
	if err != nil {
		p.r.t.Fatal(err)
	}
	m, err := p.in.Next()
	if err != nil {
		p.r.t.Fatalf("%s waits for %s: %v", p.name, what, err)
	}
	got := ubus.AppendMessage(nil, m)
	if m.Peer == 0 && (m.Type == ubus.MessageInvoke || m.Type == ubus.MessageNotify || m.Type == ubus.MessageUnsubscribe) {
		copy(got[2:4], want[2:4])
	}
	for i := 4; i+4 <= len(want) && i+4 <= len(got); i += 4 {
		id := binary.BigEndian.Uint32(want[i:])
		actual, isID := p.r.ids[id]
		if isID && actual == 0 {
			actual = binary.BigEndian.Uint32(got[i:])
			p.r.ids[id] = actual
		}
		if isID {
			binary.BigEndian.PutUint32(want[i:], actual)
		}
	}
	if !bytes.Equal(got, want) {
		p.r.t.Errorf("%s waits for %s:\n%x, want\n%x", p.name, what, got, want)
	}
}

// wantNothing checks that no other message has come.
func (p *player) wantNothing(after string) {
	p.r.t.Helper()
	p.conn.Write(ubus.AppendMessage(nil, ubus.Message{Type: ubus.MessagePing, Seq: 0xabcd}))
	for _, want := range []ubus.MessageType{ubus.MessageData, ubus.MessageStatus} {
		if m, err := p.in.Next(); err != nil || m.Seq != 0xabcd || m.Type != want {
			p.r.t.Fatalf("%s, after %s: %+v, %v", p.name, after, m, err)
		}
	}
}

// onEachBusAsRoot is onEachBus, but leaves out the real ubusd where its clients are not root, as in the captures.
func onEachBusAsRoot(t *testing.T, f func(t *testing.T, b *bus)) {
	onEachBus(t, func(t *testing.T, b *bus) {
		if b.real && os.Getuid() != 0 {
			t.Skip("needs root")
		}
		f(t, b)
	})
}

func TestUbusdSpeaksAsCaptured(t *testing.T) {
	onEachBusAsRoot(t, func(t *testing.T, b *bus) {
		v := vectors(t)
		r := newReplay(t)
		send := func(p *player, name string) { t.Helper(); p.send(v[name]) }
		want := func(p *player, names ...string) {
			t.Helper()
			for _, name := range names {
				p.want(name, v[name])
			}
		}
		watcher := r.connect(b, "watcher", 0x188020f0)
		owner := r.connect(b, "owner", 0x33547ede)
		caller := r.connect(b, "caller", 0xcc7a76eb)

		send(owner, "add_object_request")
		want(owner, "add_object_reply", "add_object_status")
		send(caller, "add_object_request")
		want(caller, "add_object_duplicate_status")

		for _, name := range []string{"lookup_path", "lookup_wildcard", "lookup_all"} {
			send(caller, name)
			want(caller, "lookup_reply_data", "lookup_status_ok")
		}
		caller.send(strings.Replace(v["lookup_path"], hex.EncodeToString([]byte("vec.test")), hex.EncodeToString([]byte("vec.none")), 1))
		want(caller, "lookup_status_notfound")

		send(caller, "invoke_request_noargs")
		want(owner, "invoke_forwarded")
		send(owner, "reply_data_all_types")
		send(owner, "reply_status_ok")
		want(caller, "reply_data_seen_by_caller", "reply_status_seen_by_caller")

		send(caller, "add_object_anonymous")
		want(caller, "add_object_anonymous_reply", "add_object_status")
		send(caller, "event_register")
		want(caller, "event_register_status")
		send(owner, "event_send")
		owner.want("the status of an event", message(ubus.MessageStatus, 1, 1, ubus.AppendNumber(nil, ubus.AttrStatus, 0)))
		want(caller, "event_delivered")
		send(caller, "event_ack")
		caller.wantNothing("event_ack")
		owner.send(message(ubus.MessageInvoke, 1, 1, eventCall("send", blobmsg.F("id", blobmsg.String("ubus.event")), blobmsg.F("data", blobmsg.Tab()))))
		want(owner, "event_send_denied")

		// The watcher hears of objects with one object, and is subscribed with another.
		watcher.addAnonymous(watching)
		watcher.send(message(ubus.MessageInvoke, 2, 1, eventCall("register", blobmsg.F("object", blobmsg.Int(int64(watching))), blobmsg.F("pattern", blobmsg.String("ubus.object.*")))))
		want(watcher, "event_register_status")
		watcher.addAnonymous(subscriber)
		send(watcher, "subscribe")
		want(watcher, "subscribe_status")
		want(owner, "subscriber_state_to_owner")
		send(owner, "notify_noreply")
		want(watcher, "notify_noreply_delivered")
		send(owner, "notify_reply")
		want(owner, "notify_reply_list")
		want(watcher, "notify_reply_delivered")
		ack := ubus.AppendNumber(ubus.AppendNumber(nil, ubus.AttrStatus, 0), ubus.AttrObject, subscriber)
		watcher.send(message(ubus.MessageStatus, 3, 0x33547ede, ack))
		want(owner, "notify_reply_answer")
		owner.wantNothing("notify_reply_answer")

		owner.conn.Close()
		want(watcher, "unsubscribe_target_gone", "event_object_remove")
		r.ids[vecTest], r.ids[vecTestType] = 0, 0
		caller.send(v["add_object_request"])
		caller.want("its id", message(ubus.MessageData, 1, 0, ubus.AppendNumber(ubus.AppendNumber(nil, ubus.AttrObject, 0xb1b93bfe), ubus.AttrObjectType, 0x3b249193)))
		want(caller, "add_object_status")
		want(watcher, "event_object_add")
		send(caller, "remove_object")
		want(caller, "remove_object_reply")
		caller.want("its status", message(ubus.MessageStatus, 2, 0, ubus.AppendNumber(nil, ubus.AttrStatus, 0)))
		caller.wantNothing("remove_object")
	})
}

const (
	vecTestType uint32 = 0x2019d095
	watching    uint32 = 0x4ee4ecf7
)

// message returns a message in hexadecimal.
func message(typ ubus.MessageType, seq uint16, peer uint32, body []byte) string {
	return hex.EncodeToString(ubus.AppendMessage(nil, ubus.Message{Type: typ, Seq: seq, Peer: peer, Body: body}))
}

// eventCall is the body of a call of ubusd's event object.
func eventCall(method string, args ...blobmsg.Field) []byte {
	body := ubus.AppendText(ubus.AppendNumber(nil, ubus.AttrObject, ubus.ObjectEvent), ubus.AttrMethod, method)
	return ubus.AppendTable(body, ubus.AttrData, args)
}

// addAnonymous adds an object without a path, whose id is the captured one.
func (p *player) addAnonymous(captured uint32) {
	p.r.t.Helper()
	p.send(message(ubus.MessageAddObject, 1, 0, nil))
	p.want("an object's id", message(ubus.MessageData, 1, 0, ubus.AppendNumber(nil, ubus.AttrObject, captured)))
	p.want("an object's status", message(ubus.MessageStatus, 1, 0, ubus.AppendNumber(nil, ubus.AttrStatus, 0)))
}

// The edge cases were captured on two connections; the first one, which is lost to wrong lengths, each time on a new one.
func TestUbusdAnswersEdgeCasesAsCaptured(t *testing.T) {
	onEachBusAsRoot(t, func(t *testing.T, b *bus) {
		file, err := os.ReadFile("testdata/ubus-vectors.json")
		if err != nil {
			t.Fatal(err)
		}
		var cases struct {
			EdgeCases []struct {
				Name      string
				Request   string `json:"request_hex"`
				Responses []json.RawMessage
			} `json:"edge_cases"`
		}
		if err := json.Unmarshal(file, &cases); err != nil {
			t.Fatal(err)
		}
		types := everyType(t)
		vec := vecObject()
		vec.Methods[0].Handler = func(context.Context, *ubus.Request) (blobmsg.Fields, error) { return types, nil }
		b.provider(t, vec)
		r := newReplay(t)
		p := r.connect(b, "client", 0x188020f0)
		for _, e := range cases.EdgeCases {
			switch e.Name {
			case "add_dup1":
				p.conn.Close()
				p = r.connect(b, "client", 0x188020f0)
			case "exact_1MiB":
				body := ubus.AppendNested(nil, ubus.AttrData, make([]byte, ubus.MaxMessage-8))
				p.send(message(ubus.MessagePing, 23, 0, body))
				p.want(e.Name, message(ubus.MessageData, 23, 0, body))
				p.want(e.Name, message(ubus.MessageStatus, 23, 0, ubus.AppendNumber(nil, ubus.AttrStatus, 0)))
				continue
			case "oversize", "len_lt_4":
				p.send(e.Request[:24])
				if m, err := p.in.Next(); err == nil {
					t.Errorf("%s: it answers %+v", e.Name, m)
				}
				p = r.connect(b, "client", 0x188020f0)
				continue
			}
			p.send(e.Request)
			for _, raw := range e.Responses {
				var response struct{ Hex string }
				if b.real && e.Name == "acl_query" {
					raw = bytes.Replace(raw, []byte("00000001810"), []byte("00000000810"), 1) // it has loaded no rules here
				}
				if json.Unmarshal(raw, &response) == nil && response.Hex != "" {
					p.want(e.Name, response.Hex)
				}
			}
			p.wantNothing(e.Name)
		}
	})
}
