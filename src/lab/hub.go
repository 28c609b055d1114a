package lab

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// How much the hub takes from the device at once.
const (
	hubBytes   = 64 << 10
	hubPackets = 256
)

// hub connects the ports of all clients to the one device: a packet from the device goes to the port that its
// destination belongs to. A nil *hub is a server without a device.
type hub struct {
	dev Device

	writing sync.Mutex // one client's packets at a time: the device may merge what it is given

	mu      sync.Mutex
	routes  atomic.Pointer[routes] // replaced under mu, read without it
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
	h := &hub{dev: dev, closing: make(chan struct{}), ended: make(chan struct{})}
	h.routes.Store(&routes{})
	go h.run()
	return h
}

// close ends the reader, waits for it and leaves the device usable.
func (h *hub) close() error {
	close(h.closing)
	if err := h.dev.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return err
	}
	<-h.ended
	return h.dev.SetReadDeadline(time.Time{})
}

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
	if old.lone != nil {
		signal(old.lone.space) // the hub must look at the routes again
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

// run carries packets from the device to the ports, in runs that belong to one port.
func (h *hub) run() {
	defer close(h.ended)
	buf := make([]byte, hubBytes)
	ends := make([]int, hubPackets)
	pkts := make([][]byte, 0, hubPackets)
	for {
		n, err := h.dev.ReadPackets(buf, 0, ends)
		if err != nil {
			return // the deadline of close, or the device is gone
		}
		r := h.routes.Load()
		h.hesitate(r)
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

// hesitate waits while the queue of a client that is alone is crowded: the device's own queue then holds the packets,
// as if the client read the device itself. Of several clients none may hold up the others.
func (h *hub) hesitate(r *routes) {
	p := r.lone
	for p != nil && p.crowded() && h.routes.Load() == r {
		select {
		case <-p.space:
		case <-h.closing:
			return
		}
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
