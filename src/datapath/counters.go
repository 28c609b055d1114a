package datapath

import "sync/atomic"

// Counters is a snapshot of the traffic. Bytes and packets are those of IP, as the device sees them.
type Counters struct {
	RxBytes, TxBytes     uint64
	RxPackets, TxPackets uint64
	RxDropped, TxDropped uint64
	StreamRxBytes        uint64 // all bytes read from the stream; any of them is a sign of life
}

// counts holds the running counters. The pumps add to them once for each batch, because a 64-bit atomic takes a lock on
// 32-bit MIPS.
type counts struct {
	rxBytes, txBytes     atomic.Uint64
	rxPackets, txPackets atomic.Uint64
	rxDropped, txDropped atomic.Uint64
	streamRxBytes        atomic.Uint64
}

// Counters returns a snapshot of the counters.
func (p *Pumps) Counters() Counters {
	c := &p.counts
	now := Counters{
		RxBytes:       c.rxBytes.Load(),
		TxBytes:       c.txBytes.Load(),
		RxPackets:     c.rxPackets.Load(),
		TxPackets:     c.txPackets.Load(),
		RxDropped:     c.rxDropped.Load(),
		TxDropped:     c.txDropped.Load(),
		StreamRxBytes: c.streamRxBytes.Load(),
	}
	if g := p.gate.Load(); g != nil {
		now.TxDropped += lost(g.dev) - g.lost
	}
	return now
}

// lost returns how many packets a device itself has dropped.
func lost(dev Device) uint64 {
	if d, ok := dev.(interface{ Dropped() uint64 }); ok {
		return d.Dropped()
	}
	return 0
}
