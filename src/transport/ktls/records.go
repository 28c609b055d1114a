package ktls

import (
	"io"
	"net"
)

const (
	recordHeaderLen = 5
	// helloRandomAt is where the random of a ServerHello begins in its handshake message, and helloLen where it ends (RFC 5246
	// section 7.4.1.3: type, length of 3 bytes, version of 2, then 32 bytes of random).
	helloRandomAt = 6
	helloLen      = helloRandomAt + 32
)

// The types of TLS records (RFC 8446 section 5.1).
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordData             = 23
)

// recordTracker follows one direction of a TLS connection from its first byte on, record by record.
type recordTracker struct {
	header        [recordHeaderLen]byte
	headerSeen    int // bytes of header; 0 between two records
	bodyLeft      int // bytes of the record's body that are still to come
	hello         [helloLen]byte
	helloSeen     int    // bytes of hello
	sealed        bool   // ChangeCipherSpec has come: in TLS 1.2 all that follows is encrypted
	sealedRecords uint64 // whole records since then, which is the sequence number of the next one
}

// want returns how many bytes may be read without reading into the next record.
func (r *recordTracker) want() int {
	if r.headerSeen < recordHeaderLen {
		return recordHeaderLen - r.headerSeen
	}
	return r.bodyLeft
}

// observe follows the next bytes of the stream. b may be longer than want().
func (r *recordTracker) observe(b []byte) {
	for len(b) > 0 {
		n := min(r.want(), len(b))
		if r.headerSeen < recordHeaderLen {
			r.headerSeen += copy(r.header[r.headerSeen:], b[:n])
			if r.headerSeen == recordHeaderLen {
				r.bodyLeft = int(r.header[3])<<8 | int(r.header[4])
			}
		} else {
			if r.header[0] == recordHandshake && !r.sealed {
				r.helloSeen += copy(r.hello[r.helloSeen:], b[:n])
			}
			r.bodyLeft -= n
		}
		if r.headerSeen == recordHeaderLen && r.bodyLeft == 0 {
			r.endRecord()
		}
		b = b[n:]
	}
}

func (r *recordTracker) endRecord() {
	r.headerSeen = 0
	switch {
	case r.sealed:
		r.sealedRecords++
	case r.header[0] == recordChangeCipherSpec:
		r.sealed = true
	}
}

// atBoundary reports whether the last byte seen was the last of a record.
func (r *recordTracker) atBoundary() bool { return r.headerSeen == 0 }

// helloRandom returns the random number of the hello that the stream began with, when that has been seen.
func (r *recordTracker) helloRandom() (random []byte, ok bool) {
	return r.hello[helloRandomAt:], r.helloSeen == helloLen
}

// HandshakeTap is the connection under a handshake of crypto/tls whose session may go to the kernel. It never reads beyond
// the record that crypto/tls is reading, so what the server sends behind its part of the handshake stays in the socket, for
// the kernel.
type HandshakeTap struct {
	net.Conn
	in, out recordTracker
	secrets secrets
	done    bool // the handshake is over: reads and writes pass unchanged
}

// NewHandshakeTap returns a tap around a connection on which nothing has been read or written.
func NewHandshakeTap(conn net.Conn) *HandshakeTap { return &HandshakeTap{Conn: conn} }

// KeyLog returns the writer for tls.Config.KeyLogWriter.
func (t *HandshakeTap) KeyLog() io.Writer { return &t.secrets }

// Wipe overwrites the secrets.
func (t *HandshakeTap) Wipe() { t.secrets = secrets{} }

// Read reads at most to the end of a record's header, or of the record.
func (t *HandshakeTap) Read(b []byte) (int, error) {
	if t.done {
		return t.Conn.Read(b)
	}
	if want := t.in.want(); len(b) > want {
		b = b[:want]
	}
	n, err := t.Conn.Read(b)
	t.in.observe(b[:n])
	return n, err
}

// Write writes b.
func (t *HandshakeTap) Write(b []byte) (int, error) {
	n, err := t.Conn.Write(b)
	if !t.done {
		t.out.observe(b[:n])
	}
	return n, err
}
