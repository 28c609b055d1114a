package ubus

import "sync"

// Limits of an inbox; what comes beyond them is lost.
const (
	maxInbox      = 256
	maxInboxBytes = MaxMessage
)

// delivery is an event or a notification; without a name, the news whether an object of ours has subscribers.
type delivery struct {
	name   string
	data   []byte
	active bool
}

// inbox keeps the order of what an endpoint hears. While it is not empty, one goroutine hands it over.
type inbox struct {
	mu    sync.Mutex
	queue []delivery
	bytes int
	busy  bool // the goroutine runs
	lossy bool // something was lost since the inbox was empty
}

// put adds a delivery, without waiting.
func (in *inbox) put(c *Client, e *endpoint, d delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.queue) >= maxInbox || in.bytes+len(d.data) > maxInboxBytes {
		if !in.lossy {
			c.log(e.name + ": too many messages at once, some are lost")
		}
		in.lossy = true
		return
	}
	in.queue = append(in.queue, d)
	in.bytes += len(d.data)
	if !in.busy {
		in.busy = true
		c.work.Go(func() { in.handOver(c, e) })
	}
}

func (in *inbox) handOver(c *Client, e *endpoint) {
	for {
		in.mu.Lock()
		if len(in.queue) == 0 {
			in.queue, in.busy, in.lossy = nil, false, false
			in.mu.Unlock()
			return
		}
		d := in.queue[0]
		in.queue = in.queue[1:]
		in.bytes -= len(d.data)
		in.mu.Unlock()
		e.deliver(c, d)
	}
}

// deliver tells those who wanted to hear it.
func (e *endpoint) deliver(c *Client, d delivery) {
	if e.withdrawn.Load() {
		return
	}
	if e.kind == publishing {
		e.object.Subscribers(d.active)
		return
	}
	data, err := ParseFields(d.data)
	if err != nil {
		c.log(e.name + ": " + d.name + ": " + err.Error())
		return
	}
	e.hear(d.name, data)
}
