package ubus

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"sstp/src/blobmsg"
)

// streamConn is a connection that only reads.
type streamConn struct {
	net.Conn
	io.Reader
}

func (c streamConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

func readerOf(r io.Reader) *Reader { return NewReader(streamConn{Reader: r}, 0) }

func TestMessagesAreFoundHoweverTheStreamIsCut(t *testing.T) {
	long := Message{Type: MessageData, Seq: 3, Peer: 7, Body: bytes.Repeat([]byte("long"), 50000)}
	want := []Message{
		{Type: MessageHello, Peer: 0x188020f0},
		{Type: MessageStatus, Seq: 1, Body: AppendNumber(nil, AttrStatus, 4)},
		long,
		{Type: MessagePing, Seq: 0xffff, Body: []byte{1}}, // a length that is no multiple of 4 is taken as it is
		long,
		{Version: 1, Type: 99},
	}
	var stream []byte
	for _, m := range want {
		stream = AppendMessage(stream, m)
	}
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"at once":                   func(r io.Reader) io.Reader { return r },
		"halves":                    iotest.HalfReader,
		"bytes":                     iotest.OneByteReader,
		"with the last one the end": iotest.DataErrReader,
	} {
		in := readerOf(cut(bytes.NewReader(stream)))
		for i, w := range want {
			m, err := in.Next()
			if err != nil || m.Version != w.Version || m.Type != w.Type || m.Seq != w.Seq || m.Peer != w.Peer || !bytes.Equal(m.Body, w.Body) {
				t.Fatalf("%s: message %d: type %d, %d bytes, %v", name, i, m.Type, len(m.Body), err)
			}
		}
		if _, err := in.Next(); err != io.EOF {
			t.Errorf("%s: the end is %v", name, err)
		}
		if len(in.buf) > readerKeepLen {
			t.Errorf("%s: %d bytes are kept for nothing", name, len(in.buf))
		}
	}
}

func TestABrokenStreamIsAnError(t *testing.T) {
	head := "\x00\x01\x00\x00\x00\x00\x00\x00"
	for _, tt := range []struct {
		why, stream string
		want        error
	}{
		{"nothing", "", io.EOF},
		{"half a header", head[:5], io.ErrUnexpectedEOF},
		{"a header alone", head, io.ErrUnexpectedEOF},
		{"an end within the body", head + "\x00\x00\x00\x08abc", io.ErrUnexpectedEOF},
		{"a length below its own", head + "\x00\x00\x00\x03", errMessageShort},
		{"a length of 0", head + "\x00\x00\x00\x00", errMessageShort},
		{"1 MiB and a byte", head + "\x00\x10\x00\x01", errMessageLong},
		{"the greatest length", head + "\x00\xff\xff\xff", errMessageLong},
	} {
		if _, err := readerOf(strings.NewReader(tt.stream)).Next(); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
}

func TestAClaimedLengthCostsNoMemory(t *testing.T) {
	in := readerOf(strings.NewReader("\x00\x01\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00"))
	if _, err := in.Next(); err != io.ErrUnexpectedEOF || len(in.buf) > readerBufferLen {
		t.Errorf("%v, with a buffer of %d bytes", err, len(in.buf))
	}
}

func TestTheLongestMessageIsRead(t *testing.T) {
	b := AppendMessage(nil, Message{Type: MessagePing, Body: make([]byte, MaxMessage-blobmsg.HeaderLen)})
	m, err := readerOf(bytes.NewReader(b)).Next()
	if err != nil || len(m.Body) != MaxMessage-blobmsg.HeaderLen {
		t.Errorf("%d bytes, %v", len(m.Body), err)
	}
}

func TestTheRestOfAMessageMustCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		finished := make(chan struct{})
		defer close(finished)
		in := NewReader(here, 30*time.Second)
		message := AppendMessage(nil, Message{Type: MessageStatus, Body: AppendNumber(nil, AttrStatus, 0)})
		go func() {
			defer there.Close()
			for range 3 { // slow, but never for too long within a message
				time.Sleep(time.Hour)
				there.Write(message[:9])
				time.Sleep(29 * time.Second)
				there.Write(message[9:])
			}
			there.Write(message[:9])
			<-finished
		}()
		for range 3 {
			if _, err := in.Next(); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if _, err := in.Next(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 30*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestAttributesOfTheWrongFormAreAsGoodAsMissing(t *testing.T) {
	for _, tt := range []struct {
		why, body string
		id        AttrID
	}{
		{"OBJID of 5 bytes", "03000009 0000000100 000000", AttrObject},
		{"OBJID of 3 bytes", "03000007 000001 00", AttrObject},
		{"STATUS without bytes", "01000004", AttrStatus},
		{"METHOD without NUL", "04000009 7479706573 000000", AttrMethod},
		{"OBJPATH without bytes", "02000004", AttrPath},
		{"NO_REPLY of 4 bytes", "0a000008 00000001", AttrNoReply},
		{"ACTIVE without bytes", "09000004", AttrActive},
		{"USER without NUL", "0c000008 726f6f74", AttrUser},
		{"a length beyond the end", "03000009 00000001", AttrObject},
		{"a length below 4", "03000003 00000001", AttrObject},
	} {
		a := ParseAttributes(unhex(t, strings.ReplaceAll(tt.body, " ", "")))
		if a.Has(tt.id) {
			t.Errorf("%s counts", tt.why)
		}
	}
	unknown := AppendNumber(AppendNumber(AppendNumber(nil, 0, 1), 14, 1), 127, 1)
	a := ParseAttributes(AppendNumber(unknown, AttrObject, 5))
	if !a.Has(AttrObject) || a.Object != 5 {
		t.Error("attributes that nobody knows hide one that we know")
	}
}
