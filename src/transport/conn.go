package transport

import (
	"net"
	"time"
)

// closeGrace is how long a TLS close_notify may take to leave: a dead connection's send buffer may be full.
const closeGrace = time.Second

// Conn is the open connection: what is read and written is SSTP. One reader and one writer may use it at a time; Close
// ends both.
type Conn struct {
	tcp   net.Conn
	tls   net.Conn // *tls.Conn or *ktls.Conn
	early []byte   // came glued to the HTTP head; Read gives it first
	info  Info
}

// Info tells what became known while connecting.
func (c *Conn) Info() Info { return c.info }

// Read reads as io.Reader does, first what came in one piece with the HTTP head. After the server's close_notify it
// returns io.EOF. An error of TLS is a *fault.Error.
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

// Write writes b, as one TLS record where it has at most 16384 bytes. After an error, a passed deadline too, the
// connection is of no more use.
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

// Close says goodbye to the TLS peer, waiting at most a second for room in the send buffer, and closes the connection.
func (c *Conn) Close() error {
	c.Hold(false)
	hurry := time.AfterFunc(closeGrace, func() { c.tcp.Close() })
	defer hurry.Stop()
	return c.tls.Close()
}

// direct returns the TCP connection below Go's TLS; nil where the kernel enciphers or the test has made it.
func (c *Conn) direct() *Direct {
	if c.info.Path != PathGo {
		return nil
	}
	d, _ := c.tcp.(*Direct)
	return d
}

// Ready reports whether Read has a whole record to give without waiting. It is false where that is not known. It is for
// the reader only.
func (c *Conn) Ready() bool {
	d := c.direct()
	return d != nil && d.Ready()
}

// Hold says whether the next Write is followed by another at once, as Direct.Hold does. It is for the writer only.
func (c *Conn) Hold(more bool) {
	if d := c.direct(); d != nil {
		d.Hold(more)
	}
}

// Flush sends what is held. It is for the writer only.
func (c *Conn) Flush() error {
	d := c.direct()
	if d == nil {
		return nil
	}
	return explain(d.Flush())
}
