package ubus

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"sstp/src/blobmsg"
)

// addVectors makes the captured messages seeds.
func addVectors(f *testing.F, add func(message []byte)) {
	file := readVectors(f)
	for _, v := range file.Vectors {
		add(unhex(f, v.Hex))
	}
	for _, e := range file.EdgeCases {
		if !strings.HasSuffix(e.Request, "...") {
			add(unhex(f, e.Request))
		}
	}
}

// FuzzCutMessage: what was cut is the beginning of the input, and nothing is cut too early or too late.
func FuzzCutMessage(f *testing.F) {
	addVectors(f, func(message []byte) { f.Add(message) })
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := CutMessage(b)
		if n == 0 || err != nil {
			if n != 0 || len(m.Body) != 0 {
				t.Fatalf("%d bytes, a body of %d, error %v", n, len(m.Body), err)
			}
			return
		}
		written := AppendMessage(nil, m)
		want := bytes.Clone(b[:n])
		want[8] = 0 // extended bit and id of the outer blob are nobody's business
		if !bytes.Equal(written, want) {
			t.Fatalf("cut %x, written %x", want, written)
		}
		if _, short, err := CutMessage(b[:n-1]); short != 0 || err != nil {
			t.Fatalf("without its last byte: %d, %v", short, err)
		}
	})
}

// FuzzReader: a stream gives the same messages, however it is cut.
func FuzzReader(f *testing.F) {
	addVectors(f, func(message []byte) { f.Add(message, append(message, message...)) })
	f.Fuzz(func(t *testing.T, one, two []byte) {
		stream := append(bytes.Clone(one), two...)
		var readers []*Reader
		for _, cut := range []io.Reader{
			bytes.NewReader(stream), iotest.HalfReader(bytes.NewReader(stream)), iotest.OneByteReader(bytes.NewReader(stream)),
			io.MultiReader(bytes.NewReader(one), bytes.NewReader(two)),
		} {
			readers = append(readers, readerOf(cut))
		}
		for rest := stream; ; {
			want, n, wantErr := CutMessage(rest)
			if n == 0 && wantErr == nil {
				wantErr = io.ErrUnexpectedEOF
				if len(rest) == 0 {
					wantErr = io.EOF
				}
			}
			for _, r := range readers {
				m, err := r.Next()
				if err != wantErr || !bytes.Equal(AppendMessage(nil, m), AppendMessage(nil, want)) {
					t.Fatalf("got %+v, %v; want %+v, %v", m, err, want, wantErr)
				}
			}
			if wantErr != nil {
				return
			}
			rest = rest[n:]
		}
	})
}

// FuzzAttributes: attributes that were understood are written so that they are understood the same.
func FuzzAttributes(f *testing.F) {
	addVectors(f, func(message []byte) { f.Add(message[12:]) })
	f.Fuzz(func(t *testing.T, body []byte) {
		a := ParseAttributes(body)
		var written []byte
		for id := AttrID(0); id <= AttrGroup; id++ {
			if a.Has(id) {
				written = appendAttribute(written, &a, id)
			}
		}
		if again := ParseAttributes(written); !sameAttributes(&a, &again) {
			t.Fatalf("%+v\n%+v", a, again)
		}
	})
}

func appendAttribute(dst []byte, a *Attributes, id AttrID) []byte {
	switch id {
	case AttrStatus:
		return AppendNumber(dst, id, uint32(a.Status))
	case AttrPath:
		return AppendText(dst, id, a.Path)
	case AttrObject:
		return AppendNumber(dst, id, a.Object)
	case AttrMethod:
		return AppendText(dst, id, a.Method)
	case AttrObjectType:
		return AppendNumber(dst, id, a.ObjectType)
	case AttrSignature:
		return AppendNested(dst, id, a.Signature)
	case AttrData:
		return AppendNested(dst, id, a.Data)
	case AttrTarget:
		return AppendNumber(dst, id, a.Target)
	case AttrActive:
		return AppendFlag(dst, id, a.Active)
	case AttrNoReply:
		return AppendFlag(dst, id, a.NoReply)
	case AttrSubscribers:
		return AppendNested(dst, id, a.Subscribers)
	case AttrUser:
		return AppendText(dst, id, a.User)
	}
	return AppendText(dst, AttrGroup, a.Group)
}

// sameAttributes compares those that are present; one that was misshapen may have left something behind.
func sameAttributes(a, b *Attributes) bool {
	same := a.present == b.present
	for id := AttrID(0); id <= AttrGroup && same; id++ {
		if a.Has(id) {
			same = bytes.Equal(appendAttribute(nil, a, id), appendAttribute(nil, b, id))
		}
	}
	return same
}

// FuzzUbusd: whatever ubusd says, the client neither crashes nor hangs, and ends with the connection.
func FuzzUbusd(f *testing.F) {
	hello := AppendMessage(nil, Message{Type: MessageHello, Peer: 5000})
	addVectors(f, func(message []byte) { f.Add(message) })
	var all []byte
	addVectors(f, func(message []byte) { all = append(all, message...) })
	f.Add(all)
	f.Fuzz(func(t *testing.T, said []byte) {
		here, there := net.Pipe()
		lost := make(chan error, 1)
		c := New(Options{Lost: func(err error) { lost <- err }})
		c.opt.Dial = func(context.Context) (net.Conn, error) { return here, nil }
		c.Publish(&Object{Path: "o", Methods: []Method{{Name: "types", Handler: func(_ context.Context, r *Request) (blobmsg.Fields, error) { return r.Args, nil }}}})
		c.Listen("e", func(string, blobmsg.Fields) {})
		c.Subscribe("p", func(string, blobmsg.Fields) {})
		var peer sync.WaitGroup
		peer.Go(func() { io.Copy(io.Discard, there) })
		peer.Go(func() {
			there.Write(hello)
			// Whatever the client asks for first, its objects have the ids of the captured ones.
			for i, id := range []uint32{0x030241f3, 0x34f2fb3f, 0xf8ce26a8} {
				m := Message{Type: MessageData, Seq: uint16(i + 1), Body: AppendNumber(nil, AttrObject, id)}
				there.Write(AppendMessage(nil, m))
				m.Type, m.Body = MessageStatus, AppendNumber(nil, AttrStatus, 0)
				there.Write(AppendMessage(nil, m))
			}
			there.Write(said)
			there.Close()
		})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		if err := <-lost; err == nil {
			t.Error("lost for no reason")
		}
		cancel()
		<-ended
		peer.Wait()
		if len(c.slots) != 0 {
			t.Error("handlers are at work")
		}
	})
}
