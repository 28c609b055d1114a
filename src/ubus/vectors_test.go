package ubus

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"sstp/src/blobmsg"
)

// The messages of testdata/ubus-vectors.json were captured between the ubus tools and ubusd (openwrt/ubus 3cc98db).
type vectorFile struct {
	Vectors []struct {
		Name    string
		Hex     string
		Decoded vectorMessage
	}
	EdgeCases []struct {
		Name      string
		Request   string `json:"request_hex"`
		Responses []json.RawMessage
	} `json:"edge_cases"`
}

type vectorMessage struct {
	Version uint8
	Type    string
	Seq     uint16
	Peer    string
	Attrs   json.RawMessage
}

func readVectors(t testing.TB) (f vectorFile) {
	t.Helper()
	b, err := os.ReadFile("testdata/ubus-vectors.json")
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var messageNames = map[string]MessageType{
	"HELLO": MessageHello, "STATUS": MessageStatus, "DATA": MessageData, "PING": MessagePing, "LOOKUP": MessageLookup,
	"INVOKE": MessageInvoke, "ADD_OBJECT": MessageAddObject, "REMOVE_OBJECT": MessageRemoveObject,
	"SUBSCRIBE": MessageSubscribe, "UNSUBSCRIBE": MessageUnsubscribe, "NOTIFY": MessageNotify, "MONITOR": MessageMonitor,
}

func TestCapturedMessagesAreReadAsTheyWereMeant(t *testing.T) {
	for _, v := range readVectors(t).Vectors {
		t.Run(v.Name, func(t *testing.T) {
			raw := unhex(t, v.Hex)
			m, n, err := CutMessage(raw)
			if err != nil || n != len(raw) {
				t.Fatalf("cut %d of %d bytes, error %v", n, len(raw), err)
			}
			if got := AppendMessage(nil, m); !bytes.Equal(got, raw) {
				t.Errorf("written again it is\n%x, want\n%x", got, raw)
			}
			want := v.Decoded
			if m.Version != want.Version || m.Type != messageNames[want.Type] || m.Seq != want.Seq || peerText(m.Peer) != want.Peer {
				t.Errorf("header %+v, want %+v", m, want)
			}
			if m.Type == MessageMonitor {
				return // its attributes are others
			}
			if v.Name == "monitor_start" {
				if _, err := blobmsg.ParseFields(ParseAttributes(m.Body).Data); err == nil {
					t.Error("the arguments are attributes, no fields: want an error")
				}
				return
			}
			compareAttributes(t, m.Body, want.Attrs)
		})
	}
}

func peerText(n uint32) string { return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, n)) }

// compareAttributes decodes body into the JSON of the capture, and encodes what was decoded into body again, attribute by
// attribute in the capture's order.
func compareAttributes(t *testing.T, body []byte, want json.RawMessage) {
	t.Helper()
	a := ParseAttributes(body)
	var encoded []byte
	got := "{"
	dec := json.NewDecoder(bytes.NewReader(want))
	dec.Token() // {
	for i := 0; dec.More(); i++ {
		key, _ := dec.Token()
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		name := key.(string)
		var text string
		text, encoded = attributeAsJSON(t, &a, name, encoded)
		if i > 0 {
			got += ","
		}
		got += strconv.Quote(name) + ":" + text
	}
	got += "}"
	if !sameJSON(t, []byte(got), want) {
		t.Errorf("attributes\n%s, want\n%s", got, want)
	}
	if !bytes.Equal(encoded, body) {
		t.Errorf("encoded again\n%x, want\n%x", encoded, body)
	}
}

func attributeAsJSON(t *testing.T, a *Attributes, name string, dst []byte) (text string, encoded []byte) {
	t.Helper()
	quotedID := func(n uint32) string { return strconv.Quote(peerText(n)) }
	fields := func(b []byte, id AttrID) (string, []byte) {
		parsed, err := blobmsg.ParseFields(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return string(blobmsg.AppendJSON(nil, blobmsg.Tab(parsed...))), AppendTable(dst, id, parsed)
	}
	switch name {
	case "STATUS":
		return strconv.Itoa(int(a.Status)), AppendNumber(dst, AttrStatus, uint32(a.Status))
	case "OBJPATH":
		return strconv.Quote(a.Path), AppendText(dst, AttrPath, a.Path)
	case "OBJID":
		return quotedID(a.Object), AppendNumber(dst, AttrObject, a.Object)
	case "METHOD":
		return strconv.Quote(a.Method), AppendText(dst, AttrMethod, a.Method)
	case "OBJTYPE":
		return quotedID(a.ObjectType), AppendNumber(dst, AttrObjectType, a.ObjectType)
	case "SIGNATURE":
		methods, err := ParseSignature(a.Signature)
		if err != nil {
			t.Fatal(err)
		}
		if got := blobmsg.AppendFields(nil, signature(methods)); !bytes.Equal(got, a.Signature) {
			t.Errorf("signature\n%x, want\n%x", got, a.Signature)
		}
		return fields(a.Signature, AttrSignature)
	case "DATA":
		return fields(a.Data, AttrData)
	case "TARGET":
		return quotedID(a.Target), AppendNumber(dst, AttrTarget, a.Target)
	case "ACTIVE":
		return flagText(a.Active), AppendFlag(dst, AttrActive, a.Active)
	case "NO_REPLY":
		return flagText(a.NoReply), AppendFlag(dst, AttrNoReply, a.NoReply)
	case "SUBSCRIBERS":
		var ids []string
		for rest := a.Subscribers; len(rest) > 0; {
			one, more, err := blobmsg.CutAttr(rest)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, quotedID(binary.BigEndian.Uint32(one.Payload)))
			rest = more
		}
		return "[" + strings.Join(ids, ",") + "]", AppendNested(dst, AttrSubscribers, a.Subscribers)
	case "USER":
		return strconv.Quote(a.User), AppendText(dst, AttrUser, a.User)
	case "GROUP":
		return strconv.Quote(a.Group), AppendText(dst, AttrGroup, a.Group)
	}
	t.Fatalf("unknown attribute %s", name)
	return "", nil
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	return normalJSON(t, a) == normalJSON(t, b)
}

func normalJSON(t *testing.T, b []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

func TestEdgeCasesAreReadByteForByte(t *testing.T) {
	for _, e := range readVectors(t).EdgeCases {
		messages := []string{e.Request}
		for _, r := range e.Responses {
			var response struct{ Hex string }
			if json.Unmarshal(r, &response) == nil && response.Hex != "" {
				messages = append(messages, response.Hex)
			}
		}
		for i, text := range messages {
			if strings.HasSuffix(text, "...") {
				continue // one of 1 MiB, not kept in full
			}
			raw := unhex(t, text)
			m, n, err := CutMessage(raw)
			if refused := e.Name == "oversize" || e.Name == "len_lt_4"; refused != (err != nil) {
				t.Errorf("%s, message %d: error %v", e.Name, i, err)
				continue
			} else if refused {
				continue
			}
			if got := AppendMessage(nil, m); n != len(raw) || !bytes.Equal(got, raw) {
				t.Errorf("%s, message %d: written again\n%x, want\n%x", e.Name, i, got, raw)
			}
		}
	}
}

// flagText returns a boolean as blobmsg_json writes an INT8 of a plain attribute.
func flagText(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
