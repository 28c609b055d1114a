package ubustest

import (
	"net"

	"sstp/src/ubus"
)

// client is one connection, as ubusd sees it. The server's mutex guards it.
type client struct {
	server *Server
	conn   net.Conn
	id     uint32
	user   string
	group  string

	gone  bool
	queue [][]byte      // not yet written, and not being written
	busy  bool          // there is a message that ubusd would have handed to the kernel
	bytes int           // in the queue, but for that one
	wake  chan struct{} // the queue has grown, or the client has gone
}

// send queues a message. Like ubusd it keeps at most 1 MiB for a client that does not read, besides the message that is
// being written, and drops the rest silently.
func (c *client) send(typ ubus.MessageType, seq uint16, peer uint32, body []byte) {
	b := ubus.AppendMessage(nil, ubus.Message{Type: typ, Seq: seq, Peer: peer, Body: body})
	if c.busy {
		if c.bytes+len(b) > ubus.MaxMessage {
			return
		}
		c.bytes += len(b)
	}
	if c.gone {
		return
	}
	c.busy = true
	c.queue = append(c.queue, b)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *client) write() {
	defer c.conn.Close()
	for range c.wake {
		for {
			c.server.mu.Lock()
			if c.gone {
				c.server.mu.Unlock()
				return
			}
			if len(c.queue) == 0 {
				c.server.mu.Unlock()
				break
			}
			b := c.queue[0]
			c.queue = c.queue[1:]
			c.server.mu.Unlock()

			if _, err := c.conn.Write(b); err != nil {
				return
			}
			c.server.mu.Lock()
			if c.busy = len(c.queue) > 0; c.busy {
				c.bytes -= len(c.queue[0])
			}
			c.server.mu.Unlock()
		}
	}
}

func (c *client) read() {
	in := ubus.NewReader(c.conn, 0)
	for {
		m, err := in.Next()
		if err != nil {
			break
		}
		c.server.mu.Lock()
		c.server.receive(c, m)
		c.server.mu.Unlock()
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.conn.Close()
	c.server.leave(c)
	c.gone = true
	close(c.wake)
}
