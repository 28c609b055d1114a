package ubus_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"sstp/src/blobmsg"
	"sstp/src/ubus"
)

// script is a ubusd that does what the test says, on one connection after the other.
type script struct {
	t        *testing.T
	accepted chan net.Conn
	conn     net.Conn
	in       *ubus.Reader
	vectors  map[string]string

	connected chan bool  // the client has told that it is connected
	lost      chan error // the client has told of a loss
	mu        sync.Mutex
	lines     []string // the client has logged
}

func newScript(t *testing.T) *script {
	return &script{
		t:         t,
		accepted:  make(chan net.Conn, 16),
		vectors:   vectors(t),
		connected: make(chan bool, 99),
		lost:      make(chan error, 99),
	}
}

func (s *script) options() ubus.Options {
	return ubus.Options{
		Dial:      s.dial,
		Connected: func() { s.connected <- true },
		Lost:      func(err error) { s.lost <- err },
		Log: func(line string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.lines = append(s.lines, line)
		},
	}
}

// dial is the client's way here.
func (s *script) dial(context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	s.accepted <- there
	return here, nil
}

// accept waits for the next connection and says hello.
func (s *script) accept() {
	s.conn = <-s.accepted
	s.in = ubus.NewReader(s.conn, 0)
	s.sendRaw(s.vectors["hello"])
}

// sendRaw sends bytes given in hexadecimal.
func (s *script) sendRaw(text string) {
	s.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.conn.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) send(typ ubus.MessageType, seq uint16, peer uint32, body []byte) {
	s.conn.Write(ubus.AppendMessage(nil, ubus.Message{Type: typ, Seq: seq, Peer: peer, Body: body}))
}

func (s *script) status(m ubus.Message, status ubus.Status) {
	s.send(ubus.MessageStatus, m.Seq, m.Peer, ubus.AppendNumber(nil, ubus.AttrStatus, uint32(status)))
}

// next waits for a message of that type.
func (s *script) next(want ubus.MessageType) (ubus.Message, ubus.Attributes) {
	s.t.Helper()
	m, err := s.in.Next()
	if err != nil {
		s.t.Fatalf("waiting for a message of type %d: %v", want, err)
	}
	if m.Type != want {
		s.t.Fatalf("the client sent a message of type %d, want %d", m.Type, want)
	}
	m.Body = bytes.Clone(m.Body)
	return m, ubus.ParseAttributes(m.Body)
}

// found answers the client's next lookup.
func (s *script) found(id uint32) {
	s.t.Helper()
	m, a := s.next(ubus.MessageLookup)
	body := ubus.AppendText(nil, ubus.AttrPath, a.Path)
	body = ubus.AppendNumber(body, ubus.AttrObject, id)
	s.send(ubus.MessageData, m.Seq, m.Peer, ubus.AppendNested(body, ubus.AttrSignature, nil))
	s.status(m, ubus.StatusOK)
}

// wantVector waits for a message that is, byte for byte but for seq, the captured one.
func (s *script) wantVector(name string) ubus.Message {
	s.t.Helper()
	m, err := s.in.Next()
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	want, _ := hex.DecodeString(s.vectors[name])
	w, _, _ := ubus.CutMessage(want)
	seq := m.Seq
	m.Seq = w.Seq
	if got := ubus.AppendMessage(nil, m); !bytes.Equal(got, want) {
		s.t.Errorf("%s: the client sent\n%x, ubus' tools send\n%x", name, got, want)
	}
	m.Seq, m.Body = seq, bytes.Clone(m.Body)
	return m
}

// sendVector sends a captured message, with another seq if that is not 0.
func (s *script) sendVector(name string, seq uint16) {
	s.t.Helper()
	b, _ := hex.DecodeString(s.vectors[name])
	m, _, err := ubus.CutMessage(b)
	if err != nil {
		s.t.Fatal(err)
	}
	if seq != 0 {
		m.Seq = seq
	}
	s.conn.Write(ubus.AppendMessage(nil, m))
}

// vectors returns the captured messages in hexadecimal, by name.
func vectors(t *testing.T) map[string]string {
	b, err := os.ReadFile("testdata/ubus-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct{ Name, Hex string }
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	byName := map[string]string{}
	for _, v := range file.Vectors {
		byName[v.Name] = v.Hex
	}
	return byName
}

// scripted runs a test with a client on a scripted ubusd, in a bubble of time. What the client started must be over in the
// end.
func scripted(t *testing.T, f func(t *testing.T, s *script, c *ubus.Client)) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		c := ubus.New(s.options())
		run(t, c)
		f(t, s, c)
	})
}

// run runs the client until the test ends.
func run(t *testing.T, c *ubus.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// result is what a call in the background returned.
type result struct {
	reply blobmsg.Fields
	err   error
}

// calling makes a call in the background.
func calling(ctx context.Context, c *ubus.Client, object, method string, args ...blobmsg.Field) <-chan result {
	done := make(chan result, 1)
	go func() {
		reply, err := c.Call(ctx, object, method, args)
		done <- result{reply, err}
	}()
	return done
}

func asJSON(f blobmsg.Fields) string { return string(blobmsg.AppendJSON(nil, blobmsg.Tab(f...))) }
