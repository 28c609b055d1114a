package ubus

import (
	"slices"
	"sync/atomic"
)

// endpointKind is what an object of ours at ubusd is for.
type endpointKind uint8

const (
	publishing  endpointKind = iota // it has a path and methods
	listening                       // it gets events
	watching                        // it gets the event that an object has come, for those subscribing
	subscribing                     // it gets another object's notifications
)

// endpoint is what the client wants ubusd to know. Each is an object at ubusd, so that the object's id tells to whom a
// message is; only a published one has a path.
type endpoint struct {
	kind      endpointKind
	name      string // path or pattern
	object    *Object
	hear      func(name string, data Fields)
	inbox     inbox
	withdrawn atomic.Bool
	complaint string // what went wrong last; of the goroutine that registers
}

// binding is what ubusd knows of an endpoint, on one connection.
type binding struct {
	id     uint32 // of its object; 0: none
	target uint32 // of the object to which it is subscribed; 0: not subscribed
	heard  bool   // its pattern is registered
}

func (c *Client) add(e *endpoint) {
	c.mu.Lock()
	c.endpoints = append(c.endpoints, e)
	c.mu.Unlock()
	c.reconsider()
}

// withdraw marks endpoints; they stay in the list until ubusd has forgotten them too.
func (c *Client) withdraw(kind endpointKind, name string) {
	c.mu.Lock()
	for _, e := range c.endpoints {
		if e.kind == kind && e.name == name {
			e.withdrawn.Store(true)
		}
	}
	c.mu.Unlock()
	c.reconsider()
}

// reconsider makes the connection compare what is registered with what shall be. It never waits.
func (c *Client) reconsider() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

func (c *Client) wanted() []*endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.endpoints)
}

func (c *Client) forget(e *endpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoints = slices.DeleteFunc(c.endpoints, func(other *endpoint) bool { return other == e })
}

// objectAdded hears of new objects: perhaps one for which a subscription waits.
func (c *Client) objectAdded(_ string, data Fields) {
	path := data.Text("path")
	for _, e := range c.wanted() {
		if e.kind == subscribing && e.name == path {
			c.reconsider()
			return
		}
	}
}

func (c *Client) log(line string) {
	if c.opt.Log != nil {
		c.opt.Log(line)
	}
}
