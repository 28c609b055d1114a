package lab

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sstp/src/datapath"
)

// How much the hub takes from the device at once.
const (
	hubBytes   = 64 << 10
	hubPackets = 256
)

// hub connects the ports of all clients to the one device: a packet from the device goes to the port that its
// destination belongs to. A client that is alone reads the device by itself, straight into the buffer of its pumps; else
// the hub's goroutine does, and puts each packet into the queue of its port. A nil *hub is a server without a device.
type hub struct {
	dev  Device
	turn chan struct{} // one token: who has it reads the device

	writing sync.Mutex // one client's packets at a time: the device may merge what it is given

	mu      sync.Mutex
	routes  atomic.Pointer[routes] // replaced under mu, read without it
	changed chan struct{}          // one token: there are other routes
	closing chan struct{}
	ended   chan struct{}
}

// routes says whose a destination is. It never changes; a new one takes its place.
type routes struct {
	ipv4    map[[4]byte]*port
	ipv6    map[[16]byte]*port // link-local addresses
	prefix6 map[[8]byte]*port  // the advertised /64
	lone    *port              // the only one with IPv4, if there is just one
}

func newHub(dev Device) *hub {
	h := &hub{dev: dev, turn: make(chan struct{}, 1), changed: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{})}
	h.routes.Store(&routes{})
	h.turn <- struct{}{}
	go h.run()
	return h
}

// newPort returns the place of a client that has no address yet.
func (h *hub) newPort() *port {
	p := newPort(h.writePackets)
	p.hub = h
	return p
}

// close ends the reader, waits for it and leaves the device usable. No port may be in use any more.
func (h *hub) close() error {
	close(h.closing)
	h.interrupt()
	<-h.ended
	return h.dev.SetReadDeadline(time.Time{})
}

// interrupt makes whoever reads the device look at everything again. He takes the deadline back first and looks
// afterwards, so that nothing is lost.
func (h *hub) interrupt() { h.dev.SetReadDeadline(longAgo) }

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// set makes p the owner of its addresses; addresses that are not valid yet are left out.
func (h *hub) set(p *port, ipv4, ipv6 netip.Addr, prefix6 netip.Prefix) {
	h.change(func(r *routes) {
		r.remove(p)
		if ipv4.IsValid() {
			r.ipv4[ipv4.As4()] = p
		}
		if ipv6.IsValid() {
			r.ipv6[ipv6.As16()] = p
			if prefix6.IsValid() {
				r.prefix6[network(prefix6.Addr().As16())] = p
			}
		}
	})
}

// remove takes everything from p.
func (h *hub) remove(p *port) { h.change(func(r *routes) { r.remove(p) }) }

func (h *hub) change(f func(*routes)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.routes.Load()
	next := old.clone()
	f(next)
	next.lone = nil
	if len(next.ipv4) == 1 {
		for _, next.lone = range next.ipv4 {
		}
	}
	h.routes.Store(next)
	if old.lone == next.lone {
		return
	}
	h.interrupt()
	signal(h.changed)
	for _, p := range []*port{old.lone, next.lone} {
		if p != nil {
			signal(p.wake)
		}
	}
}

func (r *routes) clone() *routes {
	c := &routes{ipv4: map[[4]byte]*port{}, ipv6: map[[16]byte]*port{}, prefix6: map[[8]byte]*port{}}
	for k, v := range r.ipv4 {
		c.ipv4[k] = v
	}
	for k, v := range r.ipv6 {
		c.ipv6[k] = v
	}
	for k, v := range r.prefix6 {
		c.prefix6[k] = v
	}
	return c
}

func (r *routes) remove(p *port) {
	for k, v := range r.ipv4 {
		if v == p {
			delete(r.ipv4, k)
		}
	}
	for k, v := range r.ipv6 {
		if v == p {
			delete(r.ipv6, k)
		}
	}
	for k, v := range r.prefix6 {
		if v == p {
			delete(r.prefix6, k)
		}
	}
}

// find returns the port of an IP packet's destination, nil: nobody's.
func (r *routes) find(pkt []byte) *port {
	switch {
	case len(pkt) >= 20 && pkt[0]>>4 == 4:
		return r.ipv4[[4]byte(pkt[16:20])]
	case len(pkt) >= 40 && pkt[0]>>4 == 6:
		if p := r.ipv6[[16]byte(pkt[24:40])]; p != nil {
			return p
		}
		return r.prefix6[[8]byte(pkt[24:32])]
	}
	return nil
}

func network(addr [16]byte) [8]byte { return [8]byte(addr[:8]) }

// run carries packets from the device to the ports while no client is alone, in runs that belong to one port.
func (h *hub) run() {
	defer close(h.ended)
	buf := make([]byte, hubBytes)
	ends := make([]int, hubPackets)
	pkts := make([][]byte, 0, hubPackets)
	for {
		wait := h.turn
		if h.routes.Load().lone != nil {
			wait = nil
		}
		select {
		case <-wait:
		case <-h.changed:
			continue
		case <-h.closing:
			return
		}
		n, err := h.read(nil, buf, 0, ends)
		if err != nil {
			return // the device is gone
		}
		r := h.routes.Load()
		var owner *port
		start := 0
		for _, end := range ends[:n] {
			pkt := buf[start:end]
			start = end
			switch p := r.find(pkt); {
			case p != owner:
				owner.flush(pkts)
				owner, pkts = p, append(pkts[:0], pkt)
			case p != nil:
				pkts = append(pkts, pkt)
			}
		}
		owner.flush(pkts)
	}
}

// read reads the device for a port, or for the hub, who has taken the turn; it gives the turn back. It returns nothing
// when there is something else to look at, and an error only when the device is gone.
func (h *hub) read(p *port, buf []byte, room int, ends []int) (n int, err error) {
	defer func() { h.turn <- struct{}{} }()
	for {
		r := h.routes.Load()
		if r.lone != p || h.closed() || p.busy(r) {
			return 0, nil
		}
		n, err = h.dev.ReadPackets(buf, room, ends)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err := h.dev.SetReadDeadline(time.Time{}); err != nil {
				return 0, err
			}
			continue
		}
		if p != nil {
			p.ahead = nil
			if l, ok := h.dev.(datapath.Lookahead); ok && l.Pending() {
				p.ahead = r
			}
		}
		return n, err
	}
}

func (h *hub) closed() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

// flush offers a run of packets; a nil port drops it.
func (p *port) flush(pkts [][]byte) {
	if p != nil && len(pkts) > 0 {
		p.offer(pkts...)
	}
}

// writePackets is the ports' way into the device.
func (h *hub) writePackets(pkts [][]byte) (int, error) {
	h.writing.Lock()
	defer h.writing.Unlock()
	return h.dev.WritePackets(pkts)
}
