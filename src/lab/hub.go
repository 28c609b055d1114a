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

// hub shares the server's one TUN device between its clients: a packet from the TUN device goes to the client to which its
// destination belongs. A client that is alone reads the TUN device itself, straight into the buffer of its pumps. Otherwise
// the hub's goroutine reads it and puts each packet into the queue of its client. A nil *hub is a server without a device.
type hub struct {
	dev  Device
	turn chan struct{} // one token: its holder reads the TUN device

	writing sync.Mutex // one client's packets at a time: the TUN device may merge the packets of one write

	mu      sync.Mutex
	routes  atomic.Pointer[routes] // replaced under mu, read without it
	changed chan struct{}          // one token: the routes have changed
	closing chan struct{}
	ended   chan struct{}
}

// routes maps destinations to clients. It is never changed but replaced.
type routes struct {
	ipv4    map[[4]byte]*clientDevice
	ipv6    map[[16]byte]*clientDevice // link-local addresses
	prefix6 map[[8]byte]*clientDevice  // the advertised /64
	lone    *clientDevice              // the only one with IPv4, if there is just one
}

func newHub(dev Device) *hub {
	h := &hub{dev: dev, turn: make(chan struct{}, 1), changed: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{})}
	h.routes.Store(&routes{})
	h.turn <- struct{}{}
	go h.run()
	return h
}

// newClientDevice returns the device of a client that has no address yet.
func (h *hub) newClientDevice() *clientDevice {
	d := newClientDevice(h.writePackets)
	d.hub = h
	return d
}

// close ends the reader, waits for it and leaves the TUN device usable. No client may use it any more.
func (h *hub) close() error {
	close(h.closing)
	h.interrupt()
	<-h.ended
	return h.dev.SetReadDeadline(time.Time{})
}

// interrupt makes the reader of the TUN device check everything again. The reader clears the deadline first and checks
// afterwards, so no interrupt is lost.
func (h *hub) interrupt() { h.dev.SetReadDeadline(longAgo) }

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// set makes d the owner of the addresses that are valid.
func (h *hub) set(d *clientDevice, ipv4, ipv6 netip.Addr, prefix6 netip.Prefix) {
	h.change(func(r *routes) {
		r.remove(d)
		if ipv4.IsValid() {
			r.ipv4[ipv4.As4()] = d
		}
		if ipv6.IsValid() {
			r.ipv6[ipv6.As16()] = d
			if prefix6.IsValid() {
				r.prefix6[network(prefix6.Addr().As16())] = d
			}
		}
	})
}

// remove takes all addresses from d.
func (h *hub) remove(d *clientDevice) { h.change(func(r *routes) { r.remove(d) }) }

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
	for _, d := range []*clientDevice{old.lone, next.lone} {
		if d != nil {
			signal(d.wake)
		}
	}
}

func (r *routes) clone() *routes {
	c := &routes{ipv4: map[[4]byte]*clientDevice{}, ipv6: map[[16]byte]*clientDevice{}, prefix6: map[[8]byte]*clientDevice{}}
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

func (r *routes) remove(d *clientDevice) {
	for k, v := range r.ipv4 {
		if v == d {
			delete(r.ipv4, k)
		}
	}
	for k, v := range r.ipv6 {
		if v == d {
			delete(r.ipv6, k)
		}
	}
	for k, v := range r.prefix6 {
		if v == d {
			delete(r.prefix6, k)
		}
	}
}

// find returns the client of an IP packet's destination, or nil.
func (r *routes) find(pkt []byte) *clientDevice {
	switch {
	case len(pkt) >= 20 && pkt[0]>>4 == 4:
		return r.ipv4[[4]byte(pkt[16:20])]
	case len(pkt) >= 40 && pkt[0]>>4 == 6:
		if d := r.ipv6[[16]byte(pkt[24:40])]; d != nil {
			return d
		}
		return r.prefix6[[8]byte(pkt[24:32])]
	}
	return nil
}

func network(addr [16]byte) [8]byte { return [8]byte(addr[:8]) }

// run carries packets from the TUN device to the clients while no client is alone. Successive packets for one client go
// together.
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
		var owner *clientDevice
		start := 0
		for _, end := range ends[:n] {
			pkt := buf[start:end]
			start = end
			switch d := r.find(pkt); {
			case d != owner:
				owner.flush(pkts)
				owner, pkts = d, append(pkts[:0], pkt)
			case d != nil:
				pkts = append(pkts, pkt)
			}
		}
		owner.flush(pkts)
	}
}

// read reads the TUN device for a client, or for the hub if d is nil. The caller has taken the turn; read gives it back. It
// returns no packets when something else must be checked first, and an error only when the TUN device is gone.
func (h *hub) read(d *clientDevice, buf []byte, room int, ends []int) (n int, err error) {
	defer func() { h.turn <- struct{}{} }()
	for {
		r := h.routes.Load()
		if r.lone != d || h.closed() || d.busy(r) {
			return 0, nil
		}
		n, err = h.dev.ReadPackets(buf, room, ends)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err := h.dev.SetReadDeadline(time.Time{}); err != nil {
				return 0, err
			}
			continue
		}
		if d != nil {
			d.ahead = nil
			if l, ok := h.dev.(datapath.Lookahead); ok && l.Pending() {
				d.ahead = r
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

// flush offers packets to the client. A nil d drops them.
func (d *clientDevice) flush(pkts [][]byte) {
	if d != nil && len(pkts) > 0 {
		d.offer(pkts...)
	}
}

// writePackets writes the packets of one client into the TUN device.
func (h *hub) writePackets(pkts [][]byte) (int, error) {
	h.writing.Lock()
	defer h.writing.Unlock()
	return h.dev.WritePackets(pkts)
}
