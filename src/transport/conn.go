package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"time"

	"sstp/src/fault"
	"sstp/src/text"
	"sstp/src/transport/ktls"
)

// closeGrace is how long close_notify may take to leave. The send buffer of a dead connection may be full.
const closeGrace = time.Second

// Conn is a connection on which the server has answered the HTTP request: what is read and written is SSTP. One reader and one
// writer may use it at a time. Close makes both return.
type Conn struct {
	tcp   net.Conn
	tls   net.Conn // *tls.Conn or *ktls.Conn
	early []byte   // what came together with the HTTP head; Read returns it first
	info  Info
}

// Info returns what became known while connecting.
func (c *Conn) Info() Info { return c.info }

// Read implements io.Reader. It returns first what came together with the HTTP head, and io.EOF after the server's
// close_notify. An error of TLS is a *fault.Error.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(b, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	n, err := c.tls.Read(b)
	return n, explain(err)
}

// Write writes b, in one TLS record where b has at most 16384 bytes. After an error, even that of a deadline, the connection
// cannot be used any more.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.tls.Write(b)
	return n, explain(err)
}

// SetDeadline sets the deadline of reads and writes.
func (c *Conn) SetDeadline(t time.Time) error { return c.tls.SetDeadline(t) }

// SetReadDeadline sets the deadline of reads.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.tls.SetReadDeadline(t) }

// SetWriteDeadline sets the deadline of writes.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.tls.SetWriteDeadline(t) }

// Close sends close_notify, for which it waits at most a second, and closes the connection.
func (c *Conn) Close() error {
	c.Hold(false)
	limit := time.AfterFunc(closeGrace, func() { c.tcp.Close() })
	defer limit.Stop()
	return c.tls.Close()
}

// rawConn returns the TCP connection below Go's TLS, or nil when the kernel does the records or a test made the connection.
func (c *Conn) rawConn() *RawConn {
	if c.info.Path != PathGo {
		return nil
	}
	raw, _ := c.tcp.(*RawConn)
	return raw
}

// Ready reports whether Read can return a whole record without waiting. It returns false when that is not known. Only the
// reader may call it.
func (c *Conn) Ready() bool {
	raw := c.rawConn()
	return raw != nil && raw.Ready()
}

// Hold announces whether the next Write is followed by another at once, as RawConn.Hold does. Only the writer may call it.
func (c *Conn) Hold(more bool) {
	if raw := c.rawConn(); raw != nil {
		raw.Hold(more)
	}
}

// Flush sends what is held. Only the writer may call it.
func (c *Conn) Flush() error {
	raw := c.rawConn()
	if raw == nil {
		return nil
	}
	return explain(raw.Flush())
}

// explain turns an error of TLS on an open connection into a *fault.Error. The end of the stream, deadlines and errors of the
// network pass unchanged.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if name, ok := alertName(err); ok {
		return fault.Newf(fault.ClosedByServer, fault.StageUp, `The server ended the connection with the TLS alert "%s".`, name).
			Wrap(err)
	}
	var header tls.RecordHeaderError
	var local *net.OpError
	var inKernel *ktls.Error
	switch {
	case errors.Is(err, ktls.ErrKeyUpdate):
		return fault.New(fault.TLSFailed, fault.StageUp,
			"The server changed the keys of the TLS connection, which TLS in the kernel cannot follow.").
			WithHint("The call is made anew at once. Where this comes back often, set ktls '0'.").Wrap(err)
	case errors.As(err, &inKernel):
		return fault.Newf(fault.TLSFailed, fault.StageUp, "TLS with the server failed: %s.", inKernel.Error()).
			WithHint("The call is made anew. Where this comes back, set ktls '0', which leaves TLS to Go.").Wrap(err)
	case errors.As(err, &local) && local.Op == "local error", errors.As(err, &header):
		return fault.Newf(fault.TLSFailed, fault.StageUp, "TLS with the server failed: %s.", text.Phrase(err.Error())).
			WithHint("What arrived is not what the server sent, or the server is broken. The call is made anew.").Wrap(err)
	}
	return err
}
