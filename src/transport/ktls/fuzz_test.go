package ktls

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// FuzzRecords: however the stream is cut, the reader stops at the end of each record, and sees what a plain walk over the
// whole of it sees.
func FuzzRecords(f *testing.F) {
	hello := append([]byte{recordHandshake, 3, 3, 0, helloLen}, bytes.Repeat([]byte{7}, helloLen)...)
	sealed := []byte{recordChangeCipherSpec, 3, 3, 0, 1, 1, recordHandshake, 3, 3, 0, 3, 1, 2, 3, recordData, 3, 3, 0, 0}
	f.Add(append(hello, sealed...), []byte{1, 2, 3})
	f.Add([]byte{recordHandshake, 3, 3, 0, 2, 2, 0, recordAlert, 3, 3, 0, 2, 1, 0, recordHandshake, 3, 3, 0, 1, 9}, []byte{0})
	f.Add([]byte{recordData, 3, 3, 255, 255}, []byte{255})
	f.Fuzz(func(t *testing.T, b, cuts []byte) {
		var records, after, total int
		var random []byte
		sealed := false
		for rest := b; len(rest) >= recordHeaderLen; records++ {
			n := recordHeaderLen + int(binary.BigEndian.Uint16(rest[3:]))
			if rest[0] == recordHandshake && !sealed {
				random = append(random, rest[recordHeaderLen:min(n, len(rest))]...)
			}
			if n > len(rest) {
				break
			}
			if sealed {
				after++
			}
			sealed = sealed || rest[0] == recordChangeCipherSpec
			total += n
			rest = rest[n:]
		}
		s := NewHandshakeTap(&canned{b: b, cuts: cuts})
		buf := make([]byte, 4096)
		var got []byte
		for boundaries := 0; ; {
			n, err := s.Read(buf[:1+len(got)%len(buf)])
			got = append(got, buf[:n]...)
			if err != nil {
				break
			}
			if s.in.atBoundary() {
				if boundaries++; boundaries == records && len(got) != total {
					t.Fatalf("%d records are %d bytes, read were %d", records, total, len(got))
				}
			}
		}
		if !bytes.Equal(got, b) {
			t.Fatalf("%d bytes became %d", len(b), len(got))
		}
		if int(s.in.sealedRecords) != after || s.in.atBoundary() != (total == len(b)) {
			t.Fatalf("%d sealed records, want %d; between two: %v", s.in.sealedRecords, after, s.in.atBoundary())
		}
		hello, ok := s.in.helloRandom()
		if ok != (len(random) >= helloLen) || ok && !bytes.Equal(hello, random[helloRandomAt:helloLen]) {
			t.Fatalf("the hello's random is %x, %v", hello, ok)
		}
	})
}

// canned gives bytes in pieces.
type canned struct {
	net.Conn
	b, cuts []byte
	next    int
}

func (c *canned) Read(b []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	if len(c.cuts) > 0 {
		b = b[:min(len(b), 1+int(c.cuts[c.next%len(c.cuts)]))]
		c.next++
	}
	n := copy(b, c.b)
	c.b = c.b[n:]
	return n, nil
}

// FuzzHandshakeMessages: what a stream of handshake records means does not depend on how it was cut.
func FuzzHandshakeMessages(f *testing.F) {
	f.Add(append([]byte{messageNewTicket, 0, 0, 3, 1, 2, 3}, messageKeyUpdate, 0, 0, 1, 0), []byte{3, 1})
	f.Add([]byte{messageNewTicket, 0, 0, 0, messageHelloRequest, 0, 0, 0}, []byte{})
	f.Add([]byte{messageNewTicket, 0xff, 0xff, 0xff}, []byte{2})
	f.Fuzz(func(t *testing.T, b, cuts []byte) {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			whole := Conn{version: version, raw: nobody{}}
			want := whole.handshake(b)
			cut := Conn{version: version, raw: nobody{}}
			var got error
			for rest, i := b, 0; len(rest) > 0 && got == nil; i++ {
				n := 1
				if len(cuts) > 0 {
					n = min(len(rest), 1+int(cuts[i%len(cuts)]))
				}
				got, rest = cut.handshake(rest[:n]), rest[n:]
			}
			if (got == nil) != (want == nil) || got != nil && got.Error() != want.Error() {
				t.Fatalf("whole: %v, in pieces: %v", want, got)
			}
			if got == nil && (cut.messages != whole.messages && (cut.messages.have != 0 || whole.messages.have != 0) || cut.idleRecords != whole.idleRecords) {
				t.Fatalf("whole: %+v, in pieces: %+v", whole.messages, cut.messages)
			}
		}
	})
}

// nobody hears what is said.
type nobody struct{}

func (nobody) Control(func(uintptr)) error    { return nil }
func (nobody) Read(func(uintptr) bool) error  { return nil }
func (nobody) Write(func(uintptr) bool) error { return nil }
