package ubus

import (
	"io"
	"net"
	"time"
)

// Sizes of a reader's buffer: at first, and above which it is not kept for the next message.
const (
	readerBufferLen = 4 << 10
	readerKeepLen   = 64 << 10
)

// Reader reads messages from a connection. It allocates no memory for a claimed length before the bytes arrive.
type Reader struct {
	conn       net.Conn
	patience   time.Duration
	buf        []byte
	start, end int  // bounds of the bytes that have been read and not returned yet
	waiting    bool // for the rest of a message, with a deadline
}

// NewReader returns a reader of conn. The rest of a message must follow its beginning within patience; 0 means no limit.
func NewReader(conn net.Conn, patience time.Duration) *Reader {
	return &Reader{conn: conn, patience: patience}
}

// Next waits for a message, whose body is valid until the next call. It returns io.EOF if the connection ends between two
// messages.
func (r *Reader) Next() (Message, error) {
	for {
		m, n, err := CutMessage(r.buf[r.start:r.end])
		if err != nil {
			return Message{}, err
		}
		if n > 0 {
			r.start += n
			return m, r.expect(false)
		}
		if err := r.fill(); err != nil {
			return Message{}, err
		}
	}
}

// fill reads once.
func (r *Reader) fill() error {
	r.makeRoom()
	if err := r.expect(r.end > r.start); err != nil {
		return err
	}
	n, err := r.conn.Read(r.buf[r.end:])
	r.end += n
	switch {
	case n > 0:
		return nil
	case err == io.EOF && r.end > r.start:
		return io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom makes room behind end, and releases the buffer of a long message.
func (r *Reader) makeRoom() {
	held := r.buf[r.start:r.end]
	switch {
	case r.buf == nil, len(held) == 0 && len(r.buf) > readerKeepLen:
		r.buf = make([]byte, readerBufferLen)
	case r.end < len(r.buf) && len(held) > 0:
		return
	case len(held) == len(r.buf):
		grown := make([]byte, min(2*len(r.buf), messageHeaderLen+MaxMessage))
		r.end = copy(grown, held)
		r.buf, r.start = grown, 0
		return
	}
	r.start, r.end = 0, copy(r.buf, held)
}

// expect sets the deadline for the rest of a message, or removes it.
func (r *Reader) expect(rest bool) error {
	if r.patience == 0 || r.waiting == rest {
		return nil
	}
	r.waiting = rest
	var deadline time.Time
	if rest {
		deadline = time.Now().Add(r.patience)
	}
	return r.conn.SetReadDeadline(deadline)
}
