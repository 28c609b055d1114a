package transport

import "net"

const (
	recordHeaderLen = 5
	// helloStart is where a ServerHello's random begins behind the start of its handshake message, and helloLen where it
	// ends (RFC 5246 section 7.4.1.3: type, length of 3 bytes, version of 2).
	helloStart = 6
	helloLen   = helloStart + 32
)

// The types of TLS records (RFC 8446 section 5.1).
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordData             = 23
)

// recordReader follows one direction of a TLS connection from its first byte on, record by record.
type recordReader struct {
	header [recordHeaderLen]byte
	have   int // bytes of header seen; 0: between two records
	left   int // bytes of the record that follow the header and have not been seen
	hello  [helloLen]byte
	said   int    // bytes of hello seen
	sealed bool   // ChangeCipherSpec has come: in TLS 1.2 all that follows is encrypted
	after  uint64 // whole records since then, which is the sequence number of the next one
}

// want returns how many bytes may be read without reading on into the next record.
func (r *recordReader) want() int {
	if r.have < recordHeaderLen {
		return recordHeaderLen - r.have
	}
	return r.left
}

// saw takes notice of the next bytes of the stream, of which there may be more than want says.
func (r *recordReader) saw(b []byte) {
	for len(b) > 0 {
		n := min(r.want(), len(b))
		if r.have < recordHeaderLen {
			r.have += copy(r.header[r.have:], b[:n])
			if r.have == recordHeaderLen {
				r.left = int(r.header[3])<<8 | int(r.header[4])
			}
		} else {
			if r.header[0] == recordHandshake && !r.sealed {
				r.said += copy(r.hello[r.said:], b[:n])
			}
			r.left -= n
		}
		if r.have == recordHeaderLen && r.left == 0 {
			r.ended()
		}
		b = b[n:]
	}
}

// ended takes notice of a record's end.
func (r *recordReader) ended() {
	r.have = 0
	switch {
	case r.sealed:
		r.after++
	case r.header[0] == recordChangeCipherSpec:
		r.sealed = true
	}
}

// between reports whether the last byte seen was the last of a record.
func (r *recordReader) between() bool { return r.have == 0 }

// random returns the random number of the hello that the stream began with.
func (r *recordReader) random() (random []byte, ok bool) {
	return r.hello[helloStart:], r.said == helloLen
}

// stepwise is a connection that gives crypto/tls no byte beyond the record that it is reading: whatever the server sends
// behind its part of the handshake stays in the socket, for the kernel.
type stepwise struct {
	net.Conn
	in, out recordReader
	free    bool // the handshake is over and the kernel does not take over: no more of this
}

// Read reads at most to the end of a record's header, or of the record.
func (s *stepwise) Read(b []byte) (int, error) {
	if s.free {
		return s.Conn.Read(b)
	}
	if want := s.in.want(); len(b) > want {
		b = b[:want]
	}
	n, err := s.Conn.Read(b)
	s.in.saw(b[:n])
	return n, err
}

// Write takes notice of what is written.
func (s *stepwise) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if !s.free {
		s.out.saw(b[:n])
	}
	return n, err
}
