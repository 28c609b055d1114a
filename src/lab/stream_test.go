package lab

import (
	"net"
	"testing"
)

// below is a connection below TLS that moves several records at once.
type below struct {
	net.Conn
	held bool
}

func (b *below) Hold(more bool) { b.held = more }
func (b *below) Flush() error   { b.held = false; return nil }
func (b *below) Ready() bool    { return true }

func TestRecordsGoTogetherUnlessTheyAreSpoiledOrCounted(t *testing.T) {
	for _, c := range []struct {
		why  string
		m    Misbehaviour
		want bool
	}{
		{"a server that behaves", Misbehaviour{}, true},
		{"bytes one by one", Misbehaviour{SplitBytes: true}, false},
		{"other forms of headers", Misbehaviour{HeaderForms: true}, false},
		{"garbage between", Misbehaviour{GarbageFrames: 3}, false},
		{"cut behind so many bytes", Misbehaviour{CutAfterBytes: 100}, false},
	} {
		b := &below{}
		s := newStream(nil, b, nil, &c.m, nil, nil)
		s.Hold(true)
		if b.held != c.want || s.Ready() != c.want {
			t.Errorf("%s: held %v, ready %v; want %v", c.why, b.held, s.Ready(), c.want)
		}
		if err := s.Flush(); err != nil || b.held {
			t.Errorf("%s: held behind a flush, %v", c.why, err)
		}
	}
}
