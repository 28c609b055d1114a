package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// lease is a call's share of the pool: one IPv4 address and one IPv6 /64.
type lease struct {
	slot    int
	ipv4    netip.Addr
	prefix6 netip.Prefix
}

// pool hands out leases by number. Slot 1 is the server's own; a user keeps its slot for its next call, as DHCP servers
// do it for a returning client, unless fresh is set.
type pool struct {
	net4, net6 netip.Prefix
	fresh      bool
	slots      int            // slots 2 to slots are for clients
	home       map[string]int // user to slot, also while the user is away
	inUse      map[int]bool
	last       int
}

func newPool(net4, net6 netip.Prefix, fresh bool) (*pool, error) {
	if !net4.IsValid() {
		net4 = netip.MustParsePrefix("10.99.0.0/24")
	}
	if !net6.IsValid() {
		net6 = netip.MustParsePrefix("fd53:5354:5000::/48")
	}
	if !net4.Addr().Is4() || net4.Bits() > 30 {
		return nil, fmt.Errorf("the pool %v must be an IPv4 network of /30 or larger", net4)
	}
	if !net6.Addr().Is6() || net6.Bits() > 62 {
		return nil, fmt.Errorf("the pool %v must be an IPv6 network of /62 or larger", net6)
	}
	// All addresses but the network's own and the broadcast address; as many /64 as the IPv6 pool has.
	slots := 1<<min(32-net4.Bits(), 20) - 2
	return &pool{
		net4:  net4.Masked(),
		net6:  net6.Masked(),
		fresh: fresh,
		slots: min(slots, 1<<min(64-net6.Bits(), 20)-1),
		home:  map[string]int{},
		inUse: map[int]bool{},
		last:  1,
	}, nil
}

// take gives user a lease.
func (p *pool) take(user string) (lease, error) {
	slot, ok := p.home[user]
	if p.fresh || !ok || p.inUse[slot] {
		if slot = p.free(); slot == 0 {
			return lease{}, errors.New("the address pool is empty")
		}
	}
	if !ok || p.fresh {
		p.home[user] = slot
	}
	p.inUse[slot] = true
	return p.lease(slot), nil
}

// free finds a slot that is not in use, after the one found last. It prefers a slot to which no user will return.
func (p *pool) free() int {
	homes := map[int]bool{}
	for _, slot := range p.home {
		homes[slot] = true
	}
	second := 0
	for i := range p.slots - 1 {
		slot := 2 + (p.last-1+i)%(p.slots-1)
		switch {
		case p.inUse[slot]:
		case !homes[slot]:
			p.last = slot
			return slot
		case second == 0:
			second = slot
		}
	}
	if second != 0 {
		p.last = second
	}
	return second
}

// release gives a lease's slot back.
func (p *pool) release(slot int) { delete(p.inUse, slot) }

func (p *pool) lease(slot int) lease {
	a4 := p.net4.Addr().As4()
	binary.BigEndian.PutUint32(a4[:], binary.BigEndian.Uint32(a4[:])+uint32(slot))
	a6 := p.net6.Addr().As16()
	binary.BigEndian.PutUint64(a6[:8], binary.BigEndian.Uint64(a6[:8])+uint64(slot))
	return lease{slot: slot, ipv4: netip.AddrFrom4(a4), prefix6: netip.PrefixFrom(netip.AddrFrom16(a6), 64)}
}

// server4 is the server's own IPv4 address.
func (p *pool) server4() netip.Addr { return p.lease(1).ipv4 }

// server6 is the server's own address in the first /64.
func (p *pool) server6() netip.Addr {
	a := p.net6.Addr().As16()
	a[15] = 1
	return netip.AddrFrom16(a)
}
