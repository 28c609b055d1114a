package datapath

import "sync/atomic"

// Counters are a picture of the traffic. Bytes and packets are IP as the device sees them.
type Counters struct {
	RxBytes, TxBytes     uint64
	RxPackets, TxPackets uint64
	RxDropped, TxDropped uint64
	StreamRxBytes        uint64 // every byte that came out of the stream: any of them is a sign of life
}

// counts is where the pumps count, once for each batch: a 64-bit atomic is a lock on 32-bit MIPS.
type counts struct {
	rxBytes, txBytes     atomic.Uint64
	rxPackets, txPackets atomic.Uint64
	rxDropped, txDropped atomic.Uint64
	streamRxBytes        atomic.Uint64
}

// Counters returns the counters as they are now.
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

// lost returns how many packets a device has dropped by itself.
func lost(dev Device) uint64 {
	if d, ok := dev.(interface{ Dropped() uint64 }); ok {
		return d.Dropped()
	}
	return 0
}
