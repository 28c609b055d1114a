package lab

import (
	"net/netip"
	"time"
)

// publish changes what Clients shows.
func (c *conn) publish(change func(*Client)) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	change(&c.client)
}

// route tells the hub whose packets are whose, and the pumps what may flow.
func (c *conn) route() {
	cl := c.client // written by this goroutine alone
	if c.srv.hub != nil {
		c.srv.hub.set(c.port, cl.IPv4, cl.IPv6, cl.Prefix6)
	}
	if !c.connected {
		return
	}
	v4, v6 := cl.IPv4.IsValid(), cl.IPv6.IsValid()
	if !v4 && !v6 {
		c.pumps.CloseGate()
		return
	}
	c.pumps.Open(c.port, c.call.PeerMRU(), v4, v6)
	if v6 && c.port.advert.Load() == nil {
		_, dns := c.srv.dns()
		ra := appendAdvertisement(nil, cl.Prefix6, c.srv.pool.net6, c.srv.cfg.MRU, dns)
		c.port.advert.Store(&ra)
		c.repeatAdvertisement(time.Time{})
	}
}

func (c *conn) repeatAdvertisement(time.Time) {
	c.port.advertise()
	c.after(advertiseInterval, c.repeatAdvertisement)
}

// address is how an event shows an address that may be missing.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return "none"
	}
	return a.String()
}
